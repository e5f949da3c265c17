"""Starting and stopping: in order, within seconds, and with one clear line where it cannot start."""

import asyncio
import json
import signal
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.conformance.conftest import Start
from tests.harness import STOP_SECONDS_MAX, Server, texts


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_in_order(start: Start, number: signal.Signals) -> None:
    chat = start()
    program, person, stranger = await chat.json(), await chat.text(), await chat.text_stranger()
    await program.send(*(f'{{"cmd":"send_all","text":"{n}","label":"{n}"}}' for n in range(500)))
    await person.line()
    assert chat.server.end(number, STOP_SECONDS_MAX) == 0
    assert "Traceback" not in chat.server.log
    told = [json.loads(line) for line in await program.rest()]
    assert (told[-1]["type"], told[-1]["code"]) == ("closing", "shutdown")
    acknowledged = [int(line["label"]) for line in told if line["type"] == "ok"]
    assert acknowledged == list(range(len(acknowledged)))
    assert (await person.rest())[-1].startswith("* closing: ")
    assert (await stranger.rest())[-1].startswith("* closing: ")
    await chat.close()
    chat.server.start()
    reader = await chat.json()
    stored: list[str] = []
    more: str | None = "/history main after 0 limit 200"
    while more:
        page, reply = await reader.command(more)
        stored += texts(page)
        more = reply.get("more")
    assert stored[: len(acknowledged)] == [str(number) for number in acknowledged]
    assert len(acknowledged) > 0


async def test_a_reader_who_takes_nothing_does_not_hold_up_the_stop(start: Start) -> None:
    chat = start("--log-level", "warning")
    sender = await chat.json()
    await chat.json(receive_buffer=4096)
    await sender.pipeline(f"/send_all {'x' * 1000}" for _ in range(5000))
    assert chat.server.end(signal.SIGTERM, STOP_SECONDS_MAX) == 0


async def test_twice_the_signal_is_no_worse(start: Start) -> None:
    chat = start()
    assert chat.server.process is not None
    chat.server.process.send_signal(signal.SIGINT)
    assert chat.server.terminate() in (0, -signal.SIGTERM)
    chat.server.start()
    await chat.json()


def one_line(server: Server) -> tuple[int, str]:
    """The exit status and the one line that says why it does not start."""
    status, said = server.refusal()
    assert said.count("\n") == 1, said
    assert said.startswith("chat-server: ")
    return status, said


async def test_a_second_server_on_the_same_data(start: Start) -> None:
    chat = start()
    status, line = one_line(Server(chat.server.data))
    assert status == 1
    assert "in use by another chat-server" in line
    assert str(chat.server.data) in line
    await chat.json()


async def test_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, line = one_line(Server(tmp_path / "data", "--port", port, "--log-level", "error"))
    assert status == 1
    assert f"127.0.0.1:{port} is in use" in line


async def test_a_newer_database(start: Start) -> None:
    chat = start()
    assert chat.server.terminate() == 0
    with sqlite3.connect(chat.server.data / "chat.db") as database:
        database.execute("PRAGMA user_version = 1000")
    database.close()
    status, line = one_line(Server(chat.server.data))
    assert status == 1
    assert "has version 1000" in line


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be taken for one" * 50, b"SQLite format 3\0"]
)
async def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "chat.db").write_bytes(content)
    assert one_line(Server(data))[0] == 1


async def test_a_database_of_another_program(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with sqlite3.connect(data / "chat.db") as database:
        database.execute("CREATE TABLE theirs (id INTEGER)")
    database.close()
    status, line = one_line(Server(data))
    assert status == 1
    assert "another program" in line


WRONG_OPTIONS = (
    ("--port", "65536"), ("--ban-duration", "off"), ("--main-rate-limit", "0/1h"), ("--line-max", "64 parsecs"),
    ("--replay", "-1"), ("--log-level", "loud"), ("--no-such-option",), ("--config", "/does/not/exist"),
)  # fmt: skip


async def test_a_wrong_option_is_status_2(tmp_path: Path) -> None:
    servers = [Server(tmp_path / "data", *options) for options in WRONG_OPTIONS]
    answers = await asyncio.gather(*(asyncio.to_thread(one_line, server) for server in servers))
    for options, (status, line) in zip(WRONG_OPTIONS, answers, strict=True):
        assert status == 2, line
        assert options[0].removeprefix("--") in line or options[1] in line
    assert not (tmp_path / "data").exists()


async def test_a_wrong_file_is_status_2(tmp_path: Path) -> None:
    servers = []
    for number, content in enumerate(("replay = ", 'replay = "many"', "no-such-key = 1")):
        (tmp_path / f"{number}.toml").write_text(content)
        servers.append(Server(tmp_path / "data", "--config", str(tmp_path / f"{number}.toml")))
    answers = await asyncio.gather(*(asyncio.to_thread(one_line, server) for server in servers))
    assert [status for status, _ in answers] == [2, 2, 2]


async def test_a_wrong_variable_is_status_2(tmp_path: Path) -> None:
    status, line = one_line(Server(tmp_path / "data", environment={"CHAT_REPLAY": "many"}))
    assert status == 2
    assert "CHAT_REPLAY" in line


async def limits(start: Start, tmp_path: Path, *options: str, **environment: str) -> dict[str, object]:
    """The limits that a program is told, of a server that has a file, an environment and options."""
    (tmp_path / "chat.toml").write_text('replay = 1\npage = 1\nban-duration = "1m"\ndelayed-max = 1\n')
    chat = start("--config", str(tmp_path / "chat.toml"), *options, **environment)
    client = await chat.text_stranger()
    await client.send("/format json")
    told: dict[str, object] = json.loads(await client.line())["limits"]
    return told


async def test_the_command_line_wins_over_the_environment_and_that_over_the_file(start: Start, tmp_path: Path) -> None:
    told = await limits(
        start, tmp_path, "--replay", "3", "--ban-duration", "3m", CHAT_REPLAY="2", CHAT_PAGE="2", CHAT_COMMAND_BURST="2"
    )
    assert (told["replay"], told["page"], told["ban_duration"], told["delayed_max"]) == (3, 2, 180, 1)
    assert told["command_burst"] == 2
    assert told["report_limit"] == 3


async def test_the_data_is_for_its_owner_alone(start: Start) -> None:
    data = start().server.data
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / "chat.db").stat().st_mode & 0o077 == 0


async def test_the_log_tells_of_actions_and_never_of_secrets(start: Start) -> None:
    chat = start()
    client = await chat.json_stranger()
    await client.enter("/sign_in alice secret-one")
    for line in ("/send_all the text", "/password secret-one secret-two", "/nope the verb", "the line", "/send bob it"):
        await client.command(line) if line[0] == "/" else await client.send(line)
    other = await chat.text_stranger()
    await other.command("/sign_in alice secret-wrong")
    await other.command(f"/resume {client.token}")
    assert chat.server.terminate() == 0
    log = chat.server.log
    assert "user=alice" in log
    assert "do=send_all result=ok" in log
    assert "result=wrong_password" in log
    for secret in ("secret-", "the text", "the verb", "the line", client.token):
        assert secret not in log, secret
