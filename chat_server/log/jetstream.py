"""JetStream: the ports of a replicated log (see `stream`) on real servers.

Together with `nats_connection` this is all that knows NATS. The API of JetStream is called as it is documented, since
what the package nats-py makes of it has faults that a log cannot live with: its ordered consumers may miss that they
must be reset, the time in its metadata goes through a float, and its object store adds bytes to bytes, which is
quadratic. What is stored is NATS' own all the same: `nats stream` and `nats object` show it.
"""

import base64
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
from msgspec import Struct

from chat_server.errors import UNDECODABLE, StartError
from chat_server.log.codec import BATCH_BYTES_MAX
from chat_server.log.nats_connection import (
    RETRY_SECONDS,
    Disconnected,
    Inbox,
    Nats,
    NatsAccess,
    NatsMessage,
    place,
)
from chat_server.log.stream import (
    FateUnknown,
    NotAppended,
    ObjectMissing,
    Position,
    StreamLost,
    StreamRecord,
)
from chat_server.runtime import CancelledError, Runtime

log = logging.getLogger("chat.nats")

Json = dict[str, Any]

# An election takes 4 to 9 s, and whoever waits for an append asks again in the meantime.
APPEND_SECONDS = 3.0
ASK_SECONDS = 5.0
BEGIN_SECONDS = 10.0
# A part of an object is tried again for this time, which is longer than an election takes.
ELECTION_SECONDS = 10.0
# How many messages the server sends before they are read, and how long it waits for that many.
PULLED_MAX = 32
PULL_SECONDS = 30
HEARTBEAT_SECONDS = 1
# A consumer that nobody reads from is removed by the server after this.
IDLE_SECONDS = 60
# A server that was cut off may not know the stream's end for about 10 s; after this it is the stream that ends early.
BEHIND_SECONDS = 30.0
CHUNK_BYTES = 128 << 10
_NS = 1_000_000_000

# The codes of errors in answers to a publication which say that nothing was stored: limits, and wrong addresses.
_NOT_STORED = {10002, 10023, 10028, 10039, 10047, 10054, 10060, 10071, 10076, 10164}
_NO_MESSAGE, _NO_STREAM, _NOT_CLUSTERED, _OTHER_CONFIGURATION, _OVERLAP = 10037, 10059, 10074, 10058, 10065
_DISABLED = {10039, 10076}
_NO_QUORUM = 10008


class ApiError(Exception):
    """An error that JetStream answers, with its number."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


async def call(connection: Nats, name: str, body: Json | None = None, seconds: float = ASK_SECONDS) -> Json:
    """Call the API of JetStream. Raises ApiError, and NotAppended where there is no answer."""
    try:
        message = await connection.request(f"$JS.API.{name}", json.dumps(body).encode() if body else b"", seconds)
    except FateUnknown as error:
        # None of the calls does more the second time.
        raise NotAppended(str(error)) from None
    return _answer(message)


def _answer(message: NatsMessage) -> Json:
    answer: Json = json.loads(message.data)
    if error := answer.get("error"):
        raise ApiError(error.get("err_code", 0), error.get("description", "an error without a word"))
    return answer


async def open_nats(runtime: Runtime, access: NatsAccess, node: str, seconds: float = 15.0) -> Nats:
    """Connect to NATS, and see that JetStream answers. Raises StartError once that has failed for `seconds`."""
    connection = Nats(runtime, access, node)
    why = ""
    try:
        async with runtime.timeout(seconds):
            while True:
                await connection.wait()
                try:
                    await call(connection, "INFO")
                except ApiError as error:
                    if error.code == _NO_QUORUM:
                        return connection  # it is on, and whoever asks for streams waits for more servers
                    why = f"JetStream does not work: {error}"
                    if error.code in _DISABLED:
                        break
                except NotAppended as error:
                    why = str(error)
                else:
                    return connection
                await runtime.sleep(RETRY_SECONDS)
    except TimeoutError:
        pass
    await connection.close()
    places = ", ".join(map(place, access.urls))
    raise StartError(
        f"NATS cannot be used: {why or connection.trouble}; --cluster names {places}, and JetStream must be on there"
    )


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
        await call(self._connection, f"CONSUMER.CREATE.{_log(self._stream)}.{self._consumer}.{subject}", body)
        inbox = self._inbox = await self._connection.open_inbox()
        return inbox

    async def _check(self) -> None:
        """Wait until the stream is there as far as it was read. Raises StreamLost."""
        runtime = self._connection.runtime
        begun = runtime.monotonic()
        while True:
            info = await _info(self._connection, _log(self._stream))
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


def _log(stream: int) -> str:
    return f"log-{stream}"


async def _info(connection: Nats, name: str, body: Json | None = None) -> Json:
    """Raises StreamLost, NotAppended."""
    try:
        return await call(connection, f"STREAM.INFO.{name}", body)
    except ApiError as error:
        if error.code == _NO_STREAM:
            raise StreamLost(f"the stream {name} is not in NATS") from None
        raise NotAppended(f"the stream {name} cannot be asked: {error}") from None


async def _begin(connection: Nats, name: str, config: Json) -> None:
    """Make a stream with three replicas, or with one where the server is alone. Raises NotAppended, StartError."""
    config = {"name": name, "storage": "file", "discard": "new", "retention": "limits", **config}
    for replicas in (3, 1):
        config["num_replicas"] = replicas
        try:
            found = (await call(connection, f"STREAM.CREATE.{name}", config, BEGIN_SECONDS))["config"]
        except ApiError as error:
            if error.code == _NOT_CLUSTERED and replicas > 1:
                continue
            if error.code == _OVERLAP:
                raise StartError(
                    f"another stream in NATS takes the subjects {', '.join(config['subjects'])}, which {name} needs:"
                    " delete that one, or give this chat a NATS account of its own"
                ) from None
            if error.code != _OTHER_CONFIGURATION:
                raise NotAppended(f"the stream {name} cannot be made: {error}") from None
            try:
                found = (await _info(connection, name))["config"]
            except StreamLost as lost:
                raise NotAppended(str(lost)) from None
        _compare(name, config, found)
        return


def _compare(name: str, wanted: Json, found: Json) -> None:
    """Raise StartError where a stream has another configuration than it must have."""
    limits = {"max_age": 0, "max_msgs": -1, "max_bytes": -1, "max_msgs_per_subject": -1, "max_msg_size": -1}
    wanted = limits | wanted
    differing = [
        f"{key} is {found.get(key)!r} instead of {wanted[key]!r}"
        for key in wanted
        if found.get(key, False) != wanted[key]
    ]
    if differing:
        raise StartError(f"the stream {name} in NATS is not as this program makes it: {', '.join(differing)}")


async def _delete(connection: Nats, name: str) -> None:
    try:
        await call(connection, f"STREAM.DELETE.{name}", seconds=BEGIN_SECONDS)
    except ApiError as error:
        if error.code != _NO_STREAM:
            raise NotAppended(f"the stream {name} cannot be deleted: {error}") from None


async def _names(connection: Nats, subject: str, prefix: str) -> list[str]:
    """The streams with a subject like this, whose names begin so; the rest of their names."""
    names: list[str] = []
    while True:
        try:
            page = await call(connection, "STREAM.NAMES", {"subject": subject, "offset": len(names)})
        except ApiError as error:
            raise NotAppended(f"the streams in NATS cannot be listed: {error}") from None
        names += page.get("streams") or []
        if len(names) >= page["total"] or not page.get("streams"):
            return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


async def _append(
    connection: Nats, stream: str, subject: str, data: bytes, headers: dict[str, str] | None = None
) -> int:
    """Append a message to a stream; its sequence. Raises NotAppended, FateUnknown."""
    headers = {"Nats-Expected-Stream": stream, **(headers or {})}
    message = await connection.request(subject, data, APPEND_SECONDS, headers)
    try:
        sequence: int = _answer(message)["seq"]
        return sequence
    except ApiError as error:
        if error.code in _NOT_STORED:
            raise NotAppended(f"NATS refuses the message: {error}") from None
        # Such as a leader that could not write what the others may have written.
        raise FateUnknown(f"NATS says: {error}") from None


class JetStreamChain:
    """See `stream.Streams`."""

    def __init__(self, connection: Nats) -> None:
        self._connection = connection

    @property
    def is_connected(self) -> bool:
        return self._connection.is_connected

    async def list(self) -> list[int]:
        numbers = await _names(self._connection, "log.*.*", "log-")
        return sorted(int(number) for number in numbers if number.isascii() and number.isdigit())

    async def begin(self, stream: int) -> None:
        # Nobody can take a single message out of it; the stream as a whole can be deleted.
        subjects = [f"log.{stream}.*"]
        config = {"subjects": subjects, "duplicate_window": 120 * _NS, "deny_delete": True, "deny_purge": True}
        await _begin(self._connection, _log(stream), config)

    async def delete(self, stream: int) -> None:
        await _delete(self._connection, _log(stream))

    async def last(self, stream: int) -> int:
        info = await _info(self._connection, _log(stream))
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
        return await _append(self._connection, _log(stream), f"log.{stream}.{node}", data, headers)

    def read(self, after: Position) -> JetStreamRecords:
        return JetStreamRecords(self._connection, after)


# ---- the bus


class NatsBus:
    """See `stream.Bus`. A node publishes under its own name, so that NATS can hold it to that."""

    def __init__(self, connection: Nats) -> None:
        self._connection = connection

    def publish(self, topic: str, data: bytes) -> None:
        self._connection.publish(f"bus.{topic}.{self._connection.node}", data)

    def subscribe(self, topic: str, received: Callable[[bytes], None]) -> None:
        def take(message: NatsMessage) -> None:
            with _reported(topic):
                received(message.data)

        self._connection.listen(f"bus.{topic}.*", take)

    def answer(self, topic: str, answered: Callable[[bytes], bytes | None]) -> None:
        def take(message: NatsMessage) -> None:
            with _reported(topic):
                if (data := answered(message.data)) is not None:
                    self._connection.publish(message.reply, data)

        self._connection.listen(f"ask.{topic}.*", take)

    async def ask(self, topic: str, data: bytes, seconds: float, answers_max: int) -> list[bytes]:
        answers: list[bytes] = []
        if not self._connection.is_connected:
            return answers
        with suppress(TimeoutError, Disconnected):
            inbox = await self._connection.open_inbox()
            try:
                async with self._connection.runtime.timeout(seconds):
                    await inbox.ask(f"ask.{topic}.{self._connection.node}", data)
                    while len(answers) < answers_max:
                        message = await inbox.next(seconds)
                        if message.status == "503":
                            break
                        answers.append(message.data)
            finally:
                inbox.close()
        return answers


@contextmanager
def _reported(topic: str) -> Iterator[None]:
    """A mistake in what is called with a message is logged; the next message is taken all the same."""
    try:
        yield
    except Exception:
        log.exception("a message of the bus under %s could not be taken: this is a bug", topic)


# ---- objects


class _ObjectInfo(Struct):
    """What this program needs of the description that NATS' own object stores have of an object."""

    nuid: str
    chunks: int = 0
    digest: str = ""
    deleted: bool = False


class NatsObjects:
    """See `stream.Objects`. Chunks and their description are stored as NATS' own object stores are."""

    def __init__(self, connection: Nats) -> None:
        self._connection = connection

    async def buckets(self) -> list[str]:
        return await _names(self._connection, "$O.>", "OBJ_")

    async def begin(self, bucket: str) -> None:
        config = {"subjects": [f"$O.{bucket}.C.>", f"$O.{bucket}.M.>"], "allow_rollup_hdrs": True, "allow_direct": True}
        await _begin(self._connection, f"OBJ_{bucket}", config)

    async def delete_bucket(self, bucket: str) -> None:
        await _delete(self._connection, f"OBJ_{bucket}")

    async def names(self, bucket: str) -> list[str]:
        try:
            info = await _info(self._connection, f"OBJ_{bucket}", {"subjects_filter": f"$O.{bucket}.M.>"})
        except StreamLost:
            return []
        names = []
        for subject in info["state"].get("subjects") or {}:
            # Whoever else writes into the bucket may name its objects otherwise.
            with suppress(ValueError):
                names.append(base64.urlsafe_b64decode(subject.rpartition(".")[2]).decode())
        return names

    async def put(self, bucket: str, name: str, chunks: AsyncIterator[bytes]) -> None:
        old = await self._describe(bucket, name)
        # With the object's name in it, so that what a killed put left is found by `delete`.
        stream, nuid = f"OBJ_{bucket}", f"{_token(name)}.{self._connection.runtime.token_hex(11)}"
        digest, size, count = hashlib.sha256(), 0, 0
        try:
            async for chunk in _cut(chunks):
                digest.update(chunk)
                size, count = size + len(chunk), count + 1
                await self._append(stream, f"$O.{bucket}.C.{nuid}", chunk, {"Nats-Msg-Id": f"{nuid}-{count}"})
            described = {
                "name": name, "bucket": bucket, "nuid": nuid, "size": size, "chunks": count,
                "digest": _sha256(digest.digest()), "mtime": "0001-01-01T00:00:00Z",
                "options": {"max_chunk_size": CHUNK_BYTES},
            }  # fmt: skip
            data = json.dumps(described).encode()
            await self._append(stream, _meta(bucket, name), data, {"Nats-Rollup": "sub", "Nats-Msg-Id": nuid})
        except BaseException:
            with suppress(NotAppended):
                await self._purge(bucket, f"$O.{bucket}.C.{nuid}")
            raise
        if old is not None:
            await self._purge(bucket, f"$O.{bucket}.C.{old.nuid}")

    async def get(self, bucket: str, name: str) -> AsyncIterator[bytes]:
        described = await self._describe(bucket, name)
        if described is None:
            raise ObjectMissing(f"there is no object {name} in the bucket {bucket}")
        digest, begin = hashlib.sha256(), 1
        subject = f"$O.{bucket}.C.{described.nuid}"
        for _ in range(described.chunks):
            found = await self._find(bucket, {"seq": begin, "next_by_subj": subject})
            if found is None:
                raise ObjectMissing(f"a part of the object {name} in the bucket {bucket} is gone")
            chunk = base64.b64decode(found.get("data", ""))
            begin = found["seq"] + 1
            digest.update(chunk)
            yield chunk
        if _sha256(digest.digest()) != described.digest:
            raise ObjectMissing(f"the object {name} in the bucket {bucket} is damaged: its bytes have another sha256")

    async def delete(self, bucket: str, name: str) -> None:
        for subject in (_meta(bucket, name), f"$O.{bucket}.C.{_token(name)}.*"):
            # All nodes delete the same objects, and a purge is written by all servers even where nothing is left.
            if await self._find(bucket, {"seq": 1, "next_by_subj": subject}) is not None:
                await self._purge(bucket, subject)

    async def _append(self, stream: str, subject: str, data: bytes, headers: dict[str, str]) -> None:
        """Append a part of an object, again and again over an election; its id lets NATS drop repetitions."""
        runtime, is_unknown = self._connection.runtime, False
        deadline = runtime.monotonic() + ELECTION_SECONDS
        while True:
            try:
                await _append(self._connection, stream, subject, data, headers)
                return
            except (NotAppended, FateUnknown) as error:
                is_unknown = is_unknown or isinstance(error, FateUnknown)
                if runtime.monotonic() > deadline:
                    raise (FateUnknown if is_unknown else NotAppended)(str(error)) from None
            await runtime.sleep(RETRY_SECONDS)

    async def _describe(self, bucket: str, name: str) -> _ObjectInfo | None:
        """What the bucket says of an object; None if it is not there, or if what is said cannot be read."""
        found = await self._find(bucket, {"last_by_subj": _meta(bucket, name)})
        if found is None:
            return None
        try:
            described = msgspec.json.decode(base64.b64decode(found.get("data", "")), type=_ObjectInfo)
        except UNDECODABLE as error:
            log.warning("the description of the object %s in the bucket %s cannot be read: %s", name, bucket, error)
            return None
        return None if described.deleted else described

    async def _find(self, bucket: str, which: Json) -> Json | None:
        """A message of the bucket, as the stream's leader has it; None if there is none. Raises NotAppended."""
        try:
            message: Json = (await call(self._connection, f"STREAM.MSG.GET.OBJ_{bucket}", which))["message"]
            return message
        except ApiError as error:
            if error.code in (_NO_MESSAGE, _NO_STREAM):
                return None
            raise NotAppended(f"the bucket {bucket} cannot be read: {error}") from None

    async def _purge(self, bucket: str, subject: str) -> None:
        try:
            await call(self._connection, f"STREAM.PURGE.OBJ_{bucket}", {"filter": subject})
        except ApiError as error:
            if error.code != _NO_STREAM:
                raise NotAppended(f"an object of the bucket {bucket} cannot be deleted: {error}") from None


def _meta(bucket: str, name: str) -> str:
    return f"$O.{bucket}.M.{_token(name)}"


def _token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _sha256(digest: bytes) -> str:
    return f"SHA-256={base64.urlsafe_b64encode(digest).decode()}"


async def _cut(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in chunks of one size."""
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        while len(waiting) >= CHUNK_BYTES:
            yield bytes(waiting[:CHUNK_BYTES])
            del waiting[:CHUNK_BYTES]
    if waiting:
        yield bytes(waiting)
