"""How fast the server is, beside InspIRCd, ngIRCd and the floors in C, all in one run on one machine.

    python -m benchmarks.bench [--rounds 5] [--only NAME ...] [--without PROGRAM ...] [--quick] [--instructions]
                               [--write docs/performance.md]

Each round measures all programs in turn, the server on one core and the load on another. The medians of the rounds
count, and the medians of the ratios of each round. What a message takes of a processor varies a tenth as much as what
is done in a second, so it tells best whether a change has made the server slower: `--quick` shows that alone.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.programs import (
    SERVER_CORE,
    Program,
    chat_server,
    counted,
    floor,
    inspircd,
    is_installed,
    ngircd,
    our_version,
    run_load,
)
from benchmarks.report import as_table, machine, write
from benchmarks.workloads import QUICK, WORKLOADS, FloorKind, Workload

OURS = "ours"
FLOORS: dict[FloorKind, str] = {"write": "bare writes", "durable": "durable writes", "sql": "the same SQL"}
INSTALLED = {"InspIRCd": "inspircd", "ngIRCd": "ngircd"}
HEAD = [
    "workload", "a second", "of bare writes", "of the floor", "of InspIRCd", "of ngIRCd", "p99 ms", "user µs",
    "system µs", "instructions",
]  # fmt: skip
ALL_HEAD = ["workload", "program", "a second", "p99 ms", "user µs", "system µs", "load"]
# A program that ended, or a load that waited in vain.
FAILURES = (AssertionError, OSError)
# More connections take minutes to come in under valgrind.
COUNTED_CONNECTIONS_MAX = 500
# ngIRCd writes each message to each receiver by a call of its own, so it gets one message of so many.
NGIRCD_PART = 4
# With 1,000 connections it failed in all workloads, each time after minutes in which nothing came.
NGIRCD_CONNECTIONS_MAX = 500


class Figures(NamedTuple):
    """Of one program in one round: microseconds a message, and the share of its core that the load took."""

    rate: float
    user: float
    system: float
    p99_ms: float
    load: float


def measure(program: Program, workload: Workload, protocol: str) -> Figures:
    found, usage = run_load(program, workload.kind, **{"protocol": protocol, **workload.options})
    messages, seconds = found["messages"], found["seconds"]
    return Figures(
        found[workload.counts] / seconds,
        usage.user / messages * 1e6,
        usage.system / messages * 1e6,
        found["p99_ms"],
        found["load_cpu"] / seconds,
    )


class Entrant(NamedTuple):
    """A program that is measured in each round, and the protocol that it speaks."""

    protocol: str
    start: Callable[[], AbstractContextManager[Program]]
    part: int = 1


@contextmanager
def the_floor(workload: Workload, kind: FloorKind) -> Iterator[Program]:
    """A floor with a file of its own. The one with SQL has a chat in which each pair has talked."""
    with tempfile.TemporaryDirectory() as directory:
        if kind == "sql":
            with chat_server(directory) as server:
                once = {**workload.options, "messages": workload.connections // 2, "window": 1}
                run_load(server, workload.kind, **once)
        file = {"write": "", "durable": f"{directory}/log", "sql": f"{directory}/chat.db"}[kind]
        with floor(kind, workload.connections, file, cores=workload.cores) as program:
            yield program


def entrants(workload: Workload) -> dict[str, Entrant]:
    found = {OURS: Entrant("text", partial(chat_server, cores=workload.cores))}
    for kind in workload.floors:
        found[FLOORS[kind]] = Entrant("bare", partial(the_floor, workload, kind))
    if workload.options.get("protocol") != "json":
        if is_installed("inspircd"):
            found["InspIRCd"] = Entrant("irc", partial(inspircd, workload.cores))
        if is_installed("ngircd") and workload.connections <= NGIRCD_CONNECTIONS_MAX:
            found["ngIRCd"] = Entrant("irc", partial(ngircd, workload.cores), NGIRCD_PART)
    return found


def rounds_of(workload: Workload, entered: dict[str, Entrant], rounds: int) -> dict[str, list[Figures]]:
    """The figures of each round. Another program than ours that fails once is left out."""
    measured: dict[str, list[Figures]] = {name: [] for name in entered}
    for _ in range(rounds):
        for name in list(measured):
            try:
                with entered[name].start() as program:
                    part = workload.with_share_of_messages(entered[name].part)
                    measured[name].append(measure(program, part, entered[name].protocol))
            except FAILURES as error:
                if name == OURS:
                    raise
                print(f"{workload.name}: {name} failed: {error}", file=sys.stderr, flush=True)
                del measured[name]
    return measured


def median(figures: list[Figures]) -> Figures:
    return Figures(*map(statistics.median, zip(*figures, strict=True)))


def row_of(workload: Workload, measured: dict[str, list[Figures]], rates: dict[str, float]) -> list[str]:
    """The cells below HEAD but the last; `rates` has the rates of the workloads before, and takes this one's."""
    ours = median(measured[OURS])

    def share(*names: str) -> str:
        for name in names:
            if name in measured:
                pairs = zip(measured[OURS], measured[name], strict=True)
                times = [getattr(own, workload.compares) / getattr(other, workload.compares) for own, other in pairs]
                return f"{'p99 × ' * (workload.compares == 'p99_ms')}{statistics.median(times):.2f}"
        return "–"

    rates[workload.name] = ours.rate
    of_floor = share(FLOORS["durable"], FLOORS["sql"])
    if workload.other in rates:
        of_floor = f"{ours.rate / rates[workload.other]:.2f} of “{workload.other}”"
    return [
        workload.name,
        f"{ours.rate:,.0f} {workload.counts}",
        share(FLOORS["write"]),
        of_floor,
        share("InspIRCd"),
        share("ngIRCd"),
        f"{ours.p99_ms:.1f}",
        f"{ours.user:.1f}",
        f"{ours.system:.1f}",
    ]


def rows_of_all(workload: Workload, measured: dict[str, list[Figures]]) -> list[list[str]]:
    """The cells below ALL_HEAD."""
    rows = []
    for name, figures in measured.items():
        found = median(figures)
        costs = [f"{found.user:.1f}", f"{found.system:.1f}", f"{found.load:.0%}"]
        rows.append([workload.name, name, f"{found.rate:,.0f}", f"{found.p99_ms:.1f}", *costs])
    return rows


def instructions_of(workload: Workload) -> float:
    """Thousands of instructions that the server takes for a message, as valgrind counts them.

    It is the difference of two runs of different length, so that coming in does not count.
    """
    few = max(200, int(workload.options["messages"]) // 50)
    counts = {}
    for messages in (few, 3 * few):
        with counted() as (program, count):
            run_load(program, workload.kind, **{**workload.options, "messages": messages})
        counts[messages] = count()
    return (counts[3 * few] - counts[few]) / (2 * few) / 1e3


def are_counted(workload: Workload) -> bool:
    """Whether the instructions of the workload can be counted; those with more cores are the same."""
    is_small = "messages" in workload.options and workload.connections <= COUNTED_CONNECTIONS_MAX
    return is_small and workload.cores == SERVER_CORE


def run(chosen: list[Workload], options: argparse.Namespace) -> bool:
    """Measure the workloads, and write the tables anew after each. Whether none has failed."""
    rows: list[list[str]] = []
    all_rows: list[list[str]] = []
    rates: dict[str, float] = {}
    failed = False
    for workload in chosen:
        began = time.monotonic()
        entered = {name: each for name, each in entrants(workload).items() if name not in options.without}
        try:
            measured = rounds_of(workload, entered, options.rounds)
            is_counted = options.instructions and are_counted(workload)
            instructions = f"{instructions_of(workload):,.0f} k" if is_counted else "–"
        except FAILURES as error:
            print(f"{workload.name} failed: {error}", file=sys.stderr, flush=True)
            failed = True
            continue
        rows.append([*row_of(workload, measured, rates), instructions])
        added = rows_of_all(workload, measured)
        all_rows += added
        for row in added:
            print("   ", " | ".join(row), flush=True)
        print(" | ".join(rows[-1]), f"({time.monotonic() - began:.0f} s)", flush=True)
        if options.write:
            tables = f"{as_table(HEAD, rows)}\n\nAll programs:\n\n{as_table(ALL_HEAD, all_rows)}"
            write(options.write, tables, rounds=options.rounds)
    return not failed


def quick(workloads: list[Workload], *, instructions: bool) -> None:
    for workload in workloads:
        with chat_server() as program:
            found = measure(program, workload, "text")
        is_counted = instructions and are_counted(workload)
        counted = f"  {instructions_of(workload):7,.0f} thousand instructions" if is_counted else ""
        print(f"{workload.name:28}{found.user:8.1f} µs user {found.system:8.1f} µs system{counted}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="workloads whose names begin so")
    others = [*FLOORS.values(), *INSTALLED]
    parser.add_argument("--without", nargs="+", default=[], choices=others, metavar="PROGRAM", help=", ".join(others))
    parser.add_argument("--quick", action="store_true", help="the server alone, one round of four workloads")
    parser.add_argument("--instructions", action="store_true", help="count instructions too, with valgrind")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the document whose table is written anew")
    options = parser.parse_args()
    chosen = [each for each in WORKLOADS if not options.only or each.name.startswith(tuple(options.only))]
    if not chosen:
        parser.error(f"no workload begins so; there are {', '.join(f'“{each.name}”' for each in WORKLOADS)}")
    print(our_version(), flush=True)
    if options.instructions and not is_installed("valgrind"):
        print("valgrind is not installed: instructions are not counted", file=sys.stderr, flush=True)
        options.instructions = False
    if options.quick:
        quick([each for each in chosen if each.name in QUICK or options.only], instructions=options.instructions)
        return
    for name, program in INSTALLED.items():
        if name not in options.without and not is_installed(program):
            print(f"{program} is not installed: {name} is left out", file=sys.stderr, flush=True)
    print(f"{machine()}; medians of {options.rounds} rounds", flush=True)
    if not run(chosen, options):
        sys.exit(1)


if __name__ == "__main__":
    main()
