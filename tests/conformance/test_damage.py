"""What is taken away from under the server, missing at the start, locked, or damaged: nothing goes without a word."""

import contextlib
import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from chat_server.store.data_directory import OWNER
from tests.conformance.conftest import Start
from tests.conformance.uploads import bytes_of, digest, fetch, send_file, stored
from tests.harness import Chat, Server

DATA = bytes_of(100_000, 3)


async def chat_with_a_file(start: Start) -> Chat:
    chat = start()
    anna = await chat.json("anna")
    await send_file(anna, "main", "photo", DATA)
    return chat


def blob(server: Server) -> Path:
    return server.data / "files" / digest(DATA)[:2] / digest(DATA)


# ---- a database that is lost


def without_database(data: Path) -> None:
    (data / "chat.db").unlink()


def with_empty_database(data: Path) -> None:
    (data / "chat.db").write_bytes(b"")


def with_blank_database(data: Path) -> None:
    """As a look with another program makes it."""
    (data / "chat.db").unlink()
    with contextlib.closing(apsw.Connection(str(data / "chat.db"))) as made:
        made.execute("PRAGMA user_version = 1; PRAGMA user_version = 0")


LOSSES = (without_database, with_empty_database, with_blank_database)


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("word", [(), ("stats",)])
async def test_a_lost_database_is_not_begun_anew(
    start: Start, lose: Callable[[Path], None], word: tuple[str, ...]
) -> None:
    chat = await chat_with_a_file(start)
    await chat.close()
    chat.server.terminate()
    (chat.server.data / "uploads" / "7").write_bytes(b"begun")
    before = stored(chat.server)
    lose(chat.server.data)
    chat.server.options = (*chat.server.options, *word)
    status, said = chat.server.refusal()
    told = [line for line in said.splitlines() if not line.startswith("20")]
    assert status == 1 and len(told) == 1
    assert "chat.db" in told[0] and "restore FILE --force" in told[0]
    assert stored(chat.server) == before


@pytest.mark.parametrize("trace", ["files/ab/abcd", "uploads/1", "chat.db-wal", OWNER])
def test_each_trace_of_a_chat_counts(tmp_path: Path, trace: str) -> None:
    server = Server(tmp_path / "data")
    path = server.data / trace
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something")
    status, told = server.refusal()
    assert status == 1 and "its database chat.db is missing" in told
    assert sorted(each.name for each in server.data.iterdir()) == sorted({"lock", trace.split("/")[0]})


async def test_another_chats_database_deletes_nothing(start: Start) -> None:
    chat, other = await chat_with_a_file(start), start()
    await chat.close()
    for each in (chat, other):
        assert each.server.terminate() == 0
    shutil.copy(other.server.data / "chat.db", chat.server.data / "chat.db")
    status, told = chat.server.refusal()
    assert status == 1 and "belong to another database" in told
    # Whoever knows better says so; even then what this database does not know stays.
    (chat.server.data / OWNER).unlink()
    chat.server.start()
    chat.server.restart()
    assert stored(chat.server)[0] == [digest(DATA)]


# ---- files that are taken away from under it


def remove_all(data: Path) -> None:
    shutil.rmtree(data)


def rename(data: Path) -> None:
    data.rename(data.with_name("elsewhere"))


def replace_all(data: Path) -> None:
    rename(data)
    shutil.copytree(data.with_name("elsewhere"), data, ignore=shutil.ignore_patterns("*.sock"))


def remove(name: str) -> Callable[[Path], None]:
    def removed(data: Path) -> None:
        path = data / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return removed


TAKEN = {
    "all removed": remove_all, "renamed": rename, "replaced": replace_all,
    **{name: remove(name) for name in ("chat.db", "chat.db-wal", "chat.db-shm", "lock", "files")},
}  # fmt: skip


@pytest.mark.parametrize("how", TAKEN)
async def test_what_is_taken_away_is_a_failed_disk(start: Start, how: str) -> None:
    chat = start()
    anna = await chat.json("anna")
    await anna.ok("/send_all before")
    TAKEN[how](chat.server.data)
    replies = [line for line in await anna.end() if '"re":"send_all"' in line]
    assert replies == []
    assert chat.server.ended() == 1
    assert "the disk failed" in chat.server.log and str(chat.server.data) in chat.server.log


async def test_nothing_is_acknowledged_into_files_that_are_gone(start: Start) -> None:
    chat = start()
    anna = await chat.json("anna")
    process = chat.server.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    await anna.send(*(f"/send_all {number}" for number in range(10)))
    remove_all(chat.server.data)
    process.send_signal(signal.SIGCONT)
    assert not [line for line in await anna.rest() if '"type":"ok"' in line]
    assert chat.server.ended() == 1


async def test_nothing_is_acknowledged_into_a_log_that_was_emptied(start: Start) -> None:
    chat = start()
    anna = await chat.json("anna")
    await anna.ok("/send_all before")
    os.truncate(chat.server.data / "chat.db-wal", 0)
    reply = await anna.refused("/send_all after")
    assert reply["code"] == "unavailable" and "done" not in reply
    assert chat.server.ended() == 1
    assert "chat.db-wal was emptied" in chat.server.log


async def test_the_last_server_leaves_the_files_of_the_next_one(start: Start, tmp_path: Path) -> None:
    chat = start()
    data, process = chat.server.data, chat.server.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    rename(data)
    second = Server(data)
    second.start()
    next_one = Chat(second)
    anna = await next_one.json("anna")
    await anna.ok("/send_all hi")
    process.send_signal(signal.SIGCONT)
    assert chat.server.ended() == 1
    await anna.ok("/send_all still here")
    assert all((data / name).exists() for name in ("chat.db-wal", "chat.db-shm", "control.sock", "lock"))
    await next_one.close()
    assert second.terminate() == 0


# ---- a database that is locked


@contextlib.contextmanager
def locked(server: Server) -> Iterator[None]:
    with contextlib.closing(apsw.Connection(str(server.data / "chat.db"))) as holder:
        holder.set_busy_timeout(5_000)
        holder.execute("BEGIN IMMEDIATE")
        yield


async def test_a_start_waits_for_the_lock_and_keeps_its_settings(start: Start) -> None:
    chat = start("--main-rate-limit", "1/1h")
    chat.server.terminate()
    chat.server.options = (*chat.server.options, "--main-rate-limit", "7/1h")
    with locked(chat.server):
        starting = threading.Thread(target=chat.server.start)
        starting.start()
        while "keeps the database locked" not in chat.server.log:
            assert starting.is_alive()
            os.sched_yield()
    starting.join()
    status = await (await chat.json("anna")).ok("/status")
    assert status["limits"]["main_messages"]["max"] == 7


async def test_while_it_runs_people_wait_for_the_lock(start: Start) -> None:
    chat = start()
    anna, bob = await chat.json("anna"), await chat.json("bob")
    with locked(chat.server):
        label = await anna.send_labelled("/send_all hi")
        while "keeps the database locked" not in chat.server.log:
            assert (await bob.command("/history main"))[0] == [], "who reads does not wait"
    while not anna.is_final(line := await anna.next(), label):
        pass
    assert line["type"] == "ok"


async def test_a_stop_does_not_wait_for_the_lock(start: Start) -> None:
    chat = start()
    anna, bob = await chat.json("anna"), await chat.json("bob")
    with locked(chat.server):
        await anna.send("/send_all hi")
        while "keeps the database locked" not in chat.server.log:
            await bob.roundtrip()
        assert chat.server.terminate() == 0
        (reply,) = [line for line in await anna.rest() if '"re":"send_all"' in line]
    assert '"code":"unavailable"' in reply and '"done":false' in reply


async def test_whether_a_command_with_a_key_was_done_is_said_by_its_first_try(start: Start) -> None:
    chat = start()
    anna, bob = await chat.json("anna"), await chat.json("bob")
    first, second = ({"cmd": "send_all", "text": text, "key": text} for text in ("one", "two"))
    await anna.ok(first)
    with locked(chat.server):
        await anna.send(json.dumps(first), json.dumps(second))
        while "keeps the database locked" not in chat.server.log:
            await bob.roundtrip()
        chat.server.terminate()
        replies = [json.loads(line) for line in await anna.rest() if '"re":"send_all"' in line]
    assert [(reply["code"], reply.get("done")) for reply in replies] == [("unavailable", None), ("unavailable", False)]


# ---- bytes that are damaged


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[70_000] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, 50_000)


DAMAGES: dict[str, Callable[[Path], object]] = {"damaged": flip, "are damaged": cut, "missing": Path.unlink}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damaged_bytes_are_not_sent_and_can_be_mended(start: Start, damage: str) -> None:
    chat = await chat_with_a_file(start)
    bob = await chat.json("bob")
    (file,) = (await bob.ok("/files main"))["files"]
    command = f"/get_file {file['id']}"
    assert (await fetch(bob, command))[0] == DATA
    DAMAGES[damage](blob(chat.server))
    for asked in (command, f"{command} 0 100", f"{command} 70000"):
        lines, reply = await bob.command(asked)
        assert lines == [] and (reply["code"], reply["done"]) == ("unavailable", False)
        assert damage in reply["text"] and "photo" in reply["text"]
    text = await chat.text("carol")
    assert "photo" in (await text.command(command))[1]
    await chat.server.logged(digest(DATA))
    assert "is a bug" not in chat.server.log
    await send_file(bob, "main", "the same", DATA)
    assert (await fetch(bob, command))[0] == DATA
