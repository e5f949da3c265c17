"""Whatever comes over the bus or stands in a bucket, it is read or left out."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.msgpack import encode

from chat_server.cluster import heartbeats, snapshots, verification
from chat_server.cluster.bus_messages import BusDecoder
from chat_server.cluster.heartbeats import Changes, Heartbeat, UsersPage, Vitals
from chat_server.delivery.peers import Present
from chat_server.log.stream import ObjectMissing, Position
from chat_server.rules.typing_signals import TypingSignal
from tests.fake_runtime import FakeRuntime
from tests.memory_stream import MemoryObjects, MemoryServers
from tests.unit.cluster.beating import Nodes, run

SAID: list[Any] = [
    Heartbeat("n1", 1, 2, Vitals(Position(1, 7), program="1.0", counts={"connections": 3})),
    Changes("n1", 1, 2, [Present(1, "alice", "lunch")]),
    UsersPage("n1", 1, 2, 0, True, [Present(1, "alice")]),
    heartbeats._TypingElsewhere("n1", TypingSignal("alice", "#team", 7, (2, 3), True)),
    heartbeats._SessionsQuestion("n1", 1),
    heartbeats._SessionsAnswer("n1", []),
    verification._Question("mark"),
    verification.Answer("n1", "mark", "ready"),
]
DEEP = b"\x91" * 100_000
# Within fields that are not looked at, too.
RUBBISH = [b"", b"\xc1", DEEP, b"\x81\xa1x" + DEEP, *(encode(each).replace(b"n1", b"\xff\xfe") for each in SAID)]


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A message with one byte changed, or cut short."""
    data = bytearray(encode(draw(st.sampled_from(SAID))))
    at = draw(st.integers(0, len(data) - 1))
    data[at] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(at, len(data)))])


@settings(max_examples=4 * settings().max_examples)
@given(st.one_of(st.binary(max_size=60), spoiled(), st.sampled_from(RUBBISH)))
def test_whatever_comes_is_read_or_left_out(data: bytes) -> None:
    async def test(nodes: Nodes) -> None:
        node = await nodes.start("n2")
        for received in node.port.received.values():
            received(data)
        node.port.answered(data)
        assert node.beats.rank() in (0, 1)

    run(test)


def test_what_cannot_be_read_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    decoder = BusDecoder[heartbeats._SessionsQuestion](heartbeats._SessionsQuestion, "a question")
    for data in RUBBISH:
        assert decoder.decode(data) is None
    assert decoder.decode(encode(heartbeats._SessionsQuestion("n1", 1))) is not None
    assert caplog.text.count("a question cannot be read") == 1


@pytest.mark.parametrize("data", [b"", b"{", b'{"program": "\xff\xfe"}', b'{"x": ' + b"[" * 100_000, b"null"])
def test_a_description_that_cannot_be_read_makes_a_snapshot_a_damaged_one(data: bytes) -> None:
    runtime = FakeRuntime()
    objects = MemoryObjects(MemoryServers(runtime), runtime, "n1")

    async def put() -> None:
        bucket = snapshots.bucket_of(Position(1, 7), "nonce")
        await objects.begin(bucket)
        await objects.put(bucket, snapshots._DESCRIPTION, snapshots._one(data))
        assert await snapshots.list_whole(objects) == []
        with pytest.raises(ObjectMissing, match="cannot be read"):
            await snapshots._description(objects, bucket)

    runtime.run(put())
