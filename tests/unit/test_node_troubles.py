"""What a node does about this machine's troubles: alone, with a log that others read too, and to its end."""

from pathlib import Path

import apsw
import pytest

from chat_server.log.entries import Enter, MarkSeen
from chat_server.log.local import LocalLog
from chat_server.log.stream import Position
from chat_server.protocol.messages import Sent
from chat_server.protocol.names import check
from chat_server.store import chats, idempotency_keys
from chat_server.store.database import NoRoom
from tests.unit.one_node import Chat, Faults, codes, command, run, share

pytestmark = pytest.mark.usefixtures("at_once")


# ---- a node that is alone


def test_alone_a_lock_is_waited_for_and_then_what_was_said_is_refused(tmp_path: Path) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        other = chat.lock()
        chat.runtime.call_later(10, other.close)
        chat.say("/send_all waits")
        assert codes(await chat.settle(11)) == ["Sent"]
        other = chat.lock()
        chat.say("/send_all refused")
        (refusal,) = await chat.settle(31)
        assert (refusal.code, refusal.fields) == ("unavailable", {"done": False})
        other.close()
        chat.say("/send_all goes on")
        (sent,) = await chat.settle()
        assert isinstance(sent, Sent) and sent.id == 2

    run(tmp_path, do)


def test_at_the_stop_a_lock_is_not_waited_for(tmp_path: Path) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        other = chat.lock()
        chat.say("/send_all refused")
        assert await chat.settle(5) == []
        chat.node.finish()
        assert codes(await chat.settle(1)) == ["unavailable"]
        other.close()

    run(tmp_path, do)


@pytest.mark.parametrize("readable", [True, False])
def test_alone_what_may_have_been_done_is_not_said_to_be_undone(
    tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch, readable: bool
) -> None:
    """The answer to the first try with this key may have got lost: the second must not be told that it was not done."""
    line = '{"cmd":"send_all","text":"hi","key":"%s"}'

    def find(*args: object) -> None:
        raise apsw.BusyError("locked")

    async def do(chat: Chat) -> None:
        await chat.sign_in()
        chat.say(line % "k1")
        (sent,) = await chat.settle()
        if not readable:
            monkeypatch.setattr(idempotency_keys, "find", find)
        faults.waiting = [MemoryError()]
        chat.say(line % "k1", line % "k2")
        known, new = await chat.settle()
        assert [known.fields, new.fields] == [{}, {"done": False} if readable else {}]
        monkeypatch.undo()
        chat.say(line % "k1")
        assert await chat.settle() == [sent]

    run(tmp_path, do)


@pytest.mark.parametrize("fault", [MemoryError(), apsw.NoMemError("m"), apsw.CantOpenError("f")], ids=repr)
def test_alone_what_runs_short_refuses_what_was_said_and_nothing_else(
    tmp_path: Path, faults: Faults, fault: Exception
) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        faults.waiting = [fault]
        chat.say("/send_all refused")
        assert codes(await chat.settle()) == ["unavailable"]
        chat.say("/send_all goes on")
        assert codes(await chat.settle()) == ["Sent"]

    run(tmp_path, do)
    numbers = [batch.number for batch in faults.batches]
    assert numbers == sorted(numbers) and len(set(numbers)) == len(numbers) - 1, "its number is given again"


def test_alone_a_full_disk_refuses_what_adds_in_its_place_and_does_the_rest(tmp_path: Path, faults: Faults) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        chat.say("/send_all one", "/send_all two")
        await chat.settle()
        faults.waiting = [NoRoom("full")]
        chat.say("/delete 1", "/send_all three", "/delete 2")
        assert codes(await chat.settle()) == ["Changed", "unavailable", "Changed"]
        chat.say("/send_all four")
        assert codes(await chat.settle()) == ["Sent"]

    run(tmp_path, do)


def test_alone_a_full_disk_notes_what_was_seen_with_a_message_that_it_refuses(tmp_path: Path, faults: Faults) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        chat.submit(Enter(check("bob"), 0, None, False, None), 0)
        chat.submit(command("/send_all one"), 2)
        await chat.settle()
        faults.waiting = [NoRoom("full")]
        chat.submit(command("/send_all two"), seen=MarkSeen(1))
        assert codes(await chat.settle()) == ["unavailable"]
        reader = chat.node.readers.pick()
        assert await reader.run(chats.read_id, 1, chats.MAIN) == 1

    run(tmp_path, do)


def test_alone_a_full_disk_takes_no_longer_text_either(tmp_path: Path, faults: Faults) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        chat.say("/send_all four")
        await chat.settle()
        faults.waiting = [NoRoom("full")]
        chat.say("/edit 1 longer", "/edit 1 five")
        assert codes(await chat.settle()) == ["unavailable", "Changed"]

    run(tmp_path, do)


def test_alone_nothing_is_executed_where_all_of_it_adds(tmp_path: Path, faults: Faults) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        faults.waiting, faults.batches = [NoRoom("full")], []
        chat.say("/send_all one", "/send_all two")
        assert codes(await chat.settle()) == ["unavailable", "unavailable"]
        assert len(faults.batches) == 1

    run(tmp_path, do)


def test_what_nobody_asked_for_is_tried_again(tmp_path: Path, faults: Faults) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        sent = command("/send_all later")
        faults.waiting = [MemoryError()]
        chat.node.submit(sent, 1)
        await chat.settle(2)
        chat.say("/send_all now")
        (now,) = await chat.settle()
        assert now.id == 2

    run(tmp_path, do)


# ---- a log that others read too


@pytest.mark.parametrize(
    "fault", [NoRoom("full"), apsw.BusyError("locked"), apsw.CantOpenError("f"), MemoryError()], ids=repr
)
def test_what_is_ordered_for_all_is_executed_to_the_same_outcome_however_long_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: Faults, fault: Exception
) -> None:
    share(monkeypatch)

    async def do(chat: Chat) -> None:
        await chat.sign_in()
        faults.waiting = [fault] * 300
        chat.say("/send_all one", "/delete 1")
        assert await chat.settle(50) == [], "it is tried again, and not at full speed"
        assert len(faults.waiting) > 40
        assert codes(await chat.settle(350)) == ["Sent", "Changed"]

    run(tmp_path, do)


def test_a_node_that_fails_meanwhile_waits_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: Faults
) -> None:
    share(monkeypatch)

    async def do(chat: Chat) -> None:
        await chat.sign_in()
        faults.waiting = [apsw.BusyError("locked")] * 1000
        chat.say("/send_all one")
        await chat.settle(5)
        chat.node.transfers.on_failure(OSError("the disk is gone"))
        assert await chat.settle(1) == []

    assert run(tmp_path, do).node.failure == "the disk failed: the disk is gone"


# ---- what stops a node


@pytest.mark.parametrize("error", [apsw.IOError("disk I/O error"), apsw.CorruptError("damaged")], ids=repr)
def test_a_disk_that_fails_acknowledges_nothing_and_stops_the_node(
    tmp_path: Path, faults: Faults, error: Exception
) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        faults.waiting = [error]
        chat.say("/send_all one")
        assert await chat.settle() == []

    assert run(tmp_path, do).node.failure == f"the disk failed: {error}"


def test_a_batch_that_does_not_belong_here_stops_the_node_and_says_why(tmp_path: Path) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        assert isinstance(chat.log, LocalLog)
        chat.log._position = Position(0, chat.log._position.sequence + 5)
        chat.say("/send_all one")
        assert await chat.settle() == []

    failure = run(tmp_path, do).node.failure
    assert failure is not None and "not the one that the database expects" in failure
