"""Upgrades: nodes of a newer program beside an older one, which is heard and says what it knows."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from chat_server.cluster import snapshots
from chat_server.cluster.heartbeats import BEAT_SECONDS, TOPIC, Farewell, Heartbeat, Heartbeats, Vitals
from chat_server.cluster.upgrade import SETTLED_SECONDS, Upgrade
from chat_server.errors import StartError
from chat_server.log.codec import decode
from chat_server.log.entries import MACHINE, Entry, RaiseVersion
from chat_server.log.replicated import ReplicatedLog
from chat_server.log.stream import Position
from chat_server.log.versions import VERSION
from chat_server.protocol.control import ChangeSettings
from chat_server.settings import load
from chat_server.store import digests
from chat_server.store.database import open_reader
from tests.fake_runtime import FakeRuntime
from tests.memory_stream import MemoryBus, MemoryObjects
from tests.unit.chat import Chat
from tests.unit.cluster.nodes import SETTINGS, Cluster, Place, play
from tests.unit.fakes import FakeClock
from tests.unit.versions import NEWER, run_program

RAISED_SECONDS = SETTLED_SECONDS + 5


class OldNode:
    """A node of an older program, as the others hear it; its name is behind all others."""

    def __init__(self, cluster: Cluster, version: int = VERSION) -> None:
        self._machine = cluster.machine
        self._bus = MemoryBus(cluster.servers, cluster.machine, "z0")
        self.version = version
        self._is_there = True
        self._machine.spawn(self._beat())

    async def _beat(self) -> None:
        while self._is_there:
            vitals = Vitals(Position(1, 1), None, self.version, "0.1")
            self._bus.publish(TOPIC, msgspec.msgpack.encode(Heartbeat("z0", 1, 0, vitals)))
            await self._machine.sleep(BEAT_SECONDS)

    def leave(self) -> None:
        self._is_there = False
        self._bus.publish(TOPIC, msgspec.msgpack.encode(Farewell("z0", 1, 0)))


def upgraded(
    path: Path, patch: pytest.MonkeyPatch, story: Callable[[Cluster, list[Place]], Awaitable[None]], *names: str
) -> None:
    """Play a story in which nodes that an older program ran are started again by a newer one."""

    async def told(cluster: Cluster) -> None:
        run_program(patch, VERSION)
        places = await cluster.start(*names, settings=SETTINGS)
        anna = await places[0].connect("anna")
        await anna.say("/send_all before")
        await cluster.pass_time(1)
        for place in places:
            await place.stop()
        run_program(patch, NEWER)
        for place in places:
            place.renew()
        await story(cluster, places)

    play(path, told)


class Waiting:
    """An upgrade alone; `nodes` are the versions of all nodes that live, None while one is not known."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rank: int = 0) -> None:
        run_program(monkeypatch, NEWER)
        self.machine = FakeRuntime()
        self.nodes: dict[str, int] | None = {"n1": NEWER, "n2": NEWER}
        self.is_closed = False
        self.version = VERSION
        self.raised_at: list[float] = []
        self.rank = lambda: rank
        self.upgrade = Upgrade(self.machine, cast(ReplicatedLog, self), cast(Heartbeats, self), lambda: self.version)

    def vitals(self) -> dict[str, Vitals] | None:
        if self.nodes is None:
            return None
        return {name: Vitals(Position(1, 1), None, version, "0.1") for name, version in self.nodes.items()}

    def submit(self, entry: Entry) -> None:
        assert entry.command == RaiseVersion(NEWER)
        self.raised_at.append(self.machine.monotonic())

    def run(self, story: Callable[[], Awaitable[None]]) -> None:
        async def told() -> None:
            self.upgrade.start()
            await story()
            self.is_closed = True

        self.machine.run(told())


def test_all_have_to_know_it_for_a_while_without_a_break(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = Waiting(monkeypatch)
    sleep = waiting.machine.sleep

    async def story() -> None:
        for gap in ({"n1": NEWER, "n2": VERSION}, None):
            await sleep(SETTLED_SECONDS - 1)
            waiting.nodes = gap
            await sleep(5)
            waiting.nodes = {"n1": NEWER, "n2": NEWER}
        await sleep(SETTLED_SECONDS - 1)
        assert waiting.raised_at == []
        await sleep(3)
        assert len(waiting.raised_at) == 1
        await sleep(SETTLED_SECONDS + 2)
        assert len(waiting.raised_at) == 2, "it may have been lost, and is not said all the time"
        waiting.version = NEWER
        await sleep(10 * SETTLED_SECONDS)
        assert len(waiting.raised_at) == 2 and waiting.upgrade._checking.done()

    waiting.run(story)
    assert caplog.text.count("waits for") == caplog.text.count("waits for n2 (0.1)") == 1


def test_one_node_raises_it(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Waiting(monkeypatch, rank=1)
    waiting.run(lambda: waiting.machine.sleep(10 * SETTLED_SECONDS))
    assert waiting.raised_at == []


def version_of(place: Place) -> int:
    return place.node._writer.state.version


def rows(place: Place, query: str) -> list[tuple[Any, ...]]:
    with closing(open_reader(place.path)) as db:
        return db.all(query)


def tables(place: Place) -> dict[str, str]:
    with closing(open_reader(place.path)) as db:
        db.run("BEGIN")
        return digests.now_of_tables(db)


def versions_in_log(cluster: Cluster) -> list[int]:
    return [decode(record, None).version for record in cluster.servers.streams[1]]


def test_nothing_is_new_until_all_know_it_and_then_it_is_on_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cluster: Cluster, places: list[Place]) -> None:
        old = OldNode(cluster)
        for place in places:
            await place.start()
        anna, ben = await places[0].connect("anna"), await places[1].connect("ben", format="json")
        await cluster.pass_time(3 * RAISED_SECONDS)
        assert [version_of(place) for place in places] == [VERSION, VERSION]
        assert (await anna.say("/send_all meanwhile")).startswith("+ sent #2")
        refused = await ben.say_json("/react 2 👍")
        assert (refused["code"], refused["done"]) == ("unavailable", False) and "upgraded" in refused["text"]
        assert not any("stale" in line for line in ben.lines), "nobody is told that the log is away"
        assert rows(places[0], "SELECT DISTINCT away FROM users") == [(None,)]
        assert set(versions_in_log(cluster)) == {VERSION}
        assert not any(place.heartbeats.may_make_snapshot() for place in places), "an old node makes the snapshots"
        assert [place.member.numbers.gauges()["cluster_upgrading"] for place in places] == [1, 1]
        old.version = NEWER
        await cluster.pass_time(SETTLED_SECONDS - 2)
        assert version_of(places[0]) == VERSION, "a node that comes back by then is waited for"
        old.leave()
        await cluster.pass_time(RAISED_SECONDS)
        assert [place.heartbeats.may_make_snapshot() for place in places] == [True, False]
        assert [place.member.numbers.gauges()["cluster_upgrading"] for place in places] == [0, 0]
        for place in places:
            assert version_of(place) == NEWER
            assert rows(place, "SELECT DISTINCT away FROM users") == [("changed",)]
        assert (await ben.say_json("/react 2 👍"))["type"] == "ok"
        assert tables(places[0]) == tables(places[1])
        assert rows(places[0], "SELECT spared_ms = elapsed_ms FROM state") != [(None,)]
        assert versions_in_log(cluster) == sorted(versions_in_log(cluster)) and versions_in_log(cluster)[-1] == NEWER
        for place in places:
            await place.stop()

    upgraded(tmp_path, monkeypatch, story, "n1", "n2")


def test_a_node_that_was_down_comes_back_new_and_not_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(cluster: Cluster, places: list[Place]) -> None:
        await places[0].start()
        await cluster.pass_time(RAISED_SECONDS)
        assert version_of(places[0]) == NEWER, "one that is down does not count"
        run_program(monkeypatch, VERSION)
        before = tables(places[1])
        with pytest.raises(
            StartError, match=rf"went on to version {NEWER} of the log at batch 1/\d+, and this program"
        ):
            await places[1].start()
        assert (
            rows(places[1], "SELECT version FROM state") == [(VERSION,)] and before.keys() == tables(places[1]).keys()
        )
        with pytest.raises(StartError, match=f"has version {NEWER} of the log, and this program knows up to {VERSION}"):
            Chat(places[0].path, FakeClock(0))
        run_program(monkeypatch, NEWER)
        places[1].renew()
        await places[1].start()
        await cluster.pass_time(1)
        assert tables(places[0]) == tables(places[1])
        assert rows(places[1], "SELECT DISTINCT away FROM users") == [("changed",)]
        for place in places:
            await place.stop()

    with caplog.at_level(logging.WARNING):
        upgraded(tmp_path, monkeypatch, story, "n1", "n2")
    assert f"went on to version {NEWER}" in caplog.text


def test_an_old_node_that_runs_stops_where_the_version_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cluster: Cluster) -> None:
        run_program(monkeypatch, VERSION)
        one, two = await cluster.start("n1", "n2")
        one.may_fail = two.may_fail = True
        one.node._log.submit(Entry(RaiseVersion(NEWER)))
        await cluster.pass_time(3)
        for place in (one, two):
            assert f"went on to version {NEWER} of the log" in (place.node.failure or "")
            assert version_of(place) == VERSION, "it is as it was before that batch"

    play(tmp_path, story)


def test_a_node_that_hears_nobody_raises_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(cluster: Cluster, places: list[Place]) -> None:
        old = OldNode(cluster)
        await places[0].start()
        await cluster.pass_time(3)
        cluster.servers.cut_off("n1")
        await cluster.pass_time(3 * RAISED_SECONDS)
        cluster.servers.join_again("n1")
        await cluster.pass_time(RAISED_SECONDS)
        assert version_of(places[0]) == VERSION
        old.leave()
        await cluster.pass_time(RAISED_SECONDS)
        assert version_of(places[0]) == NEWER
        await places[0].stop()

    upgraded(tmp_path, monkeypatch, story, "n1")


def test_a_snapshot_of_before_serves_a_new_program_and_not_the_other_way_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cluster: Cluster, places: list[Place]) -> None:
        objects = MemoryObjects(cluster.servers, cluster.machine, "n1")
        assert (await snapshots.make(objects, places[0].path, "1")).version == VERSION
        await places[0].start()
        (new,) = await cluster.start("n2")
        await cluster.pass_time(RAISED_SECONDS)
        assert version_of(new) == NEWER and tables(new) == tables(places[0])
        assert (await snapshots.make(objects, new.path, "2")).version == NEWER
        run_program(monkeypatch, VERSION)
        with pytest.raises(StartError, match=f"and {NEWER} of the log, and this program knows up to .* {VERSION}: use"):
            await cluster.start("n3")
        assert not (tmp_path / "n3" / "chat.db").exists()
        run_program(monkeypatch, NEWER)
        (third,) = await cluster.start("n3")
        await cluster.pass_time(1)
        assert tables(third) == tables(new)
        for place in (places[0], new, third):
            await place.stop()

    upgraded(tmp_path, monkeypatch, story, "n1")


def test_a_setting_that_old_nodes_lack_is_changed_by_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node's own option for it is not logged either."""

    async def story(cluster: Cluster, places: list[Place]) -> None:
        old = OldNode(cluster)
        places[0].settings = load(["--disk-reserve", "off", "--text-quota", "7MiB"], {})
        await places[0].start()
        assert places[0].node.limits.text_quota_bytes == 50 << 20
        for changes in ("text-quota 9MiB", "page 30"):
            places[0].node.submit(ChangeSettings(changes), MACHINE)  # type: ignore[arg-type]
        await cluster.pass_time(1)
        assert (places[0].node.limits.text_quota_bytes, places[0].node.limits.page_messages) == (50 << 20, 30)
        old.leave()
        await cluster.pass_time(RAISED_SECONDS)
        places[0].node.submit(ChangeSettings("text-quota 9MiB"), MACHINE)  # type: ignore[arg-type]
        await cluster.pass_time(1)
        assert places[0].node.limits.text_quota_bytes == 9 << 20
        await places[0].stop()

    upgraded(tmp_path, monkeypatch, story, "n1")


def test_a_single_server_changes_its_rows_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_program(monkeypatch, VERSION)
    chat = Chat(tmp_path)
    chat.sign_in("anna")
    chat.close()
    run_program(monkeypatch, NEWER)
    chat = Chat(tmp_path, FakeClock(10_000))
    state = chat.executor.state
    assert (state.version, state.spared_ms) == (NEWER, state.elapsed_ms)
    assert chat.db.all("SELECT away FROM users") == [("changed",)]
    chat.close()
