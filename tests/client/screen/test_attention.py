"""Who is called is told: by notify-send where there is a desktop, else by the terminal."""

import re
import shlex
import sys
from pathlib import Path

from tests.client.programs import written
from tests.client.screen.speaking import say
from tests.client.tmux import Terminal, Tmux
from tests.harness import Server

HOSTILE = "-u <b>bold</b> & $(id); \x1b]0;x\x07"


def start(tmux: Tmux, server: Server, variables: str) -> Terminal:
    command = f"{shlex.quote(sys.executable)} -m chat_client --server localhost:{server.port} --user alice"
    terminal = tmux.run("alice", f"env -u DISPLAY -u WAYLAND_DISPLAY {variables} {command}")
    terminal.until("● localhost:")
    return terminal


def test_by_notify_send(tmux: Tmux, server: Server, tmp_path: Path) -> None:
    programs, record = tmp_path / "bin", tmp_path / "record"
    programs.mkdir()
    (programs / "notify-send").write_text(f'#!/bin/sh\nprintf "%s|" "$@" >>{record}; echo end >>{record}\n')
    (programs / "notify-send").chmod(0o755)
    start(tmux, server, f"DISPLAY=:0 PATH={programs}:$PATH")
    say(server, "bob", "main", "nobody is called")
    say(server, "bob", "@alice", HOSTILE)
    assert written(record, lambda data: b"end" in data).decode() == (
        "--app-name=chat|--|bob|-u &lt;b&gt;bold&lt;/b&gt; &amp; $(id); ]0;x|end\n"
    )


def test_by_the_terminal(tmux: Tmux, server: Server, tmp_path: Path) -> None:
    alice = start(tmux, server, "TERM_PROGRAM=")
    raw = tmp_path / "raw"
    alice.tmux("pipe-pane", "-t", "alice:", f"cat >{raw}")
    alice.type("there")  # what comes after this is in the file
    written(raw, lambda data: b"there" in data)
    say(server, "bob", "@alice", HOSTILE)
    sequence = re.search(rb"\x07\x1b\]777;notify;([^\x00-\x1f]*)\x07", written(raw, lambda data: b"]0;x\x07" in data))
    assert sequence is not None and sequence[1].decode() == "bob;-u <b>bold</b> & $(id); ]0;x"
