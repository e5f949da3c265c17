"""The question to the terminal, before the first frame, which colours it has.

The questions are OSC 4, for its sixteen colours, and OSC 11, for its ground. Behind them goes one that every terminal
answers (DA1), so that one which does not know the others is not waited for. What is typed meanwhile is kept. Answers
that come late set the colours all the same.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.output import Output

from chat_client.sdk import clock
from chat_client.tui.terminal.contrast import Colour
from chat_client.tui.terminal.palettes import TerminalColours

ASK = "".join(f"\x1b]4;{number};?\x1b\\" for number in range(16)) + "\x1b]11;?\x1b\\\x1b[c"
ANSWER_SECONDS_MAX = 0.2
LATE_SECONDS_MAX = 2.0  # over a slow link
_GROUND = re.compile(r"\x1b\]11;([^\x07\x1b]*)")
_ONE_OF_SIXTEEN = re.compile(r"\x1b\]4;(\d+);([^\x07\x1b]*)")
_RGB = re.compile(r"rgba?:([0-9a-f]{1,4})/([0-9a-f]{1,4})/([0-9a-f]{1,4})", re.IGNORECASE)


class BackgroundQuery:
    """`found` gets what the terminal has told of its colours, when it has told its ground, which is asked last."""

    def __init__(self, found: Callable[[TerminalColours], None]) -> None:
        self._found = found
        self._sixteen: dict[int, Colour] = {}
        self._answered = asyncio.Event()
        self._asked_at: float | None = None  # of `clock.elapsed`

    def take(self, answer: str) -> None:
        """Take an answer of the terminal, to any question."""
        if self._asked_at is None:
            return
        if (match := _ONE_OF_SIXTEEN.match(answer)) and (told := _read(match[2])) and int(match[1]) < 16:
            self._sixteen[int(match[1])] = told
        elif (match := _GROUND.match(answer)) and (told := _read(match[1])):
            self._found(TerminalColours(told, self._sixteen))
        elif answer.startswith("\x1b[?") and answer.endswith("c"):
            self._answered.set()

    @property
    def is_awaited(self) -> bool:
        """Whether an answer may still come."""
        asked_at = self._asked_at
        return asked_at is not None and not self._answered.is_set() and clock.elapsed() - asked_at < LATE_SECONDS_MAX

    async def ask(self, input: Input, output: Output, seconds: float = ANSWER_SECONDS_MAX) -> None:
        """Wait until it has answered, at most so many seconds."""
        if not isinstance(input, Vt100Input):
            return
        self._asked_at = clock.elapsed()
        typed: list[KeyPress] = []
        with input.raw_mode(), input.attach(lambda: typed.extend(input.read_keys())):
            output.write_raw(ASK)
            output.flush()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._answered.wait()
        store_typeahead(input, typed)


def _read(words: str) -> Colour | None:
    """A colour as terminals write it: `rgb:1a1a/1b1b/26`."""
    match = _RGB.match(words)
    if match is None:
        return None
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in match.groups())
    return red, green, blue
