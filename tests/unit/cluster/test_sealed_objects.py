"""Sealed objects: nothing plain is stored, and nothing that was changed, moved or cut short is read."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.cluster.sealed_objects import PIECE_BYTES, SealedObjects, seal, unseal
from chat_server.errors import StartError
from chat_server.log.stream import NotAppended, ObjectMissing
from tests.conformance.uploads import bytes_of
from tests.fake_runtime import FakeRuntime

SECRET = bytes(range(32))
SEALED = PIECE_BYTES + 16


async def cut(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def sealed(data: bytes, secret: bytes = SECRET) -> bytes:
    return b"".join([piece async for piece in seal(secret, cut(data, 10_000))])


async def opened(data: bytes, size: int = 7_000, secret: bytes = SECRET) -> bytes:
    return b"".join([piece async for piece in unseal(secret, cut(data, size))])


@given(
    st.sampled_from((1, 15, 16, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES)),
    st.integers(1_000, 200_000),
)
def test_what_was_sealed_is_opened(size: int, cut_at: int) -> None:
    async def main() -> None:
        data = bytes_of(size)
        found = await sealed(data)
        assert await opened(found, cut_at) == data
        assert data[:15] not in found or size < 15

    FakeRuntime().run(main())


async def refused(data: bytes, secret: bytes = SECRET) -> None:
    with pytest.raises(ObjectMissing):
        await opened(data, secret=secret)


async def test_what_was_changed_moved_or_cut_is_not_opened() -> None:
    data = await sealed(bytes_of(3 * PIECE_BYTES))
    one, two, three = data[:SEALED], data[SEALED : 2 * SEALED], data[2 * SEALED :]
    for wrong in (
        *(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] for place in (0, SEALED, len(data) - 1)),
        *(two + one + three, one + three, one + two, one, b"", data[:-1], data + b"x", data + three),
    ):
        await refused(wrong)
    await refused(data, bytes(32))


async def test_equal_bytes_are_not_seen_to_be_equal() -> None:
    data = bytes(2 * PIECE_BYTES)
    found = await sealed(data)
    assert found[:PIECE_BYTES] != found[SEALED : SEALED + PIECE_BYTES]
    assert await sealed(data, bytes(32)) != found


async def test_a_bucket_that_cannot_be_made_is_for_later() -> None:
    class Objects:
        async def begin(self, bucket: str) -> None:
            raise StartError("made by somebody else")

    objects: Any = Objects()
    with pytest.raises(NotAppended, match="made by somebody else"):
        await SealedObjects(objects).put("1/a", SECRET, cut(b"abc", 1))
