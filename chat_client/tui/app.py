"""The full-screen client: the connection's events go into the model, what the model wants is done, frames are drawn.

All of it on one loop. What comes in is drawn at most DRAWS_MAX times a second, and less often where drawing takes long;
a key at once.
"""

import asyncio
import contextlib
import gc
import os
import signal
import tempfile
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from chat_client.common.cells import safe
from chat_client.common.completion import Known, usage
from chat_client.common.desktop import open_file
from chat_client.common.file_paths import entries, typed_path
from chat_client.common.input_history import InputHistory
from chat_client.common.line_editing import Candidates, HiddenSecrets
from chat_client.common.local_commands import with_local
from chat_client.common.suspension import Suspension
from chat_client.exit_status import ExitStatus, of_signal
from chat_client.faults import Faults
from chat_client.sdk import clock
from chat_client.sdk.chat import Chat
from chat_client.sdk.errors import ChatError, Disconnected
from chat_client.sdk.events import Connected, Outgoing
from chat_client.sdk.transfers import Progress
from chat_client.settings import Settings
from chat_client.tui.state import effects as e
from chat_client.tui.state.incoming import handle
from chat_client.tui.state.items import MessageItem, excerpt
from chat_client.tui.state.notes import note
from chat_client.tui.state.read_tracking import Drawn
from chat_client.tui.state.replies import take_answer, take_refusal
from chat_client.tui.state.roster import recent_speakers
from chat_client.tui.state.screen_state import ScreenState, Transfer
from chat_client.tui.state.terminal_events import drawn, focus, tick
from chat_client.tui.terminal.background import BackgroundQuery
from chat_client.tui.terminal.terminal import Terminal
from chat_client.tui.terminal.themes import theme_for
from chat_client.tui.terminal.window import FullScreen

DRAWS_MAX = 20  # a second, for what comes in
DRAWING_SHARE_MAX = 0.4  # of the time
TICK_SECONDS = 0.25
EVENTS_AT_ONCE_MAX = 100  # between two looks at the keyboard
LAST_SECONDS_MAX = 2.0  # for what is still on its way when one leaves
COMPLETED_MESSAGES_MAX = 100


class App:
    def __init__(self, chat: Chat, settings: Settings) -> None:
        self._chat, self._settings = chat, settings
        self.screen = ScreenState()
        self.screen.session.user = chat.user or settings.user or ""
        self.screen.mouse = settings.mouse
        self.screen.now = self._now()
        theme = settings.theme or theme_for(os.environ)
        self._asks_background = theme is None
        self._background = BackgroundQuery(lambda found: self._view.set_theme(found))
        history = InputHistory(settings.data_dir / "typed", lambda: chat.commands)
        self._view = FullScreen(
            self.screen,
            theme or "dark",
            history,
            Candidates(self._known),
            self._acted,
            self._focused,
            self._drawn,
            lambda: self._suspension.stop(),
            self._background.take,
            hidden=[HiddenSecrets(lambda: chat.commands)],
        )
        self._terminal = Terminal(self._view.app.output)
        self._faults = Faults(settings.data_dir, self._tell_fault)
        self._suspension = Suspension(self._view.app, self._terminal.begin, self._terminal.end)
        self._tasks: set[asyncio.Task[None]] = set()
        self._transfers: dict[int, asyncio.Task[None]] = {}
        self._uploads: dict[str, int] = {}  # by the keys of what was sent
        self._pasted: list[tempfile.TemporaryDirectory[str]] = []  # sent as files; each goes with the client
        self._numbers = count(1)
        self._drawn_at = self._draw_seconds = 0.0
        self._drawing: asyncio.TimerHandle | None = None
        self._view.app.before_render += lambda app: self._drawing_begins()
        self._view.app.after_render += lambda app: self._drawing_ends()
        self._view.line.on_text_changed += lambda line: self._typed()

    async def run(self) -> int:
        """Until the user leaves; the exit status."""
        gc.freeze()  # what was imported stays: looking through it took 30 ms now and then
        asyncio.get_running_loop().set_exception_handler(self._faults.heard)
        reading = asyncio.create_task(self._read())
        ticking = asyncio.create_task(self._tick())
        try:
            with self._suspension.watched():
                if self._asks_background:
                    await self._background.ask(self._view.app.input, self._view.app.output)
                return await self._view.app.run_async(handle_sigint=False, set_exception_handler=False)
        except EOFError:  # the terminal has gone
            return of_signal(signal.SIGHUP)
        finally:
            for task in (ticking, *self._transfers.values()):
                task.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS_MAX):
                    await self._chat.close()
            reading.cancel()
            await asyncio.gather(reading, ticking, return_exceptions=True)

    def _now(self) -> float:
        """The time of day for the model. The other clock of the model is set along with it."""
        self.screen.elapsed = clock.elapsed()
        return clock.now()

    def _tell_fault(self, words: str) -> None:
        self.screen.tell("error", words, 30.0)
        self._draw_soon()

    # ---- what comes

    async def _read(self) -> None:
        done = 0
        async for event in self._chat:
            with self._faults.told():
                handle(self.screen, event, self._now(), answered=self._chat.is_own)
            if isinstance(event, Connected):
                self._learn()
            if isinstance(event, Outgoing) and event.state not in ("waiting", "held"):
                self._over(self._uploads.pop(event.key, None))
            self._carry_out()
            self._draw_soon()
            done += 1
            if done % EVENTS_AT_ONCE_MAX == 0:
                await asyncio.sleep(0)

    def _learn(self) -> None:
        """What only the connection knows: each server has its own commands and limits."""
        self.screen.session.commands = with_local(self._chat.commands)
        text_max = self._chat.limits.get("text_max")
        if isinstance(text_max, int):
            self.screen.session.text_max = text_max

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            with self._faults.told():
                if tick(self.screen, self._now()):
                    self._draw_soon()
                self._carry_out()

    def _draw_soon(self) -> None:
        if self._drawing is None:
            apart = max(1 / DRAWS_MAX, self._draw_seconds / DRAWING_SHARE_MAX)
            wait = max(0.0, self._drawn_at + apart - clock.elapsed())
            self._drawing = asyncio.get_running_loop().call_later(wait, self._draw)

    def _draw(self) -> None:
        self._drawing = None
        self._view.app.invalidate()

    def _drawing_begins(self) -> None:
        self._drawn_at = clock.elapsed()
        if self._drawing is not None:
            self._drawing.cancel()
            self._drawing = None

    def _drawing_ends(self) -> None:
        ended = clock.elapsed()
        self._draw_seconds, self._drawn_at = ended - self._drawn_at, ended

    def _acted(self) -> None:
        """A key or the mouse has done something to the model."""
        self.screen.now = self._now()
        self._typed()
        self._show()

    def _focused(self, focused: bool) -> None:
        focus(self.screen, focused, self._now())
        self._draw_soon()

    def _typed(self) -> None:
        before = self._view.line.document.text_before_cursor
        self.screen.composer.text = self._view.line.text
        self.screen.composer.usage = ""
        if before.startswith("/"):
            self.screen.composer.usage = usage(before, self.screen.session.commands) or ""

    def _drawn(self, frame: Drawn) -> None:
        if drawn(self.screen, frame, self._now()):
            self._draw_soon()
        rooms = self.screen.chats.by_name.values()
        unread = sum(room.unread for room in rooms if not room.muted)
        self._terminal.title(f"{f'({unread}) ' if unread else ''}{self.screen.chats.open_name} · chat")
        if self.screen.effects:
            asyncio.get_running_loop().call_soon(self._carry_out)

    def _known(self) -> Known:
        """What Tab completes to."""
        screen = self.screen
        said = [
            item.message
            for item in reversed(screen.feed.items[-COMPLETED_MESSAGES_MAX:])
            if isinstance(item, MessageItem)
        ]
        me, chats = screen.session.user, screen.chats
        users = dict.fromkeys([*recent_speakers([chats.open], me), *recent_speakers(chats.by_name.values(), me)])
        users |= dict.fromkeys(user for user in screen.roster.online if user != screen.session.user)
        return Known(
            commands=screen.session.commands,
            users=list(users),
            chats=list(dict.fromkeys([screen.chats.open_name, *screen.chats.by_name, *screen.roster.invitations])),
            messages=[(m.id, safe(f"{m.from_}: {excerpt(m.text or '')[:60]}")) for m in said if not m.deleted],
            files=[(m.file.id, safe(m.file.name)) for m in said if m.file is not None],
            paths=entries,
        )

    # ---- what the model wants

    def _carry_out(self) -> None:
        wanted, self.screen.effects = self.screen.effects, []
        for effect in wanted:
            with self._faults.told():  # each by itself: those behind a fault are still carried out
                self._do(effect)

    def _do(self, effect: e.Effect) -> None:
        line = self._view.line
        match effect:
            case e.Ask():
                self._spawn(self._ask(effect))
            case e.Run():
                self._run_line(effect)
            case e.Post():
                self._post(effect.verb, effect.arguments)
            case e.Confirm():
                self._chat.confirm()
            case e.Discard():
                self._chat.discard()
            case e.Reconnect():
                self._chat.reconnect()
            case e.Attention() if self._settings.notify:
                self._terminal.attention(effect.title, effect.body)
            case e.SetText():
                line.reset()
                line.insert_text(effect.text)
            case e.InsertText():
                line.insert_text(effect.text)
            case e.Copy():
                self._terminal.copy(effect.text)
            case e.SendText():
                self._send_text(effect)
            case e.SendFile():
                self._send_file(effect)
            case e.GetFile():
                self._receive_file(effect)
            case e.CancelTransfers():
                self._cancel_transfers()
            case e.Leave() if self._view.app.is_running:
                self._view.app.exit(result=ExitStatus.DONE)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._faults.watch(task)
        return task

    async def _ask(self, effect: e.Ask) -> None:
        try:
            returned = await self._chat.command(effect.verb, **effect.arguments)
        except ChatError as error:
            take_refusal(self.screen, effect.why, error, self._now())
        else:
            take_answer(self.screen, effect.why, effect.verb, returned.lines, returned.reply, self._now())
        self._show()

    def _show(self) -> None:
        """Drawn at once, as what a key does: somebody waits for it."""
        self._carry_out()
        self._view.app.invalidate()

    def _run_line(self, effect: e.Run) -> None:
        typed = self._chat.typed(effect.line)
        if typed is not None and typed.sends:
            self._post(typed.verb, typed.arguments)
        elif typed is not None:
            self._spawn(self._ask(e.Ask(typed.verb, typed.arguments, effect.why)))
        else:
            self._spawn(self._line(effect))

    async def _line(self, effect: e.Run) -> None:
        """The server knows what is wrong with it."""
        try:
            returned = await self._chat.line(effect.line.replace("\n", " "))
        except ChatError as error:
            take_refusal(self.screen, effect.why, error, self._now())
        else:
            verb = effect.line[1:].split(" ", 1)[0]
            take_answer(self.screen, effect.why, verb, returned.lines, returned.reply, self._now())
        self._show()

    def _post(self, verb: str, arguments: dict[str, Any]) -> None:
        try:
            handle(self.screen, self._chat.post(verb, **arguments), self._now())
        except Disconnected as error:
            note(self.screen, self.screen.chats.open_name, "error", str(error))

    # ---- files

    def _send_file(self, effect: e.SendFile) -> None:
        """It waits in line with the messages; the bar shows it when its bytes are on their way."""
        number, path = next(self._numbers), typed_path(effect.path)
        try:
            command = self._chat.post_file(effect.target, path, progress=self._progress(number, path.name))
        except ChatError as error:
            note(self.screen, effect.chat, "error", str(error))
        except OSError as error:
            note(self.screen, effect.chat, "error", f"{path.name}: {error.strerror or error}")
        else:
            self._uploads[command.key] = number
            handle(self.screen, command, self._now())

    def _send_text(self, effect: e.SendText) -> None:
        try:
            folder = tempfile.TemporaryDirectory(prefix="chat-client-")  # of mode 0700
            self._pasted.append(folder)
            path = Path(folder.name) / "pasted.txt"
            path.write_text(effect.text, encoding="utf-8", errors="replace")
        except OSError as error:
            note(self.screen, effect.target, "error", f"the text cannot be made a file: {error.strerror or error}")
        else:
            self._send_file(e.SendFile(effect.target, effect.target, str(path)))

    def _receive_file(self, effect: e.GetFile) -> None:
        number = next(self._numbers)
        self.screen.transfers[number] = Transfer(f"file {effect.id}", sending=False)
        task = self._transfers[number] = self._spawn(self._guarded(self._get_file(effect, number), effect))
        task.add_done_callback(partial(self._over, number))

    def _over(self, number: int | None, task: asyncio.Task[None] | None = None) -> None:
        if number is not None:
            self.screen.transfers.pop(number, None)
            self._transfers.pop(number, None)
            self._draw_soon()

    def _cancel_transfers(self) -> None:
        for key in list(self._uploads):
            self._chat.discard(key)
        for task in self._transfers.values():
            task.cancel()

    async def _guarded(self, work: Coroutine[Any, Any, None], effect: e.GetFile) -> None:
        try:
            await work
        except asyncio.CancelledError:
            note(self.screen, effect.chat, "info", f"file {effect.id}: cancelled")
            raise
        except ChatError as error:
            note(self.screen, effect.chat, "error", str(error))
        except OSError as error:
            note(self.screen, effect.chat, "error", f"file {effect.id}: {error.strerror or error}")

    def _progress(self, number: int, sending: str = "") -> Callable[[Progress], None]:
        """`sending`: the file's name."""

        def come(progress: Progress) -> None:
            if sending:
                self.screen.transfers.setdefault(number, Transfer(sending, sending=True))
            if (transfer := self.screen.transfers.get(number)) is not None:
                transfer.done, transfer.size = progress.done, progress.size
                transfer.rate, transfer.left = progress.rate, progress.left
                self._draw_soon()

        return come

    async def _get_file(self, effect: e.GetFile, number: int) -> None:
        path = await self._chat.get_file(
            effect.id, self._settings.downloads, name=effect.path, progress=self._progress(number)
        )
        note(self.screen, effect.chat, "done", f"saved: {path}")
        if effect.open:
            open_file(path)
