"""A node that opens and runs as a member of a cluster, on streams in memory."""

import logging
import os
from collections.abc import Callable, Coroutine
from contextlib import closing
from errno import ENOSPC
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw
import pytest

from chat_server.cluster import member as opening
from chat_server.cluster import snapshots
from chat_server.cluster.member import REACH_SECONDS
from chat_server.cluster.snapshots import MISTAKEN, Description, make
from chat_server.errors import StartError
from chat_server.log import replicated
from chat_server.log.stream import Position, StreamLost
from chat_server.node import QUIET_MS, open_alone
from chat_server.settings import load
from chat_server.store.data_directory import DATABASE, OWNER
from chat_server.store.database import open_reader, open_writer
from chat_server.store.identity import FILE
from tests.memory_stream import MemoryObjects, MemoryStreams, Trouble
from tests.simulation.cluster import compare
from tests.unit.cluster.stage import Person, Stage

SETTINGS = load(["--disk-reserve", "off", "--main-rate-limit", "off"], {})


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Stage], Coroutine[Any, Any, None]]], None]:
    def play(story: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
        stage = Stage(tmp_path)
        stage.run(story(stage))

    return play


Play = Callable[[Callable[[Stage], Coroutine[Any, Any, None]]], None]


def test_a_node_catches_up_before_it_writes(play: Play) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.start("n1")
        alice = Person(stage, one)
        alice.say("/sign_in alice", *(f"/send_all {number}" for number in range(30)))
        await alice.replies(3)
        two = await stage.open("n2")
        assert two.log.position == one.member.log.position  # type: ignore[union-attr]
        assert two.node.delivery.delivered == 30
        assert (stage.path / "n2" / FILE).read_text() == "n2 1\n"
        assert not any(record.node == "n2" for record in stage.servers.streams[1])
        two.node.close()
        await compare(stage.machine, [one, await stage.start("n2")])

    play(story)


def test_the_first_node_sets_the_limits_for_all(play: Play) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.open("n1", "--page", "7")
        await one.start()
        two = await stage.open("n2", "--page", "9")
        await two.start()
        assert one.node.limits.page_messages == two.node.limits.page_messages == 7
        for each in (one, two):
            each.node.close()

    play(story)


def test_without_servers_of_the_log_the_start_ends_after_a_while(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        stage.servers.cut_off("n1")
        stage.machine.call_later(REACH_SECONDS / 2, stage.servers.join_again, "n1")
        (await stage.open("n1")).node.close()
        stage.servers.cut_off("n1")
        with pytest.raises(StartError, match=r"the log of the cluster cannot be reached: .*are its servers up"):
            await stage.open("n1")

    with caplog.at_level(logging.WARNING):
        play(story)
    assert caplog.text.count("cannot be reached yet") == 2


def test_a_directory_is_of_a_single_server_or_of_a_member(play: Play) -> None:
    async def story(stage: Stage) -> None:
        (stage.path / "alone").mkdir()
        alone = open_alone(SETTINGS, stage.machine, stage.path / "alone")
        await alone.start()
        alone.close()
        with pytest.raises(StartError, match="holds the chat of a single server: chat-server cluster import"):
            await stage.open("alone")
        member = await stage.open("n1")
        await member.start()
        member.node.close()
        with pytest.raises(StartError, match="one node's copy of a cluster's: start it with --cluster"):
            open_alone(SETTINGS, stage.machine, stage.path / "n1")

    play(story)


def test_somebody_logs_something_all_the_time(play: Play) -> None:
    async def story(stage: Stage) -> None:
        nodes = [await stage.start(name) for name in ("n1", "n2", "n3")]
        await stage.machine.sleep(1)
        before = len(stage.servers.streams[1])
        await stage.machine.sleep(600)
        batches = stage.servers.streams[1][before:]
        gaps = [after.at_ms - before.at_ms for before, after in pairwise(batches)]
        assert max(gaps) <= 20_000 and len(batches) <= 600_000 / QUIET_MS + 2, "one of them, and not each"
        assert all(node.member is not None for node in nodes)

    play(story)


def test_while_the_log_is_away_people_are_told_and_the_rest_comes_later(play: Play) -> None:
    async def story(stage: Stage) -> None:
        one, two = await stage.start("n1"), await stage.start("n2")
        alice, bob = Person(stage, one), Person(stage, two)
        alice.say("/sign_in alice")
        bob.say("/sign_in bob")
        await alice.replies()
        await bob.replies()
        stage.servers.trouble = Trouble(lost=1.0)
        alice.say("/send_all perhaps")
        await stage.machine.sleep(0.5)
        alice.say("/send_all certainly not", "/history main")
        first, second, third = await alice.replies(replicated.HOLD_SECONDS + 4)
        assert (first["code"], first.get("done")) == ("unavailable", None)
        assert "not known whether it was sent; look with /history, or send it again with the same key" in first["text"]
        assert (second["code"], second["done"]) == ("unavailable", False)
        assert third["type"] == "ok", "whoever is signed in goes on reading"
        stage.servers.trouble = Trouble()
        await stage.machine.sleep(8)
        for person in (alice, bob):
            texts = [line["text"] for line in person.lines if line["type"] == "message"]
            assert texts == ["perhaps"], "it was sent after all, and is seen like another device's"
        alice.say("/send_all again")
        (reply,) = await alice.replies()
        assert reply["type"] == "ok"

    play(story)


def test_past_the_bound_of_what_waits_nothing_more_is_read(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.start("n1")
        alice, bob = Person(stage, one), Person(stage, one)
        alice.say("/sign_in alice")
        bob.say("/sign_in bob")
        await alice.replies()
        stage.servers.elect(4.0)
        monkeypatch.setattr(replicated, "WAITING_BYTES_MAX", 2000)
        log = one.member.log  # type: ignore[union-attr]
        alice.say(*(f"/send_all {number}" for number in range(200)))
        bob.say(*(f"/send_all {number}" for number in range(200)))
        await stage.machine.sleep(2)
        assert log.is_full and log._line.bytes < 2500
        replies = await alice.replies(40)
        assert len(replies) == 200 and all(reply["type"] == "ok" for reply in replies), "and none is lost"
        assert len(await bob.replies(0)) >= 200

    play(story)


def test_a_members_database_leaves_the_fsync_to_the_log(play: Play) -> None:
    async def story(stage: Stage) -> None:
        member = await stage.open("n1")
        await member.start()
        db = member.node._writer._executor._db
        assert db.value("PRAGMA synchronous") == 1
        reader = open_reader(stage.path / "n1")
        assert reader.value("SELECT name FROM nodes") == "n1"
        reader.close()
        member.node.close()

    play(story)


async def snapshot(stage: Stage, node: str, nonce: str) -> Description:
    return await make(MemoryObjects(stage.servers, stage.machine, node), stage.path / node, nonce)


def test_a_new_node_starts_from_the_newest_snapshot(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.start("n1")
        alice = Person(stage, one)
        alice.say("/sign_in alice", *(f"/send_all {number}" for number in range(10)))
        await alice.replies(3)
        made = await snapshot(stage, "n1", "1")
        alice.say("/send_all later")
        await alice.replies(3)
        two = await stage.start("n2")
        assert "started from the snapshot" in caplog.text
        await compare(stage.machine, [one, two])
        with closing(open_reader(stage.path / "n2")) as db:
            assert db.value("SELECT count(*) FROM messages") == 11
        assert made.position < one.member.log.position  # type: ignore[union-attr]

    with caplog.at_level(logging.INFO):
        play(story)


def test_a_node_whose_stream_is_gone_starts_again_from_a_snapshot(play: Play) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.open("n1")
        one.node.close()
        with closing(open_writer(stage.path / "n1")) as db:
            db.run("UPDATE state SET history = 'h', stream = 1, sequence = 5")
        await snapshot(stage, "n1", "1")
        with closing(open_writer(stage.path / "n1")) as db:
            db.run("UPDATE state SET stream = 7, sequence = 0")
        again = await stage.open("n1")
        assert again.log.position == Position(1, 5) and not (stage.path / "n1" / MISTAKEN).exists()
        again.node.close()

    play(story)


def test_the_odd_one_stops_and_starts_again_from_a_snapshot(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        nodes = [await stage.start(name) for name in ("n1", "n2", "n3")]
        alice = Person(stage, nodes[0])
        alice.say("/sign_in alice", "/send_all hi")
        sent = (await alice.replies(20))[-1]
        assert all(each.member and each.member.node.failure is None for each in nodes), "equal ones go on"
        await snapshot(stage, "n1", "1")
        # Something else writes on one machine, where the writer keeps nothing in memory.
        with closing(apsw.Connection(str(stage.path / "n2" / DATABASE))) as db:
            db.execute("UPDATE messages SET user_id = 0")
        alice.say(f"/edit {sent['id']} it shows now")
        await alice.replies(30)
        assert "n2" not in [each.name for each in nodes if each.member], "it has stopped"
        assert [each.name for each in nodes if each.member] == ["n1", "n3"], "no other has"
        assert caplog.text.count("its next start is from a snapshot") == 1
        assert "n2 failed: the state of this node has differed" in str(nodes[1].take_error())
        again = await stage.start("n2")
        await compare(stage.machine, [nodes[0], again, nodes[2]])
        with closing(open_reader(stage.path / "n2")) as db:
            assert db.value("SELECT text FROM messages") == "it shows now"

    play(story)


def test_a_node_whose_log_is_gone_keeps_what_it_has(play: Play) -> None:
    """It may be the last copy, and the snapshot is older."""

    async def story(stage: Stage) -> None:
        one = await stage.start("n1")
        alice = Person(stage, one)
        alice.say("/sign_in alice")
        await alice.replies(3)
        await snapshot(stage, "n1", "1")
        alice.say("/send_all after the snapshot")
        await alice.replies(3)
        one.kill()
        stage.servers.streams.clear()
        for _ in range(2):
            with pytest.raises(StartError, match=r"stream 1 of the log.* is not there any more"):
                await stage.open("n1")
        with closing(open_reader(stage.path / "n1")) as db:
            assert db.value("SELECT text FROM messages") == "after the snapshot"

    play(story)


def test_a_wrong_state_is_not_gone_on_with_where_there_is_no_snapshot(play: Play) -> None:
    async def story(stage: Stage) -> None:
        member = await stage.open("n1")
        await member.start()
        member.node.close()
        (stage.path / "n1" / MISTAKEN).touch()
        with pytest.raises(StartError, match="differs from that of the other nodes, and there is no snapshot"):
            await stage.open("n1")

    play(story)


def test_a_new_node_catches_up_through_all_streams(play: Play) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.start("n1")
        alice = Person(stage, one)
        alice.say("/sign_in alice")
        assert one.member is not None
        for number in range(3):
            await one.member.log.begin_next_stream()
            alice.say(f"/send_all {number}")
            await alice.replies(3)
        two = await stage.open("n2")
        assert two.log.position == one.member.log.position and two.log.position.stream == 4
        two.node.close()

    play(story)


def test_a_start_is_newer_than_all_that_the_log_knows(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for _ in range(3):
            member = await stage.open("n1")
            await member.start()
            member.node.close()
        (stage.path / "n1" / FILE).unlink()
        (await stage.open("n1")).node.close()
        assert (stage.path / "n1" / FILE).read_text() == "n1 4\n"

    play(story)


def test_a_start_that_fails_leaves_the_database_closed_and_the_log_as_it_was(play: Play) -> None:
    async def story(stage: Stage) -> None:
        member = await stage.open("n1")
        await member.start()
        member.node.close()
        before = len(stage.servers.streams[1])
        (stage.path / "n1" / OWNER).write_text("another")
        with pytest.raises(StartError, match="belong to another database"):
            await stage.open("n1")
        assert not list((stage.path / "n1").glob("*-wal")) and len(stage.servers.streams[1]) == before

    play(story)


def test_a_stream_that_goes_while_a_node_catches_up_ends_its_start(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        await stage.start("n1")

        async def last(streams: MemoryStreams, stream: int) -> int:
            raise StreamLost("stream 1 was made anew")

        monkeypatch.setattr(MemoryStreams, "last", last)
        with pytest.raises(StartError, match="stream 1 was made anew"):
            await stage.open("n2")

    play(story)


def test_who_makes_a_snapshot_and_who_hears_nobody_is_said(play: Play) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.start("n1")
        assert one.member is not None
        for is_making in (True, False):
            one.member.keeper.is_making = is_making
            assert one.member.heartbeats.vitals()["n1"].makes_snapshot is is_making  # type: ignore[index]
        alice = Person(stage, one)
        alice.say("/sign_in alice")
        await alice.replies()
        stage.servers.cut_off("n1")
        await stage.machine.sleep(10)
        assert [line["stale"] for line in alice.lines if line["type"] == "notice"] == [True], (
            "though nobody said a word"
        )

    play(story)


@pytest.mark.parametrize("which", ["work_folder", "_put_in_place"])
def test_a_disk_that_takes_no_snapshot_ends_the_start_with_a_word(
    play: Play, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    async def story(stage: Stage) -> None:
        one = await stage.start("n1")
        await stage.machine.sleep(3)
        await snapshot(stage, "n1", "1")
        assert one.member is not None

        def full(*arguments: Path) -> None:
            raise OSError(ENOSPC, os.strerror(ENOSPC), str(arguments[0]))

        monkeypatch.setattr(snapshots, which, full)
        with pytest.raises(StartError, match=r"the snapshot cannot be written into .*n2: No space left on device"):
            await stage.open("n2")

    play(story)


def test_the_odd_one_stops_also_where_its_disk_takes_no_note_of_it(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        nodes = [await stage.start(name) for name in ("n1", "n2", "n3")]
        members = [each.member for each in nodes if each.member]
        await stage.machine.sleep(15)

        def full(directory: Path) -> None:
            raise OSError(ENOSPC, os.strerror(ENOSPC))

        monkeypatch.setattr(opening, "mark_mistaken", full)
        members[1].node._writer.state.outcomes = b"odd"
        await stage.machine.sleep(40)
        failure = str(nodes[1].take_error())
        assert "has differed from that of the others" in failure
        assert "start it again with an empty directory" in failure and "No space left on device" in failure

    play(story)
