"""The numbers of a member of a cluster, for `--metrics-file`."""

from chat_server.cluster.heartbeats import Heartbeats
from chat_server.cluster.milestones import count_odd
from chat_server.cluster.snapshots import list_whole
from chat_server.cluster.upgrade import Upgrade
from chat_server.log.replicated import ReplicatedLog
from chat_server.log.stream import NotAppended, Objects, StreamLost, Streams
from chat_server.node import Node
from chat_server.runtime import Runtime

# The file is written without what takes longer.
ASK_SECONDS = 5.0
# The snapshots are listed so often: each is read for it, and one is made once in a while.
SNAPSHOTS_SECONDS = 60.0


class ClusterNumbers:
    """What only NATS knows is asked for by `ask`; what it did not answer is left out."""

    def __init__(
        self,
        runtime: Runtime,
        streams: Streams,
        objects: Objects,
        replicated: ReplicatedLog,
        heartbeats: Heartbeats,
        upgrade: Upgrade,
        node: Node,
    ) -> None:
        self._runtime = runtime
        self._streams = streams
        self._objects = objects
        self._log = replicated
        self._heartbeats = heartbeats
        self._upgrade = upgrade
        assert node.transfers.shared is not None, "it has the file store of the cluster"
        self._cache = node.transfers.shared.cache
        self._time = node.time
        self._outage = node.delivery.outage
        self._lag: int | None = None
        self._snapshots: list[int] | None = None  # their times, the newest first
        self._listed_at = float("-inf")

    async def ask(self) -> None:
        """Ask the servers of the log for its end, and once in a while for the snapshots."""
        self._lag = None
        try:
            async with self._runtime.timeout(ASK_SECONDS):
                end = await self._log.end()
                # The log may have gone on to the next stream meanwhile.
                stream, sequence = self._log.position
                self._lag = max(0, end.sequence - sequence) if stream == end.stream else 0
                if self._runtime.monotonic() - self._listed_at >= SNAPSHOTS_SECONDS:
                    self._snapshots = [each.at_ms for each in await list_whole(self._objects)]
                    self._listed_at = self._runtime.monotonic()
        except (NotAppended, StreamLost, TimeoutError):
            return

    def gauges(self) -> dict[str, float]:
        """The numbers by their names in `metrics.GAUGES`."""
        position = self._log.position
        found: dict[str, float] = {
            "cluster_connected": self._streams.is_connected,
            "cluster_reached": self._lag is not None,
            "cluster_stream": position.stream,
            "cluster_position": position.sequence,
            "cluster_silent_seconds": self._outage.silent_seconds,
            "cluster_waiting_bytes": self._log.waiting_bytes,
            "cluster_waiting_seconds": self._log.waiting_seconds,
            "cluster_nodes": 1 + len(self._heartbeats.living),
            "cluster_heard": self._heartbeats.are_heard,
            "cluster_odd_nodes": count_odd(self._heartbeats.milestones()),
            "cluster_upgrading": self._upgrade.is_under_way,
            "cluster_file_cache_bytes": self._cache.bytes,
            "cluster_file_cache_max_bytes": self._cache.bytes_max,
        }
        if self._lag is not None:
            found["cluster_lag"] = self._lag
        if self._snapshots is not None:
            found["cluster_snapshots"] = len(self._snapshots)
            if self._snapshots:
                found["cluster_snapshot_age_seconds"] = max(0, self._time.now().at_ms - self._snapshots[0]) / 1000
        return found

    def counters(self) -> dict[str, int]:
        return {"cluster_strays": self._log.strays}
