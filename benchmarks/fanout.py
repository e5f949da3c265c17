"""Fan-out: how many deliveries a second the server makes, as a share of what bare write() calls make.

One sender in main keeps W messages in flight; N readers receive each of them. Both servers run on one core, the load on
another; each round measures both in turn, and the ratio of each round counts, since a machine's speed varies.

    [LOAD=python] python benchmarks/fanout.py [--connections 400] [--in-flight 1 10 100] [--rounds 3]
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE / "build"
SERVER_CORE, LOAD_CORE = "0", "1"
MESSAGE_BYTES = 64
LOAD = os.environ.get("LOAD", "c")  # or python: load.c or load.py


def build(name: str) -> str:
    """Compile a C program of this folder; its path."""
    BUILD.mkdir(exist_ok=True)
    program = BUILD / name
    subprocess.run(["cc", "-O2", "-Wall", "-o", program, HERE / f"{name}.c"], check=True)
    return str(program)


def pinned(core: str, *command: str) -> list[str]:
    return ["taskset", "-c", core, *command] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else [*command]


@contextmanager
def running(command: list[str]) -> Iterator[str]:
    """A server on its core; the first line that it says."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline()
    finally:
        process.terminate()
        process.wait()


@contextmanager
def running_beside(seconds: float, load: Callable[..., None], *arguments: object) -> Iterator[None]:
    """A load in a process of its own; it has run for so long when what is measured beside it begins."""
    context = get_context("spawn")
    started = context.Event()
    process = context.Process(target=_begin, args=(started, load, *arguments), daemon=True)
    process.start()
    try:
        started.wait()
        time.sleep(seconds)
        yield
    finally:
        process.kill()
        process.join()


def _begin(started: Event, load: Callable[..., None], *arguments: object) -> None:
    started.set()
    load(*arguments)


def rate(port: int, connections: int, in_flight: int, messages: int, *, bare: bool) -> float:
    """Deliveries a second."""
    load = [build("load")] if LOAD == "c" else [sys.executable, str(HERE / "load.py")]
    sizes = [str(number) for number in (port, connections, in_flight, messages, MESSAGE_BYTES)]
    environment = {**os.environ, **({"BARE": "1"} if bare else {})}
    done = subprocess.run(pinned(LOAD_CORE, *load, *sizes), env=environment, check=True, capture_output=True, text=True)
    deliveries, seconds = done.stdout.split()
    return float(deliveries) / float(seconds)


def bare_rate(port: int, connections: int, in_flight: int, messages: int) -> float:
    with running(pinned(SERVER_CORE, build("bare"), str(port), str(connections))):
        return rate(port, connections, in_flight, messages, bare=True)


def server_rate(connections: int, in_flight: int, messages: int) -> float:
    with tempfile.TemporaryDirectory() as data:
        options = ["--port", "0", "--data", data, "--command-rate", "off", "--main-rate-limit", "off"]
        with running(pinned(SERVER_CORE, sys.executable, "-m", "chat_server", *options)) as said:
            found = re.search(r":(\d+)$", said.strip())
            assert found, said
            return rate(int(found[1]), connections, in_flight, messages, bare=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--connections", type=int, default=400)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=8765, help="a free port for the bare loop")
    options = parser.parse_args()
    print(f"{options.connections} connections, {MESSAGE_BYTES}-byte messages, medians of {options.rounds} rounds")
    for in_flight in options.in_flight:
        messages = {1: 1000, 10: 5000}.get(in_flight, 20_000)
        ratios, rates, floors = [], [], []
        for _ in range(options.rounds):
            floors.append(bare_rate(options.port, options.connections, in_flight, messages))
            rates.append(server_rate(options.connections, in_flight, messages))
            ratios.append(rates[-1] / floors[-1])
        ratio, server, bare = (statistics.median(each) for each in (ratios, rates, floors))
        print(f"W={in_flight:<4} {server:>12,.0f}/s of {bare:>12,.0f}/s  ratio {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
