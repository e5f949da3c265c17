"""The output of the full screen, which also tells the terminal where links lead (OSC 8)."""

import os
import re
import sys
from zlib import crc32

from prompt_toolkit.output import Output
from prompt_toolkit.output.vt100 import Vt100_Output

# Around a link's text in a run: no text of a message has these, since `cells.glyphs` lets no control character through.
_BEGIN, _BETWEEN, _END = "\x11", "\x12", "\x13"
_LINK = re.compile(f"{_BEGIN}([^{_BETWEEN}]*){_BETWEEN}([^{_END}]*){_END}")
_WITHOUT = ("linux", "eterm", "dumb", "vt")  # terminals that would show the sequence, by the beginning of their TERM


def linked(text: str, address: str) -> str:
    """The text of a run that leads to an address in printable ASCII."""
    return f"{_BEGIN}{address}{_BETWEEN}{text}{_END}"


def unlinked(text: str) -> str:
    """The text of a run as it is seen."""
    return _LINK.sub(r"\2", text)


class LinkOutput(Vt100_Output):
    """A link is written whole, with its begin and its end, so that none reaches into what is drawn next to it."""

    def write(self, data: str) -> None:
        if _BEGIN not in data:
            super().write(data)
            return
        match = _LINK.fullmatch(data)
        if match is None or (self.term or "").startswith(_WITHOUT):
            super().write(unlinked(data))
            return
        address, text = match.groups()
        # The same id joins the rows of a link that is broken into several.
        self.write_raw(f"\x1b]8;id={crc32(address.encode()):x};{address}\x1b\\")
        super().write(text)
        self.write_raw("\x1b]8;;\x1b\\")


def screen_output() -> Output | None:
    """None: stdout is no terminal."""
    return LinkOutput.from_pty(sys.stdout, term=os.environ.get("TERM")) if sys.stdout.isatty() else None
