"""JetStream: the streams of a replicated log, and their reading (see `stream`), on real servers.

All that knows NATS is here, in `jetstream_api`, `nats_connection`, `nats_bus` and `nats_objects`.
"""

import json
import logging

from chat_server.log.codec import BATCH_BYTES_MAX
from chat_server.log.jetstream_api import (
    ApiError,
    append,
    begin_stream,
    call,
    delete_stream,
    stream_info,
    stream_names,
)
from chat_server.log.nats_connection import RETRY_SECONDS, Disconnected, Inbox, Nats, NatsMessage
from chat_server.log.stream import NotAppended, Position, StreamLost, StreamRecord
from chat_server.runtime import CancelledError

log = logging.getLogger("chat.nats")

# A consumer is made by the leader of all JetStream. While one is elected nobody answers, and whoever reads is waiting.
CREATE_SECONDS = 2.0
# How many messages the server sends before they are read, and how long it waits for that many.
PULLED_MAX = 32
PULL_SECONDS = 30
HEARTBEAT_SECONDS = 1
# A consumer that nobody reads from is removed by the server after this.
IDLE_SECONDS = 60
# A server that was cut off may not know the stream's end for about 10 s; after this it is the stream that ends early.
BEHIND_SECONDS = 30.0
_NS = 1_000_000_000


def _log(stream: int) -> str:
    return f"log-{stream}"


# ---- reading


class _Broken(Exception):
    """The consumer can be believed no longer."""


class JetStreamRecords:
    """See `stream.Records`.

    What reads is a consumer at one of the servers, of which it asks a bounded number of messages ahead. When it is
    silent for three heartbeats, or its messages do not follow one another, a new one goes on after what was given.
    """

    def __init__(self, connection: Nats, after: Position) -> None:
        self._connection = connection
        self._stream, self._last = after
        self._last_ns: int | None = None
        self._created = ""
        self._consumer = ""
        self._inbox: Inbox | None = None
        # Messages that the consumer has delivered, and those that it still may.
        self._delivered = self._asked = 0
        self._is_closed = False

    async def next(self) -> StreamRecord:
        while not self._is_closed:
            try:
                inbox = self._inbox or await self._open()
                record = self._take(await self._receive(inbox))
            except (_Broken, ApiError, NotAppended, Disconnected) as error:
                log.debug("%s is read anew after %d: %s", _log(self._stream), self._last, error)
                self._end()
                await self._connection.runtime.sleep(RETRY_SECONDS)
            else:
                if record is not None:
                    return record
        # The package makes another error of a cancellation when the connection is being closed.
        raise CancelledError

    async def _open(self) -> Inbox:
        """Raises StreamLost, and what `next` takes for a reason to begin anew."""
        await self._connection.wait()
        await self._check()
        self._consumer = f"{self._connection.node}-{self._connection.runtime.token_hex(6)}"
        self._delivered = self._asked = 0
        subject = f"log.{self._stream}.*"
        config = {
            "name": self._consumer,
            "deliver_policy": "by_start_sequence",
            # From the message that was given last on, to see that it is still the same.
            "opt_start_seq": self._last + (self._last_ns is None),
            "filter_subject": subject,
            "ack_policy": "none",
            "num_replicas": 1,
            "mem_storage": True,
            "inactive_threshold": IDLE_SECONDS * _NS,
        }
        body = {"stream_name": _log(self._stream), "config": config, "action": "create"}
        # A permission can name the subject that is read, since it stands in the call.
        create = f"CONSUMER.CREATE.{_log(self._stream)}.{self._consumer}.{subject}"
        await call(self._connection, create, body, CREATE_SECONDS)
        inbox = self._inbox = await self._connection.open_inbox()
        return inbox

    async def _check(self) -> None:
        """Wait until the stream is there as far as it was read. Raises StreamLost."""
        runtime = self._connection.runtime
        begun = runtime.monotonic()
        while True:
            info = await stream_info(self._connection, _log(self._stream))
            self._created = self._created or info["created"]
            if self._created != info["created"]:
                raise StreamLost(f"{_log(self._stream)} was made anew at {info['created']}, by somebody else")
            end = info["state"]["last_seq"]
            if end >= self._last:
                return
            if runtime.monotonic() - begun > BEHIND_SECONDS:
                raise StreamLost(f"{_log(self._stream)} ends with message {end}, and {self._last} was read before")
            await self._connection.runtime.sleep(RETRY_SECONDS)

    async def _receive(self, inbox: Inbox) -> NatsMessage:
        """The next message of the stream that the consumer delivers."""
        while True:
            if not self._asked:
                ask = {"batch": PULLED_MAX, "expires": PULL_SECONDS * _NS, "idle_heartbeat": HEARTBEAT_SECONDS * _NS}
                subject = f"$JS.API.CONSUMER.MSG.NEXT.{_log(self._stream)}.{self._consumer}"
                await inbox.ask(subject, json.dumps(ask).encode())
                self._asked = PULLED_MAX
            message = await inbox.next(3 * HEARTBEAT_SECONDS)
            if message.reply.startswith("$JS.ACK."):
                self._asked -= 1
                return message
            # A word of the server: a sign of life, the end of the time that it was asked to wait, or of the consumer.
            if message.status in ("404", "408"):
                self._asked = 0
            elif message.status != "100":
                raise _Broken(f"{message.status} {message.headers.get('Description', '')}")
            # If the last messages were dropped, no later one shows the gap.
            if message.headers.get("Nats-Last-Consumer", str(self._delivered)) != str(self._delivered):
                raise _Broken("messages of the consumer were dropped")

    def _take(self, message: NatsMessage) -> StreamRecord | None:
        """The record of a message; None for the one that was given last. Raises StreamLost, _Broken."""
        # $JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<number>.<time>.<pending>; servers may put a domain and an
        # account in front of the stream, and then a random token at the end.
        tokens = message.reply.split(".")
        sequence, number, at_ns = map(int, tokens[5:8] if len(tokens) == 9 else tokens[7:10])
        self._delivered += 1
        if number != self._delivered:
            raise _Broken(f"message {number} of the consumer came in the place of {self._delivered}")
        if sequence > self._last + 1:
            raise StreamLost(
                f"{_log(self._stream)} goes on with message {sequence} after {self._last}: those between are gone"
            )
        if sequence <= self._last:
            if sequence == self._last and at_ns != self._last_ns:
                raise StreamLost(f"message {sequence} of {_log(self._stream)} is not the one that was read before")
            return None
        self._last, self._last_ns = sequence, at_ns
        node = message.subject.rpartition(".")[2]
        return StreamRecord(Position(self._stream, sequence), node, at_ns // 1_000_000, message.data)

    def close(self) -> None:
        self._is_closed = True
        self._end()

    def _end(self) -> None:
        """End the consumer."""
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            inbox.close()
            # Otherwise the server would remove it when it has been idle for a while.
            self._connection.publish(f"$JS.API.CONSUMER.DELETE.{_log(self._stream)}.{self._consumer}", b"")


# ---- the chain of streams


class JetStreamChain:
    """See `stream.Streams`."""

    def __init__(self, connection: Nats) -> None:
        self._connection = connection

    @property
    def is_connected(self) -> bool:
        return self._connection.is_connected

    async def list(self) -> list[int]:
        numbers = await stream_names(self._connection, "log.*.*", "log-")
        return sorted(int(number) for number in numbers if number.isascii() and number.isdigit())

    async def begin(self, stream: int) -> None:
        # Nobody can take a single message out of it; the stream as a whole can be deleted.
        subjects = [f"log.{stream}.*"]
        config = {"subjects": subjects, "duplicate_window": 120 * _NS, "deny_delete": True, "deny_purge": True}
        await begin_stream(self._connection, _log(stream), config)

    async def delete(self, stream: int) -> None:
        await delete_stream(self._connection, _log(stream))

    async def last(self, stream: int) -> int:
        info = await stream_info(self._connection, _log(stream))
        # Of servers without a quorum, one may go on telling what it had come to.
        if "leader" not in info.get("cluster", {"leader": "the only server"}):
            raise NotAppended(f"the stream {_log(stream)} has no leader: too few of its servers are there")
        last: int = info["state"]["last_seq"]
        return last

    async def append(self, stream: int, node: str, data: bytes, unique: str, after: int | None = None) -> int:
        # A message that is larger than the server takes would end the connection.
        assert len(data) <= BATCH_BYTES_MAX
        headers = {"Nats-Msg-Id": unique}
        headers |= {} if after is None else {"Nats-Expected-Last-Sequence": str(after)}
        return await append(self._connection, _log(stream), f"log.{stream}.{node}", data, headers)

    def read(self, after: Position) -> JetStreamRecords:
        return JetStreamRecords(self._connection, after)
