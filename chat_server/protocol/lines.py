"""Bytes to lines, bounded; and what of a line may be text at all.

`LineBuffer` MUST give the same lines however the bytes are cut, and MUST NOT hold more of an unfinished line than
`line_bytes_max`. The limit that holds for a line is asked for when the line is taken, not when it came in, since a
sign-in that is still under way raises it.
"""

from collections import deque

from chat_server.errors import Refusal

UNENDED_BYTES_MAX = 1 << 20


class UnendedLine(Exception):
    """1 MiB came without a line end: whoever sends that is not speaking this protocol."""


class LineBuffer:
    def __init__(self, line_bytes_max: int) -> None:
        self._line_bytes_max = line_bytes_max
        self._lines: deque[bytes | None] = deque()  # None: one that was too long and thrown away
        self._partial: list[bytes] = []
        self._partial_bytes = 0
        self.pending_bytes = 0

    def __len__(self) -> int:
        """How many whole lines wait."""
        return len(self._lines)

    def feed(self, data: bytes) -> bool:
        """Take in what was read; True if it ended a line. Raises UnendedLine."""
        first, *rest = data.split(b"\n")
        self._extend(first)
        for piece in rest:
            self._end_line()
            self._extend(piece)
        if self._partial_bytes > UNENDED_BYTES_MAX:
            raise UnendedLine
        return bool(rest)

    def take(self, line_bytes_max: int) -> bytes | None:
        """The next whole line without its end, None if none waits; Refusal `line_too_long` in place of a longer one."""
        if not self._lines:
            return None
        line = self._lines.popleft()
        if line is not None:
            self.pending_bytes -= len(line)
            if len(line) < line_bytes_max:
                return line[:-1] if line.endswith(b"\r") else line
        limit = line_bytes_max if line is not None else min(line_bytes_max, self._line_bytes_max)
        raise Refusal("line_too_long", f"a line has at most {limit} bytes here; this one was thrown away unread")

    def _extend(self, piece: bytes) -> None:
        self._partial_bytes += len(piece)
        if self._partial_bytes < self._line_bytes_max:
            if piece:
                self._partial.append(piece)
        else:
            self._partial.clear()

    def _end_line(self) -> None:
        if self._partial_bytes < self._line_bytes_max:
            line = self._partial[0] if len(self._partial) == 1 else b"".join(self._partial)
            self.pending_bytes += len(line)
            self._lines.append(line)
        else:
            self._lines.append(None)
        self._partial.clear()
        self._partial_bytes = 0


def decode(line: bytes) -> str:
    """The line as text; Refusal `bad_encoding` for what is no line of text."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise Refusal("bad_encoding", f"a line is UTF-8; byte {error.start + 1} of this one is not") from None
    if "\0" in text or "\r" in text:
        raise Refusal("bad_encoding", "a line has no NUL and no CR inside; nothing was executed")
    return text
