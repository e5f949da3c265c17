"""The full-screen client: events go into the state, its effects are carried out, frames are drawn.

All of it on one loop. What comes in is drawn at most DRAWS_MAX times a second, and less often where drawing takes long;
a key at once.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from chat_client.common import typed_lines, wording
from chat_client.common.account_file import AccountFile, Kept, account
from chat_client.common.completion import Known, usage
from chat_client.common.desktop import open_link
from chat_client.common.file_paths import entries
from chat_client.common.input_history import InputHistory
from chat_client.common.keys import KEYS, keymap
from chat_client.common.line_editing import Candidates, HiddenSecrets
from chat_client.common.links import address
from chat_client.common.local_commands import with_local
from chat_client.common.recency import Recent
from chat_client.common.suspension import Suspension
from chat_client.common.transfers import Transfers
from chat_client.exit_status import ExitStatus, of_signal
from chat_client.faults import Faults
from chat_client.sdk import clock
from chat_client.sdk.chat import Chat, Returned
from chat_client.sdk.errors import ChatError
from chat_client.sdk.events import Connected, Forgotten, Outgoing
from chat_client.settings import Settings
from chat_client.signals import interrupts_ignored
from chat_client.tui.render.look import COLUMNS, PANES, look
from chat_client.tui.state import effects as e
from chat_client.tui.state.chat_list import CHATS
from chat_client.tui.state.drafts import current_drafts, restore_drafts
from chat_client.tui.state.incoming import handle
from chat_client.tui.state.notes import note
from chat_client.tui.state.own_typing import note_typing
from chat_client.tui.state.read_tracking import Drawn
from chat_client.tui.state.replies import take_answer, take_refusal
from chat_client.tui.state.requests import Purpose
from chat_client.tui.state.screen_state import ScreenState
from chat_client.tui.state.terminal_events import focus, take_frame, tick
from chat_client.tui.terminal.background import BackgroundQuery
from chat_client.tui.terminal.link_output import screen_output
from chat_client.tui.terminal.palettes import COLOURS
from chat_client.tui.terminal.terminal import Terminal
from chat_client.tui.terminal.themes import fitting, theme_for
from chat_client.tui.terminal.window import FullScreen

if TYPE_CHECKING:
    from chat_client.common.reading_log import ReadingLog

DRAWS_MAX = 10  # a second, for what comes in
DRAWING_SHARE_MAX = 0.4  # of the time
TICK_SECONDS = 0.25
KEEP_SECONDS = 2.0  # between two looks whether there is something to keep for the next run
EVENTS_AT_ONCE_MAX = 100  # between two looks at the keyboard
FIRST_PAGE_SECONDS_MAX = 0.1  # that the first frame waits for messages
LAST_SECONDS_MAX = 2.0  # for what is still on its way when one leaves


class App:
    def __init__(self, chat: Chat, settings: Settings, log: "ReadingLog | None" = None) -> None:
        self._chat, self._settings = chat, settings
        self._log, self._logged = log, dict[str, int]()  # up to which message of each chat
        self.screen = ScreenState()
        self.screen.session.user = chat.user or settings.user or ""
        self.screen.mouse = settings.mouse
        self.screen.typists.is_wanted = settings.typing
        self.screen.listening.set_words(settings.highlight)
        self.screen.chats.order = settings.section(CHATS).get("order", "name")
        self.screen.keymap = keymap(settings.section(KEYS))
        panes = settings.section(PANES)
        self.screen.side_panels = panes.get("sides", "both")
        self.screen.now = self._now()
        theme = settings.theme or theme_for(os.environ)
        self._asks_background = theme in (None, "terminal")
        self._background = BackgroundQuery(lambda told: self._view.set_theme(theme or fitting(told), told))
        self._kept = AccountFile(settings.data_dir / "accounts.json", account(chat.user, chat.history))
        self._kept_at = 0.0
        self._history = InputHistory(
            settings.data_dir / "typed",
            lambda: account(chat.user, chat.history),
            lambda: self.screen.chats.open_name,
            lambda: chat.commands,
        )
        self._view = FullScreen(
            self.screen,
            theme or "dark",
            self._history,
            Candidates(self._known),
            self._on_action,
            self._on_focus,
            self._on_drawn,
            lambda: self._suspension.stop(),
            self._background.take,
            lambda: self._background.is_awaited,
            hidden=[HiddenSecrets(lambda: chat.commands)],
            look=look(settings.section(COLUMNS), panes),
            colours=settings.section(COLOURS),
            output=screen_output(),
        )
        self._terminal = Terminal(self._view.app.output)
        self._faults = Faults(settings.data_dir, self._tell_fault)
        self._suspension = Suspension(self._view.app, self._terminal.begin, self._terminal.end)
        self._tasks: set[asyncio.Task[None]] = set()
        self._recent = Recent()
        self._transfers = Transfers(chat, settings.downloads, lambda transfer: self._draw_soon())
        self.screen.transfers = self._transfers.under_way
        self._drawn_at = self._draw_seconds = 0.0
        self._drawing: asyncio.TimerHandle | None = None
        self._has_page = asyncio.Event()  # of the open chat
        self._view.app.before_render += lambda app: self._begin_drawing()
        self._view.app.after_render += lambda app: self._end_drawing()
        self._sets_text = False
        self._view.line.on_text_changed += lambda line: self._note_typed()

    async def run(self) -> int:
        """Until the user leaves; the exit status."""
        self._restore()
        asyncio.get_running_loop().set_exception_handler(self._faults.handle)
        reading = asyncio.create_task(self._read())
        ticking = asyncio.create_task(self._tick())
        try:
            with self._suspension.watched():
                await self._first_answers()
                return await self._view.app.run_async(handle_sigint=False, set_exception_handler=False)
        except EOFError:  # the terminal has gone
            return of_signal(signal.SIGHUP)
        finally:
            ticking.cancel()
            self._log_what_was_read()
            self._keep()
            self._transfers.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS_MAX):
                    await self._chat.close()
            reading.cancel()
            await asyncio.gather(reading, ticking, return_exceptions=True)

    async def _first_answers(self) -> None:
        """Wait for what the first frame shows, but not for long: without messages it would take longer than they do."""
        if self._asks_background:
            await self._background.ask(self._view.app.input, self._view.app.output)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_PAGE_SECONDS_MAX):
                await self._has_page.wait()

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
            event = self.screen.listening.hear(event, self._chat.user)
            with self._faults.guard():
                handle(self.screen, event, self._now(), is_own=self._chat.is_own)
                self._recent.note(event, self._chat.user)
            if isinstance(event, Connected):
                self._learn()
            if isinstance(event, Forgotten):
                self._logged.clear()
            if isinstance(event, Outgoing):
                self._transfers.settle(event)
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
            with self._faults.guard():
                if tick(self.screen, self._now()):
                    self._draw_soon()
                self._carry_out()
                self._log_what_was_read()
                if clock.elapsed() - self._kept_at > KEEP_SECONDS:
                    self._keep()

    def _log_what_was_read(self) -> None:
        """What the markers have passed since the last look; what was read before the start is no news."""
        if self._log is None:
            return
        for chat in self.screen.chats.by_name.values():
            since = self._logged.setdefault(chat.name, chat.read)
            self._logged[chat.name] = chat.read
            for message in chat.feed.messages_between(since, chat.read) if chat.read > since else ():
                if self.screen.listening.hides(message):
                    continue
                if (words := self._log.note(message, self._chat.user)) is not None:
                    self.screen.tell("error", words, 30.0)

    def _restore(self) -> None:
        kept = self._kept.read()
        self.screen.chats.take_pins(kept.pins)
        restore_drafts(self.screen, kept.drafts)
        self._carry_out()

    def _keep(self) -> None:
        """Keep what has changed for the next run."""
        self._kept_at = clock.elapsed()
        if words := self._kept.put(Kept(current_drafts(self.screen), dict(self.screen.chats.pins))):
            self.screen.tell("error", words, 30.0)

    def _draw_soon(self) -> None:
        if self._drawing is None:
            apart = max(1 / DRAWS_MAX, self._draw_seconds / DRAWING_SHARE_MAX)
            wait = max(0.0, self._drawn_at + apart - clock.elapsed())
            self._drawing = asyncio.get_running_loop().call_later(wait, self._draw)

    def _draw(self) -> None:
        self._drawing = None
        self._view.app.invalidate()

    def _begin_drawing(self) -> None:
        self._drawn_at = clock.elapsed()
        if self._drawing is not None:
            self._drawing.cancel()
            self._drawing = None

    def _end_drawing(self) -> None:
        ended = clock.elapsed()
        self._draw_seconds, self._drawn_at = ended - self._drawn_at, ended

    def _on_action(self) -> None:
        """A key or the mouse has done something to the model."""
        self.screen.now = self._now()
        self._note_typed()
        self._show()

    def _on_focus(self, focused: bool) -> None:
        focus(self.screen, focused, self._now())
        self._draw_soon()

    def _note_typed(self) -> None:
        """After each change of the line, each action and each effect: the line tells nobody that one has emptied it."""
        before, text = self._view.line.document.text_before_cursor, self._view.line.text
        is_changed = text != self.screen.composer.text
        self.screen.composer.text = text
        if is_changed and not self._sets_text:
            note_typing(self.screen)
        self.screen.composer.usage = ""
        if before.startswith("/"):
            self.screen.composer.usage = usage(before, self.screen.session.commands) or ""

    def _on_drawn(self, frame: Drawn) -> None:
        if take_frame(self.screen, frame, self._now()):
            self._draw_soon()
        rooms = self.screen.chats.by_name.values()
        unread = sum(room.unread for room in rooms if not room.muted)
        self._terminal.title(f"{f'({unread}) ' if unread else ''}{self.screen.chats.open_name} · chat")
        if self.screen.effects:
            asyncio.get_running_loop().call_soon(self._carry_out)

    def _known(self) -> Known:
        """What Tab completes to."""
        return self._recent.known(self._chat.commands, self.screen.chats.open_name, self._chat.user, entries)

    # ---- what the state wants

    def _carry_out(self) -> None:
        self._history.follow(self._view.line)
        wanted, self.screen.effects = self.screen.effects, []
        for effect in wanted:
            with self._faults.guard():  # each by itself: those behind a fault are still carried out
                try:
                    self._do(effect)
                except (ChatError, OSError) as error:
                    self._note_error(getattr(effect, "chat", self.screen.chats.open_name), error)

    def _do(self, effect: e.Effect) -> None:
        line = self._view.line
        match effect:
            case e.Ask(verb, arguments, why):
                self._spawn(self._ask(verb, self._chat.command(verb, **arguments), why))
            case e.Run(command, why):
                self._spawn(self._ask(command.verb, typed_lines.ask(self._chat, command), why))
            case e.SignalTyping(chat, typing):
                self._chat.tell_typing(chat, typing)
            case e.PostMessage(verb, arguments):
                self._show_outgoing(self._chat.post(verb, **arguments))
            case e.Confirm():
                self._chat.confirm()
            case e.Discard():
                self._chat.discard()
            case e.Reconnect():
                self._chat.reconnect()
            case e.Ring(title, body):
                if self._settings.notify:
                    self._terminal.attention(title, body)
            case e.SetText(text):
                self._sets_text = True  # a draft that comes back is not typed
                line.reset()
                line.insert_text(text)
                self._note_typed()
                self._sets_text = False
            case e.InsertText(text):
                line.insert_text(text)
            case e.OpenEditor(text):
                self._spawn(self._edit(text))
            case e.Copy(text):
                self._terminal.copy(text)
            case e.OpenLink(link, others):
                is_opened = open_link(address(link))
                if not is_opened:
                    self._terminal.copy(link)
                self.screen.tell("done", f"{'opened' if is_opened else 'copied'} {link}{others}")
            case e.SendText(target, text):
                self._show_outgoing(self._transfers.send_text(target, text))
            case e.UploadFile(_, target, path):
                self._show_outgoing(self._transfers.send(target, path))
            case e.DownloadFile(chat, id, name, opens):
                fetching = self._transfers.fetch(id, name, opens, partial(note, self.screen, chat))
                self._spawn(self._report(fetching, chat))
            case e.CancelTransfers():
                self._transfers.cancel()
            case e.Redraw():
                self._view.app.renderer.clear()
            case e.Exit():
                if self._view.app.is_running:
                    self._view.app.exit(result=ExitStatus.DONE)
            case other:
                assert_never(other)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._faults.watch(task)

    async def _edit(self, text: str) -> None:
        self.screen.composer.is_in_editor = True
        try:
            from chat_client.common.editor import edited  # few open one, and each start would load it

            with interrupts_ignored():
                self.screen.set_text(await edited(text, self._suspension.given_away()))
        except OSError as error:
            self.screen.tell("error", f"the editor: {error.strerror or error}")
        finally:
            self.screen.composer.is_in_editor = False
        self._show()

    def _show(self) -> None:
        """Drawn at once, as what a key does: somebody waits for it."""
        self._carry_out()
        self._view.app.invalidate()

    def _show_outgoing(self, command: Outgoing) -> None:
        handle(self.screen, command, self._now())

    async def _ask(self, verb: str, returning: Awaitable[Returned], why: Purpose) -> None:
        try:
            returned = await returning
        except ChatError as error:
            take_refusal(self.screen, why, error, self._now())
        else:
            lines = [self.screen.listening.hear(event, self._chat.user) for event in returned.lines]
            for event in lines:
                self._recent.note(event, self._chat.user)
            self._recent.note(returned.reply)
            take_answer(self.screen, why, verb, lines, returned.reply, self._now())
        if self.screen.chats.open.loaded:
            self._has_page.set()
        self._show()

    async def _report(self, work: Awaitable[None], chat: str) -> None:
        """What goes wrong is noted in the chat."""
        try:
            await work
        except (ChatError, OSError) as error:
            self._note_error(chat, error)
        finally:
            self._draw_soon()

    def _note_error(self, chat: str, error: Exception) -> None:
        note(self.screen, chat, "error", wording.reason(error))
