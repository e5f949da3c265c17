"""Terminal sequences besides the frames: focus reports, title, clipboard, bell and notifications.

Everything that is put into a control sequence is plain, printable text.
"""

import os
from base64 import b64encode
from collections.abc import Mapping

from prompt_toolkit.output import Output

from chat_client.common.cells import safe
from chat_client.common.desktop import Notifier
from chat_client.common.key_decoder import ALT_AS_BEFORE, ALT_AS_ESC
from chat_server.protocol.sanitize import clean

# With focus reports.
MODES, MODES_BACK = f"\x1b[?1004h{ALT_AS_ESC}", f"{ALT_AS_BEFORE}\x1b[?1004l"
# Around each frame: a terminal that knows them shows the frame when all of it is there.
FRAME_BEGIN, FRAME_END = "\x1b[?2026h", "\x1b[?2026l"
# Terminals that show OSC 9; the others that show anything show OSC 777.
_OSC_9 = ("iTerm.app", "WezTerm", "ghostty", "kitty")


class Terminal:
    def __init__(self, output: Output, environment: Mapping[str, str] = os.environ) -> None:
        self._output = output
        self._environment = environment
        self._notifier = Notifier(environment)
        self._title = ""

    def begin(self) -> None:
        self._raw(MODES)
        if self._title:
            self._output.set_title(safe(self._title))

    def end(self) -> None:
        self._raw(MODES_BACK)
        self._output.clear_title()
        self._output.flush()

    def title(self, text: str) -> None:
        if text != self._title:
            self._title = text
            self._output.set_title(safe(text))

    def copy(self, text: str) -> None:
        """By OSC 52, where the terminal allows it. What a hostile server has sent may be pasted into a shell."""
        self._passed(f"\x1b]52;c;{b64encode(clean(text).encode()).decode()}\x07")

    def attention(self, title: str, body: str) -> None:
        """Ring, and show it on the desktop: by notify-send where there is one, else by the terminal."""
        self._output.bell()
        title, body = safe(title).replace(";", ","), safe(body)
        if not self._notifier.show(title, body) and self._environment.get("TERM") not in ("linux", "dumb"):
            if self._environment.get("TERM_PROGRAM") in _OSC_9 or "KITTY_WINDOW_ID" in self._environment:
                self._passed(f"\x1b]9;{title}: {body}\x07")
            else:
                self._passed(f"\x1b]777;notify;{title};{body}\x07")
        self._output.flush()

    def _passed(self, sequence: str) -> None:
        """Through tmux too, if it lets it pass."""
        if self._environment.get("TMUX"):
            sequence = "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
        self._raw(sequence)

    def _raw(self, sequence: str) -> None:
        self._output.write_raw(sequence)
        self._output.flush()
