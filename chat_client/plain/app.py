"""The client in one column: events become lines, and typed text goes to the open chat.

For screen readers, logs, dumb terminals and pipes. What a typed line asks for, the local commands, the words and the
calls are those of the full screen (`common`). Messages that were shown count as read when the next line is typed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from chat_client.common import typed_lines, wording
from chat_client.common.completion import Known
from chat_client.common.file_paths import entries
from chat_client.common.listening import Listening
from chat_client.common.local_commands import Task
from chat_client.common.mentions import Attention, Call
from chat_client.common.reading_log import ReadingLog
from chat_client.common.recency import Recent
from chat_client.common.transfers import Transfers
from chat_client.common.typed_lines import (
    AskSecrets,
    AskServer,
    AskTarget,
    Intention,
    OverlongText,
    Post,
    Refuse,
    RunLocal,
    Say,
)
from chat_client.common.wording import Kind
from chat_client.exit_status import ExitStatus, of_line, worse
from chat_client.plain.column import Column, sent_message
from chat_client.plain.front_end import PlainFrontEnd
from chat_client.plain.line_input import Input, Unreadable
from chat_client.plain.lines import EVERYTHING, LineForm
from chat_client.plain.missed import Missed, Shown
from chat_client.sdk import clock
from chat_client.sdk.chat import Chat
from chat_client.sdk.errors import ChatError, Refused
from chat_client.sdk.events import AnyEvent, Connected, Ended, Outgoing
from chat_server.protocol.messages import Message, ReadMarker
from chat_server.protocol.rooms import Left

# At the end of a pipe what it sent is waited for; a person who leaves has seen what waits.
LAST_SECONDS_MAX, ATTENDED_LAST_SECONDS_MAX = 30, 2


class Plain:
    """`write` takes whole lines with their ends; `ring` takes what calls the user."""

    def __init__(
        self,
        chat: Chat,
        downloads: Path,
        write: Callable[[str], None],
        ring: Callable[[Call], None] = lambda call: None,
        form: LineForm = EVERYTHING,
        log: ReadingLog | None = None,
        listening: Listening | None = None,
    ) -> None:
        self._listening = listening or Listening()
        self._log = log
        self._chat, self._column, self._ring = chat, Column(chat, write, form), ring
        self._missed = Missed()
        self._attention = Attention(self._listening)
        self._recent = Recent()
        self._transfers = Transfers(chat, downloads, self._column.show_progress)
        self.front_end = PlainFrontEnd(chat, self._column, self._recent, self._transfers, self._spawn, self._listening)
        self._shown: dict[str, int] = {}  # the newest message of each chat that was shown and is not marked as read
        self._running: set[asyncio.Task[None]] = set()
        self._status = ExitStatus.DONE
        self.put_back: Callable[[str], None] | None = None  # puts a line into the prompt, where there is one

    def prompt(self) -> str:
        """What stands before the line that is typed."""
        is_connected = isinstance(self._chat.state, Connected)
        return f"{self.front_end.open or '/open <chat>'}{'' if is_connected else ' (not connected)'}> "

    def known(self) -> Known:
        return self._recent.known(self._chat.commands, self.front_end.open, self._chat.user, entries)

    async def run(self, source: Input) -> int:
        """Until the input or the connection ends; the exit status."""
        with source.output():
            showing = asyncio.create_task(self._take_all())
            typing = asyncio.create_task(self._type(source))
            try:
                try:
                    await asyncio.wait({showing, typing}, return_when=asyncio.FIRST_COMPLETED)
                    if typing.done():
                        typing.result()
                        await self._send_last(ATTENDED_LAST_SECONDS_MAX if source.attended else LAST_SECONDS_MAX)
                finally:  # after a signal too
                    await _stop(typing)
                    await self._close()
                await showing
            finally:
                await _stop(typing, showing, *self._running)
        return self._status

    async def _send_last(self, seconds: float) -> None:
        self._mark_read()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while waiting := [each.key for each in self._chat.outgoing if each.state == "waiting"]:
                    await self._chat.wait_until_settled(waiting[0])
                while self._running:
                    await asyncio.wait(self._running)

    async def _close(self) -> None:
        """Close the chat, then say what was not sent: only then is it known what is in doubt."""
        await self._chat.close()
        for command in self._chat.outgoing:
            self._fail(ExitStatus.NOT_KNOWN if command.in_doubt else ExitStatus.NO_CONNECTION)
            self._note("error", wording.unsent(command))

    def _fail(self, status: ExitStatus) -> None:
        self._status = worse(self._status, status)

    # ---- what comes

    async def _take_all(self) -> None:
        async for heard in self._chat:
            event = self._listening.hear(heard, self._chat.user)
            self._recent.note(event, self._chat.user)
            self._take(event)
            if call := self._attention.call(event, self._chat.user, clock.elapsed()):
                self._ring(call)

    def _take(self, event: AnyEvent) -> None:
        """Show an event, and follow what it changes: the open chat, what will be read, the exit status."""
        if self._missed.hold(event):
            return
        if (shown := self._missed.follow(event)) is not None:
            self._show_missed(shown)
        self._show(event, self._chat.is_own)

    def _show(self, event: AnyEvent, is_own: bool) -> None:
        if not (isinstance(event, Message) and self._listening.hides(event)):
            self._column.show(event, is_own)
        match event:
            case Outgoing():
                self._transfers.settle(event)
                if (sent := sent_message(event, self._chat.user)) is not None:
                    self._keep(sent)
                if event.state == "failed":
                    self._fail(of_line(event.error))
                    self._put_back(event)
            case Message():
                self._note_shown(event)
            case ReadMarker() if self._shown.get(event.chat, 0) <= event.id:
                self._shown.pop(event.chat, None)
            case Left() if event.user == self._chat.user and event.chat == self.front_end.open:
                if is_own:
                    self.front_end.go_to("main")
                else:
                    self.front_end.lose_open_chat()
            case Connected() if self.front_end.open.startswith("#"):
                if self.front_end.open not in {chat.name for chat in event.signed_in.chats}:
                    self.front_end.lose_open_chat()
            case Ended() if event.code != "closed":
                self._fail(ExitStatus.NO_CONNECTION)

    def _put_back(self, refused: Outgoing) -> None:
        """A message that came too soon stands in the prompt again, where there is one."""
        is_plain = refused.verb in ("send", "send_all") and refused.target == self.front_end.open
        if is_plain and self.put_back is not None and getattr(refused.error, "code", "") == "rate_limited":
            self.put_back(refused.text)

    def _show_missed(self, shown: Shown) -> None:
        """What is left out is told in front of the messages, behind the numbers of all that is unread."""
        left_out = list(shown.left_out.items())
        for event in shown.events:
            while left_out and isinstance(event, Message):
                chat, count = left_out.pop(0)
                self._note("info", f"{chat}: {count} more unread before these; /messages {chat} shows them")
            self._missed.follow(event)
            self._show(event, False)

    def _keep(self, message: Message) -> None:
        if self._log is not None and (words := self._log.note(message, self._chat.user)) is not None:
            self._note("error", words)

    def _note_shown(self, message: Message) -> None:
        if not self._listening.hides(message):
            self._keep(message)
        if message.from_ != self._chat.user and self._missed.may_mark_read(message.chat):
            self._shown[message.chat] = max(message.id, self._shown.get(message.chat, 0))

    def _note(self, kind: Kind, text: str) -> None:
        self._column.note(kind, text)

    def _mark_read(self) -> None:
        shown, self._shown = self._shown, {}
        for chat, id_ in shown.items():
            self._spawn(self._read(chat, id_))

    async def _read(self, chat: str, id_: int) -> None:
        with suppress(ChatError):
            await self._chat.command("read", chat=chat, id=id_)

    # ---- what is typed

    async def _type(self, source: Input) -> None:
        asked = False
        while True:
            async for line in source.lines():
                if isinstance(line, Unreadable):
                    self._fail(ExitStatus.REFUSED)
                    self._note("error", line.why)
                    continue
                await self.front_end.has_opened.wait()  # this line may be meant for the chat that is being opened
                context = typed_lines.Context(
                    self.front_end.commands, self.front_end.open, self._chat.limits.get("text_max"), source.attended
                )
                if (intention := typed_lines.intention(line.strip("\n"), context)) is None:
                    continue
                self._mark_read()
                await self._start(intention, source)
                if self.front_end.leaves:
                    break
                asked = False
            self.front_end.leaves = False
            if asked or not source.attended or not (left := self._would_be_lost()):
                return
            asked = True
            self._note("info", f"{left} not sent yet, /waiting lists them; leave again to leave anyway")

    async def _start(self, intention: Intention, source: Input) -> None:
        """Nothing that a person has typed holds up the next line, except what asks for a password or opens a chat. The
        lines of a pipe are carried out one after the other."""
        try:
            task = self._carry_out(intention, source)
        except (ChatError, OSError) as error:
            self._refuse(error)
            return
        if task is not None and source.attended and not isinstance(intention, AskSecrets):
            self._spawn(task)
        elif task is not None:
            await self._report(task)

    def _would_be_lost(self) -> int:
        """How much waits that is not just on its way."""
        waiting = self._chat.outgoing
        if isinstance(self._chat.state, Connected):
            waiting = [each for each in waiting if each.state == "held" or each.error or each.verb == "send_file"]
        return len(waiting)

    def _carry_out(self, intention: Intention, source: Input) -> Task:
        match intention:
            case Say(text) if self.front_end.open:
                self._column.show_posted(self._chat.post("send", target=self.front_end.open, text=text))
            case Say():
                raise Refused("unknown_chat", "no chat is open, nothing was sent: /open <chat> first")
            case OverlongText(text, length, most):
                words = f"{wording.too_long(length, most)}; not sent: {wording.short(text)}"
                self._refuse(Refused("too_large", words))
                self._note("info", wording.FILE_HINT)
            case Post(verb, arguments):
                self._column.show_posted(self._chat.post(verb, **arguments))
            case AskServer():
                return self.front_end.ask(intention)
            case AskSecrets():
                return self._ask_with_secrets(intention, source)
            case AskTarget(line, usage):
                raise Refused("bad_argument", wording.ask_target(line, usage))
            case RunLocal(command, given):
                return command.run(self.front_end, **given)
            case Refuse(error):
                raise error
        return None

    async def _ask_with_secrets(self, intention: AskSecrets, source: Input) -> None:
        """Ask for the passwords; what is typed there is not shown."""
        given: dict[str, str] = {}
        for argument in intention.asked:
            name = argument["name"]
            words = wording.asked_secret(intention.verb, name, self._chat.user)
            secret = await source.secret(f"{words}{'' if argument['required'] else ' (Enter: none)'}: ")
            if name == "new" and secret and await source.secret(f"{words} once more: ") != secret:
                raise Refused("bad_argument", "the two passwords differ; nothing was changed")
            if not secret and (secret is None or argument["required"]):
                raise Refused("bad_argument", "no password was typed; nothing was changed")
            if secret:
                given[name] = secret
        returned = await self._chat.command(intention.verb, **given)
        self.front_end.show_reply(intention.verb, returned.reply)

    # ---- what takes its time

    def _spawn(self, doing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._report(doing))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _report(self, doing: Awaitable[None]) -> None:
        """Await it, and say what goes wrong."""
        try:
            await doing
        except (ChatError, OSError) as error:
            self._refuse(error)

    def _refuse(self, error: ChatError | OSError) -> None:
        self._fail(of_line(error))
        self._note("error", wording.coded_reason(error))


async def _stop(*tasks: asyncio.Task[None]) -> None:
    """Cancel the tasks and wait until they have ended. If the caller is cancelled meanwhile, that is raised."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
