"""Whether the terminal is dark or light, asked of itself before the first frame.

The question is OSC 11. Behind it goes one that every terminal answers (DA1), so that one which does not know OSC 11 is
not waited for. What is typed meanwhile is kept; an answer that comes late never stands in the line as if it were typed.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.output import Output

from chat_client.view.themes import ThemeName

ASK = "\x1b]11;?\x1b\\\x1b[c"
ANSWER_SECONDS_MAX = 0.2
_ANSWER = re.compile(r"\x1b\]11;(?P<colour>[^\x07\x1b]*)(?:\x07|\x1b\\)|\x1b\[\?[\d;]*c")
_BEGUN = re.compile(r"\x1b(?:\](?:1(?:1(?:;[^\x07\x1b]{0,40}\x1b?)?)?)?|\[(?:\?[\d;]{0,40})?)?\Z")
_RGB = re.compile(r"rgba?:([0-9a-f]{1,4})/([0-9a-f]{1,4})/([0-9a-f]{1,4})", re.IGNORECASE)


class Answers(Vt100Parser):
    """Keys out of what the terminal sends, without the answers to ASK: these go to `colour`, until both have come."""

    def __init__(self, feed_key_callback: Callable[[KeyPress], None]) -> None:
        super().__init__(feed_key_callback)
        self.colour: str | None = None
        self.answered = asyncio.Event()
        self._held = ""  # what may be the beginning of an answer

    def feed(self, data: str) -> None:
        data, self._held = self._held + data, ""
        while not self.answered.is_set() and (match := _ANSWER.search(data)):
            data = data[: match.start()] + data[match.end() :]
            if match["colour"] is None:
                self.answered.set()
            else:
                self.colour = match["colour"]
        if not self.answered.is_set() and (begun := _BEGUN.search(data)):
            data, self._held = data[: begun.start()], begun[0]
        super().feed(data)

    def flush(self) -> None:
        """Nothing more comes: it was no answer."""
        held, self._held = self._held, ""
        super().feed(held)
        super().flush()


async def ask(input: Input, output: Output, seconds: float = ANSWER_SECONDS_MAX) -> ThemeName | None:
    """The theme for what the terminal stands on; None: it does not tell, or not within so many seconds."""
    if not isinstance(input, Vt100Input):
        return None
    answers = input.vt100_parser = Answers(input.vt100_parser.feed_key_callback)
    typed: list[KeyPress] = []
    with input.raw_mode(), input.attach(lambda: typed.extend(input.read_keys())):
        output.write_raw(ASK)
        output.flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await answers.answered.wait()
    store_typeahead(input, typed)
    return theme_on(answers.colour or "")


def theme_on(colour: str) -> ThemeName | None:
    """For a ground of this colour, as terminals write it: `rgb:1a1a/1b1b/26`."""
    match = _RGB.match(colour)
    if match is None:
        return None
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in match.groups())
    return "light" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5 else "dark"
