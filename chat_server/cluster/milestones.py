"""Milestones: the digests by which running nodes notice that one of them has another state.

With each heartbeat a node says what its running digest was at its last milestone. While people write, two nodes are
seldom at the same position, so a milestone is the first batch of each ten seconds of the log's own time. All nodes have
the same milestones.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from chat_server.log.stream import Position

log = logging.getLogger("chat.cluster")

APART_MS = 10_000


class Milestone(NamedTuple):
    """A batch at which nodes compare their running digests of outcomes (see `store.digests`)."""

    position: Position
    digest: bytes


class Milestones:
    """The last milestone of this node. `note_batch` MUST be called with each batch in its order."""

    def __init__(self, at_ms: int) -> None:
        """`at_ms` is the time of the batch that was executed last."""
        self.last: Milestone | None = None
        self._period = at_ms // APART_MS

    def note_batch(self, position: Position, at_ms: int, digest: bytes) -> None:
        period = at_ms // APART_MS
        # The clock of the log may go back. All nodes see it do so at the same batch.
        if period != self._period:
            self._period, self.last = period, Milestone(position, digest)


def odd_ones_out(said: Mapping[str, Milestone]) -> list[str]:
    """Name the nodes whose state differs from that of most; `said` has the last milestones of all living nodes.

    Most means more than half. So of two nodes that differ neither is named, and a node that lags behind is not either.
    """
    if not said:
        return []
    common, count = Counter(said.values()).most_common(1)[0]
    if count * 2 <= len(said):
        return []
    return sorted(
        node for node, each in said.items() if each.position == common.position and each.digest != common.digest
    )


def are_different(said: Mapping[str, Milestone]) -> bool:
    """Tell whether any two nodes have come to different states at the same batch."""
    return len(set(said.values())) > len({each.position for each in said.values()})


def count_odd(said: Mapping[str, Milestone]) -> int:
    """Count the nodes whose state differs from that of most; where none is that of most, all that differ."""
    if odd := odd_ones_out(said):
        return len(odd)
    all_said = said.values()
    return sum(any(each.position == other.position and each != other for other in all_said) for each in all_said)


class StateComparison:
    """Stops this node if its state differs from that of most, and warns of others that do."""

    def __init__(self, node: str, fail: Callable[[str], None]) -> None:
        self._node = node
        self._fail = fail
        self._warned: list[str] | None = None  # of these nodes

    def compare(self, said: Mapping[str, Milestone]) -> None:
        """`said` has the last milestones of all living nodes, including this one."""
        if not are_different(said):
            return
        odd = odd_ones_out(said)
        own = said.get(self._node)
        if self._node in odd and own is not None:
            self._fail(
                f"the state of this node has differed from that of the others since batch {own.position} or a little"
                " before"
            )
        elif odd != self._warned:
            self._warned = odd
            who = f"node {', '.join(odd)} differs from most" if odd else "and none can be told to be the wrong one"
            log.error("nodes of the cluster have come to different states, %s; chat-server verify compares them", who)
