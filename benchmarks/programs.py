"""The programs that are measured: each is started on its core, with the time that it has taken of a processor.

The server, InspIRCd and ngIRCd (Debian's packages, with all of their limits off), and the floors of `floor.c`.
"""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

from tests.ports import free_port

HERE = Path(__file__).parent
BUILD = HERE / "build"
SERVER_CORE, LOAD_CORE = "0", "1"
LIBRARIES = {"floor": ["-lsqlite3"]}
# What is installed, be it compiled: without -P the sources of the folder that this is run in would come first.
OUR_SERVER = [sys.executable, "-P", "-m", "chat_server"]
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS_MAX = 20.0
END_SECONDS_MAX = 30.0

_INSPIRCD = """
<server name="bench.invalid" description="bench" network="bench">
<admin name="bench" nick="bench" email="bench@bench.invalid">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect allow="*" timeout="600" pingfreq="6000" hardsendq="1000000000" softsendq="1000000000" recvq="1000000000"
 threshold="1000000000" commandrate="1000000000" fakelag="no" localmax="100000" globalmax="100000" limit="100000"
 maxchans="100000" useident="no" resolvehostnames="no" modes="">
<performance netbuffersize="65534" somaxconn="4096" quietbursts="yes" clonesonconnect="no">
<options defaultmodes="">
<pid file="{directory}/pid">
"""
_NGIRCD = """
[Global]
Name = bench.invalid
Info = bench
Listen = 127.0.0.1
Ports = {port}
ServerUID = {user}
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 20
MaxPenaltyTime = 0
PingTimeout = 6000
[Options]
DNS = no
Ident = no
PAM = no
"""


class Usage(NamedTuple):
    """What a process has taken of a processor: seconds in its own code, and in the kernel."""

    user: float
    system: float

    def since(self, before: "Usage") -> "Usage":
        return Usage(self.user - before.user, self.system - before.system)


class Program(NamedTuple):
    """A program that runs, and listens."""

    port: int
    process: int

    def usage(self) -> Usage:
        """So far; the kernel counts whole ticks of 10 ms."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return Usage(int(fields[11]) / TICKS_PER_SECOND, int(fields[12]) / TICKS_PER_SECOND)

    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self.process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@cache
def build(name: str) -> str:
    """Compile a C program of this folder; its path. Where that fails, all ends: nothing can be measured without it."""
    BUILD.mkdir(exist_ok=True)
    program = BUILD / name
    options = ["-O2", "-Wall", "-Wextra"]
    advice = "on Debian: apt-get install gcc libsqlite3-dev"
    if not is_installed("cc"):
        sys.exit(f"no C compiler (cc) is installed, and the benchmarks need one; {advice}")
    command = ["cc", *options, "-o", str(program), str(HERE / f"{name}.c"), *LIBRARIES.get(name, [])]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"{name}.c could not be compiled; {advice}")
    return str(program)


def pinned(core: str, *command: str) -> list[str]:
    return ["taskset", "-c", core, *command] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else [*command]


@contextmanager
def running(command: list[str]) -> Iterator[str]:
    """A server on its core; the first line that it says."""
    with started(command) as process:
        assert process.stdout is not None
        yield process.stdout.readline()


@contextmanager
def started(command: list[str], end: signal.Signals = signal.SIGTERM) -> Iterator[subprocess.Popen[str]]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        process.send_signal(end)
        try:
            process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def running_beside(seconds: float, load: Callable[..., None], *arguments: object) -> Iterator[None]:
    """A load in a process of its own; it has run for so long when what is measured beside it begins."""
    context = get_context("spawn")
    began = context.Event()
    process = context.Process(target=_begin, args=(began, load, *arguments), daemon=True)
    process.start()
    try:
        began.wait()
        time.sleep(seconds)
        yield
    finally:
        process.kill()
        process.join()


def _begin(began: Event, load: Callable[..., None], *arguments: object) -> None:
    began.set()
    load(*arguments)


# ---- the programs


def our_version() -> str:
    """The server's, with its build."""
    return subprocess.run([*OUR_SERVER, "--version"], capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def chat_server(
    data: str | None = None, *options: str, before: Sequence[str] = (), cores: str = SERVER_CORE
) -> Iterator[Program]:
    """The server without its limits, on a new chat or the one in `data`, started by the command `before`."""
    with tempfile.TemporaryDirectory() as new:
        unlimited = ["--command-rate", "off", "--main-rate-limit", "off"]
        command = [*before, *OUR_SERVER, "--port", "0", "--data", data or new, *unlimited, *options]
        with started(pinned(cores, *command)) as process:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r":(\d+)(?: \(TLS\))?$", said.strip())
            assert found, said
            yield Program(int(found[1]), process.pid)


@contextmanager
def counted() -> Iterator[tuple[Program, Callable[[], int]]]:
    """The server under valgrind, which counts its instructions: call the function once the server has ended."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "valgrind"
        options = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", f"--log-file={log}"]

        def count() -> int:
            found = re.search(r"refs:\s+([\d,]+)", said)
            assert found, said
            return int(found[1].replace(",", ""))

        with chat_server(f"{directory}/data", before=["valgrind", *options]) as program:
            yield program, count
        said = log.read_text()


@contextmanager
def floor(kind: str, connections: int, file: str = "", *, cores: str = SERVER_CORE) -> Iterator[Program]:
    """One of the floors of `floor.c`; those that write to the disk are given a file."""
    port = free_port()
    command = [build("floor"), kind, str(connections), str(port), *([file] if file else [])]
    with started(pinned(cores, *command), signal.SIGKILL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        yield Program(port, process.pid)


@contextmanager
def inspircd(cores: str = SERVER_CORE) -> Iterator[Program]:
    program = shutil.which("inspircd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None
    with _irc_server(_INSPIRCD, cores, program, "--nofork", "--nolog", "--runasroot", "--config") as server:
        yield server


@contextmanager
def ngircd(cores: str = SERVER_CORE) -> Iterator[Program]:
    program = shutil.which("ngircd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None
    with _irc_server(_NGIRCD, cores, program, "--nodaemon", "--config") as server:
        yield server


@contextmanager
def _irc_server(configuration: str, cores: str, *command: str) -> Iterator[Program]:
    with tempfile.TemporaryDirectory() as directory:
        port, path = free_port(), Path(directory) / "conf"
        path.write_text(configuration.format(port=port, directory=directory, user=os.getuid()))
        Path(directory).chmod(0o755)
        # They store nothing. Now and then ngIRCd did not hear of SIGTERM before something else happened.
        with started(pinned(cores, *command, str(path)), signal.SIGKILL) as process:
            deadline = time.monotonic() + START_SECONDS_MAX
            while not _listens(port):
                assert process.poll() is None, f"{command[0]} ended"
                assert time.monotonic() < deadline, f"{command[0]} does not listen"
                time.sleep(0.05)
            yield Program(port, process.pid)


def is_installed(name: str) -> bool:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is not None


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run_load(program: Program, workload: str, **options: object) -> tuple[dict[str, float], Usage]:
    """Run the load against the program. Return its figures (see `load.c`), and what the program took for them."""
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = pinned(LOAD_CORE, build("load"), workload, "--port", str(program.port), *words)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdin is not None and load.stdout is not None
        figures: dict[str, float] = {}
        usages: list[Usage] = []
        for line in load.stdout:
            if line in ("ready\n", "done\n"):
                usages.append(program.usage())
                load.stdin.write("\n")
                load.stdin.flush()
            else:
                name, value = line.split()
                figures[name] = float(value)
    assert not load.returncode, "the load failed"
    return figures, usages[-1].since(usages[0])


@contextmanager
def held(program: Program, connections: int, prefix: str = "u") -> Iterator[None]:
    """So many users are connected, and do nothing."""
    words = ["hold", "--port", str(program.port), "--readers", str(connections), "--window", "64", "--prefix", prefix]
    with subprocess.Popen([build("load"), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdin is not None and load.stdout is not None
        assert load.stdout.readline() == "ready\n"
        yield
        load.stdin.close()
