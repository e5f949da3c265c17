"""The upgrade of a cluster: the version of the log is raised once all nodes know a newer one.

Nodes are replaced one by one, and nothing changes as long as an old one is alive. A node that is down meanwhile does
not count: if it comes back with its old program, it stops where the version was raised, and says so.
"""

import logging
from collections.abc import Callable

from chat_server import __version__
from chat_server.cluster.heartbeats import Heartbeats
from chat_server.cluster.periodic import repeat
from chat_server.log.entries import Entry, RaiseVersion
from chat_server.log.replicated import ReplicatedLog
from chat_server.log.versions import VERSION
from chat_server.runtime import Runtime

log = logging.getLogger("chat.cluster")

CHECK_SECONDS = 1.0
# All living nodes must have known the newer version for this time. One that is being restarted is back by then.
SETTLED_SECONDS = 10.0


class Upgrade:
    """The node of rank 0 raises the version. If two do, the second changes nothing."""

    def __init__(
        self, runtime: Runtime, replicated: ReplicatedLog, heartbeats: Heartbeats, version: Callable[[], int]
    ) -> None:
        """`version` tells the version that the log has."""
        self._runtime = runtime
        self._log = replicated
        self._heartbeats = heartbeats
        self._version = version
        self._last_version = version()
        self._waits_for: list[str] | None = None  # as it was told last
        self._settled: tuple[int, float] = (0, 0.0)  # the version that all know, and since when

    @property
    def is_under_way(self) -> bool:
        """Tell whether this program knows a newer version than the log has: older programs may still be started."""
        return self._version() < VERSION

    def start(self) -> None:
        """Begin to check whether all nodes know a newer version, until the log has this program's."""
        if self.is_under_way:
            log.warning(
                "this program knows version %d of the log, which has version %d until all nodes know a newer one:"
                " commands that need it are refused until then", VERSION, self._version(),
            )  # fmt: skip
            self._checking = repeat(self._runtime, self._log, self._check, CHECK_SECONDS)

    async def _check(self) -> float | None:
        version = self._version()
        if version != self._last_version:
            self._last_version = version
            log.warning("the cluster went on to version %d of the log; older programs stop there", version)
        if not self.is_under_way:
            return None
        known = self._known_by_all()
        if known > version and self._heartbeats.rank() == 0:
            log.info("all living nodes know version %d of the log: it is raised to that", known)
            self._log.submit(Entry(RaiseVersion(known)))
            self._settled = (0, 0.0)
        return CHECK_SECONDS

    def _known_by_all(self) -> int:
        """Return the newest version that all living nodes have known for a while, 0 if there is none."""
        now, vitals = self._runtime.monotonic(), self._heartbeats.vitals()
        if vitals is None:
            self._settled = (0, now)
            return 0
        known = min(each.version for each in vitals.values())
        self._tell({name: each.program for name, each in vitals.items() if each.version < VERSION})
        if known != self._settled[0]:
            self._settled = (known, now)
        return known if now - self._settled[1] >= SETTLED_SECONDS else 0

    def _tell(self, older: dict[str, str]) -> None:
        """Say which nodes the upgrade waits for, whenever that has changed."""
        if older and sorted(older) != self._waits_for:
            self._waits_for = sorted(older)
            nodes = ", ".join(f"{name} ({older[name]})" for name in self._waits_for)
            log.warning("the upgrade to chat-server %s waits for %s", __version__, nodes)
