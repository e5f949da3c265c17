"""The object store of a cluster (see `stream`) in JetStream, in the form of NATS' own object stores."""

import base64
import hashlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
from msgspec import Struct

from chat_server.errors import UNDECODABLE
from chat_server.log.jetstream_api import (
    NO_MESSAGE,
    NO_STREAM,
    ApiError,
    Json,
    append,
    begin_stream,
    call,
    delete_stream,
    stream_info,
    stream_names,
)
from chat_server.log.nats_connection import RETRY_SECONDS, Nats
from chat_server.log.stream import FateUnknown, NotAppended, ObjectMissing, StreamLost

log = logging.getLogger("chat.nats")

# A part of an object is tried again for this time, which is longer than an election takes.
ELECTION_SECONDS = 10.0
CHUNK_BYTES = 128 << 10


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
        return await stream_names(self._connection, "$O.>", "OBJ_")

    async def begin(self, bucket: str) -> None:
        config = {"subjects": [f"$O.{bucket}.C.>", f"$O.{bucket}.M.>"], "allow_rollup_hdrs": True, "allow_direct": True}
        await begin_stream(self._connection, f"OBJ_{bucket}", config)

    async def delete_bucket(self, bucket: str) -> None:
        await delete_stream(self._connection, f"OBJ_{bucket}")

    async def names(self, bucket: str) -> list[str]:
        try:
            info = await stream_info(self._connection, f"OBJ_{bucket}", {"subjects_filter": f"$O.{bucket}.M.>"})
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
                await append(self._connection, stream, subject, data, headers)
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
            if error.code in (NO_MESSAGE, NO_STREAM):
                return None
            raise NotAppended(f"the bucket {bucket} cannot be read: {error}") from None

    async def _purge(self, bucket: str, subject: str) -> None:
        try:
            await call(self._connection, f"STREAM.PURGE.OBJ_{bucket}", {"filter": subject})
        except ApiError as error:
            if error.code != NO_STREAM:
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
