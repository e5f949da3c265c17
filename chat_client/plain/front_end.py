"""The client in one column: what is said comes as lines, what is typed goes to the open chat. No full screen.

For screen readers, logs, dumb terminals and pipes. Plain text goes to the open chat; `/...` is a command; `//` sends a
text that begins with a slash. Messages that were shown count as read when the next line is typed.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from chat_client.common import wording
from chat_client.common.completion import Known
from chat_client.common.desktop import open_file
from chat_client.common.file_paths import entries, typed_path
from chat_client.common.local_commands import OWN
from chat_client.common.mentions import Calls
from chat_client.common.recency import Recent
from chat_client.exit_status import ExitStatus
from chat_client.plain.line_input import Input, Unreadable
from chat_client.plain.script import now
from chat_client.sdk import clock
from chat_client.sdk.chat import Chat, OnProgress, Progress
from chat_client.sdk.errors import ChatError, Disconnected, Refused
from chat_client.sdk.events import (
    AnyEvent,
    Connected,
    Connecting,
    Ended,
    Forgotten,
    Lost,
    Outgoing,
    TokenNotKept,
    chat_name,
)
from chat_client.sdk.typed_line import Argument, find, has_secret, secrets_to_ask
from chat_server.protocol.base import Event
from chat_server.protocol.file_names import size_told
from chat_server.protocol.messages import Message, ReadMarker, Talking
from chat_server.protocol.rooms import Left
from chat_server.protocol.sanitize import clean
from chat_server.protocol.times import distance

OPEN_SECONDS_MAX = 5
PROGRESS_SECONDS = 2.0  # between two lines about a file on its way
# At the end of a pipe what it sent is waited for; a person who leaves has seen what waits.
LAST_SECONDS_MAX, ATTENDED_LAST_SECONDS_MAX = 30, 2
FILE_USAGE = next(form.usage for form in OWN if form.verb == "send_file")


class Plain:
    """`write` takes whole lines with their ends; `attend` calls the user, to a title and a text."""

    def __init__(
        self,
        chat: Chat,
        downloads: Path,
        write: Callable[[str], None],
        attend: Callable[[str, str], None] = lambda title, body: None,
    ) -> None:
        self.open = "main"  # empty after the open chat is gone: text was perhaps meant for it alone
        self._calls = Calls(attend)
        self._chat, self._downloads, self._write = chat, downloads, write
        self._recent = Recent()
        self._shown: dict[str, int] = {}  # the newest message of each chat that was shown and is not marked as read
        self._running: set[asyncio.Task[None]] = set()
        self._transfers: set[asyncio.Task[None]] = set()
        self._lost_before = ""
        self._status = ExitStatus.DONE

    @property
    def _is_connected(self) -> bool:
        return isinstance(self._chat.state, Connected)

    def words(self) -> str:
        """What stands before the line that is typed."""
        return f"{self.open or '/open <chat>'}{'' if self._is_connected else ' (not connected)'}> "

    def known(self) -> Known:
        return self._recent.known(self._chat.commands, self.open, entries)

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
                    await self._leave()
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

    async def _leave(self) -> None:
        """Close the chat, then say what was not sent: only then is it known what is in doubt."""
        await self._chat.close()
        for command in self._chat.outgoing:
            self._fail(ExitStatus.NOT_KNOWN if command.in_doubt else ExitStatus.NO_CONNECTION)
            self._say(f"- {_not_sent(command)}: {wording.short(command.told)}")

    def _fail(self, status: ExitStatus) -> None:
        """What is not known outweighs the rest: a script that tries again would say it twice."""
        if self._status != ExitStatus.NOT_KNOWN:
            self._status = status

    def _fail_by(self, error: Exception | None) -> None:
        in_doubt = isinstance(error, ChatError) and error.done is None
        self._fail(ExitStatus.NOT_KNOWN if in_doubt else ExitStatus.REFUSED)

    # ---- what comes

    async def _show_all(self) -> None:
        async for event in self._chat:
            self._recent.note(event)
            self._say(*self._lines(event))
            self._calls.heard(event, self._chat.user)
            if isinstance(event, Ended) and event.code != "closed":
                self._fail(ExitStatus.NO_CONNECTION)

    def _lines(self, event: AnyEvent) -> list[str]:
        match event:
            case Outgoing():
                news = event.state != "waiting" or event.error is not None
                told = wording.outgoing(event, self._chat.user, now()) if news else []
                if event.state == "failed":
                    self._fail_by(event.error)
                    if len(event.text or "") > self._chat.limits.get("text_max", len(event.text or "")):
                        told.append(f"* what no message can hold goes as a file: {FILE_USAGE}")
                return told
            case Lost():
                news, self._lost_before = event.why != self._lost_before, event.why
                return wording.state(event, clock.elapsed()) if news else []
            case Connecting() | Connected() | Ended() | Forgotten() | TokenNotKept():
                if isinstance(event, Connected):
                    self._lost_before = ""
                    if self.open.startswith("#") and self.open not in {chat.name for chat in event.signed_in.chats}:
                        return [*wording.state(event, clock.elapsed()), self._close(self.open)]
                return wording.state(event, clock.elapsed())
            case Message():
                if event.from_ != self._chat.user:
                    self._shown[event.chat] = max(event.id, self._shown.get(event.chat, 0))
            case ReadMarker() if self._shown.get(event.chat, 0) <= event.id:
                self._shown.pop(event.chat, None)
            case Left() if event.user == self._chat.user and event.chat == self.open:
                if not self._chat.is_own:
                    return [*self._words(event), self._close(event.chat)]
                self.open = "main"
                return [*self._words(event), "* what you type goes to main"]
        return self._words(event)

    def _close(self, chat: str) -> str:
        """Open no chat: lines typed from now on may have been meant only for the one that is gone."""
        self.open = ""
        return f"* {chat} is no longer yours; what you type goes nowhere: /open <chat> says where to"

    def _words(self, event: Event) -> list[str]:
        """Nothing where the answer to a command tells it already; a message is shown as it is now."""
        answered = self._chat.is_own and not isinstance(event, Message)
        return [] if answered else wording.event(event, now())

    def _say(self, *lines: str) -> None:
        if lines:
            self._write("".join(f"{line}\n" for line in lines))

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
                    self._say(f"- {line.why}")
                    continue
                line = line.strip("\n")
                if not line.strip():
                    continue
                self._mark_read()
                if not await self._typed(line, source):
                    break
                asked = False
            if asked or not source.attended or not (left := self._would_be_lost()):
                return
            asked = True
            self._say(f"* {left} not sent yet, /waiting lists it; leave once more to leave all the same")

    async def _typed(self, line: str, source: Input) -> bool:
        """Whether one stays."""
        asked = secrets_to_ask(line, self._chat.commands) if source.attended else []
        doing = self._with_secrets(line, asked, source) if asked else self._do(line)
        if doing is not None and source.attended and not asked:
            self._spawn(doing)
        elif doing is not None:
            await self._guarded(doing)
        return doing is not None

    def _would_be_lost(self) -> int:
        """How much waits that is not just on its way."""
        waiting = self._chat.outgoing
        if self._is_connected:
            waiting = [each for each in waiting if each.state == "held" or each.error or each.verb == "send_file"]
        return len(waiting)

    def _do(self, line: str) -> Coroutine[Any, Any, None] | None:
        """What the line asks for; None: to leave."""
        if not line.startswith("/") or line.startswith("//"):
            return self._text(line.removeprefix("/"))
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        match word.lower():
            case "/quit" | "/close" | "/exit":
                return None
            case "/open" | "/talk":
                return self._open(rest or "main")
            case "/reconnect":
                return self._call(self._chat.reconnect)
            case "/confirm":
                return self._call(self._chat.confirm)
            case "/discard":
                return self._call(self._chat.discard)
            case "/waiting":
                return self._waiting()
            case "/cancel":
                return self._cancel()
            case "/send_file" | "/get_file" | "/open_file":
                return self._file(word[1:].lower(), *rest.partition(" ")[::2])
        return self._command(line)

    async def _call(self, function: Callable[[], None]) -> None:
        function()

    async def _text(self, text: str) -> None:
        if not self.open:
            raise Refused("unknown_chat", "no chat is open, nothing was sent: /open <chat> says where it goes")
        await self._post("send", target=self.open, text=text)

    async def _post(self, verb: str, **arguments: Any) -> None:
        self._posted(self._chat.post(verb, **arguments))

    def _posted(self, command: Outgoing) -> None:
        if not self._is_connected:
            self._say(*wording.outgoing(command, self._chat.user, now()))

    async def _open(self, chat: str) -> None:
        """The server says how a chat is named, and whether there is one; without it, it is opened as it was typed."""
        self.open = chat_name(chat)
        try:
            async with asyncio.timeout(OPEN_SECONDS_MAX):
                reply = (await self._chat.command("talk", target=chat)).reply
            if isinstance(reply, Talking) and reply.target:
                self.open = reply.target
        except (TimeoutError, Disconnected):
            pass
        except Refused:
            self.open = ""  # the next lines are meant for somebody who is not there
            raise
        self._say(f"* what you type goes to {clean(self.open)}")

    async def _waiting(self) -> None:
        waiting = self._chat.outgoing
        self._say(
            *(
                f"  {command.state}: {command.target or command.verb}: {wording.short(command.told)}"
                for command in waiting
            ),
            f"+ {len(waiting)} waiting to be sent",
        )

    async def _file(self, verb: str, first: str, rest: str) -> None:
        """In the background, also with a pipe: at the end it waits for what is under way."""
        number, rest = first.removeprefix("#"), rest.strip()
        if verb == "send_file" and first and rest:
            self._send_file(first, typed_path(rest))
            return
        if verb != "send_file" and number.isascii() and number.isdigit():
            name, doing = f"file {number}", self._get_file(int(number), rest or None, verb == "open_file")
        else:
            usage = next(form.usage for form in OWN if form.verb == verb)
            raise Refused("bad_argument", f"usage: {usage}")
        task = self._spawn(self._transfer(name, doing))
        self._transfers.add(task)
        task.add_done_callback(lambda task: self._transfers.discard(task))

    async def _transfer(self, name: str, doing: Coroutine[Any, Any, None]) -> None:
        try:
            await doing
        except asyncio.CancelledError:
            self._say(f"* {name}: cancelled")
            raise

    async def _cancel(self) -> None:
        uploads = [command.key for command in self._chat.outgoing if command.verb == "send_file"]
        if not self._transfers and not uploads:
            raise Refused("bad_argument", "no file is on its way")
        for key in uploads:
            self._chat.discard(key)
        cancelled, self._transfers = self._transfers, set()
        for task in cancelled:
            task.cancel()

    def _send_file(self, target: str, path: Path) -> None:
        name = wording.short(path.name)
        command = self._chat.post_file(target, path, progress=self._progress(name))
        self._say(f"* sending {name}" if self._is_connected else wording.outgoing(command, self._chat.user, now())[0])

    async def _get_file(self, file_id: int, name: str | None, opens: bool) -> None:
        told = self._progress(f"file {file_id}")
        path = await self._chat.get_file(file_id, self._downloads, name=name, progress=told)
        self._say(f"+ file {file_id} is {clean(str(path))}")
        if opens:
            open_file(path)

    def _progress(self, name: str) -> OnProgress:
        """A line now and then, for what takes longer."""
        told = clock.elapsed()

        def come(progress: Progress) -> None:
            nonlocal told
            at = clock.elapsed()
            if at - told >= PROGRESS_SECONDS and progress.done < progress.size:
                told = at
                part, speed = progress.done * 100 // progress.size, size_told(int(progress.rate))
                left = f", {distance(round(progress.left * 1000))} left" if progress.left is not None else ""
                self._say(f"* {name}: {part} % of {size_told(progress.size)}, {speed}/s{left}; /cancel cancels it")

        return come

    async def _command(self, line: str) -> None:
        typed = self._chat.typed(line)
        if typed is not None and typed.sends:
            await self._post(typed.verb, **typed.arguments)
            return
        if typed is not None and "\n" in line:
            returned = await self._chat.command(typed.verb, **typed.arguments)
        else:
            returned = await self._chat.line(line)
        verb = typed.verb if typed else line[1:].split(" ", 1)[0]
        self._say(*self._returned(returned.lines), *wording.reply(returned.reply, verb, now()))
        if verb == "help" and " " not in line.strip():
            self._say(f"+ here also: {', '.join(form.usage for form in OWN)}")

    async def _with_secrets(self, line: str, asked: list[Argument], source: Input) -> None:
        """A command alone on its line, whose passwords are asked for: what is typed there is not shown."""
        given: dict[str, str] = {}
        for argument in asked:
            name = argument["name"]
            words = name if name == "password" else f"{name} password"
            secret = await source.secret(f"{words}{'' if argument['required'] else ' (Enter: none)'}: ")
            if name == "new" and secret and await source.secret(f"{words} once more: ") != secret:
                raise Refused("bad_argument", "the two are not the same; nothing was changed")
            if not secret and (secret is None or argument["required"]):
                raise Refused("bad_argument", "no password was typed; nothing was changed")
            if secret:
                given[name] = secret
        form = find(line.strip(), self._chat.commands)
        assert form is not None
        self._say(*wording.reply((await self._chat.command(form.verb, **given)).reply, form.verb, now()))

    def _returned(self, events: list[Event]) -> list[str]:
        for event in events:
            self._recent.note(event)
        return [line for event in events for line in wording.event(event, now())]

    # ---- what takes its time

    def _spawn(self, doing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guarded(doing))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _guarded(self, doing: Coroutine[Any, Any, None]) -> None:
        try:
            await doing
        except (ChatError, OSError) as error:
            self._fail_by(error)
            self._say(*wording.error(error))


def _not_sent(command: Outgoing) -> str:
    return "it is not known whether this was sent" if command.in_doubt else "not sent"


async def _stop(*tasks: asyncio.Task[None]) -> None:
    """Cancel the tasks and wait until they have ended. If the caller is cancelled meanwhile, that is raised."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def may_keep(line: str, chat: Chat) -> bool:
    """Whether a typed line may be kept for the next run."""
    own = find(line.split(" ", 1)[0], OWN) if line.startswith("/") else None
    return own is not None or not has_secret(line, chat.commands)
