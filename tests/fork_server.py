"""Programs of the chat, started without importing them anew: a process that has imported them forks for each.

Starting Python and importing the server takes 0.2 s of processor time, and the tests start several hundred programs.
What such a program does is the same; what Python itself does at its start (streams, locale, LD_PRELOAD) is tested
with programs of their own.
"""

import atexit
import contextlib
import gc
import importlib.util
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from tests.descriptors import is_readable

REQUEST_BYTES_MAX = 1 << 17
# What Python and the loader read of the environment before the program begins. PYTHONPATH is that of these files.
READ_AT_START = ("LANG", "LC_", "LD_", "PYTHON")


# ---- in the tests


class Forked:
    """A program that the fork server runs: the part of `subprocess.Popen` that the tests use."""

    def __init__(self, pid: int, ended: int, pipes: Mapping[int, BinaryIO]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = map(pipes.get, range(3))
        self._ended = ended

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not is_readable(self._ended, timeout):
                raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0)
            status = os.read(self._ended, 16)
            os.close(self._ended)
            assert status, "the fork server is gone"
            self.returncode = os.waitstatus_to_exitcode(int(status))
        return self.returncode

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    arguments: list[str], environment: Mapping[str, str], cwd: Path, *,
    stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL, stderr: int = subprocess.DEVNULL,
) -> "Forked | subprocess.Popen[bytes]":  # fmt: skip
    """A program of the chat. Streams are descriptors, DEVNULL or PIPE."""
    is_program = arguments[0] == sys.executable and arguments[1] != "-c"
    if is_program and _read_at_start(environment) == _read_at_start(os.environ):
        return _SERVER.start(arguments[1:], environment, cwd, stdin, stdout, stderr)
    return subprocess.Popen(arguments, stdin=stdin, stdout=stdout, stderr=stderr, env=environment, cwd=cwd)


def run(
    arguments: list[str], environment: Mapping[str, str], cwd: Path, said: str = "", timeout: float | None = None
) -> "subprocess.CompletedProcess[str]":
    """A program of the chat up to its end: `said` is its stdin."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(said.encode())
        stdin.seek(0)
        streams = {"stdin": stdin.fileno(), "stdout": stdout.fileno(), "stderr": stderr.fileno()}
        program = start(arguments, environment, cwd, **streams)
        try:
            status = program.wait(timeout)
        finally:
            program.kill()
            program.wait()
        out, errors = (os.pread(file.fileno(), 1 << 30, 0).decode() for file in (stdout, stderr))
        return subprocess.CompletedProcess(arguments, status, out, errors)


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in environment.items() if name.startswith(READ_AT_START) and name != "PYTHONPATH"
    }


class ForkServer:
    """The process that forks: started once it is needed, ended with the tests."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._mutex = threading.Lock()  # a thread would read the id of another's program

    def start(
        self, arguments: list[str], environment: Mapping[str, str], cwd: Path, stdin: int, stdout: int, stderr: int
    ) -> Forked:
        """What `python` with these arguments would be. PIPE is for stdin and stdout."""
        theirs: list[int] = []
        ours: list[int] = []  # those of theirs that we opened
        pipes: dict[int, BinaryIO] = {}
        for number, stream in enumerate((stdin, stdout, stderr)):
            if stream == subprocess.DEVNULL:
                stream = os.open(os.devnull, os.O_RDWR)
                ours.append(stream)
            elif stream == subprocess.PIPE:
                read, write = os.pipe()
                stream, kept = (read, write) if number == 0 else (write, read)
                ours.append(stream)
                pipes[number] = open(kept, "wb" if number == 0 else "rb", buffering=-1)  # noqa: SIM115
            theirs.append(stream)
        ended, tell = os.pipe()
        request = json.dumps({"arguments": arguments, "environment": dict(environment), "cwd": str(cwd)}).encode()
        with self._mutex:
            connection = self._connection()
            socket.send_fds(connection, [request], [*theirs, tell])
            pid = int(connection.recv(16))
        for each in (*ours, tell):
            os.close(each)
        return Forked(pid, ended, pipes)

    def _connection(self) -> socket.socket:
        if self._socket is None:
            self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with other:
                process = subprocess.Popen(
                    [sys.executable, "-m", __name__, str(other.fileno())],
                    pass_fds=[other.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )  # fmt: skip
            atexit.register(self._end, self._socket, process)
        return self._socket

    @staticmethod
    def _end(connection: socket.socket, process: "subprocess.Popen[bytes]") -> None:
        connection.close()
        process.wait()


_SERVER = ForkServer()


# ---- in the fork server


def serve(requests: socket.socket) -> list[str]:
    """Fork for each request; returns only in a child, with what it is to run."""
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    poll.register(waking, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if waking in ready:
            os.read(waking, 1 << 12)
            _tell_the_ended(running)
        if requests.fileno() not in ready:
            continue
        data, streams, _, _ = socket.recv_fds(requests, REQUEST_BYTES_MAX, 4)
        if not data:
            # The tests are over, or were killed: nothing of theirs stays.
            for pid in running:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            os._exit(0)
        *streams, ended = streams
        if pid := os.fork():
            requests.send(str(pid).encode())
            running[pid] = ended
            for each in streams:
                os.close(each)
            continue
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, each in enumerate(streams):
            os.dup2(each, number)
        for each in (*streams, ended, waking, woken, requests.detach(), *running.values()):
            os.close(each)
        return _become(json.loads(data))


def _tell_the_ended(running: dict[int, int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = found
            ended = running.pop(pid)
            with contextlib.suppress(BrokenPipeError):
                os.write(ended, str(status).encode())
            os.close(ended)


def _become(request: dict[str, Any]) -> list[str]:
    # The streams of the fork server have asked what its descriptors can do.
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        old = getattr(sys, name)
        stream = open(number, mode, encoding=old.encoding, errors=old.errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    return list(request["arguments"])


def _import_all() -> None:
    for module in ("uvloop", "chat_server.program", "chat_client.program", "chat_client.plain.app"):
        importlib.import_module(module)
    # What these keep for the next time took a tenth of each start.
    importlib.import_module("chat_server.store.database").blank()
    importlib.import_module("chat_server.admin.command_line").parser()
    importlib.import_module("chat_client.settings").option_parser()
    gc.collect()
    gc.freeze()  # so that no page is copied for the sake of looking for garbage in it


def _run(arguments: list[str]) -> int:
    """As `python -m module ...` or `python file ...` does; what is imported already is not read again."""
    if arguments[0] == "-m":
        found = importlib.util.find_spec(f"{arguments[1]}.__main__")
        assert found is not None and found.origin is not None
        arguments = [found.origin, *arguments[2:]]
    sys.argv = arguments
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        return end.code or 0
    return 0


def _end(status: int) -> NoReturn:
    """As Python ends, but for taking all modules apart: that took two thirds of the time of a short program."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(status)  # Python has words and a status for that
    os._exit(status)


if __name__ == "__main__":
    _import_all()
    _end(_run(serve(socket.socket(fileno=int(sys.argv[1])))))
