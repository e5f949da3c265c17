"""The files of a cluster: uploaded at one node, fetched at the others, with an object store that fails."""

import asyncio
import gc
import hashlib
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import apsw
import pytest

from chat_server.log.stream import FateUnknown, NotAppended, ObjectMissing
from chat_server.settings import load
from chat_server.shared_files import FETCHES_MAX, FileCache
from chat_server.store import files
from chat_server.store.blobs import Blobs, Damaged, blob_path
from tests.conformance.uploads import bytes_of, chunk
from tests.memory_stream import MemoryObjects
from tests.unit.cluster.nodes import Cluster, Person, Place
from tests.unit.cluster.nodes import play as play_cluster

DATA = bytes_of(100_000)
CHUNK = 30_000
SETTINGS = (
    "--cluster",
    "127.0.0.1",
    "--disk-reserve",
    "off",
    "--command-rate",
    "off",
    "--main-rate-limit",
    "off",
    "--message-ttl",
    "off",
)
Story = Callable[[Cluster], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Story], None]:
    return lambda story: play_cluster(tmp_path, story)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Cycles stay: Python 3.12 looks for them later than 3.11 does, and a busy server as late as it likes."""
    gc.disable()
    yield
    gc.enable()


async def two(cluster: Cluster, *options: str) -> tuple[Place, Place, Person, Person]:
    """Two nodes: anna is at the first one, bob at the second."""
    one, other = await cluster.start("n1", "n2", settings=load([*SETTINGS, *options], {}))
    return one, other, await one.connect("anna", format="json"), await other.connect("bob", format="json")


async def open_upload(person: Person, data: bytes = DATA, name: str = "a.bin") -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    return await person.say_json(f"/send_file main {name} {len(data)} {digest}")


async def send_rest(person: Person, opened: dict[str, Any], data: bytes = DATA) -> dict[str, Any]:
    reply = opened
    while reply["type"] == "ok" and reply["received"] < len(data):
        begin = reply["received"]
        reply = await person.say_json(chunk(opened["upload"], data[begin : begin + CHUNK]))
    return reply


async def send(person: Person, data: bytes = DATA, name: str = "a.bin") -> dict[str, Any]:
    reply = await send_rest(person, await open_upload(person, data, name), data)
    assert reply["type"] == "ok" and reply["file"]["sha256"] == hashlib.sha256(data).hexdigest(), reply
    return reply


async def fetch(person: Person, number: int) -> tuple[bytes, dict[str, Any]]:
    person.take_lines()
    reply = await person.say_json(f"/get_file {number}", 60)
    lines = [json.loads(line) for line in person.take_lines()]
    return b"".join(b64decode(line["data"]) for line in lines if line["type"] == "file_chunk"), reply


def stored(cluster: Cluster) -> dict[str, bytes]:
    """The objects in all buckets of files."""
    buckets = cluster.servers.buckets.items()
    return {name: data for bucket, found in buckets if bucket.startswith("files-") for name, data in found.items()}


def cached(place: Place) -> list[str]:
    return sorted(path.name for path in (place.path / "files").rglob("*") if path.is_file())


def parts(place: Place) -> list[str]:
    return sorted(path.name for path in (place.path / "uploads").iterdir())


def test_a_file_is_fetched_at_another_node(play: Callable[[Story], None]) -> None:
    async def story(cluster: Cluster) -> None:
        one, other, anna, bob = await two(cluster)
        sent = await send(anna)
        assert cached(other) == []
        assert (await fetch(bob, sent["file"]["id"]))[0] == DATA
        assert cached(one) == cached(other) == [hashlib.sha256(DATA).hexdigest()]
        (sealed,) = stored(cluster).values()
        assert DATA[:64] not in sealed and len(sealed) > len(DATA)
        # From the cache, while the object store is away.
        cluster.servers.elect(1000)
        assert (await fetch(bob, sent["file"]["id"]))[0] == DATA

    play(story)


def test_the_same_bytes_are_objects_of_their_own(play: Callable[[Story], None]) -> None:
    async def story(cluster: Cluster) -> None:
        _, other, anna, bob = await two(cluster)
        first, second = await send(anna), await send(bob)
        assert len(set(stored(cluster).values())) == 2
        await anna.say_json(f"/delete {first['id']}")
        await cluster.pass_time(2)
        assert len(stored(cluster)) == 1 and len(cached(other)) == 1
        for person in (anna, bob):
            assert (await fetch(person, second["file"]["id"]))[0] == DATA

    play(story)


def test_what_is_deleted_is_gone_on_every_node(play: Callable[[Story], None]) -> None:
    async def story(cluster: Cluster) -> None:
        one, other, anna, bob = await two(cluster)
        sent = await send(anna)
        await fetch(bob, sent["file"]["id"])
        await anna.say_json(f"/delete {sent['id']}")
        await cluster.pass_time(3)
        assert stored(cluster) == {} and cached(one) == cached(other) == [] and parts(one) == parts(other) == []
        assert (await fetch(bob, sent["file"]["id"]))[1]["code"] == "unknown_file"
        assert one.node.transfers.shared is not None and one.node.transfers.shared.cache.bytes == 0
        assert await one.node.readers.pick().run(lambda db: db.value("SELECT count(*) FROM files")) == 0

    play(story)


def test_what_is_deleted_while_nats_is_away_goes_later(
    play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cluster: Cluster) -> None:
        one, _, anna, _ = await two(cluster)
        sent = await send(anna)

        async def refuse(self: MemoryObjects, bucket: str, name: str) -> None:
            raise NotAppended("away")

        with monkeypatch.context() as patch:
            patch.setattr(MemoryObjects, "delete", refuse)
            await anna.say_json(f"/delete {sent['id']}")
            await cluster.pass_time(3)
            assert cached(one) == [] and len(stored(cluster)) == 1
            one.kill()
        await cluster.pass_time(10)
        assert stored(cluster) == {}

    play(story)


def test_an_upload_goes_on_at_another_node(play: Callable[[Story], None]) -> None:
    async def story(cluster: Cluster) -> None:
        one, other, anna, _ = await two(cluster)
        opened = await open_upload(anna)
        await anna.say_json(chunk(opened["upload"], DATA[:CHUNK]))
        elsewhere = await other.connect("anna", format="json")
        again = await open_upload(elsewhere)
        assert (again["upload"], again["received"]) == (opened["upload"], 0)
        refused = await anna.say_json(chunk(opened["upload"], DATA[CHUNK : 2 * CHUNK]))
        assert refused["code"] == "unknown_upload"
        sent = await send_rest(elsewhere, again)
        assert (await fetch(anna, sent["file"]["id"]))[0] == DATA
        await cluster.pass_time(2)
        assert parts(one) == parts(other) == [] and len(stored(cluster)) == 1

    play(story)


class Broken:
    """An object store that fails: how, says `fail`, which may also wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, act: str) -> None:
        self.names: list[str] = []
        self.fail: Callable[[MemoryObjects, str], Awaitable[None]] | None = None
        self.after: Callable[[MemoryObjects, str], Awaitable[None]] | None = None
        whole = getattr(MemoryObjects, act)

        async def put(objects: MemoryObjects, bucket: str, name: str, chunks: AsyncIterator[bytes]) -> None:
            if bucket.startswith("files-"):
                self.names.append(name)
                if self.fail is not None:
                    await self.fail(objects, name)
            await whole(objects, bucket, name, chunks)
            if bucket.startswith("files-") and self.after is not None:
                await self.after(objects, name)

        async def get(objects: MemoryObjects, bucket: str, name: str) -> AsyncIterator[bytes]:
            if bucket.startswith("files-"):
                self.names.append(name)
                if self.fail is not None:
                    await self.fail(objects, name)
            async with aclosing(whole(objects, bucket, name)) as pieces:
                async for data in pieces:
                    yield data
            if bucket.startswith("files-") and self.after is not None:
                await self.after(objects, name)

        monkeypatch.setattr(MemoryObjects, act, {"put": put, "get": get}[act])


@pytest.mark.parametrize("error", [NotAppended("no"), FateUnknown("who knows")])
@pytest.mark.parametrize("act", ["put", "get"])
def test_a_file_that_the_store_does_not_take_can_be_sent_on(
    play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch, act: str, error: Exception
) -> None:
    broken = Broken(monkeypatch, act)

    async def story(cluster: Cluster) -> None:
        _, _, anna, bob = await two(cluster)

        async def fail(objects: MemoryObjects, name: str) -> None:
            raise error

        broken.fail = fail
        opened = await open_upload(anna)
        refused = await send_rest(anna, opened)
        assert refused["code"] == "unavailable" and refused["done"] is False and "/send_file" in refused["text"]
        broken.fail = None
        # The same name is never used again, since what failed may still come.
        again = await anna.say_json(chunk(opened["upload"], DATA[-1:]))
        assert again["code"] in ("unknown_upload", "too_large"), again
        opened = await open_upload(anna)
        assert opened["received"] == len(DATA) - 1
        sent = await send_rest(anna, opened)
        assert (await fetch(bob, sent["file"]["id"]))[0] == DATA
        assert len(set(broken.names)) == 2
        await cluster.pass_time(2)
        assert len(stored(cluster)) == 1

    play(story)


def test_a_node_that_is_killed_between_the_store_and_the_log_loses_nothing(
    play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken(monkeypatch, "put")

    async def story(cluster: Cluster) -> None:
        one, other, anna, bob = await two(cluster)

        async def kill(objects: MemoryObjects, name: str) -> None:
            broken.after = None
            one.kill()
            await asyncio.Event().wait()

        broken.after = kill
        opened = await open_upload(anna)
        for begin in range(0, len(DATA), CHUNK):
            anna.send(chunk(opened["upload"], DATA[begin : begin + CHUNK]))
        await cluster.pass_time(5)
        assert len(stored(cluster)) == 1, "it was put"
        elsewhere = await other.connect("anna", format="json")
        again = await open_upload(elsewhere)
        assert (again["upload"], again["received"]) == (opened["upload"], 0)
        sent = await send_rest(elsewhere, again)
        assert (await fetch(bob, sent["file"]["id"]))[0] == DATA
        await cluster.pass_time(2)
        assert len(stored(cluster)) == 1, "the first one went"

    play(story)


@pytest.mark.parametrize(("act", "when"), [("put", "fail"), ("put", "after"), ("get", "after")])
def test_whoever_held_the_upload_before_cannot_complete_it(
    play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch, act: str, when: str
) -> None:
    broken = Broken(monkeypatch, act)

    async def story(cluster: Cluster) -> None:
        _, other, anna, _ = await two(cluster)

        async def wait(objects: MemoryObjects, name: str) -> None:
            setattr(broken, when, None)
            await cluster.pass_time(8)

        setattr(broken, when, wait)
        opened = await open_upload(anna)
        for begin in range(0, len(DATA), CHUNK):
            anna.send(f"@last {chunk(opened['upload'], DATA[begin : begin + CHUNK])}")
        await cluster.pass_time(2)
        elsewhere = await other.connect("anna", format="json")
        sent = await send_rest(elsewhere, await open_upload(elsewhere))
        await cluster.pass_time(10)
        (refused,) = [line for line in map(json.loads, anna.take_lines()) if line["type"] == "error"]
        assert refused["code"] in ("unknown_upload", "unavailable")
        assert (await fetch(anna, sent["file"]["id"]))[0] == DATA
        assert len(stored(cluster)) == 1

    play(story)


def test_a_disk_that_fails_once_does_not_keep_a_file_away_for_ever(
    play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cluster: Cluster) -> None:
        _, other, anna, bob = await two(cluster)
        sent = await send(anna)
        digest = hashlib.sha256(DATA).hexdigest()

        def fail(blobs: Blobs, name: str) -> None:
            raise apsw.IOError("it is worn out")

        with monkeypatch.context() as patch:
            patch.setattr(Blobs, "drop_fetched", fail)
            assert (await fetch(bob, sent["file"]["id"]))[1]["code"] == "unavailable"
        blob_path(other.path, digest).unlink()
        assert (await fetch(bob, sent["file"]["id"]))[0] == DATA

    play(story)


def test_without_the_store_one_line_says_so_and_nobody_else_waits(
    play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken(monkeypatch, "get")

    async def story(cluster: Cluster) -> None:
        _, other, anna, bob = await two(cluster)
        slow, quick = await send(anna), await send(anna, DATA[::-1], "b.bin")
        carol, dave = await other.connect("carol", format="json"), await other.connect("dave", format="json")
        object_of = await other.node.readers.pick().run(lambda db: files.place_of(db, slow["file"]["id"]))
        assert object_of is not None
        broken.names.clear()

        async def fail(objects: MemoryObjects, name: str) -> None:
            if object_of.object.endswith(name):
                await cluster.pass_time(30)
                raise NotAppended("nobody answers")

        broken.fail = fail
        for person in (bob, carol):
            person.send(f"@q /get_file {slow['file']['id']}")
        begun = cluster.machine.monotonic()
        assert (await fetch(dave, quick["file"]["id"]))[0] == DATA[::-1]
        assert (await dave.say_json("/send_all hello"))["type"] == "ok"
        assert cluster.machine.monotonic() - begun < 5
        # Who leaves does not end it for the other one.
        bob.leave()
        await cluster.pass_time(30)
        (reply,) = [line for line in map(json.loads, carol.take_lines()) if line["type"] == "error"]
        assert reply["code"] == "unavailable" and reply["done"] is False and "does not answer" in reply["text"]
        assert len(broken.names) == 2, "two who ask for one file wait for the same"
        broken.fail = None
        assert (await fetch(carol, slow["file"]["id"]))[0] == DATA

    play(story)


def test_many_slow_fetches_take_turns(play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_server.shared_files.FETCHES_MAX", 2)
    assert FETCHES_MAX > 2
    broken, most, now = Broken(monkeypatch, "get"), 0, 0

    async def story(cluster: Cluster) -> None:
        _, other, anna, _ = await two(cluster)
        sent = [await send(anna, bytes_of(1000, number), f"{number}") for number in range(6)]

        async def wait(objects: MemoryObjects, name: str) -> None:
            nonlocal most, now
            now += 1
            most = max(most, now)
            await cluster.pass_time(1)
            now -= 1

        broken.fail = wait
        people = [await other.connect(f"user{number}", format="json") for number in range(6)]
        for person, each in zip(people, sent, strict=True):
            person.send(f"@q /get_file {each['file']['id']}")
        await cluster.pass_time(10)
        for person in people:
            assert any('"ok"' in line for line in person.take_lines())
        assert most == 2

    play(story)


def test_damaged_bytes_are_fetched_again_or_refused(
    play: Callable[[Story], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(cluster: Cluster) -> None:
        _, other, anna, bob = await two(cluster)
        sent = await send(anna)
        number, digest = sent["file"]["id"], sent["file"]["sha256"]
        assert (await fetch(bob, number))[0] == DATA
        blob = other.path / "files" / digest[:2] / digest
        blob.write_bytes(b"x" + DATA[1:])
        assert (await fetch(bob, number))[0] == DATA and blob.read_bytes() == DATA
        blob.unlink()
        for found in cluster.servers.buckets.values():
            for name, data in found.items():
                found[name] = data[:500] + b"x" + data[501:]
        _, reply = await fetch(bob, number)
        assert reply["code"] == "unavailable" and "damaged or missing" in reply["text"]
        assert "are lost" in caplog.text
        for found in cluster.servers.buckets.values():
            found.clear()
        assert (await fetch(bob, number))[1]["code"] == "unavailable"
        assert not blob.exists() and parts(other) == []

    play(story)


def test_a_file_that_is_deleted_while_it_is_fetched_is_not_lost(
    play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def get(self: MemoryObjects, bucket: str, name: str) -> AsyncIterator[bytes]:
        while name in self._servers.buckets[bucket]:
            await self._streams._runtime.sleep(0.1)
        raise ObjectMissing("it is gone")
        yield b""

    async def story(cluster: Cluster) -> None:
        _, _, anna, bob = await two(cluster)
        sent = await send(anna)
        monkeypatch.setattr(MemoryObjects, "get", get)
        bob.send(f"@f /get_file {sent['file']['id']}")
        await cluster.pass_time(1)
        await anna.say_json(f"/delete {sent['id']}")
        await cluster.pass_time(5)
        (reply,) = [line for line in bob.take_lines() if '"f"' in line]
        assert "unknown_file" in reply and "are lost" not in caplog.text

    play(story)


def test_a_full_disk_is_said_in_one_line(play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(cluster: Cluster) -> None:
        _, other, anna, bob = await two(cluster)
        sent = await send(anna)
        whole = Blobs.append_fetched

        def fails(self: Blobs, name: str, data: bytes) -> None:
            whole(self, name, data[:100])
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Blobs, "append_fetched", fails)
            _, reply = await fetch(bob, sent["file"]["id"])
        assert reply["code"] == "unavailable" and reply["done"] is False and "No space left" in reply["text"]
        assert parts(other) == []
        assert (await fetch(bob, sent["file"]["id"]))[0] == DATA

        def full(self: Blobs, upload: int, sha256: str) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Blobs, "place", full)
        later = await send(anna, DATA[::-1], "b.bin")
        assert (await fetch(bob, later["file"]["id"]))[0] == DATA[::-1]
        assert (await fetch(anna, later["file"]["id"]))[0] == DATA[::-1]

    play(story)


@pytest.mark.usefixtures("no_collector")
def test_the_cache_keeps_what_was_used_last(play: Callable[[Story], None]) -> None:
    async def story(cluster: Cluster) -> None:
        _, other, anna, bob = await two(cluster, "--file-cache", "250KB")
        sent = [await send(anna, bytes_of(100_000, number), f"{number}") for number in range(4)]
        digests = [each["file"]["sha256"] for each in sent]
        for each in (0, 1, 0, 2):
            await fetch(bob, sent[each]["file"]["id"])
        await cluster.pass_time(1)
        assert cached(other) == sorted((digests[0], digests[2]))
        for seed, reply in enumerate(sent):
            assert (await fetch(bob, reply["file"]["id"]))[0] == bytes_of(100_000, seed)
        await cluster.pass_time(1)
        assert len(cached(other)) == 2
        # A start learns what is there.
        await other.stop()
        await other.start()
        await cluster.pass_time(1)
        shared = other.node.transfers.shared
        assert shared is not None and shared.cache.bytes == 200_000

    play(story)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("trouble", ["none", "no answer", "lost", "damaged on the way", "left"])
def test_a_file_is_pinned_only_while_it_is_read(
    play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    async def story(cluster: Cluster) -> None:
        _, other, anna, bob = await two(cluster)
        sent = await send(anna, bytes_of(3_000_000) if trouble == "left" else DATA)
        shared = other.node.transfers.shared
        assert shared is not None
        if trouble == "no answer":
            cluster.servers.elect(1000)
        elif trouble == "lost":
            for bucket, found in cluster.servers.buckets.items():
                if bucket.startswith("files-"):
                    found.clear()
        elif trouble == "damaged on the way":
            monkeypatch.setattr(Blobs, "read", fail)
        if trouble == "left":
            bob.nap(60)
            bob.send(f"/get_file {sent['file']['id']}")
            await cluster.pass_time(10)
            assert shared.cache.is_pinned(sent["file"]["sha256"])
            bob.leave()
            await cluster.pass_time(1)
        else:
            assert (await fetch(bob, sent["file"]["id"]))[1]["type"] == ("ok" if trouble == "none" else "error")
        assert not shared.cache.is_pinned(sent["file"]["sha256"])

    def fail(*_: object) -> bytes:
        raise Damaged("are damaged")

    play(story)


def test_what_was_dropped_while_a_node_was_down_goes_from_its_cache(play: Callable[[Story], None]) -> None:
    async def story(cluster: Cluster) -> None:
        one, other, anna, bob = await two(cluster)
        sent = await send(anna)
        await fetch(bob, sent["file"]["id"])
        await other.stop()
        assert len(cached(other)) == 1
        await anna.say_json(f"/delete {sent['id']}")
        # As if more had been dropped than notes are kept of.
        (other.path / "local.db").unlink()
        await one.stop()
        await one.start()
        await other.start()
        await cluster.pass_time(3)
        assert cached(other) == []

    play(story)


def test_an_upload_at_a_node_that_is_gone_ends(play: Callable[[Story], None]) -> None:
    async def story(cluster: Cluster) -> None:
        one, other, anna, _ = await two(cluster)
        opened = await open_upload(anna)
        await anna.say_json(chunk(opened["upload"], DATA[:CHUNK]))
        one.kill()
        await cluster.pass_time(files.UPLOAD_LIFE_MS / 1000 + 60)
        again = await other.connect("anna", format="json")
        assert (await again.say_json("/status"))["limits"]["file_bytes"]["used"] == 0

    play(story)


def test_a_bucket_goes_once_it_is_empty_and_its_time_is_over(
    play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BUCKET_MS", 60_000)

    def buckets(cluster: Cluster) -> list[str]:
        return [name for name in cluster.servers.buckets if name.startswith("files-")]

    async def story(cluster: Cluster) -> None:
        _, _, anna, bob = await two(cluster)
        first = await send(anna)
        await cluster.pass_time(120)
        second = await send(anna, DATA[::-1], "b.bin")
        assert len(buckets(cluster)) == 2
        await cluster.pass_time(300)
        assert len(buckets(cluster)) == 2
        await anna.say_json(f"/delete {first['id']}")
        await cluster.pass_time(60)
        assert len(buckets(cluster)) == 1
        assert (await fetch(bob, second["file"]["id"]))[0] == DATA[::-1]

    play(story)


def test_a_pinned_blob_stays() -> None:
    cache = FileCache(100)
    for name, size in (("a", 60), ("b", 60), ("c", 60)):
        cache.add(name, size)
    pin, other = cache.pin("a"), cache.pin("a")
    other.release()
    other.release()
    assert cache.excess() == ["b", "c"] and cache.is_pinned("a")
    assert cache.excess(150) == ["b", "c"]
    pin.release()
    assert not cache.is_pinned("a") and cache.excess() == ["b", "c"], "it was used last"
    cache.forget("b")
    assert cache.excess() == ["c"] and cache.bytes == 120
