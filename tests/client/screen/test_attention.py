"""Who is called is told: by notify-send where there is a desktop, else by the terminal."""

import re
import shlex
import sys
import time
from pathlib import Path

from tests.client.screen.test_moving import say
from tests.client.tmux import Terminal, Tmux
from tests.harness import TIMEOUT_SECONDS, Server

HOSTILE = "-u <b>bold</b> & $(id); \x1b]0;x\x07"


def start(tmux: Tmux, server: Server, variables: str) -> Terminal:
    command = f"{shlex.quote(sys.executable)} -m chat_client --server localhost:{server.port} --user alice"
    terminal = tmux.run("alice", f"env -u DISPLAY -u WAYLAND_DISPLAY {variables} {command}")
    terminal.until("● localhost:")
    return terminal


def written(path: Path, end: bytes) -> bytes:
    """What another program writes to a file, as soon as it has this in it."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not path.exists() or end not in path.read_bytes():
        assert time.monotonic() < deadline, f"{path.name} never had {end!r} in it"
        time.sleep(0.02)
    return path.read_bytes()


def test_by_notify_send(tmux: Tmux, server: Server, tmp_path: Path) -> None:
    programs, record = tmp_path / "bin", tmp_path / "record"
    programs.mkdir()
    (programs / "notify-send").write_text(f'#!/bin/sh\nprintf "%s|" "$@" >>{record}; echo end >>{record}\n')
    (programs / "notify-send").chmod(0o755)
    start(tmux, server, f"DISPLAY=:0 PATH={programs}:$PATH")
    say(server, "bob", "main", "nobody is called")
    say(server, "bob", "@alice", HOSTILE)
    assert written(record, b"end").decode() == (
        "--app-name=chat|--|bob|-u &lt;b&gt;bold&lt;/b&gt; &amp; $(id); ]0;x|end\n"
    )


def test_by_the_terminal(tmux: Tmux, server: Server, tmp_path: Path) -> None:
    alice = start(tmux, server, "TERM_PROGRAM=")
    raw = tmp_path / "raw"
    alice.tmux("pipe-pane", "-t", "alice:", f"cat >{raw}")
    alice.type("there")  # what comes after this is in the file
    written(raw, b"there")
    say(server, "bob", "@alice", HOSTILE)
    sequence = re.search(rb"\x07\x1b\]777;notify;([^\x00-\x1f]*)\x07", written(raw, b"]0;x\x07"))
    assert sequence is not None and sequence[1].decode() == "bob;-u <b>bold</b> & $(id); ]0;x"
