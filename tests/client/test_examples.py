"""The programs in examples/, each as its users run it, at a real server."""

import asyncio
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.client.conftest import Home
from tests.harness import START_SECONDS, TIMEOUT_SECONDS, JsonClient

EXAMPLES = Path(__file__).parents[2] / "examples"
FIRING = {
    "status": "firing",
    "labels": {"alertname": "DiskFull", "instance": "db1:9100"},
    "annotations": {"summary": "3 % left"},
}
SOLVED = {"status": "resolved", "labels": {"alertname": "Slow"}, "annotations": {"description": "fast again"}}


async def run(command: list[str], home: Home, cwd: Path | None = None, **environment: str) -> tuple[int, str]:
    """Its exit status, and all that it said."""
    process = await asyncio.create_subprocess_exec(
        *command, env=home.environment | environment, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(START_SECONDS):
        out, _ = await process.communicate(b"")
    assert process.returncode is not None
    return process.returncode, out.decode()


async def make_room(home: Home, name: str, *members: str) -> JsonClient:
    """The owner of a private chat with these members."""
    alice = await home.chat.json("alice")
    await alice.ok(f"/create_chat {name}")
    for member in members:
        other = await home.chat.json(member)
        await alice.ok(f"/invite {name} {member}")
        await other.ok(f"/join {name}")
    await alice.roundtrip()
    return alice


def client(home: Home, user: str) -> str:
    """CHAT_CLIENT of the shell scripts."""
    return " ".join(home.arguments(user=user))


def test_every_example_is_tested_and_named_in_a_document() -> None:
    root = EXAMPLES.parent
    tests = "".join(path.read_text() for path in (root / "tests").rglob("*.py"))
    documents = "".join((root / "docs" / name).read_text() for name in ("bots.md", "operations.md"))
    for path in EXAMPLES.glob("[!.]*[!~]"):  # what editors leave stands there too
        if path.is_file() and path.suffix != ".dockerignore":
            assert f'{path.name}"' in tests and path.name in documents, path.name


# ---- Alertmanager and Grafana


def post(url: str, body: bytes) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=TIMEOUT_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def test_alerts(home: Home) -> None:
    alice = await make_room(home, "#ops", "alerts")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / "alerts.py"), home.address, "0", env=home.environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().split()[-1]

        async def tell(path: str, body: bytes) -> tuple[int, str]:
            status, words = await asyncio.to_thread(post, f"{url}{path}", body)
            while status == 503 and "no connection" in words:  # it is still signing in
                status, words = await asyncio.to_thread(post, f"{url}{path}", body)
            return status, words

        body = json.dumps({"version": "4", "alerts": [FIRING, SOLVED]}).encode()
        assert await tell("/ops", body) == (200, "sent\n")
        message = await alice.event("message", chat="#ops")
        assert message["text"] == "FIRING DiskFull (db1:9100): 3 % left\nRESOLVED Slow: fast again"
        assert await tell("/ops", body) == (200, "sent\n")
        assert not [line for line in await alice.roundtrip() if line["type"] == "message"], "a second try sends nothing"
        assert (await tell("/@alice", body))[0] == 200
        assert (await alice.event("message"))["chat"] == "@alerts"
        status, words = await tell("/nowhere", body)
        assert status == 400 and "you are in no chat" in words
        for wrong in (b"{", b"[]", b"{}", b'{"alerts": 1}', b'{"alerts": [1]}', b'{"alerts": []}'):
            assert (await tell("/ops", wrong))[0] == 400, wrong
        host, _, port = url.rpartition("/")[2].partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /ops HTTP/1.0\r\nContent-Length: many\r\n\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()
    finally:
        process.kill()
        await process.wait()


# ---- Apprise


@pytest.fixture
def apprise() -> list[str]:
    return [str(Path(sys.executable).with_name("apprise")), "-P", str(EXAMPLES / "apprise_chat.py"), "-t", "Title"]


@pytest.mark.thorough
async def test_apprise(home: Home, apprise: list[str]) -> None:
    alice = await make_room(home, "#ops", "bot")
    bot = await home.chat.json("bot2")
    await bot.ok("/password secret")
    status, said = await run([*apprise, "-b", "two\nlines", f"chat://bot@{home.address}/ops"], home)
    assert status == 0, said
    assert (await alice.event("message", chat="#ops"))["text"] == "Title\ntwo\nlines"
    status, said = await run([*apprise, "-b", "hi", f"chat://bot2:secret@{home.address}/@alice"], home)
    assert status == 0, said
    assert (await alice.event("message"))["chat"] == "@bot2"
    refused = {
        f"chat://bot@{home.address}/nowhere": "unknown_chat",
        f"chat://bot2:wrong@{home.address}": "wrong_password",
        f"chat://nobody@{home.address}": "unknown_user",
        "chat://bot@127.0.0.1:1/main": "no answer",
    }
    status, said = await run([*apprise, "-b", "hi", *refused], home)
    assert status != 0 and all(words in said for words in refused.values()), said


# ---- git and cron


async def test_a_hook_of_git_tells_what_was_pushed(home: Home, tmp_path: Path) -> None:
    alice = await make_room(home, "#dev", "git")
    identity = ["-c", "user.name=Bob", "-c", "user.email=bob@example.org"]
    settings = {"CHAT_CLIENT": client(home, "git"), "GIT_CONFIG_GLOBAL": "/dev/null"}

    async def git(*words: str, cwd: Path) -> None:
        status, said = await run(["git", *identity, *words], home, cwd, **settings)
        assert status == 0, said

    bare, clone = tmp_path / "app.git", tmp_path / "clone"
    await git("init", "-q", "--bare", "-b", "trunk", str(bare), cwd=tmp_path)  # the first push makes what HEAD names
    shutil.copy(EXAMPLES / "post-receive", bare / "hooks")
    await git("clone", "-q", str(bare), str(clone), cwd=tmp_path)
    await git("checkout", "-q", "-b", "trunk", cwd=clone)
    for text in ("First", "Second; with $(marks) and `more`"):
        await git("commit", "-q", "--allow-empty", "-m", text, cwd=clone)
    await git("push", "-q", "origin", "trunk", cwd=clone)
    lines = (await alice.event("message", chat="#dev"))["text"].splitlines()
    assert lines[0] == "app: 2 new on trunk"
    assert [line.split(" ", 3)[3] for line in lines[1:]] == ["Bob: Second; with $(marks) and `more`", "Bob: First"]
    await git("commit", "-q", "--allow-empty", "-m", "Third", cwd=clone)
    await git("push", "-q", "origin", "trunk", "trunk:other", cwd=clone)
    text = (await alice.event("message", chat="#dev"))["text"]
    assert "app: 1 new on trunk" in text and "Bob: Third" in text and "app: 0 new on other" in text
    await git("push", "-q", "origin", ":other", cwd=clone)
    assert (await alice.event("message", chat="#dev"))["text"] == "app: other was deleted"


async def test_cron_tells_a_failure_alone(home: Home) -> None:
    alice = await make_room(home, "#ops", "cron")
    program = [str(EXAMPLES / "cron-tell"), "#ops"]
    chat_client = client(home, "cron")
    assert await run([*program, "echo", "fine"], home, CHAT_CLIENT=chat_client) == (0, "")
    status, said = await run([*program, "sh", "-c", "echo disk full; exit 3"], home, CHAT_CLIENT=chat_client)
    assert (status, said) == (3, "")
    first, *rest = (await alice.event("message", chat="#ops"))["text"].splitlines()
    assert first.endswith(": sh -c echo disk full; exit 3 failed (3)") and rest == ["disk full"]
    script = r"printf 'ü%.0s' $(seq 2000); printf '\377'; exit 5"  # its last 3,000 bytes begin within a character
    status, said = await run([*program, "sh", "-c", script], home, CHAT_CLIENT=chat_client)
    assert (status, said) == (5, "")
    assert (await alice.event("message", chat="#ops"))["text"].splitlines()[-1] == "ü" * 1499
    status, said = await run([*program, "sh", "-c", "echo oh; exit 4"], home, CHAT_CLIENT="false")
    assert (status, said) == (4, "oh\n"), "where the chat cannot be told, cron's mail tells it"
