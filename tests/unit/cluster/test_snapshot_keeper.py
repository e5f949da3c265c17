"""When a snapshot is due, who makes it, and what goes then."""

from pathlib import Path
from typing import cast

import pytest

from chat_server.cluster import chain, snapshot_keeper, snapshots
from chat_server.cluster.side_processes import SideProcesses
from chat_server.cluster.snapshot_keeper import (
    ANNOUNCED_SECONDS,
    APART_MS,
    FIRST_SECONDS,
    SECOND_MS,
    SnapshotKeeper,
    is_due,
)
from chat_server.cluster.snapshots import Description, SnapshotError
from chat_server.log.replicated import ReplicatedLog
from chat_server.log.stream import NotAppended, Objects, Position
from chat_server.protocol.times import Now
from tests.fake_runtime import FakeRuntime
from tests.memory_stream import MemoryObjects
from tests.unit.cluster.nodes import Cluster, Place, play

MINUTE = 60.0


def made(stream: int, elapsed_ms: int) -> Description:
    return Description(Position(stream, 5), "h", {}, b"", "", 0, 1, 5, "1", elapsed_ms, elapsed_ms)


NOW = 10 * APART_MS


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([], True),
        ([made(3, NOW - 1), made(3, NOW - 1)], False),
        ([made(3, NOW - APART_MS), made(3, 0)], True),
        ([made(3, NOW - APART_MS + 1), made(3, 0)], False),
        # The log has gone on: at once, and once more.
        ([made(2, NOW - 1), made(2, NOW - 1)], True),
        ([made(3, NOW - SECOND_MS + 1), made(2, 0)], False),
        ([made(3, NOW - SECOND_MS), made(2, 0)], True),
        ([made(3, NOW - SECOND_MS), made(2, 0)], True),
        # A stream that could not be deleted yet keeps nobody busy: it is only deleted.
        ([made(3, NOW - 1), made(3, 0)], False),
        # The one that there is may be damaged.
        ([made(3, NOW - SECOND_MS)], True),
        ([made(3, NOW - SECOND_MS + 1)], False),
        # The next stream is made ahead.
        ([made(3, NOW - 1), made(3, NOW - 1)], False),
    ],
)
def test_when_one_is_due(kept: list[Description], expected: bool) -> None:
    assert is_due(kept, 3, NOW) is expected


def buckets(cluster: Cluster) -> list[str]:
    return sorted(cluster.servers.buckets)


def positions(cluster: Cluster) -> list[int]:
    """The streams of the kept snapshots, the oldest first."""
    return [int(name.split("-")[1]) for name in buckets(cluster)]


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Who makes one now; two at once fail."""
    real, there = snapshots.make, []
    done: list[Path] = []

    async def make(objects: MemoryObjects, data: Path, nonce: str) -> Description:
        there.append(data)
        assert len(there) == 1, "two at once"
        try:
            await objects._streams._runtime.sleep(20)
            done.append(data)
            return await real(objects, data, nonce)
        finally:
            there.remove(data)

    monkeypatch.setattr(snapshots, "make", make)
    return done


def test_the_first_node_makes_one_and_a_survivor_takes_over(tmp_path: Path, making: list[Path]) -> None:
    async def story(cluster: Cluster) -> None:
        places = await cluster.start("n1", "n2", "n3")
        await cluster.pass_time(FIRST_SECONDS - 10)
        assert buckets(cluster) == []
        await cluster.pass_time(60)
        assert [path.name for path in making] == ["n1"] and len(buckets(cluster)) == 1
        places[0].kill()
        await cluster.pass_time(15 * MINUTE)
        assert [path.name for path in making] == ["n1", "n2"] and len(buckets(cluster)) == 2
        await cluster.pass_time(15 * MINUTE)
        # The second one of the stream that was begun after the start.
        assert [path.name for path in making] == ["n1", "n2", "n2"]
        assert len(buckets(cluster)) == 2

    play(tmp_path, story)


def test_a_newcomer_that_would_be_the_first_waits_for_the_one_that_is_made(tmp_path: Path, making: list[Path]) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.start("n2", "n3")
        await cluster.pass_time(FIRST_SECONDS + 10)
        assert making == []
        await cluster.start("n1")
        await cluster.pass_time(20 * MINUTE)
        assert [path.name for path in making] == ["n2", "n1", "n1"]

    play(tmp_path, story)


class Keeping:
    """A keeper alone, whose snapshots are lists; `may` says what the other nodes leave to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine = FakeRuntime()
        self.kept: list[Description] = []
        self.is_away = False
        self.may = [True]
        self.trouble: Exception | None = None
        self.takes_seconds = 20.0
        self.tried_at: list[float] = []
        self.is_closed = False
        self.position = Position(1, 5)
        self.deleted_before: list[int] = []
        monkeypatch.setattr(snapshots, "list_whole", self._list_whole)
        log, processes = cast(ReplicatedLog, self), cast(SideProcesses, self)
        self.keeper = SnapshotKeeper(
            self.machine, log, cast(Objects, None), processes, now=lambda: Now(NOW, NOW), may_make=self._may_make
        )

    async def _list_whole(self, objects: Objects) -> list[Description]:
        if self.is_away:
            raise NotAppended("nobody answers")
        return self.kept

    def _may_make(self) -> bool:
        return self.may.pop(0) if len(self.may) > 1 else self.may[0]

    async def make_snapshot(self) -> str:
        self.tried_at.append(self.machine.monotonic())
        assert self.keeper.is_making
        await self.machine.sleep(self.takes_seconds)
        if self.trouble is not None:
            raise self.trouble
        self.kept = [made(self.position.stream, NOW), *self.kept][:2]
        return "made it"

    async def delete_streams(self, before: int) -> None:
        self.deleted_before.append(before)

    def run(self, seconds: float) -> None:
        async def story() -> None:
            self.keeper.start()
            await self.machine.sleep(seconds)
            self.is_closed = True
            await self.machine.sleep(100)

        self.machine.run(story())


def test_one_is_made_some_seconds_after_it_was_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    keeping = Keeping(monkeypatch)
    keeping.run(FIRST_SECONDS + 100)
    assert keeping.tried_at == [FIRST_SECONDS + ANNOUNCED_SECONDS] and not keeping.keeper.is_making


def test_whoever_hears_of_another_one_that_makes_it_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    keeping = Keeping(monkeypatch)
    keeping.may = [True, False]
    keeping.run(FIRST_SECONDS + 100)
    assert keeping.tried_at == [] and not keeping.keeper.is_making


def test_after_a_failure_there_is_a_pause(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    keeping = Keeping(monkeypatch)
    keeping.trouble = SnapshotError("no quorum")
    keeping.run(FIRST_SECONDS + 3 * snapshot_keeper.AGAIN_SECONDS)
    assert len(keeping.tried_at) == 3 and not keeping.keeper.is_making
    assert caplog.text.count("no snapshot was made: no quorum; it is tried again") == 2, "it is not at the stop"


def test_one_that_hangs_ends_for_others_to_make_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeping = Keeping(monkeypatch)
    keeping.takes_seconds = 1e9
    keeping.run(FIRST_SECONDS + snapshot_keeper.MADE_SECONDS_MAX + 2 * snapshot_keeper.AGAIN_SECONDS)
    assert len(keeping.tried_at) == 2
    assert "no snapshot was made: after 3600 s it was not done; it is tried again" in caplog.text


def test_while_nats_is_away_nothing_is_made_and_nothing_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeping = Keeping(monkeypatch)
    keeping.is_away = True
    keeping.run(FIRST_SECONDS + 100)
    assert keeping.tried_at == [] and not caplog.records


def test_the_streams_that_two_snapshots_cover_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    keeping = Keeping(monkeypatch)
    keeping.kept = [made(4, NOW), made(3, NOW)]
    keeping.position = Position(4, 5)
    keeping.run(FIRST_SECONDS + 20)
    assert set(keeping.deleted_before) == {3} and keeping.tried_at == []


async def erase(place: Place, name: str = "alice") -> None:
    alice = await place.connect(name, format="json")
    sent = await alice.say_json("/send_all secret")
    await alice.say_json(f"/delete {sent['id']}")
    alice.leave()


@pytest.mark.thorough
def test_what_was_erased_is_gone_from_all_streams_and_snapshots_within_half_an_hour(
    tmp_path: Path, making: list[Path]
) -> None:
    async def story(cluster: Cluster) -> None:
        places = await cluster.start("n1", "n2", "n3")
        await cluster.pass_time(25 * MINUTE)
        assert min(cluster.servers.streams) >= 2, "what was erased before the start is not known"
        # Just behind a snapshot of a stream that has just begun, for the longest way.
        stream = max(cluster.servers.streams)
        old = set(buckets(cluster))
        assert positions(cluster) == [stream, stream]
        await erase(places[1])
        await cluster.pass_time(chain.ERASED_SECONDS - 30)
        assert min(cluster.servers.streams) == stream, "nothing is done that nobody needs yet"
        await cluster.pass_time(30 * MINUTE - chain.ERASED_SECONDS + 30)
        assert sorted(cluster.servers.streams) == [stream + 1]
        assert positions(cluster) == [stream + 1, stream + 1] and not old & set(buckets(cluster))
        assert all(place.node.failure is None for place in places)

    play(tmp_path, story)


@pytest.mark.thorough
def test_where_something_is_erased_all_the_time_one_snapshot_a_stream_is_enough(
    tmp_path: Path, making: list[Path]
) -> None:
    async def story(cluster: Cluster) -> None:
        (place,) = await cluster.start("n1")
        minutes = 60
        for number in range(minutes):
            # Few enough for one user in main.
            await erase(place, f"user{number // 15}")
            await cluster.pass_time(MINUTE)
        assert 2 < len(making) <= minutes // 9 + 1, "one in nine minutes, and one more at the beginning"
        assert len(cluster.servers.streams) <= 3

    play(tmp_path, story)


def test_one_that_fails_is_told_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cluster: Cluster) -> None:
        (place,) = await cluster.start("n1")
        begin = MemoryObjects.begin

        async def fails(objects: MemoryObjects, bucket: str) -> None:
            raise NotAppended("no quorum")

        monkeypatch.setattr(MemoryObjects, "begin", fails)
        await cluster.pass_time(FIRST_SECONDS + 20)
        assert "no snapshot was made: the object store did not take it: no quorum; it is tried again" in caplog.text
        assert place.node.failure is None and buckets(cluster) == []
        monkeypatch.setattr(MemoryObjects, "begin", begin)
        await cluster.pass_time(snapshot_keeper.AGAIN_SECONDS + 10)
        assert len(buckets(cluster)) == 1

    play(tmp_path, story)


def test_a_node_that_is_cut_off_makes_none(tmp_path: Path, making: list[Path]) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.start("n1", "n2")
        cluster.servers.cut_off("n1")
        await cluster.pass_time(10 * MINUTE)
        assert {path.name for path in making} == {"n2"}

    play(tmp_path, story)
