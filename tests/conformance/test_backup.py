"""`chat-server backup` and `restore`: while people chat, whole or not at all, and into another directory."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import apsw
import pytest

from chat_server.store.data_directory import LOCAL
from chat_server.store.database import open_reader
from tests.conformance.conftest import Start
from tests.conformance.operating import done, json_operator, on_a_terminal, refused, word
from tests.conformance.uploads import bytes_of, only, send_file
from tests.fork_server import start as start_program
from tests.harness import TIMEOUT_SECONDS, Chat, JsonClient, Server, rounds, texts
from tests.unit.chat import dump

MESSAGES_A_SECOND = 200


async def chatter(chat: Chat, name: str, stop: asyncio.Event) -> list[tuple[int, str]]:
    """Somebody who writes all the time; what was acknowledged."""
    client = await chat.json(name)
    said: list[tuple[int, str]] = []
    while not stop.is_set():
        texts = [f"{name} {len(said) + number} {'x' * 500}" for number in range(20)]
        replies = await client.pipeline({"cmd": "send_all", "text": text} for text in texts)
        said += [(reply["id"], text) for reply, text in zip(replies, texts, strict=True)]
        await asyncio.sleep(20 / MESSAGES_A_SECOND)
    return said


def hidden(directory: Path) -> list[Path]:
    """What a backup leaves that was not ended."""
    return list(directory.glob(".*"))


async def in_thread(server: Server, *words: str) -> str:
    return await asyncio.to_thread(done, server, *words)


async def everything(client: JsonClient) -> list[str]:
    found: list[str] = []
    more: str | None = "/history main after 0 limit 200"
    while more:
        page, reply = await client.command(more)
        found += texts(page)
        more = reply.get("more")
    return found


async def test_while_people_chat(start: Start, tmp_path: Path) -> None:
    chat = start()
    filler = await chat.json("filler")
    await filler.pipeline({"cmd": "send_all", "text": "y" * 3000} for _ in range(2000))
    stop = asyncio.Event()
    writing = asyncio.create_task(chatter(chat, "bob", stop))
    file = tmp_path / "chat.tar"
    early = (await filler.ok("/send_all before the backup"))["id"]
    for _ in range(2):
        assert "checked" in await in_thread(chat.server, "backup", str(file))
    await filler.ok("/send_all after the backup")
    stop.set()
    said = await writing
    history = await history_of(chat)
    assert file.stat().st_mode & 0o777 == 0o600
    assert hidden(tmp_path) == []

    copied = Server(tmp_path / "another")
    assert "start the server" in done(copied, "restore", str(file))
    assert (tmp_path / "another").stat().st_mode & 0o777 == 0o700
    copied.start()
    try:
        other = Chat(copied)
        stored = await everything(await other.json("filler"))
        assert await history_of(other) != history
        await other.close()
    finally:
        copied.close()
    bobs = [text for text in stored if text.startswith("bob ")]
    assert bobs == [text for _, text in said[: len(bobs)]], "a beginning of what was said, without a gap"
    assert len(bobs) >= sum(id_ < early for id_, _ in said)
    assert "before the backup" in stored and "after the backup" not in stored


async def history_of(chat: Chat) -> str:
    stranger = await chat.json_stranger()
    _, reply = await stranger.command("/sign_in filler")
    return str(reply["history"])


_CHANGED = "SELECT history, spared_ms FROM state"


async def test_a_restored_chat_is_the_same_but_for_its_history(start: Start, tmp_path: Path) -> None:
    chat = start("--operator", "boss")
    boss, bob = await json_operator(chat), await chat.json("bob")
    await bob.pipeline(f"/send_all {number}" for number in range(50))
    await bob.ok("/send_delayed main 1d later")
    await boss.ok("/ban_address 192.0.2.0/24 bots")
    await boss.ok("/slow_mode main 1d")
    sent = await send_file(bob, "main", "a.png", bytes_of(3_000_000))
    await boss.ok(f"/read main {sent['id']}")
    await chat.close()
    assert chat.server.terminate() == 0
    done(chat.server, "backup", str(tmp_path / "b.tar"))
    copy = Server(tmp_path / "copy")
    done(copy, "restore", str(tmp_path / "b.tar"))
    assert blob_of(copy, sent["file"]["sha256"]).read_bytes() == bytes_of(3_000_000)
    before, after = (dump(open_reader(server.data)) for server in (chat.server, copy))
    (state,), (restored,) = before.pop("state"), after.pop("state")
    assert before == after
    assert [one == other for one, other in zip(state, restored, strict=True)].count(False) == 2
    one, other = (open_reader(server.data).one(_CHANGED) or () for server in (chat.server, copy))
    assert one[0] != other[0], "the id of its history"
    assert one[1] and other[1] is None, "what all have read is spared from the first start on"
    assert not (copy.data / LOCAL).exists(), "each machine makes its own"
    copy.start()
    await copy.logged("51 messages that all have read will be removed from ")
    there = Chat(copy)
    assert await (await there.json("bob")).code("/send_all too soon") == "rate_limited"
    await there.close()
    assert "192.0.2.0/24 for good" in done(copy, "banned-addresses")
    copy.restart()
    assert copy.log.count("messages that all have read will be removed") == 1, "the first start alone"
    copy.close()


def blob_of(server: Server, sha256: str) -> Path:
    return server.data / "files" / sha256[:2] / sha256


async def test_while_one_is_made_no_file_goes(start: Start) -> None:
    chat = start()
    bob = await chat.json("bob")
    sent = await send_file(bob, "main", "a.png", bytes_of(1000))
    with socket.socket(socket.AF_UNIX) as backup:
        backup.settimeout(TIMEOUT_SECONDS)
        backup.connect(str(chat.server.data / "control.sock"))
        backup.sendall(b"/backup\n/backup\n")
        with backup.makefile() as lines:
            assert all(lines.readline().startswith("+ all files stay") for _ in range(2))
        await bob.ok(f"/delete {sent['id']}")
        with contextlib.closing(open_reader(chat.server.data, local=True)) as db:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                while db.value("SELECT count(*) FROM sweeps"):
                    await asyncio.sleep(0.01)
        assert blob_of(chat.server, sent["file"]["sha256"]).exists()
        assert await bob.code(f"/get_file {sent['file']['id']}") == "unknown_file"
    await only(chat.server, [], [])


async def test_a_file_whose_bytes_are_not_what_they_were(start: Start, tmp_path: Path) -> None:
    chat = start()
    sent = await send_file(await chat.json("bob"), "main", "a.png", bytes_of(1000))
    blob = blob_of(chat.server, sent["file"]["sha256"])
    blob.write_bytes(bytes_of(999))
    told = refused(chat.server, "backup", str(tmp_path / "b.tar"))
    assert f"the bytes of a.png (message #{sent['id']}) are damaged: {blob}" in told
    blob.unlink()
    assert "are missing" in refused(chat.server, "backup", str(tmp_path / "b.tar"))
    assert hidden(tmp_path) == []
    kept = await send_file(await chat.json("anna"), "main", "b.png", bytes_of(1001))
    for lost in (None, bytes_of(999)):
        if lost is not None:
            blob.write_bytes(lost)
        told = done(chat.server, "backup", str(tmp_path / "b.tar"), "--without-lost-files")
        assert f"1 file whose bytes are lost is left out: a.png (message #{sent['id']})" in told
        again = Server(tmp_path / f"again {lost is None}")
        done(again, "restore", str(tmp_path / "b.tar"))
        assert blob_of(again, kept["file"]["sha256"]).exists() and not blob_of(again, sent["file"]["sha256"]).exists()


async def test_a_kill_in_the_middle_leaves_no_half_file(start: Start, tmp_path: Path) -> None:
    chat = start("--command-burst", "100000")
    bob = await chat.json("bob")
    await bob.pipeline({"cmd": "send_all", "text": "y" * 4000} for _ in range(3000))
    target = tmp_path / "backups"
    target.mkdir()
    file = target / "chat.tar"
    for _ in range(rounds(8)):
        arguments = [sys.executable, "-m", "chat_server", "backup", str(file), "--data", str(chat.server.data)]
        process = start_program(arguments, chat.server.environment, tmp_path)
        # Killed as soon as it has begun to write.
        while not (begun := list(target.glob(".*/*"))) and process.poll() is None:
            await bob.roundtrip()
        process.kill()
        process.wait()
        if not file.exists():
            assert begun
        for part in target.glob(".*"):
            shutil.rmtree(part)
        file.unlink(missing_ok=True)
    done(chat.server, "backup", str(file))
    assert await bob.code("/send_all still here") == "ok"
    assert [path.name for path in target.iterdir()] == ["chat.tar"]


async def test_one_that_is_ended_leaves_nothing(start: Start, tmp_path: Path) -> None:
    chat = start()
    target = tmp_path / "backups"
    target.mkdir()
    with contextlib.closing(apsw.Connection(str(chat.server.data / "chat.db"))) as filler:
        filler.set_busy_timeout(5_000)
        filler.execute("PRAGMA synchronous = OFF")
        filler.execute("CREATE TABLE filler (x); INSERT INTO filler VALUES (zeroblob(100000000))")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chat_server", "backup", str(target / "b.tar"), "--data", str(chat.server.data),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=chat.server.environment,
        )  # fmt: skip
        while not hidden(target):
            await asyncio.sleep(0.01)
        process.send_signal(number)
        assert await process.communicate() == (b"", b"")
        assert process.returncode == 128 + number
        assert not hidden(target)


async def test_a_backup_that_fails_leaves_the_last_one(start: Start, tmp_path: Path) -> None:
    chat = start()
    file = tmp_path / "chat.tar"
    done(chat.server, "backup", str(file))
    before = file.read_bytes()
    assert chat.server.terminate() == 0
    database = chat.server.data / "chat.db"
    whole = database.read_bytes()
    database.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert "nothing was saved" in refused(chat.server, "backup", str(file))
    assert file.read_bytes() == before
    database.write_bytes(whole)
    assert "cannot write the backup" in refused(chat.server, "backup", str(tmp_path / "none" / "x"))
    os.mkfifo(tmp_path / "fifo")
    for other in ("fifo", "."):
        assert "no ordinary file" in refused(chat.server, "backup", str(tmp_path / other))
    (tmp_path / "link").symlink_to(file)
    done(chat.server, "backup", str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink() and file.read_bytes() != before


async def test_restore_refuses_what_it_must(start: Start, tmp_path: Path) -> None:
    chat = start()
    await (await chat.json("bob")).ok("/send_all first")
    file = tmp_path / "chat.tar"
    done(chat.server, "backup", str(file))
    await chat.close()
    assert "in use" in refused(chat.server, "restore", str(file), "--force")
    assert chat.server.terminate() == 0
    assert "not empty" in refused(chat.server, "restore", str(file))
    empty = Server(tmp_path / "empty")
    assert "there is no backup" in refused(empty, "restore", str(tmp_path / "none.tar"))
    for name, data in damaged(file).items():
        (tmp_path / name).write_bytes(data)
        assert "nothing was restored" in refused(empty, "restore", str(tmp_path / name)), name
        assert [path.name for path in empty.data.iterdir()] == ["lock"], name
    chat.server.start()
    await (await chat.json("bob")).ok("/send_all second")
    await chat.close()
    assert chat.server.terminate() == 0
    done(chat.server, "restore", str(file), "--force")
    chat.server.start()
    assert await everything(await chat.json("bob")) == ["first"]


@pytest.mark.parametrize("name", ["files/report.odt", "files/ab/notes.txt", "uploads/photo.jpg", "chat.db"])
async def test_force_removes_only_what_a_chat_has(start: Start, tmp_path: Path, name: str) -> None:
    chat = start()
    file = tmp_path / "chat.tar"
    done(chat.server, "backup", str(file))
    other = Server(tmp_path / "other")
    precious = other.data / name
    precious.parent.mkdir(parents=True)
    with contextlib.closing(apsw.Connection(str(precious))) as made:
        made.execute("CREATE TABLE theirs (a)")
    assert f"{precious} is not of a chat" in refused(other, "restore", str(file), "--force")
    assert precious.exists()


def damaged(file: Path) -> dict[str, bytes]:
    whole = file.read_bytes()
    with tarfile.open(file) as tar:
        sums = tar.getmember("SHA256SUMS")
    flipped = bytearray(whole)
    flipped[sums.offset // 2] ^= 1
    evil = file.with_name("evil")
    with tarfile.open(evil, "w") as tar:
        for name in ("chat.db", "files/../../escaped"):
            tar.addfile(tarfile.TarInfo(name))
    # A terabyte of zeros in one block: without the refusal it would be written out.
    sparse = file.with_name("sparse")
    with tarfile.open(sparse, "w", format=tarfile.PAX_FORMAT) as tar:
        hollow = tarfile.TarInfo("files/aa/" + "a" * 64)
        hollow.pax_headers = {"GNU.sparse.size": str(1 << 40), "GNU.sparse.map": f"{1 << 40},0"}
        tar.addfile(hollow)
    return {
        "cut": whole[: len(whole) // 2], "without-sums": whole[: sums.offset] + b"\0" * 1024, "flipped": bytes(flipped),
        "text": b"hello\n" * 1000, "nothing": b"", "evil": evil.read_bytes(),
        "sparse": sparse.read_bytes(),
    }  # fmt: skip


async def test_an_interrupted_restore_is_noticed_at_the_start(start: Start, tmp_path: Path) -> None:
    chat = start()
    done(chat.server, "backup", str(tmp_path / "b.tar"))
    assert chat.server.terminate() == 0
    (chat.server.data / "restoring").touch()
    status, said = chat.server.refusal()
    assert status == 1 and "a restore into" in said
    done(chat.server, "restore", str(tmp_path / "b.tar"), "--force")
    chat.server.start()


async def test_a_bar_is_shown_on_a_terminal_alone(start: Start, tmp_path: Path) -> None:
    chat = start()
    status, screen = await asyncio.to_thread(on_a_terminal, chat.server, ["backup", str(tmp_path / "b.tar")])
    assert status == 0 and "100 % copying the database" in screen and "###" in screen
    assert word(chat.server, "backup", str(tmp_path / "b.tar")).stderr == ""
