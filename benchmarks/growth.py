"""How the server's cost grows: with receivers, messages in flight, stored messages, users and chats; as plots.

    python -m benchmarks.growth [--only NAME ...] [--rounds 3] [--stored-max 10000000] [--write docs/performance.md]

Each series changes one number. A plot has three curves over it: deliveries a second, the p99 from the sender to a
receiver, and the server's own processor time for a message.
"""

import argparse
import itertools
import statistics
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib import pyplot

from benchmarks.made_chat import OPTIONS, make
from benchmarks.programs import chat_server, run_load
from benchmarks.report import as_table, machine, write

MESSAGES_MIN, MESSAGES_MAX = 600, 10_000
# Who write to `partners` each in turn, one message in flight each: whatever the number of chats, as many connections
# write and read as many lines at once.
CHATTERS = 100
# Of one load: so that a few receivers make more messages than thousands.
DELIVERIES = 2_000_000
COLUMNS = ("deliveries a second", "p99, ms", "user CPU, µs a message")
FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
RUNS = itertools.count()


class Point(NamedTuple):
    rate: float
    p99_ms: float
    user: float


class Series(NamedTuple):
    """`measure` gives the point of one number. `is_level`: the processor time of a message should not change at all."""

    name: str
    numbers: list[int]
    measure: Callable[[int], Point]
    is_level: bool = False


def point(data: str | None = None, **load: int) -> Point:
    kind = "pairs" if "pairs" in load else "main"
    sizes = {"senders": load.pop("pairs")} if kind == "pairs" else {}
    deliveries = load.get("readers", 0) + load.get("senders", 1) - 1 if kind == "main" else 1
    most = MESSAGES_MAX if load["window"] >= 10 else MESSAGES_MAX // 5
    messages = min(most, max(MESSAGES_MIN, DELIVERIES // deliveries))
    with chat_server(data, *OPTIONS) as server:
        # Those of the load before would be shown what they have missed.
        names = f"load{next(RUNS)}x"
        found, usage = run_load(server, kind, prefix=names, **{"messages": messages, **sizes, **load})
    return Point(found["deliveries"] / found["seconds"], found["p99_ms"], usage.user / found["messages"] * 1e6)


@cache
def made(messages: int, users: int, chats: int) -> str:
    """The folder of a chat of this size. What a load adds to it is little, so it serves all of them."""
    FOLDERS.append(tempfile.TemporaryDirectory())
    folder = FOLDERS[-1].name
    make(Path(folder), messages, users, chats)
    return folder


def in_made_chat(messages: int, users: int, chats: int, **load: int) -> Point:
    return point(made(messages, users, chats), **load)


def in_chats_of_two(chats: int) -> Point:
    return point(pairs=CHATTERS, partners=chats // CHATTERS, window=1, messages=2 * MESSAGES_MAX)


def series(stored_max: int) -> list[Series]:
    stored = [size for size in (1000, 10_000, 100_000, 1_000_000, 10_000_000) if size <= stored_max]
    many, two = {"readers": 400, "window": 10}, {"pairs": 1, "window": 10}
    return [
        Series("receivers", [10, 30, 100, 400, 1000, 3000], lambda n: point(readers=n, window=10)),
        Series("messages in flight", [1, 3, 10, 30, 100, 300], lambda n: point(readers=400, window=n)),
        Series("senders", [1, 10, 100, 400], lambda n: point(readers=400 - n + 1, senders=n, window=100)),
        Series("users", [10, 1000, 100_000], lambda n: in_made_chat(10_000, n, 1, **many), is_level=True),
        Series("chats of two", [100, 1000, 10_000], in_chats_of_two, is_level=True),
        Series("stored chats", [10, 1000, 10_000], lambda n: in_made_chat(10_000, 2000, n, **two), is_level=True),
        Series("stored messages, to 400", stored, lambda n: in_made_chat(n, 2000, 2000, **many), is_level=True),
        Series("stored messages, to 1", stored, lambda n: in_made_chat(n, 2000, 2000, **two), is_level=True),
    ]


def median(measure: Callable[[], Point], rounds: int) -> Point:
    return Point(*(statistics.median(each) for each in zip(*(measure() for _ in range(rounds)), strict=True)))


def draw(path: Path, name: str, numbers: list[int], points: list[Point]) -> None:
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "chat", "font.family": "sans-serif", "font.size": 9})
    figure, axes = pyplot.subplots(1, 3, figsize=(10, 2.8), layout="constrained")
    for axis, title, values in zip(axes, COLUMNS, zip(*points, strict=True), strict=True):
        axis.plot(numbers, values, marker="o", color="#2b6cb0")
        axis.set(xscale="log", xlabel=name, title=title, ylim=(0, max(values) * 1.15))
        axis.grid(visible=True, alpha=0.3)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def shown(each: Series, points: list[Point], document: Path) -> str:
    """Draw the plot; what the document shows of the series."""
    plot = f"plots/{each.name.replace(', ', '-').replace(' ', '-')}.svg"
    draw(document.parent / plot, each.name, each.numbers, points)
    rows = [
        [f"{n:,}", f"{p.rate:,.0f}", f"{p.p99_ms:.1f}", f"{p.user:.1f}"]
        for n, p in zip(each.numbers, points, strict=True)
    ]
    parts = [f"![{each.name}]({plot})", as_table([each.name, *COLUMNS], rows)]
    if each.is_level:
        parts.append(f"User CPU of the most of these against the least: {points[-1].user / points[0].user:.2f} times.")
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="series whose names begin so")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stored-max", type=int, default=10_000_000, help="that many take minutes and 5 GB to make")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the document; the plots stand in plots beside it")
    options = parser.parse_args()
    print(f"{machine()}; medians of {options.rounds} rounds", flush=True)
    parts: list[str] = []
    for each in series(options.stored_max):
        if options.only and not each.name.startswith(tuple(options.only)):
            continue
        points = []
        for number in each.numbers:
            points.append(median(partial(each.measure, number), options.rounds))
            rate, p99_ms, user = points[-1]
            print(f"{each.name}: {number:>10,}  {rate:>12,.0f}/s  p99 {p99_ms:8.1f} ms  {user:8.1f} µs", flush=True)
        if options.write:
            parts.append(shown(each, points, options.write))
            write(options.write, "\n\n".join(parts), rounds=options.rounds)


if __name__ == "__main__":
    main()
