"""The server around the sessions: listening, how many may connect, who has stalled, and stopping in order."""

import asyncio
import errno
import logging
import resource
import signal
import socket
from collections.abc import Callable

from chat_server import __version__
from chat_server.actions import ActionLog
from chat_server.addresses import is_loopback
from chat_server.clock import Clock
from chat_server.errors import Refusal, StartError
from chat_server.node import Node
from chat_server.protocol.times import duration
from chat_server.session import Session
from chat_server.settings import Settings
from chat_server.store.directory import DataDirectory

log = logging.getLogger("chat.server")

BACKLOG = 1024
# Kept free for the database, the log and what a start needs.
DESCRIPTORS_RESERVED = 64
# What the kernel holds of a connection before it says that it is full.
NOT_SENT_BYTES_MAX = 131_072
# A peer that vanished is noticed after about 60 + 4 * 15 seconds.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
# The whole of a stop stays under 5 seconds.
_UNKNOWN = (
    "the server stops; whether this was done is not known: look with /history later, or send it with the same key"
)
DRAIN_SECONDS = 2.0
FLUSH_SECONDS = 1.5


class Server:
    def __init__(self, settings: Settings, clock: Clock, directory: DataDirectory, actions: ActionLog) -> None:
        """Raises StartError. The port is taken before the store is opened: who cannot listen changes nothing."""
        self._sockets = listen(settings.host, settings.port)
        self.node = Node(settings, clock, directory.path)
        self._settings = settings
        self._clock = clock
        self._directory = directory
        self._actions = actions
        self._sessions: set[Session] = set()
        self._connections_max = _connections_max(settings.connections_max)
        self._stalled: dict[Session, tuple[int, float]] = {}
        self._stop = asyncio.Event()

    async def run(self, started: Callable[[str], None]) -> None:
        """Listen until a signal comes or the disk fails; `started` is told what holds. Raises StartError."""
        loop = asyncio.get_running_loop()
        listeners = [await loop.create_server(self._accept, sock=sock, backlog=BACKLOG) for sock in self._sockets]
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        running = loop.create_task(self.node.run())
        running.add_done_callback(lambda _: self._stop.set())
        watching = loop.create_task(self._watch_stalled())
        started(self._summary())
        try:
            await self._stop.wait()
            for listener in listeners:
                listener.close()
            await self._close(running)
        finally:
            watching.cancel()
            running.cancel()
            await asyncio.gather(watching, running, return_exceptions=True)
            self.node.close()
            self._actions.flush()
        if self.node.failure:
            raise StartError(f"{self.node.failure}; stopped")
        if not running.cancelled() and (bug := running.exception()):
            log.critical("the node failed: this is a bug", exc_info=bug)
            raise StartError("stopped by a mistake of the server, which is logged above")

    # ---- connections

    def _accept(self) -> asyncio.BaseProtocol:
        return Session(self.node, self._settings, self._actions, self._sessions, self._no_room)

    def _no_room(self, session: Session) -> str | None:
        """Why this new connection cannot stay; None if it can."""
        if len(self._sessions) > self._connections_max:
            return f"the server has all the {self._connections_max} connections that it takes; try again later"
        most = self._settings.connections_per_address
        if most is None or session.local:
            return None
        if sum(each.address == session.address for each in self._sessions) > most:
            return f"your address has all the {most} connections that one may have"
        return None

    async def _watch_stalled(self) -> None:
        """Close who has taken nothing at all for `stall_ms` of what waits; slow ones are served."""
        limit = self._settings.stall_ms / 1000
        while True:
            await asyncio.sleep(min(limit / 4, 5.0))
            now = self._clock.monotonic()
            seen: dict[Session, tuple[int, float]] = {}
            for session in list(self._sessions):
                stuck = session.unsent_bytes_if_stuck()
                if not stuck:
                    continue
                before, since = self._stalled.get(session, (0, now))
                seen[session] = (stuck, since if stuck == before else now)
                if now - seen[session][1] >= limit:
                    log.info("session %d of %s took nothing for %.0f s", session.number, session.name or "-", limit)
                    session.close("stalled", "you took nothing for too long; come back for the rest")
            self._stalled = seen

    # ---- stopping

    async def _close(self, running: "asyncio.Task[None]") -> None:
        """What was taken is finished and answered, everybody is told, then the connections end."""
        log.info("stopping: %d connections", len(self._sessions))
        for session in list(self._sessions):
            session.stop_reading()
        self.node.finish()
        await asyncio.wait([running], timeout=DRAIN_SECONDS)
        for session in list(self._sessions):
            session.fail(Refusal("unavailable", _UNKNOWN))
            session.close("shutdown", "the server stops; come back in a moment")
        deadline = self._clock.monotonic() + FLUSH_SECONDS
        while self._sessions and self._clock.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for session in list(self._sessions):
            session.transport.abort()
        await asyncio.sleep(0)
        log.info("stopped")

    # ---- what is said at the start

    def _summary(self) -> str:
        settings = self._settings
        addresses = [sock.getsockname()[:2] for sock in self._sockets]
        listening = ", ".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in addresses)
        host, port = addresses[0]
        where = "a temporary directory, removed at the stop" if self._directory.temporary else str(self._directory.path)
        rate = f"{settings.main_rate} in main" if settings.main_rate else "no limit in main"
        log.info("started: listening on %s, data in %s", listening, self._directory.path)
        return "\n".join(
            (
                f"chat-server {__version__} listening on {listening}",
                f"  data       {where}",
                f"  messages   {settings.text_chars_max} characters, {rate}",
                f"  commands   {settings.command_rate or 'any number'} for each connection",
                f"  reports    {settings.reports_to_ban} ban for {duration(settings.ban_ms)}",
                f"  accounts   {'with or without' if settings.passwordless else 'with'} a password",
                f"  open       up to {self._connections_max} connections",
                f"try it: nc {'localhost' if is_loopback(host) or host in ('0.0.0.0', '::') else host} {port}",
            )
        )


# Linux; the constant is missing in Python before 3.12.
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)


def listen(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of the host. Raises StartError."""
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            sock = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(sock)
            _set_options(sock)
            sock.bind(address)
            sock.listen(BACKLOG)
    except OSError as error:
        for sock in sockets:
            sock.close()
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise StartError(f"{where} is in use by another program; choose another --port") from None
        raise StartError(f"cannot listen on {where}: {error.strerror or error}") from None
    return sockets


def _set_options(sock: socket.socket) -> None:
    """Of a listening socket: those that it accepts have the same."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, NOT_SENT_BYTES_MAX)
    for option, value in KEEPALIVE:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def _connections_max(wanted: int) -> int:
    """As many as wanted, or as the limit on descriptors leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + DESCRIPTORS_RESERVED
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    room = soft - DESCRIPTORS_RESERVED
    if room < wanted:
        log.warning("only %d connections: the limit on open files (ulimit -n) is %d", room, soft)
    return min(wanted, room)
