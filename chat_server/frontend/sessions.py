"""All sessions of a server: opening them, closing those whose readers have stalled, and the stop."""

import contextlib
import logging
from collections.abc import Callable, Iterator

from chat_server.action_log import ActionLog
from chat_server.errors import Refusal
from chat_server.frontend.rate_limits import Allowances
from chat_server.frontend.session import Session
from chat_server.frontend.transport import Transport
from chat_server.node import Node
from chat_server.protocol.times import Now
from chat_server.runtime import Future, Runtime
from chat_server.settings import Settings

log = logging.getLogger("chat.server")

_UNKNOWN = (
    "the server stops; whether this was done is not known: look with /history later, or send it with the same key"
)
# The whole of a stop stays under 5 seconds.
DRAIN_SECONDS = 2.0
FLUSH_SECONDS = 1.5


class Sessions:
    def __init__(self, runtime: Runtime, node: Node, settings: Settings, actions: ActionLog) -> None:
        self._runtime = runtime
        self._node = node
        self._settings = settings
        self._actions = actions
        self._allowances = Allowances(settings.command_rate, settings.command_burst)
        # The sessions, each with what it calls at its end, in the order in which they came.
        self._sessions: dict[Session, Callable[[], None]] = {}
        # One bound method for all of them.
        self._on_lost = self._forget
        self._stalled: dict[Session, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions)

    def take_settings(self, settings: Settings) -> None:
        """Use these from now on. Those who are connected keep their rates and the bounds of their lines."""
        self._settings = settings
        self._allowances = Allowances(settings.command_rate, settings.command_burst)
        for session in self._sessions:
            session.pipeline.settings = settings

    def open(self, transport: Transport, address: str, release: Callable[[], None]) -> Session:
        """Open the session of a new connection. `release` is called when the connection is lost."""
        session = Session(
            self._runtime,
            self._node,
            self._settings,
            self._actions,
            self._allowances,
            transport,
            address,
            self._on_lost,
        )
        self._sessions[session] = release
        # A TLS handshake may have taken longer than the ban of its address.
        self._close_banned(session, self._node.time.now())
        return session

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session)()

    def close_banned(self) -> None:
        """Close the connections from addresses that are banned."""
        now = self._node.time.now()
        for session in list(self._sessions):
            self._close_banned(session, now)

    def _close_banned(self, session: Session, now: Now) -> None:
        if why := self._node.doorkeeper.why_not(session.address, now):
            session.close("banned", why)

    async def watch_stalled(self) -> None:
        """Close connections whose peer has taken nothing for `stall_ms` while output waits; slow ones are served."""
        while True:
            limit = self._settings.stall_ms / 1000
            await self._runtime.sleep(min(limit / 4, 5.0))
            now = self._runtime.monotonic()
            seen: dict[Session, tuple[int, float]] = {}
            for session in list(self._sessions):
                stuck = session.unsent_bytes_if_stuck()
                if not stuck:
                    continue
                before, since = self._stalled.get(session, (0, now))
                seen[session] = (stuck, since if stuck == before else now)
                if now - seen[session][1] >= limit:
                    log.info(
                        "session %d of %s took nothing for %.0f s", session.number, session.pipeline.name or "-", limit
                    )
                    session.close("stalled", "you took nothing for too long; come back for the rest")
            self._stalled = seen

    async def finish(self, running: Future[None]) -> None:
        """Finish and answer the commands that were taken, tell everybody, and end the connections.

        `running` is what runs the node.
        """
        log.info("stopping: %d connections", len(self._sessions))
        for session in list(self._sessions):
            session.stop_reading()
        self._node.finish()
        drained = self._runtime.event()
        running.add_done_callback(lambda _: drained.set())
        with contextlib.suppress(TimeoutError):
            async with self._runtime.timeout(DRAIN_SECONDS):
                await drained.wait()
        for session in list(self._sessions):
            session.fail(Refusal("unavailable", _UNKNOWN))
            session.close("shutdown", "the server stops; come back in a moment")
        deadline = self._runtime.monotonic() + FLUSH_SECONDS
        while self._sessions and self._runtime.monotonic() < deadline:
            await self._runtime.sleep(0.01)
        for session in list(self._sessions):
            session.abort()
        await self._runtime.sleep(0)
        log.info("stopped")
