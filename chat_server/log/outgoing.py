"""What a node sends into a replicated log: the line of entries that wait, and the batch in flight."""

from collections import deque
from collections.abc import Callable
from itertools import takewhile
from typing import NamedTuple

from msgspec import Struct

from chat_server.log import count_text_chars
from chat_server.log.codec import ENTRIES_BYTES_MAX
from chat_server.log.entries import (
    ALONE,
    ENTRIES_MAX,
    TEXT_CHARS_MAX,
    Batch,
    Due,
    EndStream,
    Entry,
    RaiseVersion,
)

# Of entries that wait or are in flight. Past it no further command is taken.
WAITING_BYTES_MAX = 8 << 20

# The node logs these again and again until they are done: one is as good as many equal ones.
_ONCE = (Due, EndStream, RaiseVersion)


class Waiting(NamedTuple):
    """An entry that waits, as it will be sent, and since when."""

    entry: Entry
    data: bytes
    since: float


class Line:
    """Entries in the order in which they were submitted."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self.bytes = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def since(self) -> float | None:
        """When the oldest was submitted."""
        return self._waiting[0].since if self._waiting else None

    def add(self, waiting: Waiting) -> None:
        """Put an entry in line, unless one like it waits that does the same: they would gather while NATS is away."""
        command = waiting.entry.command
        if type(command) in _ONCE and any(each.entry.command == command for each in self._waiting):
            return
        self._waiting.append(waiting)
        self.bytes += len(waiting.data)

    def take(self) -> list[Waiting]:
        """Take the entries of the next batch, within the bounds of one."""
        taken: list[Waiting] = []
        size = chars = 0
        while self._waiting and len(taken) < ENTRIES_MAX and chars < TEXT_CHARS_MAX:
            entry = self._waiting[0].entry
            size += len(self._waiting[0].data)
            is_alone = type(entry.command) in ALONE
            if taken and (size > ENTRIES_BYTES_MAX or is_alone):
                break
            taken.append(self._waiting.popleft())
            self.bytes -= len(taken[-1].data)
            if is_alone:
                break
            chars += count_text_chars(entry)
        return taken

    def give_back(self, taken: list[Waiting]) -> None:
        self._waiting.extendleft(reversed(taken))
        self.bytes += sum(len(each.data) for each in taken)

    def withdraw(self, is_over: Callable[[float], bool]) -> list[Entry]:
        """Take out the entries that have waited for too long and that somebody waits for. The others stay."""
        if not self._waiting or not is_over(self._waiting[0].since):
            return []
        over = list(takewhile(lambda each: is_over(each.since), self._waiting))
        for each in over:
            self._waiting.popleft()
            self.bytes -= len(each.data)
        self.give_back([each for each in over if each.entry.origin is None])
        return [each.entry for each in over if each.entry.origin is not None]


class Flight(Struct, eq=False):
    """A batch that is on its way into the log, until it has been executed here.

    It is sent again under the same number until the stream shows what became of it; an ack only says that the stream
    should have it. The oldest `told` of its entries are answered already.
    """

    batch: Batch
    data: bytes
    waiting: list[Waiting]
    # Whether any try may have put it into the stream.
    may_be_there: bool = False
    # It was read from the stream, and is being executed.
    is_found: bool = False
    told: int = 0
    # Tries that ended with an ack. If the server has lost one of them, it MUST NOT take the next for a repetition.
    acks: int = 0
    # The streams that it is being sent to, and the last one.
    sending: list[int] = []
    stream: int = 0
    again_at: float = 0.0

    @property
    def bytes(self) -> int:
        return len(self.data)

    @property
    def since(self) -> float | None:
        """When the oldest of its entries was submitted."""
        return self.waiting[0].since if self.waiting else None

    def tell(self, is_over: Callable[[float], bool]) -> list[Entry]:
        """Return those of its entries that have waited for too long and are not answered yet."""
        begin = self.told
        while self.told < len(self.waiting) and is_over(self.waiting[self.told].since):
            self.told += 1
        return [each.entry for each in self.waiting[begin : self.told] if each.entry.origin is not None]
