"""The keeper of snapshots: one node at a time makes them, and what two of them cover goes from NATS.

A snapshot is due when the last one is an hour old, so that a new node has little to execute. After the log went on in
another stream, two more are due: one at once, and a second one a little later. For the old stream holds texts that were
erased, and so does any snapshot that was made before. The stream is deleted whole once all kept snapshots are of a
later one, and each new snapshot replaces the oldest.
"""

import logging
from collections.abc import Callable, Sequence

from chat_server.cluster import snapshots
from chat_server.cluster.periodic import repeat
from chat_server.cluster.side_processes import SideProcesses
from chat_server.cluster.snapshots import KEPT, Description, SnapshotError
from chat_server.log.replicated import ReplicatedLog
from chat_server.log.stream import NotAppended, Objects
from chat_server.protocol.times import Now
from chat_server.runtime import Runtime

log = logging.getLogger("chat.cluster")

CHECK_SECONDS = 5.0
# A node that has just started has enough to do.
FIRST_SECONDS = 60.0
APART_MS = 3_600_000
# How long after the first snapshot of a stream the second one is made, after which the older streams can go. Together
# with how long a stream goes on, an erased text is gone from NATS after 18 minutes plus the making of two snapshots.
SECOND_MS = 540_000
# By then all nodes have heard that one of them is going to make a snapshot.
ANNOUNCED_SECONDS = 3.0
AGAIN_SECONDS = 60.0
# While a node makes one, no other does: one that hangs for good would keep what was erased in NATS for good.
MADE_SECONDS_MAX = 3600.0


def is_due(kept: Sequence[Description], stream: int, elapsed_ms: int) -> bool:
    """Tell whether the node has to make one. `kept` are the whole snapshots, the newest first.

    `stream` is the one that the log is in, and `elapsed_ms` how long the chat has lived.
    """
    if not kept or kept[0].position.stream < stream:
        return True
    age_ms = elapsed_ms - kept[0].elapsed_ms
    is_second_due = len(kept) < KEPT or kept[KEPT - 1].position.stream < stream
    return age_ms >= (SECOND_MS if is_second_due else APART_MS)


class SnapshotKeeper:
    """Makes snapshots while this node is the first of the living ones and no other node is making one.

    `is_making` is told to the other nodes.
    """

    def __init__(
        self,
        runtime: Runtime,
        replicated: ReplicatedLog,
        objects: Objects,
        processes: SideProcesses,
        *,
        now: Callable[[], Now],
        may_make: Callable[[], bool],
    ) -> None:
        """`may_make` tells whether this node is the first, as far as it knows, and no other node is making one."""
        self.is_making = False
        self._runtime = runtime
        self._log = replicated
        self._objects = objects
        self._processes = processes
        self._now = now
        self._may_make = may_make

    def start(self) -> None:
        """Begin to check whether a snapshot is due."""
        self._checking = repeat(self._runtime, self._log, self._check, FIRST_SECONDS)

    async def _check(self) -> float:
        if self._may_make():
            try:
                await self._make_or_delete()
            except NotAppended as error:
                log.debug("the snapshots cannot be looked at for now: %s", error)
            except SnapshotError as error:
                # A node that stops ends the process that makes one.
                if not self._log.is_closed:
                    log.error("no snapshot was made: %s; it is tried again", error)
                return AGAIN_SECONDS
        return CHECK_SECONDS

    async def _make_or_delete(self) -> None:
        """Make a snapshot that is due; otherwise delete the streams that the kept ones cover.

        Raises NotAppended, SnapshotError.
        """
        kept = await snapshots.list_whole(self._objects)
        if is_due(kept, self._log.position.stream, self._now().elapsed_ms):
            await self._make()
        elif (covered := snapshots.covered(kept)) is not None:
            await self._log.delete_streams(covered.stream)

    async def _make(self) -> None:
        """Raises SnapshotError."""
        self.is_making = True
        try:
            await self._runtime.sleep(ANNOUNCED_SECONDS)
            # If two nodes took themselves for the first, at least one of them has heard of the other by now.
            if self._may_make() and not self._log.is_closed:
                async with self._runtime.timeout(MADE_SECONDS_MAX):
                    log.info("%s", await self._processes.make_snapshot())
        except TimeoutError:
            raise SnapshotError(f"after {MADE_SECONDS_MAX:g} s it was not done") from None
        finally:
            self.is_making = False
