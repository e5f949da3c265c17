"""The command chat-client: it starts a front end or a script, and ends with its exit status."""

import asyncio
import gc
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from chat_client import exit_status, standard_streams
from chat_client.common import wording
from chat_client.exit_status import ExitStatus
from chat_client.faults import Faults, has_hung_up
from chat_client.sdk.chat import Chat
from chat_client.sdk.errors import ChatError
from chat_client.sdk.events import TokenNotKept
from chat_client.settings import NAME, Settings, UsageError, data_dir, load
from chat_client.signals import EndedBySignal, until_ended
from chat_client.startup import at_terminal, is_dumb, open_chat

if TYPE_CHECKING:
    from chat_client.common.reading_log import ReadingLog

# Modules of the front ends, each of which takes from 5 to 35 ms to load: time in which the server answers.
PLAIN = ("chat_client.common.completion", "prompt_toolkit", "chat_client.plain.line_input", "chat_client.plain.app")
SCREEN = (
    "chat_client.tui.render.frame",
    "prompt_toolkit",
    "chat_client.tui.terminal.window",
    "chat_client.tui.app",
)
TURNS = 4  # of the loop between the loading of two: as many as from an open connection to its next command


def main() -> None:
    standard_streams.prepare()
    try:
        status = asyncio.run(until_ended(_run(load(sys.argv[1:]))))
    except UsageError as error:
        status = _refuse(str(error), ExitStatus.USAGE)
    except ChatError as error:
        status = _refuse(str(error), exit_status.of_error(error))
    except EndedBySignal as error:
        status = _refuse(error.words, error.status) if error.words else error.status
    except (KeyboardInterrupt, asyncio.CancelledError):
        status = exit_status.of_signal(signal.SIGINT)
    except standard_streams.CannotWrite as error:
        standard_streams.abandon(1)
        status = _refuse(str(error), ExitStatus.CANNOT_WRITE)
    except BrokenPipeError:
        # The reader of our lines is gone: nobody is there to be told.
        standard_streams.abandon(1)
        status = ExitStatus.DONE
    except Exception as error:
        if has_hung_up(error):
            standard_streams.abandon(1)
            status = exit_status.of_signal(signal.SIGHUP)
        else:
            Faults(data_dir(), _warn).tell(error)
            status = ExitStatus.FAULT
    sys.exit(status)


def _refuse(words: str, status: int) -> int:
    _warn(words)
    return status


def _warn(words: str) -> None:
    standard_streams.warn(f"{NAME}: {wording.one_line(words)}\n")


def _needs_stdout() -> None:
    if "stdout" in standard_streams.CLOSED:
        raise UsageError("stdout is closed: there is nowhere to print to")


async def _run(settings: Settings) -> int:
    if settings.edit:
        return _edit(settings)
    if settings.send is not None:
        return await _send(settings, settings.send)
    if settings.follow is not None:
        return await _follow(settings, settings.follow)
    if settings.plain or is_dumb() or not (at_terminal() and at_terminal(sys.stdout)):
        return await _plain(settings)
    return await _screen(settings)


async def _send(settings: Settings, target: str) -> int:
    from chat_client.plain import script

    text = script.message(settings, sys.stdin.buffer)
    async with open_chat(settings, interactive=settings.text is not None and at_terminal()) as chat:
        reading = asyncio.create_task(_warn_of(chat))
        await script.send(chat, target, text)
        reading.cancel()
    return ExitStatus.DONE


async def _warn_of(chat: Chat) -> None:
    """Warn of the one event that a script which only sends must know: its next start has no token."""
    async for event in chat:
        if isinstance(event, TokenNotKept):
            _warn(wording.state(event, 0))


async def _follow(settings: Settings, wanted: str) -> int:
    from chat_client.plain import script

    _needs_stdout()
    async with open_chat(settings, interactive=at_terminal()) as chat:
        await script.follow(chat, wanted, standard_streams.out, _warn, settings.json)
    return ExitStatus.DONE


async def _plain(settings: Settings) -> int:
    _needs_stdout()
    _check_tables(settings)
    log = _reading_log(settings)
    attended = at_terminal()
    loading = asyncio.create_task(_load(PLAIN))
    async with open_chat(settings, interactive=attended) as chat:
        await loading  # before these imports, which would hold up the connection in one piece
        from chat_client.common.account_file import account
        from chat_client.common.desktop import Notifier
        from chat_client.common.input_history import InputHistory
        from chat_client.common.keys import KEYS, keymap
        from chat_client.common.listening import Listening
        from chat_client.common.mentions import Call
        from chat_client.plain.app import Plain
        from chat_client.plain.line_input import Input, Pipe, Prompt
        from chat_client.plain.lines import LineForm

        notifier = Notifier()

        def ring(call: Call) -> None:
            standard_streams.out("\a")
            notifier.show(call.title, call.text)

        rings = settings.notify and attended and at_terminal(sys.stdout)
        form = LineForm(settings.times, settings.ids, settings.presence)
        plain = Plain(
            chat,
            settings.downloads,
            standard_streams.out,
            ring if rings else lambda call: None,
            form,
            log,
            Listening(settings.highlight),
        )
        faults = Faults(settings.data_dir, lambda words: standard_streams.out(f"- {words}\n"))
        asyncio.get_running_loop().set_exception_handler(faults.handle)
        source: Input
        if attended and at_terminal(sys.stdout) and not is_dumb():
            history = InputHistory(
                settings.data_dir / "typed",
                lambda: account(chat.user, chat.history),
                lambda: plain.front_end.open,
                lambda: chat.commands,
            )
            keys = keymap(settings.section(KEYS))
            source = Prompt(plain.prompt, plain.known, lambda: chat.commands, history, keys)
            plain.front_end.edit_next = source.edit_next
            plain.put_back = source.put_back
        else:
            source = Pipe(attended)
        return await plain.run(source)


def _check_tables(settings: Settings) -> None:
    if settings.tables:  # looking into them loads half of the full screen
        from chat_client.tui.sections import SECTIONS

        settings.check_tables(SECTIONS)


def _reading_log(settings: Settings) -> "ReadingLog | None":
    if settings.log is None:
        return None
    from chat_client.common.reading_log import ReadingLog

    try:
        return ReadingLog(settings.log)
    except OSError as error:
        raise UsageError(f"cannot make the folder of the log, {settings.log}: {error.strerror}") from None


def _edit(settings: Settings) -> int:
    from chat_client.settings_editor import edit
    from chat_client.tui.sections import SECTIONS

    return edit(settings, SECTIONS)


async def _load(modules: Sequence[str]) -> None:
    """Load them one by one, and look after the connection in between. On a thread it took a tenth longer.

    As in `__main__`, nothing looks for garbage meanwhile, nor later in what was loaded: that took 30 ms now and then.
    """
    gc.disable()
    try:
        for each in modules:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            import_module(each)
    finally:
        gc.freeze()
        gc.enable()


async def _screen(settings: Settings) -> int:
    _check_tables(settings)
    log = _reading_log(settings)
    loading = asyncio.create_task(_load(SCREEN))
    async with open_chat(settings, interactive=True) as chat:
        await loading
        from chat_client.tui.app import App

        return await App(chat, settings, log).run()
