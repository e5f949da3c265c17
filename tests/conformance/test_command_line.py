"""The subcommands of `chat-server`: beside a running server and without one they do the same."""

import asyncio
import contextlib
import gzip
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from tests.conformance.conftest import Start
from tests.conformance.operating import CTRL_C, SECRET, done, json_operator, on_a_terminal, refused, word
from tests.harness import STOP_SECONDS_MAX, TIMEOUT_SECONDS, Chat, Server
from tests.ports import free_port

Ready = Callable[[Chat], Server]


@pytest.fixture(params=["beside a running server", "without one"])
def ready(request: pytest.FixtureRequest) -> Iterator[Ready]:
    """The server of a chat, running or stopped; in the end it runs."""

    def ready(chat: Chat) -> Server:
        if request.param == "without one":
            assert chat.server.terminate() == 0
        return chat.server

    yield ready


def running(server: Server) -> None:
    if server.process is None:
        server.start()


async def some_people(start: Start) -> Chat:
    chat = start("--operator", "boss")
    bob, alice = await chat.json("bob"), await chat.json("alice")
    first = (await bob.ok("/send_all from bob"))["id"]
    await alice.ok(f"/reply {first} from alice")
    await bob.ok("/send alice for you")
    await alice.ok("/send bob not yours")
    await bob.ok("/send_delayed main 1h later")
    await bob.ok("/report alice rude")
    return chat


async def test_unban(start: Start, ready: Ready) -> None:
    chat = start("--operator", "boss")
    boss, _ = await json_operator(chat), await chat.json("bob")
    await boss.ok("/ban bob 1d")
    await chat.close()
    server = ready(chat)
    assert done(server, "unban", "bob") == "the ban of bob is over\n"
    assert done(server, "unban", "@BOB") == "bob is not banned\n"
    assert refused(server, "unban", "nobody").startswith("unknown_user: ")
    running(server)
    assert await (await chat.json("bob")).code("/send_all back") == "ok"
    assert done(server, "audit").splitlines()[-2].endswith(" server unban bob")


async def test_settings(start: Start, ready: Ready) -> None:
    server = ready(start("--operator", "boss", "--page", "30"))
    shown = done(server, "cluster", "settings").splitlines()
    assert {"operator = boss", "page = 30", "replay = 20"} <= set(shown) and shown[-1] == "22 settings for all nodes"
    assert "no node of a cluster" in refused(server, "cluster", "settings", "page", "7")
    assert done(server, "cluster", "settings").splitlines() == shown
    assert "in turn" in refused(server, "cluster", "settings", "page", status=2)
    assert "for all nodes: cluster settings page 7" in refused(server, "cluster", "settings", "--page", "7", status=2)


async def test_password(start: Start, ready: Ready) -> None:
    chat = start()
    bob = await chat.json("bob")
    token = bob.token
    server = ready(chat)
    assert refused(server, "password", "nobody", said="x\n").startswith("unknown_user: ")
    for wrong in ("", "\n", "two words\n"):
        assert "nothing was done" in refused(server, "password", "bob", said=wrong)
    assert done(server, "password", "bob", said=f"{SECRET}\n").startswith("bob has a new password")
    told = await bob.event("closing")
    assert told["code"] in ("signed_out", "shutdown")
    running(server)
    stranger = await chat.json_stranger()
    assert await stranger.code(f"/resume {token}") == "bad_token"
    assert await stranger.code("/sign_in bob") == "password_required"
    assert await stranger.code("/sign_in bob wrong") == "wrong_password"
    assert await stranger.code(f"/sign_in bob {SECRET}") == "ok"
    assert SECRET not in server.log and "argon2" not in server.log


async def test_forget(start: Start, ready: Ready) -> None:
    chat = await some_people(start)
    await chat.close()
    bob = await chat.json("bob")
    server = ready(chat)
    assert "--yes" in refused(server, "forget", "bob", status=2)
    # A cluster adds by when the disks have lost them.
    assert done(server, "forget", "bob", "--yes").startswith("the account bob and its texts are gone")
    assert (await bob.event("closing"))["code"] in ("account_deleted", "shutdown")
    assert refused(server, "forget", "bob", "--yes").startswith("unknown_user: ")
    running(server)
    alice = await chat.json("alice")
    page, _ = await alice.command("/history main")
    assert [line.get("text") for line in page] == [None, "from alice"]
    assert await (await chat.json_stranger()).code("/sign_in bob") == "bad_name"


async def test_export(start: Start, ready: Ready) -> None:
    chat = await some_people(start)
    await chat.close()
    server = ready(chat)
    records = [json.loads(line) for line in done(server, "export", "bob").splitlines()]
    kinds = [record["kind"] for record in records]
    assert kinds.count("message") == 2 and {"account", "membership", "delayed", "report"} <= set(kinds)
    texts = [record["data"].get("text") for record in records]
    assert {"from bob", "for you", "later"} <= set(texts)
    assert not {"from alice", "not yours"} & set(texts)
    assert refused(server, "export", "nobody").startswith("unknown_user: ")
    running(server)


async def test_operator(start: Start, ready: Ready) -> None:
    chat = start("--operator", "boss")
    await json_operator(chat, "bob")
    await chat.close()
    server = ready(chat)
    assert done(server, "operator", "add", "bob") == "bob is an operator now\n"
    assert done(server, "operator", "list").splitlines()[0] == "bob  by the command"
    assert refused(server, "operator", "add", "nobody").startswith("unknown_user: ")
    running(server)
    assert await (await json_operator(chat, "bob")).code("/stats") == "ok"


async def test_stats_and_audit(start: Start, ready: Ready) -> None:
    chat = await some_people(start)
    await chat.close()
    server = ready(chat)
    told = done(server, "stats").splitlines()
    assert "accounts ever registered: 2" in told
    assert any(line.startswith("deliveries: ") for line in told) == (server.process is not None)
    assert done(server, "audit") == "0 acts\n"
    running(server)


async def test_nothing_else_is_done_without_a_server(start: Start) -> None:
    """What is due stays so, settings stay, and the socket and the lock leave no trace."""
    chat = start("--operator", "boss")
    bob = await chat.json("bob")
    await bob.ok("/send_delayed main 1 tea")
    assert chat.server.terminate() == 0
    await asyncio.to_thread(done, chat.server, "stats")
    assert done(chat.server, "operator", "list").splitlines()[0].startswith("boss  by the settings")
    assert not (chat.server.data / "control.sock").exists()
    chat.server.start()
    bob = await chat.json("bob")
    _, reply = await bob.command("/history main")
    assert reply["count"] + len((await bob.ok("/delayed"))["delayed"]) == 1


async def test_the_socket_is_the_servers_alone_and_survives_a_kill(start: Start) -> None:
    chat = start()
    path = chat.server.data / "control.sock"
    assert stat.S_ISSOCK(path.stat().st_mode) and stat.S_IMODE(path.stat().st_mode) == 0o600
    await chat.json("bob")
    await chat.close()
    chat.server.kill()
    assert path.exists()
    assert "accounts ever registered: 1" in done(chat.server, "stats")
    chat.server.start()
    assert "connections: 0" in done(chat.server, "stats")
    assert chat.server.terminate() == 0
    assert not path.exists()


async def test_a_data_directory_with_a_long_name(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    deep.parent.mkdir()
    server = Server(deep)
    server.start()
    try:
        assert "connections: 0" in done(server, "stats")
    finally:
        server.close()


async def test_both_forms_over_the_socket_and_what_is_not_said_there(start: Start) -> None:
    chat = start()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(TIMEOUT_SECONDS)
        sock.connect(str(chat.server.data / "control.sock"))
        sock.sendall(
            b'/stats\n{"cmd":"audit"}\n\n/send_all hi\n{"cmd":"unban"}\n\xff\n/announce hi\n'
            b'@7f /stats\n@7f /unban\n{"cmd":"help","label":"7g"}\n/help audit\n'
        )
        sock.shutdown(socket.SHUT_WR)
        with sock.makefile() as lines:
            said = lines.read().splitlines()
    ends = [line for line in said if line[:1] in "+-{"]
    stats, audit, send, unban, garbage, announce, labelled, wrong, help_, one = ends
    assert stats.startswith("+ as of ")
    assert json.loads(audit) == {"type": "ok", "re": "audit", "count": 0}
    assert send.startswith("- unknown_command: ")
    assert json.loads(unban)["code"] == "bad_argument"
    assert garbage.startswith("- bad_encoding: ")
    assert announce.startswith("+ ")
    assert labelled.startswith("+ @7f as of ") and wrong.startswith("- @7f bad_argument: ")
    assert json.loads(help_)["label"] == "7g"
    assert all(f"/{verb} " in " ".join(json.loads(help_)["help"]) for verb in ("audit", "stats", "help", "forget"))
    assert "/send_all" not in "".join(json.loads(help_)["help"]) and one == "+ for example: /audit 120"
    await chat.server.logged("do=unban result=bad_argument")


async def test_a_stop_does_not_wait_for_who_is_connected_there(start: Start) -> None:
    chat = start()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(chat.server.data / "control.sock"))
        assert chat.server.end(signal.SIGTERM, STOP_SECONDS_MAX) == 0


async def test_on_a_terminal_forgetting_asks(start: Start) -> None:
    chat = start()
    await (await chat.json("bob")).close()
    for typed, status in (("no", 1), ("bob", 0)):
        ended, said = await asyncio.to_thread(on_a_terminal, chat.server, ["forget", "bob"], f"{typed}\n")
        assert "Type its name" in said
        assert ended == status, said


async def test_on_a_terminal_a_password_is_asked_twice_and_not_shown(start: Start) -> None:
    chat = start()
    await (await chat.json("bob")).close()
    for second, status in (("other", 1), (SECRET, 0)):
        ended, said = await asyncio.to_thread(
            on_a_terminal, chat.server, ["password", "bob"], f"{SECRET}\n", f"{second}\n"
        )
        assert ended == status, said
        assert "again: " in said and SECRET not in said
    assert await (await chat.json_stranger()).code(f"/sign_in bob {SECRET}") == "ok"


async def test_without_an_answer_nothing_is_done(start: Start) -> None:
    """Neither at Ctrl-D, also behind a whole answer without Enter, nor at Ctrl-C, which ends it as it ends others."""
    chat = start()
    await (await chat.json("bob")).close()
    for asks, told, keys, status in (
        ("password", "no password was given; nothing was done", "\4", 1),
        ("password", "no password was given; nothing was done", CTRL_C, 130),
        ("forget", "nothing was done", "\4", 1),
        ("forget", "nothing was done", "bob\4\4", 1),
        ("forget", "nothing was done", CTRL_C, 130),
    ):
        ended, said = await asyncio.to_thread(on_a_terminal, chat.server, [asks, "bob"], keys)
        assert ended == status and said.endswith(f"\nchat-server: {told}\r\n") and "Traceback" not in said


@pytest.mark.parametrize("answered", [2, pytest.param(0, marks=pytest.mark.thorough)])
def test_a_set_up_that_is_not_finished_leaves_nothing(tmp_path: Path, answered: int) -> None:
    server = Server(tmp_path / "data")
    before = list(tmp_path.iterdir())
    words = ["setup", "--config", str(tmp_path / "new" / "chat.toml")]
    for keys, told, status in (
        (CTRL_C, "nothing was written", 130),
        ("\4", "the answers ended; nothing was written", 2),
        ("none\4\4", "the answers ended; nothing was written", 2),
    ):
        answers = ["\n", f"127.0.0.1:{free_port()}\n"][:answered]
        ended, said = on_a_terminal(server, words, *answers, keys)
        assert ended == status and said.endswith(f"\nchat-server: {told}\r\n") and "Traceback" not in said
        assert list(tmp_path.iterdir()) == before


def test_an_answer_that_cannot_be_written(start: Start) -> None:
    chat = start()
    program = shlex.join([sys.executable, "-m", "chat_server", "--data", str(chat.server.data)])
    for rest, status in (("stats > /dev/full", 1), ("check > /dev/full", 1), ("stats <&- >&-", 0)):
        ended = subprocess.run(
            f"{program} {rest}", shell=True, capture_output=True, text=True, env=chat.server.environment,
            timeout=TIMEOUT_SECONDS,
        )  # fmt: skip
        assert ended.returncode == status
        assert ended.stderr.count("\n") == status and ("No space left" in ended.stderr) == bool(status)


# ---- what is wrong before anything is done


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nonsense",), "nonsense"),
        (("export",), "USER"),
        (("operator",), "{add,remove,list}"),
        (("operator", "add"), "NAME"),
        (("operator", "list", "bob"), "takes no NAME"),
        (("check", "--tls-cert", "/no", "--tls-key", "/no", "--tls-port", "1"), "cannot use --tls-cert /no"),
        (("unban", 'a"b'), "no username"),
        (("unban", "a\nb"), "no username"),
        (("backup",), "FILE"),
        (("check", "--port", "x"), "--port"),
        (("stats", "--prot", "1"), "--prot"),
    ],
)
def test_what_is_said_wrongly_is_one_line_and_status_2(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    assert told in refused(Server(tmp_path / "none"), *words, status=2)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "words", [("stats",), ("unban", "bob"), ("backup", "/dev/null"), ("export", "bob"), ("operator", "list")]
)
def test_where_there_is_no_chat_none_is_made(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert "there is no chat in" in refused(Server(tmp_path / "none"), *words)
    assert not (tmp_path / "none").exists()


async def test_who_only_reads_leaves_an_older_database_as_it_is(tmp_path: Path) -> None:
    server = Server(tmp_path / "old")
    server.data.mkdir()
    database = server.data / "chat.db"
    before = gzip.decompress((Path(__file__).parents[1] / "data" / "chat-v3.db.gz").read_bytes())
    database.write_bytes(before)
    for words in (("stats",), ("audit",), ("export", "bob"), ("operator", "list")):
        told = refused(server, *words)
        assert "has version 3" in told and "Nothing was changed" in told and "chat-server backup FILE" in told
    assert "stored: " in done(server, "check")
    done(server, "backup", str(tmp_path / "b.tar"))
    assert database.read_bytes() == before
    restored = Server(tmp_path / "restored")
    done(restored, "restore", str(tmp_path / "b.tar"))
    assert "has version 3" in refused(restored, "stats")
    restored.start()
    await restored.logged(" messages that all have read will be removed from ")
    assert "accounts ever registered: 5" in done(restored, "stats")
    restored.close()


@pytest.mark.parametrize("words", [("stats",), ("backup", "/dev/null")])
def test_a_file_is_no_chat(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    assert "there is no chat in" in refused(Server(tmp_path / "file"), *words)


# It waits for 50 ms instead of 5 s.
IMPATIENT = (
    "from chat_server.admin import offline; from chat_server.store import database as d;"
    " from chat_server.__main__ import main; d.BUSY_MS_MAX = 50; offline.LOCKED_SECONDS_MAX = 0; main()"
)


def test_another_program_that_holds_the_database_is_one_line(start: Start) -> None:
    chat = start()
    assert chat.server.terminate() == 0
    with contextlib.closing(apsw.Connection(str(chat.server.data / "chat.db"))) as holder:
        holder.execute("BEGIN IMMEDIATE")
        ended = subprocess.run(
            [sys.executable, "-c", IMPATIENT, "--data", str(chat.server.data), "unban", "bob"],
            capture_output=True, text=True, env=chat.server.environment, timeout=TIMEOUT_SECONDS,
        )  # fmt: skip
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert "another program keeps the database locked" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("words", [("stats",), ("restore", "{backup}", "--force")])
def test_root_leaves_no_files_that_the_servers_user_cannot_read(start: Start, words: tuple[str, ...]) -> None:
    chat = start()
    assert chat.server.terminate() == 0
    file = chat.server.data.with_name("backup.tar")
    done(chat.server, "backup", str(file))
    os.chown(chat.server.data, 65534, 65534)
    told = refused(chat.server, *(word.format(backup=file) for word in words))
    assert f"{chat.server.data} belongs to the user " in told and "sudo -u" in told


def test_metrics_that_could_not_be_written(tmp_path: Path) -> None:
    assert "no such directory" in refused(Server(tmp_path / "none"), "check", "--metrics-file", str(tmp_path / "a/b"))


def test_check_says_what_would_hold_and_whence(tmp_path: Path) -> None:
    config = tmp_path / "chat.toml"
    config.write_text('\ufeffpage = 30\noperator = ["anna"]\n')
    server = Server(tmp_path / "none", environment={"CHAT_REPLAY": "3"})
    told = done(server, "check", "--config", str(config), "--ban-duration", "2h", "--allow-passwordless").splitlines()
    assert "allow-passwordless = on  (--allow-passwordless)" in told
    assert f"data = {tmp_path / 'none'}  (--data)" in told
    assert "page = 30  (page in the configuration file)" in told
    assert "operator = anna  (operator in the configuration file)" in told
    assert "replay = 3  (CHAT_REPLAY)" in told
    assert "ban-duration = 2h  (--ban-duration)" in told
    assert "port = 8000  (default)" in told
    config.write_text("pages = 30\n")
    assert "unknown key: pages" in refused(server, "check", "--config", str(config), status=2)
    assert not (tmp_path / "none").exists()


def test_options_stand_before_or_after_the_word(tmp_path: Path) -> None:
    config = tmp_path / "chat.toml"
    config.write_text("page = 30\n")
    before, after = (
        word(Server(tmp_path / "none"), *words).stdout
        for words in (("--config", str(config), "check"), ("check", "--config", str(config)))
    )
    assert before == after and "page = 30" in before


def test_data_that_cannot_even_be_looked_at_is_one_line(tmp_path: Path) -> None:
    """As that of another user, which root could look at: here the name is too long for any file."""
    server = Server(tmp_path / "data")
    server.data = tmp_path / ("x" * 300)
    for subcommand in ("check", "verify", "stats", "trace @anna", "backup FILE", "invite", "cluster snapshot"):
        assert "File name too long" in refused(server, *subcommand.split()), subcommand
