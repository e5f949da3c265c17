"""The workloads of `bench`: what is sent to whom, and what each figure is compared with."""

from typing import Literal, NamedTuple

FloorKind = Literal["durable", "sql"]


class Workload(NamedTuple):
    """One row of the table.

    `kind` and `options` are those of `load.c`. `floor` is the floor that it is compared with; `counts` what a second is
    counted in. `other` names the workload whose deliveries it is compared with.
    """

    name: str
    kind: str
    options: dict[str, int | str]
    counts: Literal["deliveries", "messages"] = "deliveries"
    floor: FloorKind | None = "durable"
    other: str | None = None

    @property
    def connections(self) -> int:
        senders, readers = int(self.options.get("senders", 1)), int(self.options.get("readers", 0))
        if self.kind == "pairs":
            return 2 * senders
        return senders * int(self.options["chats"]) if self.kind == "chats" else senders + readers


WORKLOADS = [
    Workload("to 400, W = 1", "main", {"readers": 400, "window": 1, "messages": 2000}),
    Workload("to 400, W = 10", "main", {"readers": 400, "window": 10, "messages": 10_000}),
    Workload("to 400, W = 100", "main", {"readers": 400, "window": 100, "messages": 30_000}),
    Workload(
        "to 400, W = 10, JSON",
        "main",
        {"readers": 400, "window": 10, "messages": 10_000, "protocol": "json"},
        floor=None,
        other="to 400, W = 10",
    ),
    Workload("to 3,000, W = 10", "main", {"readers": 3000, "window": 10, "messages": 2000}),
    Workload("400 senders, W = 100", "main", {"readers": 1, "senders": 399, "window": 100, "messages": 20_000}),
    Workload("100 pairs, W = 20 each", "pairs", {"senders": 100, "window": 20, "messages": 60_000}, "messages", "sql"),
    Workload("one chat of 50, W = 100", "chats", {"chats": 1, "senders": 50, "window": 100, "messages": 20_000}),
    Workload(
        "100 chats of 50, W = 100",
        "chats",
        {"chats": 100, "senders": 50, "window": 100, "messages": 20_000},
        floor=None,
        other="one chat of 50, W = 100",
    ),
    Workload("100 a second to 1,000", "open", {"readers": 1000, "rate": 100, "seconds": 10}),
]
QUICK = ["to 400, W = 1", "to 400, W = 10", "400 senders, W = 100", "100 pairs, W = 20 each"]
