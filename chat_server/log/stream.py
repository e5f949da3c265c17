"""The ports of a replicated log: the streams, the message bus and the object store that it needs.

`jetstream`, `nats_bus` and `nats_objects` implement them with NATS, and the tests in memory. Whoever uses them decides
everything else, so the decisions can be tested without a server.
"""

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, Protocol


class Position(NamedTuple):
    """A place in the log: the number of a stream in the chain, from 1, and the sequence of a message in it.

    Positions are ordered like tuples. (0, 0) is before everything.
    """

    stream: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.stream}/{self.sequence}"


class StreamRecord(NamedTuple):
    """One message of a stream. `node` is the last token of its subject, `at_ms` the stream's time in whole ms."""

    position: Position
    node: str
    at_ms: int
    data: bytes


class NotAppended(Exception):
    """The message was certainly not taken, and may be sent again; the text says why."""


class FateUnknown(Exception):
    """The message may have been taken or not. Only reading the stream tells."""


class StreamLost(Exception):
    """The stream, or the part of it that was asked for, is not there any more; the text says which."""


class Records(Protocol):
    """A reading of one stream in order, without gaps or repetitions, which outlives lost connections by itself."""

    async def next(self) -> StreamRecord:
        """Wait for the next message. Raises StreamLost."""

    def close(self) -> None: ...


class Streams(Protocol):
    """The chain of streams. All but `is_connected` may take as long as an election; each bounds itself in time."""

    @property
    def is_connected(self) -> bool:
        """Whether a server is connected at all; a connected one may still have lost its quorum."""

    async def list(self) -> list[int]:
        """The numbers of the streams that are there, in order. Raises NotAppended if that cannot be learnt."""

    async def begin(self, stream: int) -> None:
        """Make a stream unless it is there, and check its configuration. Raises NotAppended, StartError."""

    async def delete(self, stream: int) -> None:
        """Delete a stream whole, so that no file of a server holds its bytes. Raises NotAppended."""

    async def last(self, stream: int) -> int:
        """The sequence of the last message in it, 0 for none. Raises NotAppended, StreamLost."""

    async def append(self, stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
        """Append a message on the node's subject; its sequence. `unique` lets the server drop a repetition.

        With `after`, that has to be the sequence of the last message in it. Raises NotAppended, FateUnknown.
        """

    def read(self, after: Position) -> Records:
        """Read the stream of the position from the message after it on."""


class Bus(Protocol):
    """Messages between the nodes that nobody keeps. They are lost while a node is not connected."""

    def publish(self, topic: str, data: bytes) -> None:
        """Tell all who subscribe to the topic; this node, too, if it does."""

    def subscribe(self, topic: str, received: Callable[[bytes], None]) -> None: ...

    def answer(self, topic: str, answered: Callable[[bytes], bytes | None]) -> None:
        """Answer what `ask` asks under this topic; None says nothing."""

    async def ask(self, topic: str, data: bytes, seconds: float, answers_max: int) -> list[bytes]:
        """Ask all who answer under this topic. Returns what came within the time, or once there are `answers_max`."""


class ObjectMissing(Exception):
    """The object is not there, or not whole."""


class Objects(Protocol):
    """Buckets of large objects. A deleted bucket leaves no bytes behind; a deleted object may."""

    async def buckets(self) -> list[str]: ...

    async def begin(self, bucket: str) -> None: ...

    async def delete_bucket(self, bucket: str) -> None: ...

    async def names(self, bucket: str) -> list[str]: ...

    async def put(self, bucket: str, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Store an object. Raises NotAppended, FateUnknown; storing it again under the same name replaces it."""

    def get(self, bucket: str, name: str) -> AsyncIterator[bytes]:
        """The object's bytes, as they come. Raises ObjectMissing, NotAppended."""

    async def delete(self, bucket: str, name: str) -> None: ...
