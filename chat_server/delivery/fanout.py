"""Fan-out: writes the plan of a batch to the connections.

A batch costs one rendering a format and one write a connection, however many messages it has; a connection that is
behind costs nothing. The session of a command gets its reply in the command's place, and not the command's own events.
"""

import logging
from collections.abc import Callable, Container, Iterable
from itertools import chain
from typing import NamedTuple

from chat_server.chat_time import ChatTime
from chat_server.delivery.connections import Connections, Receiver
from chat_server.delivery.live_outboxes import LiveOutboxes
from chat_server.delivery.outbox import Outbox
from chat_server.delivery.rendering import EVERYONE, Audience, BatchRendering, IndexedReply, RoutedEvent, RoutedEvents
from chat_server.delivery.routing import IndexedOutcome, Plan
from chat_server.delivery.shown_states import OwnState
from chat_server.protocol.base import Event
from chat_server.protocol.formats import FORMATS, Format
from chat_server.protocol.messages import Message
from chat_server.protocol.people import PresenceChanged
from chat_server.protocol.times import iso
from chat_server.rules.executor import Outcome
from chat_server.rules.outcomes import MembershipChange
from chat_server.send_ring import WriteNow, open_write_all

log = logging.getLogger("chat.delivery")

TellNotices = Callable[[int, list[int]], None]
"""Called with a user, and the notices that the user has been told."""


class FanOut:
    """The feed that outboxes follow."""

    def __init__(
        self,
        time: ChatTime,
        connections: Connections,
        told: TellNotices,
        write_now: WriteNow,
        *,
        seq: int,
        bytes_max: int,
    ) -> None:
        """`seq` is that of the last batch; `bytes_max` what an outbox may hold."""
        self.delivered = seq
        # A live connection has less than the other half in its transport.
        self.write_bytes_max = bytes_max // 2
        self._told = told
        self.unanswered: list[Outcome] = []  # of the last batch, whose connections are gone
        self.deliveries = 0  # lines of events that connections got, counted a batch at a time: own ones are in it
        # How many connections, all of them and by their users and private chats, the events of the last batch went to.
        self._live_count = 0
        self._counts_of_users: dict[int, int] = {}
        self._counts_of_rooms: dict[int, int] = {}
        self._time = time
        self._connections = connections
        write_all = open_write_all(write_now)
        self._live = {format: LiveOutboxes(write_all) for format in FORMATS.values()}
        self._behind: dict[Outbox, None] = {}

    def now(self) -> str:
        """The time in ISO 8601, from which people's times are shown."""
        return iso(self._time.now().at_ms)

    # ---- the outboxes

    def follow(self, outbox: Outbox) -> None:
        """An outbox is a user's now, and not live yet."""
        self._behind[outbox] = None

    def unfollow(self, outbox: Outbox) -> None:
        """An outbox is nobody's any more, and not live."""
        self._behind.pop(outbox, None)

    def joined(self, outbox: Outbox) -> None:
        self._behind.pop(outbox, None)
        self._live[outbox.format].add(outbox)

    def told(self, user_id: int, notices: list[int]) -> None:
        self._told(user_id, notices)

    def left(self, outbox: Outbox) -> None:
        self._live[outbox.format].remove(outbox)
        self._behind[outbox] = None

    def queue(self, outbox: Outbox) -> None:
        self._live[outbox.format].queue(outbox)

    # ---- a batch

    def write(self, plan: Plan) -> dict[int, list[int]]:
        """Write to those who wait for a reply, to those with an audience of their own, and to all the others.

        All of it is written at once at the end, except where something waits already. Return the notices that users
        have been told, by user id.
        """
        audiences = plan.events.audiences(plan.members)
        batch = _Batch(plan.events, audiences, BatchRendering(plan.events, self.now()), self.delivered)
        self.delivered = plan.seq
        told = self._keep(plan)
        self._count(plan)
        done: dict[Outbox, None] = {}
        self.unanswered = []
        for session, outcomes in plan.replies.items():
            self._settle(session, outcomes, batch, done)
        for user_id, audience in audiences.items():
            for connection in self._connections.of_user(user_id):
                if connection.outbox not in done:
                    done[connection.outbox] = None
                    self._write_own(connection.outbox, audience, batch)
        if plan.events.everyone:
            self._write_to_others(batch, done)
        self._flush()
        for outbox in list(self._behind):
            outbox.catch_up()
        return told

    def _keep(self, plan: Plan) -> dict[int, list[int]]:
        """Keep what catching up does not find in the store; return the notices that a live connection is told now."""
        told: dict[int, list[int]] = {}
        for step in plan.for_later:
            if isinstance(step, MembershipChange):
                for connection in self._connections.of_user(step.user_id):
                    connection.outbox.move(step.name, came=step.came)
                continue
            event, notice, audience = step.routed.event, step.routed.notice, step.audience
            not_for = self._connections.outbox_of(step.asker)
            outboxes = self._outboxes(audience, plan)
            for outbox in outboxes:
                if not outbox.live and outbox is not not_for:
                    outbox.keep(event, notice)
            if notice and audience.user_id and any(outbox.live for outbox in outboxes):
                told.setdefault(audience.user_id, []).append(notice)
        return told

    def _outboxes(self, audience: Audience, plan: Plan) -> list[Outbox]:
        """All of a user, or those that are behind of everyone or of a private chat."""
        if audience.user_id:
            return self._connections.outboxes_of((audience.user_id,))
        if audience == EVERYONE:
            return list(self._behind)
        members = plan.members[audience.rooms[0]]
        return [outbox for outbox in self._behind if outbox.user_id in members]

    def _settle(self, session: int, outcomes: list[IndexedOutcome], batch: "_Batch", done: dict[Outbox, None]) -> None:
        receiver, outbox = self._connections.find(session), self._connections.outbox_of(session)
        if receiver is None:
            self.unanswered += [outcome for _, outcome in outcomes]
            return
        if outbox is not None:
            done[outbox] = None
        try:
            replies = [(index, receiver.settle(outcome)) for index, outcome in outcomes]
            if outbox is not None:
                self._reply(outbox, outcomes, replies, batch)
        except Exception:
            abort(receiver)

    def _reply(
        self, outbox: Outbox, outcomes: list[IndexedOutcome], replies: list[IndexedReply], batch: "_Batch"
    ) -> None:
        if outbox.live:
            format = outbox.format
            # The reply to a command that read first is the end of its answer, and what is pushed follows that.
            placed = [(index, b"") for index, _ in replies] if outbox.holding else replies
            data = batch.rendering.data_for(batch.audience(outbox), format, placed)
            own = chain.from_iterable(map(own_states, [outcome for _, outcome in outcomes]))
            if len(data) > self.write_bytes_max or outbox.may_lack(own, batch.before):
                self._leave_to_store(outbox, batch, {index for index, _ in outcomes})
            else:
                self._live[format].write(outbox, data)
                if not outbox.holding:
                    return
        for (_, outcome), (_, data) in zip(outcomes, replies, strict=True):
            outbox.reply_as_of(outcome.seq, data, own_states(outcome))

    def _write_own(self, outbox: Outbox, audience: Audience, batch: "_Batch") -> None:
        if not outbox.live:
            return
        data = batch.rendering.data_for(audience, outbox.format)
        if len(data) > self.write_bytes_max:
            self._leave_to_store(outbox, batch)
        else:
            self._live[outbox.format].write(outbox, data)

    def _leave_to_store(self, outbox: Outbox, batch: "_Batch", own: Container[int] = ()) -> None:
        """A batch that is too much to be written at once is read from the store, page by page."""
        outbox.lag(batch.before)
        for routed in batch.events.not_stored(batch.audience(outbox), own):
            outbox.keep(routed.event, routed.notice)

    def _write_to_others(self, batch: "_Batch", done: dict[Outbox, None]) -> None:
        for format, live in self._live.items():
            if not live:
                continue
            data = batch.rendering.lines_for(EVERYONE, format).data
            if len(data) > self.write_bytes_max:
                for outbox in live:
                    if outbox not in done:
                        self._leave_to_store(outbox, batch)
            elif data:
                live.write_to_others(data, done)

    def _count(self, plan: Plan) -> None:
        """Of a batch at once, so about: in a private chat who is behind is counted, a second device is not.

        Before the replies, behind which connections may end.
        """
        events = plan.events
        self._live_count = sum(map(len, self._live.values()))
        self._counts_of_users = {user_id: len(self._connections.of_user(user_id)) for user_id in events.users}
        self._counts_of_rooms = {room: len(members) for room, members in plan.members.items()}
        self.deliveries += len(events.everyone) * self._live_count
        for user_id, own in events.users.items():
            self.deliveries += len(own) * self._counts_of_users[user_id]
        for room, own in events.rooms.items():
            self.deliveries += len(own) * self._counts_of_rooms[room]

    def count_receivers(self, events: RoutedEvents) -> dict[int, int]:
        """Count the connections that each change of a message of the last batch went to, by its seq."""
        counts = {routed.event.seq: self._live_count for routed in events.everyone if isinstance(routed.event, Message)}
        for user_id, own in events.users.items():
            _add(counts, own, self._counts_of_users[user_id])
        for room, own in events.rooms.items():
            _add(counts, own, self._counts_of_rooms[room])
        return counts

    # ---- besides the batches

    def tell_all(self, event: Event) -> None:
        """Tell everyone who is signed in of what is in no batch."""
        behind = list(self._behind)  # a write may pause its connection, which has been told then
        self.tell_live(chain.from_iterable(self._live.values()), event)
        for outbox in behind:
            outbox.keep(event)

    def tell_users(self, user_ids: Iterable[int], event: Event) -> None:
        """Tell these users, on all their connections, of what is in no batch."""
        outboxes = self._connections.outboxes_of(user_ids)
        behind = [outbox for outbox in outboxes if not outbox.live]
        self.tell_live(outboxes, event)
        for outbox in behind:
            outbox.keep(event)

    def tell_live(self, outboxes: Iterable[Outbox], event: Event) -> None:
        """Tell those of these that are live of what is in no batch; the others are never told."""
        lines: dict[Format, bytes] = {}
        for outbox in outboxes:
            if outbox.live:
                format = outbox.format
                if format not in lines:
                    lines[format] = format.event(event, self.now())
                self._live[format].write(outbox, lines[format])
        self._flush()

    def tell_presence(self, changes: dict[int, PresenceChanged]) -> None:
        """Tell everyone who wants to know of these users, by their ids; nobody is told of oneself."""
        behind = list(self._behind)
        for format, live in self._live.items():
            lines = {user_id: format.event(event, self.now()) for user_id, event in changes.items()}
            data = b"".join(lines.values())
            for outbox in live:
                if outbox.presence:
                    others = data
                    if outbox.user_id in lines:
                        # Not by looking for the line: the reason why another one is away may have the same words.
                        others = b"".join(line for user_id, line in lines.items() if user_id != outbox.user_id)
                    live.write(outbox, others)
        self._flush()
        for outbox in behind:
            for user_id, event in changes.items():
                if user_id != outbox.user_id:
                    outbox.keep(event)

    def _flush(self) -> None:
        for live in self._live.values():
            live.flush()


class _Batch(NamedTuple):
    events: RoutedEvents
    audiences: dict[int, Audience]
    rendering: BatchRendering
    before: int
    """The seq of the last batch before."""

    def audience(self, outbox: Outbox) -> Audience:
        return self.audiences.get(outbox.user_id, EVERYONE)


def _add(counts: dict[int, int], events: Iterable[RoutedEvent], receivers: int) -> None:
    for routed in events:
        event = routed.event
        if isinstance(event, Message):
            seq = event.seq
            counts[seq] = counts.get(seq, 0) + receivers


def own_states(outcome: Outcome) -> list[OwnState]:
    """The states of messages that a command made."""
    return [
        OwnState(push.event.id, push.event.seq, push.before)
        for push in outcome.pushes
        if isinstance(push.event, Message)
    ]


def abort(receiver: Receiver) -> None:
    """A mistake in what concerns one session, which is being handled, ends that session and nothing else."""
    log.exception("session %d failed: this is a bug; it is closed", receiver.number)
    receiver.abort()
