"""The front end in one column: events become lines, and typed text goes to the open chat.

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
from chat_client.common.local_commands import FrontEnd, Task, with_local
from chat_client.common.mentions import Attention, Call
from chat_client.common.recency import Recent
from chat_client.common.transfers import Transfer, Transfers
from chat_client.common.typed_lines import AskSecrets, AskServer, Intention, OverlongText, Post, Refuse, RunLocal, Say
from chat_client.common.wording import Answer, Kind
from chat_client.exit_status import ExitStatus, of_line, worse
from chat_client.plain import lines
from chat_client.plain.line_input import Input, Unreadable
from chat_client.sdk import clock
from chat_client.sdk.chat import Chat
from chat_client.sdk.errors import ChatError, Disconnected, Refused
from chat_client.sdk.events import AnyEvent, Connected, Ended, Lost, Outgoing, chat_name
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.messages import Message, ReadMarker, Sent, Talking
from chat_server.protocol.rooms import Left

OPEN_SECONDS_MAX = 5
PROGRESS_SECONDS = 2.0  # between two lines about a file on its way
# At the end of a pipe what it sent is waited for; a person who leaves has seen what waits.
LAST_SECONDS_MAX, ATTENDED_LAST_SECONDS_MAX = 30, 2
KEYS = "Tab completes, ↑ ↓ bring back what was typed, Ctrl-R searches it, Alt-Enter breaks the line, Ctrl-D leaves"


class Plain(FrontEnd):
    """`write` takes whole lines with their ends; `ring` takes what calls the user."""

    def __init__(
        self,
        chat: Chat,
        downloads: Path,
        write: Callable[[str], None],
        ring: Callable[[Call], None] = lambda call: None,
    ) -> None:
        self.open = "main"  # empty after the open chat is gone: text was perhaps meant for it alone
        self._last = "main"  # the chat that was open before
        self._chat, self._write, self._ring = chat, write, ring
        self._attention = Attention()
        self._recent = Recent()
        self._transfers = Transfers(chat, downloads, self._show_progress)
        self._shown: dict[str, int] = {}  # the newest message of each chat that was shown and is not marked as read
        self._running: set[asyncio.Task[None]] = set()
        self._leaves = False
        self._lost_before = ""
        self._status = ExitStatus.DONE

    @property
    def _is_connected(self) -> bool:
        return isinstance(self._chat.state, Connected)

    def prompt(self) -> str:
        """What stands before the line that is typed."""
        return f"{self.open or '/open <chat>'}{'' if self._is_connected else ' (not connected)'}> "

    def known(self) -> Known:
        return self._recent.known(self._chat.commands, self.open, self._chat.user, entries)

    async def run(self, source: Input) -> int:
        """Until the input or the connection ends; the exit status."""
        with source.output():
            showing = asyncio.create_task(self._show_all())
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
                    await self._chat.settled(waiting[0])
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

    async def _show_all(self) -> None:
        async for event in self._chat:
            self._recent.note(event, self._chat.user)
            self._show(event)
            if call := self._attention.call(event, self._chat.user, clock.elapsed()):
                self._ring(call)

    def _show(self, event: AnyEvent) -> None:
        if isinstance(event, Outgoing):
            self._show_outgoing(event)
        elif not isinstance(event, Event):
            self._show_state(event)
        # Nothing where the answer to a command tells it already; but a message is shown as it is now.
        elif isinstance(event, Message) or not self._chat.is_own:
            self._say(lines.event(event, self._chat.user, clock.now()))
        match event:
            case Message() if event.from_ != self._chat.user:
                self._shown[event.chat] = max(event.id, self._shown.get(event.chat, 0))
            case ReadMarker() if self._shown.get(event.chat, 0) <= event.id:
                self._shown.pop(event.chat, None)
            case Left() if event.user == self._chat.user and event.chat == self.open:
                if self._chat.is_own:
                    self._go_to("main")
                else:
                    self._lose_open_chat()

    def _show_outgoing(self, event: Outgoing) -> None:
        self._transfers.settle(event)
        if event.state == "waiting" and event.error is None:
            return
        reply = event.reply
        if event.state == "sent" and isinstance(reply, Sent) and event.target is not None:
            message = Message(reply.id, reply.id, event.target, self._chat.user, reply.at, event.text)
            self._say(lines.event(message, self._chat.user, clock.now()))
            return
        self._note(*wording.outgoing(event, clock.now()))
        if event.state == "failed":
            self._fail(of_line(event.error))
            if len(event.text) > self._chat.limits.get("text_max", len(event.text)):
                self._note("info", wording.FILE_HINT)

    def _show_state(self, event: AnyEvent) -> None:
        if isinstance(event, Lost):
            is_news, self._lost_before = event.why != self._lost_before, event.why
            if not is_news:
                return
        self._note("info", wording.state(event, clock.elapsed()))
        if isinstance(event, Connected):
            self._lost_before = ""
            if self.open.startswith("#") and self.open not in {chat.name for chat in event.signed_in.chats}:
                self._lose_open_chat()
        elif isinstance(event, Ended) and event.code != "closed":
            self._fail(ExitStatus.NO_CONNECTION)

    def _lose_open_chat(self) -> None:
        """Open no chat: lines typed from now on may have been meant only for the one that is gone."""
        gone, self.open = self.open, ""
        words = f"{wording.lost_chat(gone)}; what you type goes nowhere: /open <chat> says where to"
        self._note("info", words)

    def _go_to(self, chat: str) -> None:
        if chat != self.open:
            self._last, self.open = self.open or "main", chat
        self._note("info", wording.open_chat(chat))

    def _say(self, shown: list[str]) -> None:
        if shown:
            self._write("".join(f"{line}\n" for line in shown))

    def _note(self, kind: Kind, text: str) -> None:
        self._say(lines.note(kind, text))

    def _show_progress(self, transfer: Transfer) -> None:
        """A line now and then, for what takes longer."""
        at, progress = clock.elapsed(), transfer.progress
        if transfer.told_at == float("-inf"):
            transfer.told_at = at
        if at - transfer.told_at >= PROGRESS_SECONDS and progress.done < progress.size:
            transfer.told_at = at
            name = wording.short(transfer.name)
            self._note("info", f"{name}: {wording.progress(progress)}; {wording.CANCEL_HINT}")

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
                context = typed_lines.Context(self.commands, self._chat.limits.get("text_max"), source.attended)
                if (intention := typed_lines.intention(line.strip("\n"), context)) is None:
                    continue
                self._mark_read()
                await self._start(intention, source)
                if self._leaves:
                    break
                asked = False
            self._leaves = False
            if asked or not source.attended or not (left := self._would_be_lost()):
                return
            asked = True
            self._note("info", f"{left} not sent yet, /waiting lists it; leave once more to leave all the same")

    async def _start(self, intention: Intention, source: Input) -> None:
        """Nothing that a person has typed holds up the next line, but for what asks for a password. The lines of a pipe
        are carried out one after the other."""
        try:
            task = self._carry_out(intention, source)
        except (ChatError, OSError) as error:
            self._refuse(error)
            return
        if task is not None and source.attended and not isinstance(intention, AskSecrets):
            self._spawn(task)
        elif task is not None:
            await self._guarded(task)

    def _would_be_lost(self) -> int:
        """How much waits that is not just on its way."""
        waiting = self._chat.outgoing
        if self._is_connected:
            waiting = [each for each in waiting if each.state == "held" or each.error or each.verb == "send_file"]
        return len(waiting)

    def _carry_out(self, intention: Intention, source: Input) -> Task:
        match intention:
            case Say(text) if self.open:
                self._post("send", {"target": self.open, "text": text})
            case Say():
                raise Refused("unknown_chat", "no chat is open, nothing was sent: /open <chat> says where it goes")
            case OverlongText(text, length, most):
                words = f"{wording.too_long(length, most)}; not sent: {wording.short(text)}"
                self._refuse(Refused("too_large", words))
                self._note("info", wording.FILE_HINT)
            case Post(verb, arguments):
                self._post(verb, arguments)
            case AskServer():
                return self._ask(intention)
            case AskSecrets():
                return self._ask_with_secrets(intention, source)
            case RunLocal(command, given):
                return command.run(self, **given)
            case Refuse(error):
                raise error
        return None

    def _post(self, verb: str, arguments: dict[str, Any]) -> None:
        self._show_waiting(self._chat.post(verb, **arguments))

    def _show_waiting(self, command: Outgoing) -> None:
        if not self._is_connected:
            self._note(*wording.outgoing(command, clock.now()))

    async def _ask(self, command: AskServer) -> None:
        returned = await typed_lines.ask(self._chat, command)
        for event in returned.lines:
            self._recent.note(event)
            self._say(lines.event(event, self._chat.user, clock.now()))
        self._answer(command.verb, returned.reply)

    def _answer(self, verb: str, reply: Reply) -> None:
        self._recent.note(reply)
        self.answer(wording.reply(reply, verb, clock.now()))

    async def _ask_with_secrets(self, intention: AskSecrets, source: Input) -> None:
        """Ask for the passwords; what is typed there is not shown."""
        given: dict[str, str] = {}
        for argument in intention.asked:
            name = argument["name"]
            words = name if name == "password" else f"{name} password"
            secret = await source.secret(f"{words}{'' if argument['required'] else ' (Enter: none)'}: ")
            if name == "new" and secret and await source.secret(f"{words} once more: ") != secret:
                raise Refused("bad_argument", "the two are not the same; nothing was changed")
            if not secret and (secret is None or argument["required"]):
                raise Refused("bad_argument", "no password was typed; nothing was changed")
            if secret:
                given[name] = secret
        self._answer(intention.verb, (await self._chat.command(intention.verb, **given)).reply)

    # ---- what local commands ask for

    @property
    def commands(self) -> list[CommandForm]:
        return with_local(self._chat.commands)

    @property
    def unsent(self) -> list[tuple[str, Outgoing]]:
        return [(command.target or command.verb, command) for command in self._chat.outgoing]

    def answer(self, answer: Answer) -> None:
        self._say(lines.answer(answer))

    def ask_server(self, line: str) -> Task:
        return self._ask(AskServer(line, line[1:].split(" ", 1)[0], None))

    async def open_chat(self, name: str) -> None:
        """The server says how a chat is named, and whether there is one; without it, it is opened as it was typed."""
        chat = chat_name(name)
        try:
            async with asyncio.timeout(OPEN_SECONDS_MAX):
                reply = (await self._chat.command("talk", target=chat)).reply
            if isinstance(reply, Talking) and reply.target:
                chat = reply.target
        except (TimeoutError, Disconnected):
            pass
        except Refused:
            self.open = ""  # the next lines are meant for somebody who is not there
            raise
        self._go_to(chat)

    def pick_chat(self) -> Task:
        raise Refused("bad_argument", f"which chat? /open <chat>: {', '.join(self._recent.chats)}")

    def open_next_chat(self, by: int) -> Task:
        chats = self._recent.chats
        at = chats.index(self.open) if self.open in chats else 0
        return self.open_chat(chats[(at + by) % len(chats)])

    def open_last_chat(self) -> Task:
        return self.open_chat(self._last)

    def open_unread_chat(self) -> Task:
        raise _lacking("all is shown here as it comes; /status tells what is unread")

    def show_first_unread(self) -> Task:
        raise _lacking("nothing scrolls here; /history <chat> shows what was said")

    def copy(self, message_id: int) -> Task:
        raise _lacking("there is no clipboard here; the terminal's own selection copies")

    def toggle_mouse(self) -> Task:
        raise _lacking("the mouse is always the terminal's here")

    def toggle_sides(self) -> Task:
        raise _lacking("there is one column here, and nothing at its sides")

    def redraw(self) -> Task:
        raise _lacking("there is nothing to draw here; Ctrl-L clears the terminal")

    def show_keys(self) -> None:
        self._note("info", KEYS)

    def reconnect(self) -> None:
        self._chat.reconnect()

    def confirm(self) -> None:
        self._chat.confirm()

    def discard(self) -> None:
        self._chat.discard()

    def send_file(self, target: str, path: str) -> None:
        command = self._transfers.send(target, path)
        if self._is_connected:
            self._note("info", f"sending {wording.short(str(command.arguments['name']))}")
        self._show_waiting(command)

    def get_file(self, file_id: int, name: str | None, opens: bool) -> None:
        """In the background, also with a pipe: at the end it waits for what is under way."""
        self._spawn(self._transfers.fetch(file_id, name, opens, self._note))

    def cancel_transfers(self) -> None:
        self._transfers.cancel()

    def leave(self) -> None:
        self._leaves = True

    # ---- what takes its time

    def _spawn(self, doing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guarded(doing))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _guarded(self, doing: Awaitable[None]) -> None:
        try:
            await doing
        except (ChatError, OSError) as error:
            self._refuse(error)

    def _refuse(self, error: ChatError | OSError) -> None:
        self._fail(of_line(error))
        self._note("error", wording.coded_reason(error))


def _lacking(words: str) -> Refused:
    return Refused("bad_argument", words)


async def _stop(*tasks: asyncio.Task[None]) -> None:
    """Cancel the tasks and wait until they have ended. If the caller is cancelled meanwhile, that is raised."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
