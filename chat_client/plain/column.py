"""The column: events, states and answers as lines, in the order in which they come.

It writes and decides nothing: what an event changes for the line that is typed is the front end's.
"""

from collections.abc import Callable, Iterable

from chat_client.common import wording
from chat_client.common.losses import Losses
from chat_client.common.transfers import Transfer
from chat_client.common.wording import Answer, Kind
from chat_client.plain import lines
from chat_client.plain.lines import EVERYTHING, LineForm
from chat_client.sdk import clock
from chat_client.sdk.chat import Chat
from chat_client.sdk.events import AnyEvent, Connected, Outgoing
from chat_server.protocol.base import Event
from chat_server.protocol.messages import Message, Sent

PRINTED_MAX = 200  # messages of which it is known how they were printed last
PROGRESS_SECONDS = 2.0  # between two lines about a file on its way


class Column:
    """`write` takes whole lines with their ends."""

    def __init__(self, chat: Chat, write: Callable[[str], None], form: LineForm = EVERYTHING) -> None:
        self._chat, self._write, self._form = chat, write, form
        self._printed: dict[int, Message] = {}  # as they were last, by their ids
        self.losses = Losses()

    # ---- what comes

    def show(self, event: AnyEvent, is_own: bool) -> None:
        """`is_own`: the answer to a command tells it already; but a message is shown as it is now."""
        if isinstance(event, Outgoing):
            self._show_outgoing(event)
        elif not isinstance(event, Event):
            self._show_state(event)
        elif isinstance(event, Message):
            self._show_message(event)
        elif not is_own:
            self.print_events([event])

    def _show_message(self, message: Message) -> None:
        """Of a message that was printed, reactions alone are told in short: it would be read aloud for each again."""
        before = self._printed.get(message.id)
        told = lines.reactions(before, message, self._form) if before is not None else None
        if told is None:
            self.print_events([message])
        else:
            self._keep(message)
            self._print(told)

    def print_events(self, events: Iterable[Event]) -> None:
        for event in events:
            self._print(lines.event(event, self._chat.user, clock.now(), self._form))
            if isinstance(event, Message):
                self._keep(event)

    def _keep(self, message: Message) -> None:
        self._printed.pop(message.id, None)
        self._printed[message.id] = message
        if len(self._printed) > PRINTED_MAX:
            del self._printed[next(iter(self._printed))]

    def _show_outgoing(self, command: Outgoing) -> None:
        if (command.state == "waiting" and command.error is None) or command.is_shown:
            return
        if (sent := sent_message(command, self._chat.user)) is not None:
            self.print_events([sent])
            self.note("info", getattr(command.reply, "note", None) or "")
            return
        self._show_fate(command)
        if command.state == "failed" and len(command.text) > self._chat.limits.get("text_max", len(command.text)):
            self.note("info", wording.FILE_HINT)

    def show_posted(self, command: Outgoing) -> None:
        """What was put in line is shown where it has to wait."""
        if not isinstance(self._chat.state, Connected):
            self._show_fate(command)

    def _show_fate(self, command: Outgoing) -> None:
        self.note(*wording.outgoing(command, clock.now()))

    def _show_state(self, state: AnyEvent) -> None:
        if self.losses.is_news(state):
            self.note("info", wording.state(state, clock.elapsed()))

    def show_progress(self, transfer: Transfer) -> None:
        """A line now and then, for what takes longer."""
        at, progress = clock.elapsed(), transfer.progress
        if transfer.shown_at is None:
            transfer.shown_at = at
        if at - transfer.shown_at >= PROGRESS_SECONDS and progress.done < progress.size:
            transfer.shown_at = at
            name = wording.short(transfer.name)
            self.note("info", f"{name}: {wording.progress(progress)}; {wording.CANCEL_HINT}")

    # ---- what is said

    def note(self, kind: Kind, text: str) -> None:
        self._print(lines.note(kind, text))

    def answer(self, answer: Answer) -> None:
        self._print(lines.answer(answer))

    def _print(self, shown: list[str]) -> None:
        if shown:
            self._write("".join(f"{line}\n" for line in shown))


def sent_message(command: Outgoing, me: str) -> Message | None:
    """The message that came of it: one's own is mostly not pushed to where it was sent from. None if it was."""
    reply = command.reply
    if command.state != "sent" or command.is_shown or not isinstance(reply, Sent) or command.target is None:
        return None
    return Message(reply.id, reply.id, command.target, me, reply.at, command.text)
