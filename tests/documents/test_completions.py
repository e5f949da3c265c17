"""The completions are those of the parsers, and bash, zsh and fish complete with them."""

import os
import pty
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chat_server.admin.command_line import COMPLETIONS_DIRECTORY
from tests.descriptors import is_readable

ROOT = Path(__file__).parents[2]
# What was typed, of which the last word is completed, and something that is offered for it, and something that is not.
LINES = [
    ("chat-server bac", "backup", "stats"),
    ("chat-server --tls-c", "--tls-cert", "--port"),
    ("chat-server --log-level w", "warning", "error"),
    ("chat-server operator r", "remove", "add"),
    ("chat-server stats --da", "--data", "--config"),
    ("chat-server cluster settings main", "main-rate-limit", "message-ttl"),
    ("chat-server backup /usr/sh", "/usr/share", "/usr/bin"),
    ("chat-server completion z", "zsh", "bash"),
    ("chat-client --the", "--theme", "--user"),
    ("chat-client --theme mo", "mono", "dark"),
]
each_line = pytest.mark.parametrize(("typed", "offered", "other"), LINES, ids=lambda word: word.replace("/", "_"))


def shell(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_the_scripts_are_those_of_the_parsers() -> None:
    scripts = runpy.run_path(str(ROOT / "docs" / "completions.py"))["scripts"]()
    there = {path.name: path.read_text() for path in COMPLETIONS_DIRECTORY.iterdir()}
    assert scripts.keys() == there.keys()
    assert scripts == there, "run: .venv/bin/python docs/completions.py"


def test_the_server_prints_the_scripts_of_both_programs() -> None:
    scripts = [COMPLETIONS_DIRECTORY / f"chat-{program}.fish" for program in ("server", "client")]
    told = output(sys.executable, "-m", "chat_server", "completion", "fish")
    assert told == "".join(path.read_text() for path in scripts)


@each_line
def test_bash_completes(typed: str, offered: str, other: str) -> None:
    program, *words = typed.split()
    script = f"""
        source {COMPLETIONS_DIRECTORY}/{program}.bash
        [[ "$(complete -p {program})" =~ \\ -F\\ ([a-z_]+)\\  ]] && complete=${{BASH_REMATCH[1]}}
        COMP_WORDS=({typed}) COMP_CWORD={len(words)} COMP_LINE="{typed}" COMP_POINT={len(typed)}
        $complete {program} {words[-1]} {[program, *words][-2]} 2>/dev/null
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    found = output(shell("bash"), "--norc", "-c", script).split()
    assert any(each.startswith(offered) for each in found) and other not in found


@each_line
def test_fish_completes(typed: str, offered: str, other: str) -> None:
    script = f"source {COMPLETIONS_DIRECTORY}/{typed.split()[0]}.fish; complete -C {typed!r}"
    found = [line.split("\t")[0] for line in output(shell("fish"), "--no-config", "-c", script).splitlines()]
    assert any(each.startswith(offered) for each in found) and other not in found


def test_zsh_completes(tmp_path: Path) -> None:
    """In a terminal, since zsh completes nowhere else. One shell has all lines: each takes a second to start."""
    setup = f"""
        fpath=({COMPLETIONS_DIRECTORY} $fpath); autoload -Uz compinit; compinit -u -D
        tell() {{ zle complete-word; print -r -- "=$BUFFER=" >$TTY; BUFFER= }}
        zle -N tell; bindkey '^T' tell; print '\\x3dready\\x3d'
    """
    leader, terminal = pty.openpty()
    environment = os.environ | {"TERM": "dumb", "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path)}
    command = [shell("zsh"), "-f", "-i"]
    zsh = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, cwd=tmp_path)
    os.close(terminal)
    seen = ""

    def told(typed: str) -> str:
        nonlocal seen
        os.write(leader, typed.encode())
        while not (found := re.search(r"=(\w[^=\n]*)=\r?\n", seen)):
            assert is_readable(leader, 60), f"zsh does not go on after: {seen}"
            seen += os.read(leader, 65536).decode(errors="replace")
        seen = seen[found.end() :]
        return found[1]

    try:
        assert told(setup.strip() + "\n") == "ready"
        for typed, offered, _ in LINES:
            assert told(f"{typed}\x14").split()[-1].startswith(offered), typed
    finally:
        zsh.kill()
        zsh.wait()
        os.close(leader)
