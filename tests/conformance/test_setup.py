"""`chat-server setup`, with answers from a pipe and from a terminal."""

import asyncio
import os
import pty
import subprocess
import sys
from pathlib import Path

from chat_server.settings import load
from tests.descriptors import is_readable
from tests.fork_server import run
from tests.harness import TIMEOUT_SECONDS, Chat
from tests.ports import free_port

SETUP = (sys.executable, "-m", "chat_server", "setup")


def from_pipe(config: Path, *answers: str) -> subprocess.CompletedProcess[str]:
    said = "".join(f"{each}\n" for each in answers)
    return run([*SETUP, "--config", str(config)], os.environ, Path.cwd(), said)


def test_the_server_takes_what_was_answered(tmp_path: Path) -> None:
    config, port = tmp_path / "new" / "chat.toml", free_port()
    done = from_pipe(config, "", f"127.0.0.1:{port}", str(tmp_path / "data"), "anna")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"wrote {config}"), done.stderr
    settings = load(["--config", str(config)], {})
    assert (settings.port, settings.data_dir) == (port, str(tmp_path / "data"))
    again = from_pipe(config, "no")
    assert (again.returncode, again.stdout) == (1, "")
    assert "nothing was written" in again.stderr


def test_answers_of_a_pipe_are_all_right_or_nothing_is_written(tmp_path: Path) -> None:
    config = tmp_path / "chat.toml"
    done = from_pipe(config, "machine", "perhaps", "the same again")
    assert (done.returncode, done.stdout) == (2, "")
    last = done.stderr.splitlines()[-1]
    assert "it is an address and a port" in last and "nothing was written" in last
    assert list(tmp_path.iterdir()) == []


async def test_the_port_of_a_chat_that_runs_is_taken_as_free(chat: Chat, tmp_path: Path) -> None:
    """It gives way when it is started again with the new configuration, unless it has another one."""
    config = tmp_path / "chat.toml"
    answers = ("machine", f"127.0.0.1:{chat.server.port}", str(tmp_path / "data"), "none")
    for port, status in ((chat.server.port, 0), (chat.server.port - 1, 2)):
        config.write_text(f"port = {port}\n")
        done = await asyncio.to_thread(from_pipe, config, "yes", *answers)
        assert done.returncode == status, done.stderr
    assert "is in use by another program" in done.stderr


def test_on_a_terminal_a_wrong_answer_is_asked_again(tmp_path: Path) -> None:
    config = tmp_path / "chat.toml"
    leader, terminal = pty.openpty()
    command = [*SETUP, "--config", str(config)]
    process = subprocess.Popen(command, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    shown = ""
    answers = ["everybody", "machine", "nowhere", f"127.0.0.1:{free_port()}", str(tmp_path / "data"), "none"]
    try:
        for asked, answer in enumerate(answers, start=1):
            while shown.count("]: ") < asked:
                assert is_readable(leader, TIMEOUT_SECONDS), shown
                shown += os.read(leader, 4096).decode()
            os.write(leader, f"{answer}\n".encode())
        assert process.wait(TIMEOUT_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    assert "it is one of machine, network, internet" in shown and "it is an address and a port" in shown
    assert config.exists()
