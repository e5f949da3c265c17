"""The object store on real NATS servers."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chat_server.log import nats_objects
from chat_server.log.jetstream_api import append, call
from chat_server.log.nats_objects import NatsObjects
from chat_server.log.stream import ObjectMissing
from tests.cluster.conftest import Connect
from tests.cluster.servers import NatsServers
from tests.cluster.streams import client_of, pieces


async def whole(objects: NatsObjects, bucket: str, name: str) -> bytes:
    return b"".join([chunk async for chunk in objects.get(bucket, name)])


@pytest.mark.smoke
async def test_an_object_comes_back_as_it_was_put(one_server: NatsServers, connect: Connect) -> None:
    objects = NatsObjects(await connect(one_server.urls))
    await objects.begin("b1")
    await objects.begin("b1")
    for size in (0, 1, nats_objects.CHUNK_BYTES, 1_000_000):
        data = secrets.token_bytes(size)
        await objects.put("b1", f"object of {size}", pieces(data))
        assert await whole(objects, "b1", f"object of {size}") == data
    assert sorted(await objects.names("b1")) == ["object of 0", "object of 1", "object of 1000000", "object of 131072"]
    await objects.put("b1", "object of 1", pieces(b"another"))
    assert await whole(objects, "b1", "object of 1") == b"another"
    assert "b1" in await objects.buckets()
    await objects.delete("b1", "object of 1")
    await objects.delete("b1", "object of 1")
    assert "object of 1" not in await objects.names("b1")
    with pytest.raises(ObjectMissing):
        await whole(objects, "b1", "object of 1")
    with pytest.raises(ObjectMissing):
        await whole(objects, "missing", "object")
    await objects.delete_bucket("b1")
    assert "b1" not in await objects.buckets()


async def test_an_object_is_put_while_nats_starts_anew(tmp_path: Path, connect: Connect) -> None:
    servers = NatsServers(tmp_path / "nats", 1)
    servers.start()
    try:
        objects, data = NatsObjects(await connect(servers.urls)), secrets.token_bytes(500_000)

        async def interrupted() -> AsyncIterator[bytes]:
            yield data[:300_000]
            servers.all[0].kill()
            starting = asyncio.create_task(asyncio.to_thread(servers.start))
            yield data[300_000:]
            await starting

        await objects.begin("b1")
        await objects.put("b1", "object", interrupted())
        assert await whole(objects, "b1", "object") == data
    finally:
        servers.close()


async def test_an_object_of_the_package_is_read_and_ours_by_the_package(
    one_server: NatsServers, connect: Connect
) -> None:
    connection = await connect(one_server.urls)
    objects = NatsObjects(connection)
    await objects.begin("both")
    store = await client_of(connection).jetstream().object_store("both")
    await store.put("theirs", b"x" * 300_000)
    assert await whole(objects, "both", "theirs") == b"x" * 300_000
    await objects.put("both", "ours", pieces(b"y" * 300_000))
    result = await store.get("ours")
    assert result.data == b"y" * 300_000
    await objects.delete_bucket("both")


@pytest.mark.parametrize("described", [b"", b"\xff\xfe", b"[" * 100_000, b'{"nuid": 5}', b"null"])
async def test_an_object_whose_description_cannot_be_read_is_none(
    one_server: NatsServers, connect: Connect, described: bytes
) -> None:
    connection = await connect(one_server.urls)
    objects = NatsObjects(connection)
    await objects.begin("spoiled")
    for subject in (nats_objects._meta("spoiled", "object"), "$O.spoiled.M.A"):
        await append(connection, "OBJ_spoiled", subject, described)
    assert await objects.names("spoiled") == ["object"]
    with pytest.raises(ObjectMissing):
        await whole(objects, "spoiled", "object")
    await objects.delete("spoiled", "object")
    await objects.put("spoiled", "object", pieces(b"sound"))
    assert await whole(objects, "spoiled", "object") == b"sound"
    await objects.delete_bucket("spoiled")


async def test_an_object_with_a_lost_or_changed_part_is_noticed(one_server: NatsServers, connect: Connect) -> None:
    connection = await connect(one_server.urls)
    objects = NatsObjects(connection)
    await objects.begin("torn")
    await objects.put("torn", "object", pieces(secrets.token_bytes(500_000)))
    await call(connection, "STREAM.MSG.DELETE.OBJ_torn", {"seq": 2})
    with pytest.raises(ObjectMissing):
        await whole(objects, "torn", "object")
    await objects.delete_bucket("torn")


async def test_an_upload_that_fails_leaves_no_object(one_server: NatsServers, connect: Connect) -> None:
    connection = await connect(one_server.urls)
    objects = NatsObjects(connection)
    await objects.begin("half")

    async def torn() -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        raise OSError("the disk failed")

    with pytest.raises(OSError, match="the disk failed"):
        await objects.put("half", "object", torn())
    assert await objects.names("half") == []
    info = await call(connection, "STREAM.INFO.OBJ_half")
    assert info["state"]["messages"] == 0
    await objects.delete_bucket("half")


async def test_what_a_killed_put_left_goes_with_its_object(
    one_server: NatsServers, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await connect(one_server.urls)
    objects, killed = NatsObjects(connection), NatsObjects(await connect(one_server.urls))
    await objects.begin("left")
    await objects.put("left", "other", pieces(b"y" * 1000))
    left = (await call(connection, "STREAM.INFO.OBJ_left"))["state"]["messages"]

    async def hanging() -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        raise RuntimeError("killed")

    async def purge(bucket: str, subject: str) -> None:
        """A process that is gone purges nothing."""

    monkeypatch.setattr(killed, "_purge", purge)
    with pytest.raises(RuntimeError, match="killed"):
        await killed.put("left", "object", hanging())
    assert (await call(connection, "STREAM.INFO.OBJ_left"))["state"]["messages"] > left
    await objects.delete("left", "object")
    assert (await call(connection, "STREAM.INFO.OBJ_left"))["state"]["messages"] == left
    assert await whole(objects, "left", "other") == b"y" * 1000
    await objects.delete_bucket("left")


async def test_an_object_that_is_large_is_read_in_linear_time(one_server: NatsServers, connect: Connect) -> None:
    objects = NatsObjects(await connect(one_server.urls))
    await objects.begin("large")
    digest = hashlib.sha256()
    block = secrets.token_bytes(1 << 20)

    async def many() -> AsyncIterator[bytes]:
        for _ in range(64):
            digest.update(block)
            yield block

    await objects.put("large", "object", many())
    read, most = hashlib.sha256(), 0
    async for chunk in objects.get("large", "object"):
        read.update(chunk)
        most = max(most, len(chunk))
    assert read.digest() == digest.digest()
    assert most <= nats_objects.CHUNK_BYTES
    await objects.delete_bucket("large")
