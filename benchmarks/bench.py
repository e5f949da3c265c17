"""How fast the server is, beside InspIRCd, ngIRCd and the floors in C, all in one run on one machine.

    python -m benchmarks.bench [--rounds 5] [--only NAME ...] [--quick] [--instructions] [--write docs/performance.md]

Each round measures all programs in turn, the server on one core and the load on another. The medians of the rounds
count, and the medians of the ratios of each round. What a message takes of a processor varies a tenth as much as what
is done in a second, so it tells best whether a change has made the server slower: `--quick` shows that alone.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.programs import Program, chat_server, counted, floor, inspircd, is_installed, ngircd, run_load
from benchmarks.report import as_table, machine, write
from benchmarks.workloads import QUICK, WORKLOADS, Workload

HEAD = [
    "workload", "a second", "of the floor", "of InspIRCd", "of ngIRCd", "user µs", "system µs", "InspIRCd µs", "p99 ms",
    "load",
]  # fmt: skip


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


@contextmanager
def the_floor(workload: Workload) -> Iterator[Program]:
    """That of the workload, with a file of its own. The one with SQL has a chat in which each pair has talked."""
    assert workload.floor is not None
    with tempfile.TemporaryDirectory() as directory:
        if workload.floor == "durable":
            file = f"{directory}/log"
        else:
            with chat_server(directory) as server:
                once = {**workload.options, "messages": workload.connections // 2, "window": 1}
                run_load(server, workload.kind, **once)
            file = f"{directory}/chat.db"
        with floor(workload.floor, workload.connections, file) as program:
            yield program


def programs(workload: Workload) -> dict[str, tuple[str, Callable[[], AbstractContextManager[Program]]]]:
    """What is measured in each round, with the protocol that it speaks."""
    found: dict[str, tuple[str, Callable[[], AbstractContextManager[Program]]]] = {"ours": ("text", chat_server)}
    if workload.floor is not None:
        found["floor"] = ("bare", lambda: the_floor(workload))
    if workload.options.get("protocol") != "json":
        if is_installed("inspircd"):
            found["InspIRCd"] = ("irc", inspircd)
        if is_installed("ngircd"):
            found["ngIRCd"] = ("irc", ngircd)
    return found


def rounds_of(workload: Workload, rounds: int) -> dict[str, list[Figures]]:
    measured: dict[str, list[Figures]] = {name: [] for name in programs(workload)}
    for _ in range(rounds):
        for name, (protocol, start) in programs(workload).items():
            with start() as program:
                measured[name].append(measure(program, workload, protocol))
    return measured


def row_of(workload: Workload, measured: dict[str, list[Figures]], rates: dict[str, float]) -> list[str]:
    """The cells below HEAD; `rates` has the rates of the workloads before, and takes this one's."""
    ours = measured["ours"]

    def median(name: str, field: str) -> float:
        return float(statistics.median(getattr(each, field) for each in measured[name]))

    def share(name: str) -> str:
        if name not in measured:
            return "–"
        return (
            f"{statistics.median(own.rate / other.rate for own, other in zip(ours, measured[name], strict=True)):.2f}"
        )

    rate = rates[workload.name] = median("ours", "rate")
    of_floor = share("floor")
    if workload.other in rates:
        of_floor = f"{rate / rates[workload.other]:.2f} of “{workload.other}”"
    irc = f"{median('InspIRCd', 'user'):.0f} + {median('InspIRCd', 'system'):.0f}" if "InspIRCd" in measured else "–"
    return [
        workload.name,
        f"{rate:,.0f} {workload.counts}",
        of_floor,
        share("InspIRCd"),
        share("ngIRCd"),
        f"{median('ours', 'user'):.1f}",
        f"{median('ours', 'system'):.1f}",
        irc,
        f"{median('ours', 'p99_ms'):.1f}",
        f"{median('ours', 'load'):.0%}",
    ]


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="workloads whose names begin so")
    parser.add_argument("--quick", action="store_true", help="the server alone, one round of four workloads")
    parser.add_argument("--instructions", action="store_true", help="count instructions too, with valgrind")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the document whose table is written anew")
    options = parser.parse_args()
    chosen = [each for each in WORKLOADS if not options.only or each.name.startswith(tuple(options.only))]
    if options.quick:
        quick([each for each in chosen if each.name in QUICK or options.only], instructions=options.instructions)
        return
    print(f"{machine()}; medians of {options.rounds} rounds", flush=True)
    rows: list[list[str]] = []
    rates: dict[str, float] = {}
    for workload in chosen:
        rows.append(row_of(workload, rounds_of(workload, options.rounds), rates))
        print(" | ".join(rows[-1]), flush=True)
    table = as_table(HEAD, rows)
    print(f"\n{table}")
    if options.write:
        write(options.write, table, rounds=options.rounds)


def quick(workloads: list[Workload], *, instructions: bool) -> None:
    for workload in workloads:
        with chat_server() as program:
            found = measure(program, workload, "text")
        counted = f"  {instructions_of(workload):7,.0f} thousand instructions" if instructions else ""
        print(f"{workload.name:28}{found.user:8.1f} µs user {found.system:8.1f} µs system{counted}", flush=True)


if __name__ == "__main__":
    main()
