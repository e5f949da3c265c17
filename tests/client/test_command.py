"""The chat-client command: scripts, exit statuses, what is asked for, what is kept."""

import asyncio
import json
import re
import signal
import ssl
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from chat_client.plain.app import LAST_SECONDS_MAX
from chat_client.sdk.server_address import read
from chat_client.token_file import TokenFile
from tests.certificates import tls_port
from tests.client.conftest import Home
from tests.harness import Server

Ended = tuple[int, str, str]


async def run(home: Home, *arguments: str, user: str = "bob", stdin: bytes = b"", **options: Any) -> Ended:
    return await (await home.program(*arguments, user=user, stdin=stdin, **options)).end()


# ---- --send


async def test_send(home: Home) -> None:
    alice = await home.chat.json("alice")
    assert await run(home, "--send", "main", "backup", "done") == (0, "", "")
    assert (await alice.event("message"))["text"] == "backup done"
    assert await run(home, "--send", "alice", stdin="two\nlines ✓\n".encode()) == (0, "", "")
    message = await alice.event("message")
    assert (message["chat"], message["text"]) == ("@bob", "two\nlines ✓")


async def test_send_refused(home: Home) -> None:
    status, out, error = await run(home, "--send", "nobody", "hi")
    assert (status, out) == (1, "")
    assert error == "chat-client: unknown_user: there is no user nobody; /status lists the users\n"
    status, _, error = await run(home, "--send", "main", stdin=b"x" * 5000)
    assert status == 1 and "too_large" in error and "4096" in error
    status, _, error = await run(home, "--send", "main", stdin=b"x" * 70_000)
    assert status == 1 and "line_too_long" in error


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (("--send", "main"), b" \n", "nothing to send"),
        (("--send", "main"), b"\xff", "not UTF-8"),
        (("--send", "main"), b"x" * (1 << 20) + b"x", "more than 1048576 bytes"),
        (("--send",), b"", "expected one argument"),
        (("hi",), b"", "a text goes with --send"),
        (("--json",), b"", "--json goes with --follow"),
        (("--send", "main", "--follow", "main"), b"", "do not go together"),
        (("--server", "::1:8000"), b"", "for ::1:8000 write [::1]:8000, or [::1:8000]:8000"),
        (("--bogus",), b"", "unrecognized arguments: --bogus; see chat-client --help"),
        (("--theme", "pink"), b"", "a theme is dark, light, terminal, mono"),
        (("--server", "a:b"), b"", "a server is HOST:PORT"),
        (("--config", "nowhere.toml"), b"", "cannot read nowhere.toml"),
        (("--ca", "nowhere.pem", "--send", "main", "x"), b"", "cannot use nowhere.pem"),
    ],
)
async def test_wrong_usage(home: Home, arguments: tuple[str, ...], stdin: bytes, words: str) -> None:
    status, out, error = await run(home, *arguments, stdin=stdin)
    assert (status, out) == (2, "")
    assert words in error and error.startswith("chat-client: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("server", "words"),
    [("127.0.0.1:1", "nothing listens there"), ("nowhere.invalid:1", "nowhere.invalid:1: "), ("a..b", "a..b:8000: ")],
)
@pytest.mark.parametrize("mode", [("--send", "main", "hi"), ("--follow", "main"), ("--plain",)])
async def test_no_connection(home: Home, server: str, words: str, mode: tuple[str, ...]) -> None:
    status, out, error = await run(home, "--server", server, *mode)
    assert (status, out) == (3, "")
    assert words in error and error.count("\n") == 1


async def test_nobody_waits_for_what_is_not_needed(home: Home) -> None:
    """A script for what only a screen needs, a client for what only a server needs."""
    code = """if True:
        import sys, chat_client.__main__
        assert "prompt_toolkit" not in sys.modules
        import chat_client.tui.app, chat_client.plain.app
        assert "confusable_homoglyphs" not in sys.modules
    """
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=home.environment)
    assert await process.wait() == 0


async def test_ctrl_c_ends_it_without_a_word_while_it_is_loaded(home: Home) -> None:
    code = """if True:
        import runpy, signal, sys
        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name == "chat_client.program":
                    signal.raise_signal(signal.SIGINT)
        sys.meta_path.insert(0, Finder())
        signal.signal(signal.SIGINT, signal.default_int_handler)
        runpy.run_module("chat_client", run_name="__main__")
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=home.environment, stderr=asyncio.subprocess.PIPE
    )
    assert (await process.communicate())[1] == b"" and process.returncode == -signal.SIGINT


# ---- --follow


async def test_follow(home: Home) -> None:
    alice = await home.chat.json("alice")
    await alice.ok("/send_all before")
    follower = await home.program("--follow", "main", "--json", user="bob")
    await signed_in(home, "bob")
    sent = await alice.ok("/send_all now")
    await alice.ok("/send bob not in main")
    await alice.ok({"cmd": "send_all", "text": "two\nlines"})
    line = json.loads(await follower.line())
    assert line == {"type": "message", "id": sent["id"], "seq": sent["id"], "chat": "main", "from": "alice",
                    "at": sent["at"], "text": "now"}  # fmt: skip
    assert json.loads(await follower.line())["text"] == "two\nlines"
    home.server.kill()
    home.server.start()
    await signed_in(home, "bob")
    again = await home.chat.json("alice")
    await again.ok("/send_all after")
    assert json.loads(await follower.line())["text"] == "after"
    follower.signal(signal.SIGINT)
    status, out, error = await follower.end()
    assert (status, out) == (130, "") and "Traceback" not in error and "no connection" in error


async def test_follow_a_person_by_the_name_as_one_types_it(home: Home) -> None:
    alice = await home.chat.json("alice")
    follower = await home.program("--follow", "ALICE", "--json", user="bob")
    await signed_in(home, "bob")
    await alice.ok("/send_all not this")
    await alice.ok("/send bob psst")
    assert json.loads(await follower.line())["text"] == "psst"
    follower.signal(signal.SIGINT)
    await follower.end()


@pytest.mark.parametrize(("chat", "words"), [("#nowhere", "unknown_chat: "), ("nobody", "unknown_user: ")])
async def test_follow_where_nothing_can_come(home: Home, chat: str, words: str) -> None:
    status, out, error = await run(home, "--follow", chat)
    assert (status, out) == (1, "") and error.startswith(f"chat-client: {words}")


async def test_follow_as_text(home: Home) -> None:
    alice = await home.chat.json("alice")
    follower = await home.program("--follow", "all", user="bob")
    await signed_in(home, "bob")
    await alice.ok("/send bob psst")
    assert re.fullmatch(r"\[\d\d:\d\d:\d\d\] @alice: psst \(#1\)", await follower.line())
    await follower.stop_reading()
    await alice.ok("/send_all nobody reads this")
    assert await follower.end() == (0, "", "")


async def signed_in(home: Home, user: str) -> None:
    """Wait until somebody is online."""
    watcher = await home.chat.json("watcher")
    await watcher.ok("/presence on")
    while user not in (await watcher.ok("/status"))["active"]:
        await watcher.event("presence", user=user, online=True)
    await watcher.close()


# ---- signing in


async def test_the_token_is_kept_where_nobody_else_may_read_it(home: Home) -> None:
    assert (await run(home, "--send", "main", "hi"))[0] == 0
    file = home.folder / ".local/share/chat-client/tokens.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    token = json.loads(file.read_text())["servers"][f"localhost:{home.server.port}"]["tokens"]["bob"]
    client, _, reply = await home.chat.resume(token)
    assert reply["user"] == "bob"
    # With the token a password is not needed any more.
    await client.ok("/password secret")
    assert (await run(home, "--send", "main", "again"))[0] == 0
    others = f"nowhere.invalid:1,LOCALHOST:{home.server.port}"
    assert (await run(home, "--server", others, "--send", "main", "however it is written"))[0] == 0
    assert "secret" not in file.read_text()


async def test_a_password_is_not_asked_for_in_a_script(home: Home) -> None:
    bob = await home.chat.json("bob")
    await bob.ok("/password secret")
    status, out, error = await run(home, "--send", "main", "hi")
    assert (status, out) == (1, "") and error.startswith("chat-client: password_required: ")


async def test_settings_come_from_a_file(home: Home) -> None:
    folder = home.folder / ".config/chat-client"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'server = "{home.address}"\nuser = "carol"\n')
    process = await asyncio.create_subprocess_exec(
        *home.arguments(user="x")[:3], "--register", "--send", "main", "from the file",
        env=home.environment, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, error = await process.communicate()
    assert (process.returncode, error) == (0, b"")
    alice = await home.chat.json("alice")
    lines, _ = await alice.command("/history main")
    assert [(line["from"], line["text"]) for line in lines] == [("carol", "from the file")]


async def test_tls(home: Home, private: tuple[Server, Path]) -> None:
    server, ca = private
    sending = ("--server", f"localhost:{tls_port(server)}", "--send", "main", "hi")
    status, _, error = await run(home, *sending)
    assert status == 3 and "it speaks TLS there; use --tls" in error
    assert await run(home, *sending, "--tls", "--ca", str(ca)) == (0, "", "")
    assert await run(home, *sending, "--tls", "--ca", str(ca)) == (0, "", "")
    for tls in (["--tls"], []):
        status, _, error = await run(home, *sending, *tls)
        assert status == 3 and "nobody known here has signed it; --ca FILE" in error
    status, _, error = await run(home, *sending, "--tls", "--server", home.address)
    assert status == 3 and "it does not speak TLS there" in error


async def test_whoever_stands_in_for_a_server_with_tls_is_sent_no_token(home: Home) -> None:
    """A start without `--tls` would hand over the token as it is, to whoever greets."""
    got: list[bytes] = []

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* chat-server 1.0: /sign_in <name> to come in\n")
        got.append(await reader.read(1000))
        writer.close()

    async with await asyncio.start_server(pretend, "127.0.0.1", 0) as server:
        address = "localhost:{1}".format(*server.sockets[0].getsockname())
        folder = home.folder / ".local/share/chat-client"
        TokenFile(folder / "tokens.json", read(address), tls=True).put("bob", "secret")
        status, _, error = await run(home, "--server", address, "--send", "main", "hi")
    assert status == 3 and "an earlier sign-in" in error
    assert len(got) == 1 and got[0].startswith(b"\x16\x03") and b"secret" not in got[0]


async def test_what_is_wrong_with_a_certificate_is_told_apart(home: Home, tmp_path: Path) -> None:
    authority = trustme.CA()
    ca = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(ca))
    wrong = {
        "it is for another name than localhost; --server": authority.issue_cert("chat.example.org"),
        "it has expired; whoever runs the server": authority.issue_cert(
            "localhost", not_after=datetime(2020, 1, 1, tzinfo=UTC)
        ),
    }
    for words, certificate in wrong.items():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        status, out, error = await run(home, "--server", f"localhost:{port}", "--ca", str(ca), "--send", "main", "hi")
        server.close()
        assert (status, out) == (3, "") and words in error and "--ca" not in error


# ---- what is kept


@pytest.mark.parametrize("mode", [("--send", "main", "hi"), ("--plain",)])
async def test_a_home_that_cannot_be_used_costs_the_token_alone(home: Home, mode: tuple[str, ...]) -> None:
    status, out, error = await run(home, *mode, HOME="/dev/null")
    assert status == 0 and "Traceback" not in error
    assert "the token cannot be kept: Not a directory; sign in again next time" in out + error


@pytest.mark.parametrize("mode", [("--send", "main", "hi"), ("--follow", "main"), ("--plain",)])
async def test_a_script_makes_no_account_unless_it_is_told_to(home: Home, mode: tuple[str, ...]) -> None:
    status, out, error = await run(home, *mode, user="typo", register=False)
    assert (status, out) == (1, "") and error.startswith("chat-client: unknown_user: ") and "--register" in error
    alice = await home.chat.json("alice")
    assert (await alice.command("/who typo"))[1]["code"] == "unknown_user"


# ---- --plain with a pipe


async def test_plain_with_a_pipe(home: Home) -> None:
    alice = await home.chat.json("alice")
    await alice.ok("/send_all hello")
    lines = "hi there\n//etc\n/open alice\npsst\n/who alice\n/history main limit 2\n"
    status, out, error = await run(home, "--plain", stdin=lines.encode())
    assert (status, error) == (0, "")
    said = [line.split("] ", 1)[-1] for line in out.splitlines()]
    assert said == [
        "* welcome, bob; the last messages of main:",
        "main alice: hello (#1)",
        "* a message is gone 1h after all have read it",
        "* bob has no password: /password <new> sets one, so that nobody else signs in as bob",
        f"* connected to {home.address} as bob",
        "main bob: hi there (#2)",
        "main bob: /etc (#3)",
        "* what you type goes to @alice",
        "to @alice: psst (#4)",
        "+ alice is online",
        "main bob: hi there (#2)",
        "main bob: /etc (#3)",
        "+ 2 messages of main; /history main before 2 limit 2 for more",
    ]
    assert [(await alice.event("message"))["text"] for _ in range(3)] == ["hi there", "/etc", "psst"]


async def test_plain_with_many_lines_ends_when_all_are_sent(home: Home) -> None:
    """Longer than a few seconds would mean that it waited for an answer that had come."""
    async with asyncio.timeout(LAST_SECONDS_MAX - 5):
        status, out, error = await run(home, "--plain", stdin=b"".join(b"line %d\n" % number for number in range(100)))
    assert (status, error) == (0, "")
    said = [line.split(": ", 1)[1] for line in out.splitlines() if line.startswith("[")]
    assert said == [f"line {number} (#{number + 1})" for number in range(100)]


async def test_plain_says_what_was_refused(home: Home) -> None:
    status, out, error = await run(home, "--plain", stdin=b"/open nobody\n/bogus\nhi\n/open main\nhi\n")
    assert (status, error) == (1, "")
    assert "- unknown_user: there is no user nobody; /status lists the users" in out
    assert "- unknown_command: there is no /bogus" in out and "main bob: hi (#1)" in out
    assert "- unknown_chat: no chat is open, nothing was sent" in out, "the first one was meant for nobody"


async def test_plain_says_how_a_long_text_goes(home: Home) -> None:
    status, out, error = await run(home, "--plain", stdin=b"x" * 5000 + b"\n")
    assert (status, error) == (1, "") and "- too_large: " in out
    assert out.endswith("* what no message can hold goes as a file: /send_file <target> <path>\n")


async def test_what_was_shown_is_read_when_the_next_line_comes(home: Home) -> None:
    await home.chat.json("bob")
    alice = await home.chat.json("alice")
    await alice.ok("/send_all one")
    await alice.ok("/send bob two")
    await run(home, "--plain", stdin=b"")
    unread = {chat["name"]: chat["unread"] for chat in (await status_of(home, "bob"))["chats"]}
    assert unread == {"main": 0, "@alice": 0}, "the end of the input is somebody leaving"


async def status_of(home: Home, user: str) -> dict[str, list[dict[str, object]]]:
    return await (await home.chat.json(user)).ok("/status")
