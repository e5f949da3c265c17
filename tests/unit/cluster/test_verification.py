"""Nodes compute digests as of the same batch, and one of them compares these."""

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from chat_server.cluster.side_processes import Digests, ReadingFailed
from chat_server.cluster.verification import MARK_SECONDS, READY_SECONDS, SILENT_SECONDS, Answer, compare
from chat_server.errors import Refusal
from chat_server.log.stream import Position
from chat_server.protocol.control import ClusterVerified
from chat_server.protocol.formats.wording import differences, verified
from chat_server.store.data_directory import DATABASE
from tests.side_processes import InlineProcesses, InlineReader
from tests.unit.cluster.nodes import Cluster, Place, play


def told(node: str, users: str = "a", sequence: int = 5, schema: int = 1) -> Answer:
    return Answer(node, "m", "done", found=Digests(Position(1, sequence), {"users": users, "chats": "c"}, schema))


def compared(*answers: Answer, asked: str = "abc") -> ClusterVerified:
    return compare(list(asked), {answer.node: answer for answer in answers})


def test_nodes_that_are_alike_agree() -> None:
    found = compared(told("a"), told("b"), told("c"))
    assert found.agree and found.same == ["a", "b", "c"] and (found.stream, found.batch) == (1, 5)
    assert verified(found).startswith("all nodes hold the same; a, b, c: digest ") and differences(found) == []


def test_who_differs_is_named_with_its_tables() -> None:
    found = compared(told("a"), told("b", "other"), told("c"))
    assert not found.agree and found.is_majority and found.different == {"b": ["users"]}
    assert differences(found) == ["b differs in users"] and "most nodes hold the same" in verified(found)


def test_without_a_majority_nobody_is_called_wrong() -> None:
    found = compared(told("a"), told("b", "other"), asked="ab")
    assert not found.agree and not found.is_majority and "none can be told to be the wrong one" in verified(found)
    found = compared(told("a"), told("b", "other"), told("c", "third"))
    assert not found.is_majority and set(found.different) == {"b", "c"}


def test_who_did_not_tell_is_named() -> None:
    found = compared(told("a"), Answer("b", "m", "failed", "the database is damaged"), Answer("c", "m", "reading"))
    assert not found.agree and found.failed == {"b": "the database is damaged"} and found.unanswered == ["c"]
    assert differences(found) == ["b could not tell: the database is damaged", "c did not answer"]
    assert "not all nodes answered" in verified(found)
    assert verified(compared()) == "no node could tell what it holds"


def test_nodes_of_different_versions_are_compared_with_their_like() -> None:
    found = compared(told("a"), told("b"), told("c", "with a column", schema=2))
    assert found.agree and found.same == ["a", "b"] and found.apart == ["c"] and found.different == {}
    assert verified(found).startswith("all nodes of one version hold the same; a, b: digest ")
    (line,) = differences(found)
    assert line.startswith("c has the tables of another version")
    found = compared(told("a", "wide", schema=2), told("b"), told("c", "other", schema=2), told("d"), asked="abcd")
    assert not found.agree and not found.is_majority
    assert found.same == ["b", "d"] and found.apart == ["a"] and found.different == {"c": ["users"]}


def test_a_log_that_takes_nothing_is_said(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        places = await cluster.start("n1", "n2")
        cluster.servers.elect(1000)
        begun = cluster.machine.monotonic()
        with pytest.raises(Refusal, match="the log of the cluster takes nothing for now"):
            await places[0].member.verification.verify()
        assert cluster.machine.monotonic() - begun < READY_SECONDS + MARK_SECONDS + 5

    play(tmp_path, story)


def flip(place: Place) -> None:
    with closing(apsw.Connection(str(place.path / DATABASE))) as db:
        db.execute("UPDATE users SET shape = 'flipped' WHERE id = 1")


def test_three_nodes_agree_while_people_write_and_a_flipped_row_is_found(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        places = await cluster.start("n1", "n2", "n3")
        alice = await places[1].connect("alice")

        async def write() -> None:
            while True:
                await alice.say("/send_all on and on")

        writing = cluster.machine.spawn(write())
        for place in places:
            found = await place.member.verification.verify()
            assert found.agree and found.same == ["n1", "n2", "n3"], found
            assert (found.stream, found.batch) < place.member.log.position, "they went on meanwhile"
        flip(places[2])
        for place in places:
            found = await place.member.verification.verify()
            assert not found.agree and found.same == ["n1", "n2"] and found.different == {"n3": ["users"]}
        writing.cancel()

    play(tmp_path, story)


def test_who_is_silent_is_named_and_nobody_waits_for_long(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        places = await cluster.start("n1", "n2", "n3")
        cluster.servers.cut_off("n3")
        begun = cluster.machine.monotonic()
        found = await places[0].member.verification.verify()
        assert found.unanswered == ["n3"] and found.same == ["n1", "n2"] and not found.agree
        assert cluster.machine.monotonic() - begun < SILENT_SECONDS + 15
        cluster.servers.join_again("n3")
        await cluster.pass_time(10)
        assert (await places[0].member.verification.verify()).agree

    play(tmp_path, story)


def test_a_process_that_hangs_holds_its_node_up_for_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(cluster: Cluster) -> None:
        places = await cluster.start("n1", "n2")
        alice = await places[1].connect("alice")
        own, open = places[1].path, InlineReader.open

        async def hang(reader: InlineReader) -> None:
            if reader._db.connection.filename.startswith(str(own)):
                await cluster.machine.sleep(1000)
            await open(reader)

        monkeypatch.setattr(InlineReader, "open", hang)
        verifying = cluster.machine.spawn(places[0].member.verification.verify())
        while not verifying.done():
            begun = cluster.machine.monotonic()
            await alice.say("/send_all on")
            assert cluster.machine.monotonic() - begun < 1.5
        found = verifying.result()
        assert found.failed == {"n2": "its process did not open the database in time"} and found.same == ["n1"]

    play(tmp_path, story)


def test_a_process_that_cannot_begin_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(cluster: Cluster) -> None:
        (place,) = await cluster.start("n1")

        async def fail(processes: InlineProcesses) -> InlineReader:
            raise ReadingFailed("no process could be started")

        monkeypatch.setattr(InlineProcesses, "begin_reading", fail)
        found = await place.member.verification.verify()
        assert found.failed == {"n1": "no process could be started"} and not found.agree

    play(tmp_path, story)


def test_one_at_a_time(tmp_path: Path) -> None:
    async def story(cluster: Cluster) -> None:
        (place,) = await cluster.start("n1")
        first = cluster.machine.spawn(place.member.verification.verify())
        await cluster.pass_time(0.1)
        with pytest.raises(Refusal, match="verifying already"):
            await place.member.verification.verify()
        assert (await first).agree

    play(tmp_path, story)
