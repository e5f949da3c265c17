"""Signals that end the program: the terminal is restored, and the exit status names the signal."""

import asyncio
import signal
import sys
import termios
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from chat_client.exit_status import of_signal
from chat_client.sdk.errors import ChatError

# Whatever would end it, asked from outside or by a key.
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)


class _Interrupts:
    ignored = False


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """While another program has the terminal: its Ctrl-C comes here, too."""
    _Interrupts.ignored = True
    try:
        yield
    finally:
        _Interrupts.ignored = False


class EndedBySignal(Exception):
    """`words`: what the signal left undone, if anything."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.words = words
        self.status = of_signal(number)


async def until_ended(work: Coroutine[Any, Any, int]) -> int:
    """Run the work and return its result. A signal cancels it, so that every `finally` runs. Raises EndedBySignal."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    came: list[int] = []

    def end(number: int) -> None:
        if number == signal.SIGINT and _Interrupts.ignored:
            return
        came.append(number)
        task.cancel()

    for number in (signal.SIGINT, *_ending()):
        loop.add_signal_handler(number, end, number)
    try:
        return await task
    except asyncio.CancelledError:
        if came:
            raise EndedBySignal(came[0], "") from None
        raise
    except Exception as error:  # a terminal that has hung up fails each write
        if came:
            raise EndedBySignal(came[0], str(error) if isinstance(error, ChatError) else "") from None
        raise


def _ending() -> list[signal.Signals]:
    """The signals that nohup has not made ignored."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def asking(secret: bool = False) -> Iterator[None]:
    """While a person is asked by a read that blocks the loop: signals act at once, and Ctrl-Z stops the program."""
    handlers: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTSTP: signal.SIG_DFL,
        **dict.fromkeys(_ending(), _exit),
    }
    if secret:
        handlers[signal.SIGCONT] = _hide
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(of_signal(number))


def _hide(number: int, frame: FrameType | None) -> None:
    """A shell sets its own modes when a job stops, and what is typed after `fg` would be shown."""
    with suppress(termios.error, OSError, ValueError, AttributeError):
        modes = termios.tcgetattr(sys.stdin.fileno())
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, modes)
