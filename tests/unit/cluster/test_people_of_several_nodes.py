"""What people at different nodes see of each other: who is there, their sessions, and the ends of their connections."""

import json
import re
from pathlib import Path

import pytest

from chat_server.protocol.times import iso, parse_iso
from tests.unit.cluster.nodes import Cluster, Person, Place, play


def test_who_comes_and_goes_is_told_by_all_nodes_and_who_has_died_within_six_seconds(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        a, b, c = await cluster.start("a", "b", "c")
        alice = await a.connect("alice")
        carol = await c.connect("carol", format="json")
        bob = await b.connect("bob")
        again = await a.connect("bob")
        assert alice.take_lines() == ["* carol is online", "* bob is online"]
        assert '"type":"presence","user":"bob","online":true' in "".join(carol.take_lines())
        assert (await alice.say("/who bob")).startswith("+ bob is online")
        await bob.say("/away lunch")
        await cluster.pass_time(0.5)
        assert alice.take_lines() == ["* bob is away: lunch"]
        again.leave()
        await cluster.pass_time(2)
        assert alice.take_lines() == []
        b.kill()
        killed = iso(cluster.machine.now_ms())
        await cluster.pass_time(6)
        assert alice.take_lines() == ["* bob is offline"]
        await cluster.pass_time(2)
        seen = await carol.say_json("/who bob")
        assert seen["online"] is False and seen["last_seen"] > killed, seen

    play(tmp_path, story)


def test_who_types_is_told_by_all_nodes_once(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        a, b = await cluster.start("a", "b")
        here, there, bob = (
            await a.connect("alice", format="json"), await b.connect("alice", format="json"), await b.connect("bob")
        )  # fmt: skip
        assert (await bob.say("/send alice hi")).startswith("+ sent")
        for alice in (here, there):
            assert (await alice.say_json("/watch_typing on"))["watch"] is True
        await cluster.pass_time(1)
        here.take_lines(), there.take_lines()
        assert await bob.say("/typing alice") == "+ told"
        await cluster.pass_time(1)
        line = '{"type":"typing","chat":"@bob","user":"bob","typing":true}'
        assert here.take_lines() == there.take_lines() == [line]
        assert [each for each in bob.take_lines() if "typ" in each] == []

    play(tmp_path, story)


def test_sessions_of_all_nodes_are_listed_and_signed_out_by_number(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        a, b = await cluster.start("a", "b")
        here, there, other = await a.connect("alice"), await b.connect("alice"), await b.connect("alice", format="json")
        assert (await here.say("/sessions")).startswith("+ 3 connections")
        numbers = [int(match[1]) for line in here.take_lines() if (match := re.match(r"  (\d+)  127", line))]
        assert len(set(numbers)) == 3 and sorted(number % 1000 for number in numbers) == [1, 2, 2]
        listed = (await other.say_json("/sessions"))["sessions"]
        assert [each["session"] for each in listed] == numbers, "the oldest first, whichever node is asked"
        assert (await here.say("/sign_out 77")).startswith("- bad_argument: you have no session 77")
        theirs = [number for number in numbers if number % 1000 == 2]
        assert await here.say(f"/sign_out {theirs[0]}") == "+ signed out; 1 other connection closed"
        await cluster.pass_time(1)
        assert there.has_ended and there.lines[-1].startswith("* closing: signed out from another connection")
        assert not other.has_ended
        assert await here.say("/sign_out all") == "+ signed out; 1 other connection closed"
        await cluster.pass_time(1)
        assert other.has_ended and '"code":"signed_out"' in other.lines[-1]
        assert not here.has_ended, "the one that asks stays"

    play(tmp_path, story)


def test_a_node_that_does_not_answer_is_named(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        a, b = await cluster.start("a", "b")
        here, _ = await a.connect("alice"), await b.connect("alice")
        b.kill()
        reply = await here.say("/sessions")
        assert reply.endswith("; no answer from b: connections to it are missing here")
        assert (await here.say("/sign_out 1002")).startswith("- unavailable: nothing was done: no answer from b")
        await cluster.pass_time(7)
        assert "knows only who is connected to it" in await here.say("/sessions"), "b was the only other one"

    play(tmp_path, story)


ENDS = {
    "/password secret": ("alice", "signed_out"),
    "/delete_account alice": ("alice", "account_deleted"),
    "/kick alice": ("boss", "kicked"),
    "/sign_out all": ("alice", "signed_out"),
}


@pytest.mark.parametrize("line", ENDS)
def test_what_ends_connections_ends_those_to_all_nodes(tmp_path: Path, line: str) -> None:
    async def story(cluster: Cluster) -> None:
        a, b = await cluster.start("a", "b")
        who, code = ENDS[line]
        boss = await a.connect("boss")
        await boss.say("/password secret")
        here, there, far = await a.connect("alice"), await b.connect("alice"), await b.connect("alice", format="json")
        bob = await b.connect("bob")
        asker = boss if who == "boss" else here
        assert (await asker.say(line)).startswith("+")
        await cluster.pass_time(2)
        assert there.has_ended and far.has_ended and f'"code":"{code}"' in far.lines[-1]
        assert not bob.has_ended and not boss.has_ended
        assert here.has_ended == (code in ("kicked", "account_deleted"))
        if here.has_ended:
            assert "* alice is offline" in bob.lines

    play(tmp_path, story)


def test_a_ban_holds_on_all_nodes_and_its_user_is_told_there(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        a, b = await cluster.start("a", "b")
        boss, there = await a.connect("boss"), await b.connect("alice")
        await boss.say("/password secret")
        assert (await boss.say("/ban alice 1h noise")).startswith("+")
        await cluster.pass_time(1)
        assert any("banned" in line for line in there.lines)
        assert (await there.say("/send_all hi")).startswith("- banned")

    play(tmp_path, story)


def test_stats_add_up_over_the_nodes(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        a, b = await cluster.start("a", "b")
        boss, _ = await a.connect("boss"), await b.connect("alice")
        await b.connect("bob")
        await boss.say("/password secret")
        await cluster.pass_time(2)
        await boss.say("/stats")
        lines = boss.take_lines()
        assert "  connections: 3" in lines
        assert [line for line in lines if line.startswith("  node ")] == [
            "  node a: connections 1, deliveries 0", "  node b: connections 2, deliveries 0"
        ]  # fmt: skip

    play(tmp_path, story)


def test_while_nats_is_away_users_read_on_and_are_told_once(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        a, b = await cluster.start("a", "b")
        alice, bob = await a.connect("alice"), await b.connect("bob", format="json")
        await alice.say("/send_all hello")
        await cluster.pass_time(5)
        alice.take_lines()
        for node in "ab":
            cluster.servers.cut_off(node)
        await cluster.pass_time(8)
        (told,) = alice.take_lines()
        assert told.startswith("* this server has lost its cluster: what you see is as of ")
        assert '"stale":true,"as_of":"2026-' in bob.lines[-1]
        assert (await bob.say_json("/format json"))["stale"] is True, "whoever asks before signing in is told, too"
        assert (await alice.say("/history main")) == "+ 1 message of main"
        assert "knows only who is connected to it" in await alice.say("/who bob")
        assert (await alice.say("/send_all lost")).startswith("- unavailable: ")
        comes = [await _comes(cluster, place, "carol") for place in (a, b)]
        assert [reply[:14] for reply in comes] == ["- unavailable:"] * 2
        for node in "ab":
            cluster.servers.join_again(node)
        await cluster.pass_time(10)
        assert [line for line in alice.take_lines() if line.startswith("* this server")] == [
            "* this server has its cluster back: all is up to date again"
        ]
        assert '"stale":false' in "".join(bob.lines[-3:])
        assert "stale" not in await bob.say_json("/format json")
        assert (await alice.say("/send_all back")).startswith("+ sent")
        assert (await _comes(cluster, b, "carol")).startswith("+")
        assert not [line for line in (*alice.lines, *bob.lines) if "is offline" in line or '"online":false' in line]

    play(tmp_path, story)


async def _comes(cluster: Cluster, place: Place, name: str) -> str:
    begun = cluster.machine.monotonic()
    reply = await Person(place, name).say(f"/sign_in {name}")
    assert not reply.startswith("-") or cluster.machine.monotonic() - begun < 1, "it is refused at once"
    return reply


def test_who_moves_from_a_dead_node_to_a_live_one_misses_nothing_and_sees_nothing_twice(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        a, b = await cluster.start("a", "b")
        alice, bob = Person(a, "alice"), await b.connect("bob")
        await alice.say("/format json")
        entered = await alice.say_json("/sign_in alice")
        for number in range(5):
            await bob.say(f"/send_all before {number}")
        await cluster.pass_time(1)
        shown = [json.loads(line) for line in alice.lines if '"type":"message"' in line]
        a.kill()
        for number in range(5):
            await bob.say(f"/send_all after {number}")
        moved = Person(b, "alice")
        await moved.say("/format json")
        again = await moved.say_json(f"/resume {entered['token']} {shown[-1]['seq']}")
        assert again["history"] == entered["history"]
        await bob.say("/send_all at last")
        await cluster.pass_time(1)
        shown += [json.loads(line) for line in moved.lines if '"type":"message"' in line]
        assert [each["text"] for each in shown] == [
            *(f"before {number}" for number in range(5)), *(f"after {number}" for number in range(5)), "at last"
        ]  # fmt: skip

    play(tmp_path, story)


def test_a_node_that_alone_is_cut_off_is_left_by_newcomers(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        a, b = await cluster.start("a", "b")
        alice, bob = await a.connect("alice"), await b.connect("bob")
        alice.take_lines()
        cluster.servers.cut_off("a")
        await cluster.pass_time(7)
        assert bob.take_lines() == ["* alice is offline"], "nobody knows whether she is there"
        assert [line[:29] for line in alice.take_lines()] == ["* this server has lost its cl"]
        assert (await _comes(cluster, a, "carol")).startswith("- unavailable: ")
        assert (await _comes(cluster, b, "carol")).startswith("+")
        await bob.say("/send_all hello")
        cluster.servers.join_again("a")
        await cluster.pass_time(10)
        lines = alice.take_lines()
        assert [line for line in lines if line.startswith("* this server")] == [
            "* this server has its cluster back: all is up to date again"
        ]
        assert "* carol is online" in lines and any("bob: hello" in line for line in lines)
        assert not any("bob is" in line for line in lines), "bob never went"
        assert "* alice is online" in bob.lines

    play(tmp_path, story)


def test_who_leaves_while_nats_is_away_was_last_seen_then(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        a, b = await cluster.start("a", "b")
        alice, bob = await a.connect("alice"), await b.connect("bob")
        assert (await bob.say("/who alice")).startswith("+ alice is online")
        for node in "ab":
            cluster.servers.cut_off(node)
        await cluster.pass_time(20)
        alice.leave()
        await cluster.pass_time(20)
        for node in "ab":
            cluster.servers.join_again(node)
        await cluster.pass_time(10)
        assert "* alice is offline" in bob.lines
        seen = re.search(r"last seen 12:00:(\d\d)", await bob.say("/who alice"))
        assert seen is not None and int(seen[1]) > 20

    play(tmp_path, story)


def is_about(at: str, ms: int) -> bool:
    found = parse_iso(at)
    return found is not None and abs(found - ms) < 60_000


@pytest.mark.parametrize("hours", [-1, 1])
def test_times_are_the_log_s_where_a_node_s_own_clock_is_wrong(tmp_path: Path, hours: int) -> None:
    async def story(cluster: Cluster) -> None:
        cluster.servers.clock_ms = -hours * 3_600_000
        (a,) = await cluster.start("a")
        alice = await a.connect("alice", format="json")
        right_ms = cluster.machine.now_ms() + cluster.servers.clock_ms
        (session,) = (await alice.say_json("/sessions"))["sessions"]
        assert is_about(session["since"], right_ms)
        cluster.servers.cut_off("a")
        await cluster.pass_time(20)
        await alice.say("/send_all lost")
        (told,) = [line for line in map(json.loads, alice.lines) if line.get("stale")]
        assert is_about(told["as_of"], right_ms)

    play(tmp_path, story)
