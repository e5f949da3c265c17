"""The question to the terminal, before the first frame, whether its background is dark or light.

The question is OSC 11. Behind it goes one that every terminal answers (DA1), so that one which does not know OSC 11 is
not waited for. What is typed meanwhile is kept. An answer that comes late sets the theme all the same.
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
from chat_client.tui.terminal.themes import ThemeName

ASK = "\x1b]11;?\x1b\\\x1b[c"
ANSWER_SECONDS_MAX = 0.2
LATE_SECONDS_MAX = 2.0  # over a slow link
_COLOUR = re.compile(r"\x1b\]11;([^\x07\x1b]*)")
_RGB = re.compile(r"rgba?:([0-9a-f]{1,4})/([0-9a-f]{1,4})/([0-9a-f]{1,4})", re.IGNORECASE)


class BackgroundQuery:
    """`found` gets the theme that fits, as soon as the terminal has told its background colour."""

    def __init__(self, found: Callable[[ThemeName], None]) -> None:
        self._found = found
        self._answered = asyncio.Event()
        self._asked_at: float | None = None  # of `clock.elapsed`

    def take(self, answer: str) -> None:
        """Take an answer of the terminal, to any question."""
        colour = _COLOUR.match(answer)
        if self._asked_at is not None and colour and (theme := theme_on(colour[1])):
            self._found(theme)
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


def theme_on(colour: str) -> ThemeName | None:
    """The theme for a background of this colour, as terminals write it: `rgb:1a1a/1b1b/26`."""
    match = _RGB.match(colour)
    if match is None:
        return None
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in match.groups())
    return "light" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5 else "dark"
