"""Clocks that are an hour off, or are set by one: of the log's leader, and of a node. Nothing ends early, or lasts."""

from pathlib import Path

import pytest

from chat_server.protocol.times import parse_iso
from tests.unit.cluster.nodes import Cluster, Person, Place, play

HOUR_MS = 3_600_000


def set_clock(place: Place, ms: int) -> None:
    machine = place.machine
    place._process.now_ms = lambda: machine.now_ms() + ms  # type: ignore[method-assign]


async def when_delivered(cluster: Cluster, person: Person, seconds_max: int) -> float:
    begun = cluster.machine.monotonic()
    for _ in range(seconds_max):
        if any('"text":"later"' in line for line in person.lines):
            break
        await cluster.pass_time(1)
    return cluster.machine.monotonic() - begun


@pytest.mark.parametrize(
    "ms", [HOUR_MS, pytest.param(-HOUR_MS, marks=pytest.mark.thorough)], ids=["an hour ahead", "an hour behind"]
)
@pytest.mark.parametrize("whose", ["the log's, once", "the log's, time and again", "a node's", "a node's at its start"])
def test_delays_and_bans_last_as_long_as_they_were_meant_to(tmp_path: Path, whose: str, ms: int) -> None:
    async def story(cluster: Cluster) -> None:
        (a,) = await cluster.start("a")
        (b,) = await cluster.start("b")
        boss, bob = await a.connect("boss", format="json"), await b.connect("bob", format="json")
        await boss.say("/password secret")
        await boss.say("/send_delayed bob 10m later")
        carol = await b.connect("carol")
        assert (await boss.say_json("/ban carol 10m noise"))["type"] == "ok"
        await cluster.pass_time(30)
        begun = cluster.machine.monotonic()
        if whose == "a node's":
            set_clock(a, ms)
        elif whose == "a node's at its start":
            await b.stop()
            again = Place(cluster.servers, tmp_path, "b", b.settings)
            set_clock(again, ms)
            await again.start()
            bob, carol = await again.connect("bob", format="json"), await again.connect("carol")
        elif whose == "the log's, once":
            cluster.servers.clock_ms = ms
        for turn in range(6):
            if whose == "the log's, time and again":
                cluster.servers.clock_ms = ms if turn % 2 == 0 else 0
            await cluster.pass_time(60)
            sent = await boss.say_json("/send_all now")
            at_ms = parse_iso(sent["at"])
            assert at_ms is not None and abs(at_ms - cluster.machine.now_ms() - cluster.servers.clock_ms) < 1000
            assert not any('"text":"later"' in line for line in bob.lines), "too early"
            assert (await carol.say("/send_all hello")).startswith("- banned")
        left = 600 - 30 - (cluster.machine.monotonic() - begun)
        assert abs(await when_delivered(cluster, bob, 600) - left) < 200, "each step may cost the time since a batch"
        await cluster.pass_time(60)
        assert (await carol.say("/send_all hello")).startswith("+")

    play(tmp_path, story)
