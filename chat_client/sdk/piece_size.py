"""The size of the pieces of a file: as much as the link takes in well under half a second. Pure.

At 40 KB/s a piece of 32 KiB, or a part of 256 KiB, held one's own message up for a second, or for seven. What a piece
takes is the way there and back, whatever its size, and its bytes; only the second holds up others, and two pieces of
different sizes tell the two apart.
"""

BYTES_MIN = 1024
PIECE_SECONDS = 0.35  # the aim, so that a piece takes at most half a second though the rate varies
_NEW_SHARE = 0.5  # the weight of the last piece in `rate`


class Pace:
    def __init__(self, bytes_max: int, latency: float | None = None) -> None:
        """`latency`: the seconds that a command without bytes took, if they are known."""
        self.bytes = BYTES_MIN
        self.rate = 0.0  # bytes of the file a second
        self._bytes_max = bytes_max
        self._smallest = None if latency is None else (0, latency)  # bytes, and the seconds that they took

    def took(self, count: int, seconds: float) -> None:
        """So many bytes were answered after so long."""
        if count <= 0:
            return
        measured = count / max(seconds, 1e-6)
        self.rate = measured if not self.rate else self.rate + _NEW_SHARE * (measured - self.rate)
        if self._smallest is None or count <= self._smallest[0]:
            self._smallest = count, seconds
            wanted = count * (2.0 if seconds <= PIECE_SECONDS / 2 else 1.5)
        else:
            fewer, at_least = self._smallest
            wanted = (count - fewer) * PIECE_SECONDS / max(seconds - at_least, 1e-6)
        # It grows step by step: the first bytes go into the buffers of the system, which tell nothing of the link.
        self.bytes = int(max(BYTES_MIN, min(wanted, 2 * count, self._bytes_max)))
