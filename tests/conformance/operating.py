"""Operators in the tests, and the subcommands of chat-server as processes of their own."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from tests.fork_server import run
from tests.harness import TIMEOUT_SECONDS, Chat, JsonClient, Server, TextClient

SECRET = "s3cret"


async def json_operator(chat: Chat, name: str = "boss") -> JsonClient:
    client = await chat.json_stranger()
    client.name = name
    await client.enter(f"/sign_in {name} {SECRET}")
    return client


async def text_operator(chat: Chat, name: str = "boss") -> TextClient:
    client = await chat.text_stranger()
    client.name = name
    await client.enter(f"/sign_in {name} {SECRET}")
    return client


def word(server: Server, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """`chat-server` with these words on the server's data; `said` is its stdin."""
    arguments = [sys.executable, "-m", "chat_server", "--data", str(server.data), *words]
    return run(arguments, server.environment, Path.cwd(), said, TIMEOUT_SECONDS)


def done(server: Server, *words: str, said: str = "") -> str:
    """What it printed; it must have done it."""
    ended = word(server, *words, said=said)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return ended.stdout


def refused(server: Server, *words: str, said: str = "", status: int = 1) -> str:
    """The one line that says why not."""
    ended = word(server, *words, said=said)
    assert ended.returncode == status, ended
    assert ended.stderr.startswith("chat-server: ") and ended.stderr.count("\n") == 1, ended
    return ended.stderr.removeprefix("chat-server: ").rstrip("\n")


CTRL_C = "\3"


def on_a_terminal(server: Server, words: list[str], *typed: str) -> tuple[int, str]:
    """Its exit status and all that stood on the screen; each line is typed once it is asked for."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "chat_server", "--data", str(server.data), *words],
        stdin=theirs, stdout=theirs, stderr=theirs, env=server.environment, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    screen = ""
    waiting = list(typed)
    while True:
        try:
            piece = os.read(ours, 4096).decode()
        except OSError:
            break
        screen += piece
        if waiting and piece.endswith(": "):
            if (keys := waiting.pop(0)) == CTRL_C:
                # As a controlling terminal would, which forgets what was not read yet when its leader ends.
                process.send_signal(signal.SIGINT)
            else:
                os.write(ours, keys.encode())
    os.close(ours)
    return process.wait(TIMEOUT_SECONDS), screen
