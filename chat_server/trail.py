"""The trail of messages in the log: what became of batches, delayed and expired messages."""

from chat_server.action_log import IDS_A_LINE, ActionLog, in_ranges
from chat_server.delivery.fanout import FanOut
from chat_server.delivery.rendering import RoutedEvents
from chat_server.log.entries import Due
from chat_server.protocol.messages import Expired, Message
from chat_server.rules.executor import Executed


class Trail:
    """Notes each batch that was delivered. One that changed no message leaves no line."""

    def __init__(self, actions: ActionLog, feed: FanOut, *, is_member: bool) -> None:
        self._actions = actions
        self._feed = feed
        self._is_member = is_member

    def note(self, executed: Executed, before: int, events: RoutedEvents) -> None:
        """`before` is the seq of the batch before; `events` are those that were routed."""
        if not self._actions.enabled:
            return
        if self._feed.unanswered:
            self._note_unanswered()
        if executed.seq > before:
            self._note_batch(executed, before, events)
        if executed.counts:
            self._note_what_was_due(executed)

    def _note_unanswered(self) -> None:
        """Log the messages of those who were gone before the answer, with which an action is logged otherwise."""
        for outcome in self._feed.unanswered:
            messages = [push.event for push in outcome.pushes if isinstance(push.event, Message)]
            if not messages or outcome.entry.origin is None:
                continue
            message = messages[0]
            seq = 0 if message.seq == message.id else message.seq
            session = outcome.entry.origin.session
            self._actions.add(message.from_, "unanswered", "ok", 0.0, session, "-", message.id, seq)

    def _note_batch(self, executed: Executed, before: int, events: RoutedEvents) -> None:
        (stream, sequence), first, last = executed.position, before + 1, executed.seq
        number, node = str(sequence), ""
        if self._is_member:
            number, origin = f"{stream}/{sequence}", executed.outcomes[0].entry.origin
            node = origin.node if origin is not None else ""
        receivers = self._feed.count_receivers(events)
        if first == last:
            seqs, told = str(first), str(receivers.get(first, 0))
        else:
            counts = [receivers.get(seq, 0) for seq in range(first, last + 1)]
            seqs, told = f"{first}-{last}", str(counts[0])
            if counts.count(counts[0]) != len(counts):
                told = ",".join(map(str, counts))
        self._actions.add_batch(number, node, seqs, len(executed.outcomes), told, executed.commit_seconds)

    def _note_what_was_due(self, executed: Executed) -> None:
        expired: set[int] = set()
        for outcome in executed.outcomes:
            is_due, sent = type(outcome.entry.command) is Due, set()
            for push in outcome.pushes:
                event = push.event
                if type(event) is Expired:
                    expired.update(event.ids)
                elif is_due and isinstance(event, Message) and event.id == event.seq and event.id not in sent:
                    sent.add(event.id)
                    self._actions.add(event.from_, "delayed", "ok", 0.0, 0, "-", event.id)
        ids = sorted(expired)
        for first in range(0, len(ids), IDS_A_LINE):
            self._actions.add_fact("expired", {"ids": in_ranges(ids[first : first + IDS_A_LINE])})
