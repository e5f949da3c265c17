"""The metrics of the running server, and their file for Prometheus.

Counting costs a few additions a batch, and none a message or a receiver. The families of the text format are made only
when a file is written. To add a counter, add a row to `COUNTERS`, and `counters[name] += n` on the loop.
"""

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chat_server import __version__

WRITE_SECONDS = 15.0

COUNTERS: dict[str, str] = {
    "batches": "Batches that were executed; like messages, dues and files, those of all nodes of a cluster.",
    "messages": "New messages, and changes of messages: edits, deletions, reactions.",
    "deliveries": "Lines of events that connections to this node got; own messages, told by the reply, are in it.",
    "connections_refused": "Connections that this node refused, since it had no room for them.",
    "connections_banned": "Connections that this node refused, since their addresses are banned.",
    "address_bans": "Changes of the bans of addresses.",
    "dues": "Times that what was due was done: delayed messages, ends of bans, expiry.",
    "messages_expired": "Messages that have lived their time and were removed.",
    "files": "Files that were received whole and sent as a message.",
    "file_bytes_received": "Bytes of files that came in chunks.",
    "file_bytes_sent": "Bytes of files that were read for who fetched them.",
    "cluster_strays": "Messages in the log that are none of this chat's, and were passed over.",
}
GAUGES: dict[str, str] = {
    "connections": "Open connections to this node.",
    "users_online": "Users who have a connection; in a cluster, to any node that is heard.",
    "overload_level": "What an overloaded server sheds: 0 nothing, 1 signals, 2 reading, 3 strangers, 4 messages too.",
    "outbox_bytes": "Output that waits in the server for readers.",
    "outbox_bytes_most": "Of this, that of the connection that has most.",
    "messages_stored": "Messages in the database, deleted ones that keep their place too.",
    "retention_lag_seconds": "For how long the first message that has lived its time should be gone.",
    "uploads_open": "Uploads under way, and those that wait for their users.",
    "files_stored_bytes": "Bytes of all files, and of uploads as they were announced; as they count for --file-quota.",
    "texts_stored_bytes": "Bytes of all stored texts, as they count for --text-quota.",
    "texts_stored_bytes_most": "Of this, those of the user who has most.",
    "text_quota_bytes": "What the stored texts of one user may have (--text-quota).",
    "disk_free_bytes": "Room on the disk of the data directory.",
    "disk_reserve_bytes": "The room below which nothing new is taken (--disk-reserve).",
    "disk_seconds_left": "When there is no room for anything new, at the rate of the last day; missing if not known.",
    "certificate_seconds_left": "For how long the certificate for TLS is valid; missing without one.",
    "database_bytes": "The database file.",
    "database_free_bytes": "Of this, pages that are used again.",
    "wal_bytes": "SQLite's log, chat.db-wal.",
    "start_time_seconds": "When the server started, seconds since 1970.",
    "cluster_connected": "1 while a NATS server is connected.",
    "cluster_reached": "1 if the log answered; without a quorum of its NATS servers it does not.",
    "cluster_stream": "The stream of the log that this node is in, by its number.",
    "cluster_position": "The last message of it that this node has executed.",
    "cluster_lag": "Messages of it that this node has not executed yet; missing while the log does not answer.",
    "cluster_silent_seconds": "For how long no batch has come out of the log; in a sound cluster one comes every 20 s.",
    "cluster_waiting_bytes": "Entries of this node that wait for the log; past 8 MiB no command is taken.",
    "cluster_waiting_seconds": "For how long the oldest of them has waited; after 12 s it is answered unavailable.",
    "cluster_nodes": "Living nodes as far as this one hears, including itself.",
    "cluster_heard": "1 while this node hears the others, so that it knows who is online there.",
    "cluster_odd_nodes": "Nodes whose state differs from that of most, or from each other; must be 0.",
    "cluster_snapshots": "Whole snapshots that are kept.",
    "cluster_snapshot_age_seconds": "Age of the newest; missing without any.",
    "cluster_upgrading": "1 while this node's program knows a newer version of the log than it has.",
    "cluster_file_cache_bytes": "Bytes of files that this node keeps on its disk.",
    "cluster_file_cache_max_bytes": "Past so many, those used longest ago go (--file-cache).",
}
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Histogram:
    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return how many values were at most as large as each bound, as Prometheus counts them."""
        total, buckets = 0, []
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            total += count
            buckets.append((str(bound), float(total)))
        return buckets


class Metrics:
    def __init__(self, start_ms: int, node: str = "") -> None:
        """`node` is the name of a node of a cluster, "" on a lone server."""
        self.start_ms = start_ms
        self._node = node
        self.counters: Counter[str] = Counter()
        self.batch_entries = Histogram(_SIZES)
        self.batch_seconds = Histogram(_SECONDS)
        self.commit_seconds = Histogram(_SECONDS)

    def count_batch(
        self, entries: int, seconds: float, commit_seconds: float, messages: int, counts: Mapping[str, int]
    ) -> None:
        """Count a batch. `commit_seconds` is its commit alone.

        `counts` are the counts of its rules, by names of COUNTERS.
        """
        counters = self.counters
        counters.update(counts)
        counters["batches"] += 1
        counters["messages"] += messages
        self.batch_entries.add(entries)
        self.batch_seconds.add(seconds)
        self.commit_seconds.add(commit_seconds)

    def render(self, gauges: Mapping[str, float], counters: Mapping[str, int], refusals: Mapping[str, int]) -> bytes:
        """Render all metrics in the Prometheus text format. `counters` are those of other modules, by name."""
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        registry = CollectorRegistry()
        own = _Collector(self, gauges, {**self.counters, **counters}, refusals)
        # node_exporter, which collects this file, has metrics of its own process, and takes no name twice.
        process = ProcessCollector(namespace="chat", registry=None)
        registry.register(_Labelled((own, process), self._node))
        return generate_latest(registry)


class _Labelled:
    """The families of some collectors, with the name of a node.

    Several nodes of one machine write into one directory, and node_exporter refuses all of it where two are alike.
    """

    def __init__(self, collectors: Sequence[Any], node: str) -> None:
        self._collectors = collectors
        self._labels = {"node": node} if node else {}

    def collect(self) -> Iterator[Any]:
        for collector in self._collectors:
            for family in collector.collect():
                family.samples = [each._replace(labels={**self._labels, **each.labels}) for each in family.samples]
                yield family


class _Collector:
    """The families of metrics, made when prometheus_client asks for them."""

    def __init__(
        self, metrics: Metrics, gauges: Mapping[str, float], counters: Mapping[str, int], refusals: Mapping[str, int]
    ) -> None:
        self._metrics = metrics
        self._gauges = gauges
        self._counters = counters
        self._refusals = refusals

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        yield GaugeMetricFamily("chat_start_time_seconds", GAUGES["start_time_seconds"], self._metrics.start_ms / 1000)
        info = GaugeMetricFamily("chat_info", "The server; always 1.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        for name, value in self._gauges.items():
            yield GaugeMetricFamily(f"chat_{name}", GAUGES[name], value)
        for name, help in COUNTERS.items():
            # A lone server has none of the cluster's.
            if name in self._counters or not name.startswith("cluster_"):
                yield CounterMetricFamily(f"chat_{name}", help, self._counters.get(name, 0))
        refused = CounterMetricFamily("chat_refusals", "Commands that this node refused, by code.", labels=["code"])
        for code, count in sorted(self._refusals.items()):
            refused.add_metric([code], count)
        yield refused
        for name, help, histogram in (
            ("batch_entries", "Commands in a batch.", self._metrics.batch_entries),
            ("batch_seconds", "From handing a batch to the writer to its commit.", self._metrics.batch_seconds),
            (
                "commit_seconds",
                "The commit of a batch alone; its fsync is in it but for a node of a cluster.",
                self._metrics.commit_seconds,
            ),
        ):
            yield HistogramMetricFamily(f"chat_{name}", help, histogram.buckets(), histogram.sum)


def write(path: Path, text: bytes) -> None:
    """Replace the file atomically, so that a reader finds the old or the new one. All may read it. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(text)
        part.chmod(0o644)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
