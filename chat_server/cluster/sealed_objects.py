"""The object store of a cluster as its files need it: each object is encrypted under a key of its own.

NATS keeps the bytes of a deleted object in its files for a while, so what is put there is encrypted with AES-GCM. The
key, `secret`, stands in the log and in the file's row alone, and is gone with them. It is drawn for one object and used
for no other, so the numbers of the pieces may be the nonces: no nonce is used twice with one key. The last piece is
marked in its nonce, so that an object that was cut short is no sound one, just as one whose pieces were changed, moved
or left out.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from chat_server.errors import StartError
from chat_server.log.stream import NotAppended, ObjectMissing, Objects
from chat_server.shared_files import SECRET_BYTES
from chat_server.store.files import bucket_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# AES-GCM takes about 30 µs for a piece, so it needs no thread.
PIECE_BYTES = 64 << 10
_TAG_BYTES = 16
_COUNTER_BYTES = 11


class SealedObjects:
    """See `shared_files.FileStore`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._begun: set[int] = set()

    async def put(self, object: str, secret: bytes, data: AsyncIterator[bytes]) -> None:
        bucket = bucket_of(object)
        if bucket not in self._begun:
            try:
                await self._objects.begin(bucket_name(bucket))
            except StartError as error:
                raise NotAppended(str(error)) from None
            self._begun.add(bucket)
        await self._objects.put(bucket_name(bucket), _name(object), seal(secret, data))

    def get(self, object: str, secret: bytes) -> AsyncGenerator[bytes, None]:
        return unseal(secret, self._objects.get(bucket_name(bucket_of(object)), _name(object)))

    async def delete(self, object: str) -> None:
        await self._objects.delete(bucket_name(bucket_of(object)), _name(object))

    async def delete_bucket(self, bucket: int) -> None:
        self._begun.discard(bucket)
        await self._objects.delete_bucket(bucket_name(bucket))


def bucket_name(bucket: int) -> str:
    return f"files-{bucket}"


def _name(object: str) -> str:
    return object.partition("/")[2]


async def seal(secret: bytes, data: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Encrypt all of the data. MUST be called once with a secret."""
    cipher = _cipher(secret)
    async for number, piece, is_last in _pieces(data, PIECE_BYTES):
        yield cipher.encrypt(_nonce(number, is_last), piece, None)


async def unseal(secret: bytes, data: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Decrypt what `seal` has made. Raises ObjectMissing where it was changed, or is cut short."""
    from cryptography.exceptions import InvalidTag

    cipher = _cipher(secret)
    try:
        async with aclosing(_pieces(data, PIECE_BYTES + _TAG_BYTES)) as pieces:
            async for number, piece, is_last in pieces:
                yield cipher.decrypt(_nonce(number, is_last), piece, None)
    except InvalidTag:
        raise ObjectMissing("its bytes are not those that were stored") from None


async def _pieces(data: AsyncIterator[bytes], size: int) -> AsyncGenerator[tuple[int, bytes, bool], None]:
    """Yield pieces of this size with their numbers; the last one, which may be smaller, is marked."""
    waiting, number = bytearray(), 0
    try:
        async for some in data:
            waiting += some
            # One byte more shows that there is another piece.
            while len(waiting) > size:
                yield number, bytes(waiting[:size]), False
                del waiting[:size]
                number += 1
    finally:
        if isinstance(data, AsyncGenerator):
            await data.aclose()
    yield number, bytes(waiting), True


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes([is_last])


def _cipher(secret: bytes) -> "AESGCM":
    # Only a cluster has this package.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    assert len(secret) == SECRET_BYTES
    return AESGCM(secret)
