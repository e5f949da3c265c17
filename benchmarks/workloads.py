"""The workloads of `bench`: what is sent to whom, and what each figure is compared with."""

from typing import Literal, NamedTuple

from benchmarks.programs import LOAD_CORE, SERVER_CORE

FloorKind = Literal["write", "durable", "sql"]
WRITES: tuple[FloorKind, ...] = ("write", "durable")


class Workload(NamedTuple):
    """One row of the table.

    `kind` and `options` are those of `load.c`. `floors` are those that it is compared with; `counts` is what a second
    is counted in. `other` names the workload whose deliveries it is compared with. `compares` is the figure that is
    compared: what comes at a fixed rate has no rate of its own. `cores` are those of the program; the load has one of
    its own, unless it is among them.
    """

    name: str
    kind: str
    options: dict[str, int | str]
    counts: Literal["deliveries", "messages"] = "deliveries"
    floors: tuple[FloorKind, ...] = WRITES
    other: str | None = None
    compares: Literal["rate", "p99_ms"] = "rate"
    cores: str = SERVER_CORE

    @property
    def connections(self) -> int:
        senders, readers = int(self.options.get("senders", 1)), int(self.options.get("readers", 0))
        if self.kind == "pairs":
            return 2 * senders
        return senders * int(self.options["chats"]) if self.kind == "chats" else senders + readers

    def with_share_of_messages(self, parts: int) -> "Workload":
        """The same with one message of so many; a rate stays what it is."""
        if "messages" not in self.options:
            return self
        return self._replace(options={**self.options, "messages": int(self.options["messages"]) // parts})


BOTH_CORES = f"{SERVER_CORE},{LOAD_CORE}"
# Each takes one to three seconds of our server, whose processor time the kernel may count in ticks of 10 ms.
WORKLOADS = [
    Workload("to 400, W = 1", "main", {"readers": 400, "window": 1, "messages": 1200}),
    Workload("to 400, W = 10", "main", {"readers": 400, "window": 10, "messages": 5000}),
    Workload("to 400, W = 100", "main", {"readers": 400, "window": 100, "messages": 16_000}),
    Workload("two cores, to 400, W = 1", "main", {"readers": 400, "window": 1, "messages": 1200}, cores=BOTH_CORES),
    Workload("two cores, to 400, W = 10", "main", {"readers": 400, "window": 10, "messages": 5000}, cores=BOTH_CORES),
    Workload(
        "to 400, W = 10, JSON",
        "main",
        {"readers": 400, "window": 10, "messages": 5000, "protocol": "json"},
        floors=(),
        other="to 400, W = 10",
    ),
    Workload("to 3,000, W = 10", "main", {"readers": 3000, "window": 10, "messages": 1000}),
    Workload("400 senders, W = 100", "main", {"readers": 1, "senders": 399, "window": 100, "messages": 10_000}),
    Workload(
        "100 pairs, W = 20 each", "pairs", {"senders": 100, "window": 20, "messages": 60_000}, "messages", ("sql",)
    ),
    Workload("one chat of 50, W = 100", "chats", {"chats": 1, "senders": 50, "window": 100, "messages": 20_000}),
    Workload(
        "100 chats of 50, W = 100",
        "chats",
        {"chats": 100, "senders": 50, "window": 100, "messages": 20_000},
        floors=(),
        other="one chat of 50, W = 100",
    ),
    Workload("100 a second to 1,000", "open", {"readers": 1000, "rate": 100, "seconds": 10}, compares="p99_ms"),
]
QUICK = ["to 400, W = 1", "to 400, W = 10", "400 senders, W = 100", "100 pairs, W = 20 each"]
