"""What a member of a cluster counts for `--metrics-file`."""

from pathlib import Path

from chat_server.cluster.numbers import SNAPSHOTS_SECONDS
from chat_server.cluster.snapshots import make
from chat_server.metrics import COUNTERS, GAUGES
from tests.memory_stream import MemoryObjects
from tests.unit.cluster.nodes import Cluster, Place


async def numbers_of(place: Place) -> dict[str, float]:
    await place.member.numbers.ask()
    return place.member.numbers.gauges()


def test_the_numbers_of_a_sound_cluster_and_of_one_whose_log_is_away(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)

    async def story() -> None:
        one, two = await cluster.start("one", "two")
        alice = await one.connect("alice")
        await alice.say("/send_all hello")
        await cluster.machine.sleep(3)
        found = await numbers_of(two)
        assert found["cluster_stream"] == 1
        assert found["cluster_position"] == len(cluster.servers.streams[1])
        assert found["cluster_lag"] == found["cluster_waiting_bytes"] == found["cluster_waiting_seconds"] == 0
        assert found["cluster_connected"] == found["cluster_reached"] == found["cluster_heard"] == 1
        assert (found["cluster_nodes"], found["cluster_odd_nodes"], found["cluster_upgrading"]) == (2, 0, 0)
        assert 0 < found["cluster_silent_seconds"] < 20
        assert (found["cluster_file_cache_bytes"], found["cluster_file_cache_max_bytes"]) == (0, 1 << 30)
        shared = two.node.transfers.shared
        assert shared is not None
        shared.keep("ab" * 32, 7)
        assert (await numbers_of(two))["cluster_file_cache_bytes"] == 7
        assert found["cluster_snapshots"] == 0 and "cluster_snapshot_age_seconds" not in found

        await make(MemoryObjects(cluster.servers, cluster.machine, "one"), tmp_path / "one", "nonce")
        await cluster.machine.sleep(SNAPSHOTS_SECONDS)
        found = await numbers_of(two)
        assert found["cluster_snapshots"] == 1
        assert SNAPSHOTS_SECONDS <= found["cluster_snapshot_age_seconds"] <= SNAPSHOTS_SECONDS + 20
        assert found.keys() == {name for name in GAUGES if name.startswith("cluster_")}
        assert two.member.numbers.counters().keys() == {name for name in COUNTERS if name.startswith("cluster_")}

        cluster.servers.elect(60)
        alice.send("/send_all waits")
        await cluster.machine.sleep(3)
        found = await numbers_of(one)
        assert "cluster_lag" not in found and found["cluster_reached"] == 0
        assert found["cluster_waiting_bytes"] > 0 and found["cluster_waiting_seconds"] > 2
        before = found["cluster_silent_seconds"]
        await cluster.machine.sleep(20)
        assert (await numbers_of(one))["cluster_silent_seconds"] >= before + 20

    cluster.machine.run(story())


def test_a_node_that_has_died_is_not_counted(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)

    async def story() -> None:
        one, two, three = await cluster.start("one", "two", "three")
        await cluster.machine.sleep(2)
        assert (await numbers_of(one))["cluster_nodes"] == 3
        three.kill()
        await cluster.machine.sleep(8)
        found = await numbers_of(one)
        assert (found["cluster_nodes"], found["cluster_heard"]) == (2, 1)
        two.kill()
        await cluster.machine.sleep(8)
        found = await numbers_of(one)
        assert (found["cluster_nodes"], found["cluster_heard"]) == (1, 0)

    cluster.machine.run(story())
