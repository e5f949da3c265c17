"""Bytes to lines, bounded; and which bytes are text at all.

`LineBuffer` MUST give the same lines however the bytes are cut, and MUST NOT hold more of an unfinished line than
`line_bytes_max`. Lines are split off a few at a time when they are taken, not when they arrive: a waiting line costs
little more than its bytes, and its limit is the one that holds when it is taken (a sign-in under way raises it).
"""

import re
from typing import Final

from chat_server.errors import Refusal

UNENDED_BYTES_MAX = 1 << 20
LINES_CUT_AT_ONCE = 256
# `re` compiles the patterns that few lines need at their first use: all of them took 0.5 ms of each start of a client.
# The commands that telnet inserts (RFC 854): IAC, which UTF-8 never contains, and a command, with its option, or up to
# the end of its parameters, in which IAC is doubled. No byte is scanned from two starts of parameters: a line with 64
# KiB of starts and no end held the loop for 30 s when `.*?` looked for the end from each.
_TELNET = rb"(?s)\xff[\xf0-\xf9]|\xff[\xfb-\xfe].|(?<!\xff)\xff\xfa(?:[^\xff]|\xff\xff)*+\xff\xf0"
_BOM = b"\xef\xbb\xbf"
# A byte is looked for by its number: looking for bytes raises and drops an exception each time, 0.3 µs.
_NEWLINE: Final = 0x0A
_IAC: Final = 0xFF
# At Ctrl-C, and at bytes of UTF-8 that it takes for a key, telnet asks for a timing mark (RFC 860) and shows nothing
# more before the answer: IAC DO TIMING-MARK, and IAC WONT.
_ASKS_FOR_MARK, TELNET_MARK = b"\xff\xfd\x06", b"\xff\xfc\x06"
# Keys that a terminal without a line editor puts into the line: arrows, Ctrl-D. In front of `/password secret` they
# made a text of it that the open chat was shown.
# Of a TLS handshake they are no keys: see `begins_like_browser`.
_KEYS = rb"(?!\x16\x03)(?:\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|[\x01-\x08\x0b-\x1f\x7f])+(?=[/{])"
# What a web browser begins a connection with: a request of HTTP, or a TLS handshake. Of an address with 4 KiB no more
# is kept than its beginning: a page that posted to one of 4,080 characters was let in.
_BROWSER = rb"[A-Z]{3,16} \S+ HTTP/\d|\x16\x03"
_CUT_REQUEST = rb"[A-Z]{3,16} \S+(?: [HTP/]{0,5})?\Z"
_EMPTY_LINES = re.compile(rb"(?:\r?\n)+")


class UnendedLine(Exception):
    """1 MiB came without a line end: the peer does not speak this protocol."""


class LineBuffer:
    __slots__ = ("_cut", "_data", "_is_telnet", "_line_bytes_max", "_unended_bytes", "is_mark_wanted")

    def __init__(self, line_bytes_max: int) -> None:
        self._line_bytes_max = line_bytes_max
        self._data = bytearray()
        # The next one last. An empty deque takes 624 bytes, an empty list 56.
        self._cut: list[bytes] = []
        self._is_telnet = False
        self.is_mark_wanted = False
        self._unended_bytes = 0  # of the last, unfinished line, including what is past its bound

    @property
    def pending_bytes(self) -> int:
        """The bytes that wait to be split into lines."""
        return len(self._data)

    def has_line(self) -> bool:
        """Tell whether a whole line waits that is not empty."""
        while not self._cut and _NEWLINE in self._data:
            empty = _EMPTY_LINES.match(self._data)
            if empty is not None:
                del self._data[: empty.end()]
            else:
                # As bytes, of which neither cutting nor cleaning makes further copies.
                *lines, rest = bytes(self._data).split(b"\n", LINES_CUT_AT_ONCE)
                self._data = bytearray(rest)
                self._cut = [bare for line in reversed(lines) if (bare := _bare(line)) and bare != b"\r"]
        return bool(self._cut)

    def feed(self, data: bytes | memoryview, kept_max: int | None = None) -> bool:
        """Take in what was read; tell whether it ended a line. Raises UnendedLine.

        Of an unfinished line `kept_max` bytes are kept: at least as many as a line may have when this one is taken.
        """
        kept_max = self._line_bytes_max if kept_max is None else min(kept_max, self._line_bytes_max)
        data = bytes(data)
        if self._is_telnet or _IAC in data:
            data = self._read_telnet(data)
        if not self._unended_bytes and data.endswith(b"\n") and len(data) <= kept_max:
            # Whole lines, none of which is too long, as nearly everybody sends them.
            self._data += data
            return True
        first_end, last_end = data.find(b"\n"), data.rfind(b"\n")
        if first_end < 0:
            self._extend(data, kept_max)
            return False
        self._extend(data[:first_end], kept_max)
        self._data += data[first_end : last_end + 1]
        self._unended_bytes = 0
        self._extend(data[last_end + 1 :], kept_max)
        return True

    def _read_telnet(self, data: bytes) -> bytes:
        """Note what telnet wants, and have CR NUL end a line, as Enter does where it sends each key at once."""
        self._is_telnet = True
        self.is_mark_wanted = self.is_mark_wanted or _ASKS_FOR_MARK in data
        if data.startswith(b"\0") and self._data.endswith(b"\r"):
            data = b"\n" + data[1:]
        return data.replace(b"\r\0", b"\r\n")

    def _extend(self, piece: bytes, kept_max: int) -> None:
        """Extend the unfinished line. Bytes past its bound are counted, but not kept."""
        self._data += piece[: max(0, kept_max - self._unended_bytes)]
        self._unended_bytes += len(piece)
        if self._unended_bytes > UNENDED_BYTES_MAX:
            raise UnendedLine

    def begins_like_browser(self, line_bytes_max: int) -> bool:
        """Tell whether the next line is how a web browser begins, whose next lines any page may have written.

        A page chooses the body of a request; and it can have what its own server put into a TLS handshake, as a session
        to be resumed, sent to another server.
        """
        if not self._cut and not self.has_line():
            return False
        line = self._cut[-1]
        is_cut = len(line) >= min(line_bytes_max, self._line_bytes_max)
        return bool(re.match(_BROWSER, line) or (is_cut and re.match(_CUT_REQUEST, line)))

    def take(self, line_bytes_max: int) -> bytes | None:
        """Return the next line that is not empty, without its end; None if none waits.

        Raises Refusal `line_too_long` in place of a line of more than `line_bytes_max` bytes with its end.
        """
        if not self._cut and not self.has_line():
            return None
        line = self._cut.pop()
        limit = line_bytes_max if line_bytes_max < self._line_bytes_max else self._line_bytes_max
        if len(line) >= limit:
            raise Refusal("line_too_long", f"a line has at most {limit} bytes here; this one was thrown away unread")
        return line.removesuffix(b"\r")


def _bare(line: bytes) -> bytes:
    """Return the line without a byte order mark and the commands of telnet, and a command without keys before it."""
    bare = re.sub(_TELNET, b"", line) if _IAC in line else line
    bare = bare.removeprefix(_BOM)
    if bare and bare[0] < 0x20 and (keys := re.match(_KEYS, bare)):
        bare = bare[keys.end() :]
    return bare


def decode(line: bytes) -> str:
    """Return the line as text. Raises Refusal `bad_encoding` if it is none."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise Refusal("bad_encoding", f"a line is UTF-8; byte {error.start + 1} of this one is not") from None
    if "\0" in text or "\r" in text:
        raise Refusal("bad_encoding", "a line has no NUL and no CR inside; nothing was executed")
    return text
