"""The server around the node and its sessions: listening sockets, signals, metrics, and the end."""

import asyncio
import contextlib
import logging
import platform
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from chat_server import __version__, certificates, metrics
from chat_server.addresses import is_loopback
from chat_server.admin.control import ControlSocket
from chat_server.admin.processes import NodeProcesses
from chat_server.cluster import nats_access
from chat_server.cluster.member import ClusterNode, open_member
from chat_server.errors import Refusal, StartError
from chat_server.frontend.acceptor import Acceptor, limit_connections
from chat_server.frontend.listener import BACKLOG, adopt, claim_shared, listen, map_read_buffers, renew, tls_context
from chat_server.frontend.session import Session
from chat_server.frontend.sessions import Sessions
from chat_server.frontend.transport import SocketTransport
from chat_server.hangup import Hangup
from chat_server.log_destination import LogDestination
from chat_server.node import open_alone
from chat_server.outlook import CHECK_SECONDS, ROOM_SECONDS, Outlook
from chat_server.protocol import lookalikes  # noqa: F401  # loaded before somebody waits for the check of a name
from chat_server.protocol.base import Reply
from chat_server.protocol.connection import Notice
from chat_server.protocol.control import Reload, Reloaded, Verify
from chat_server.protocol.names import fold
from chat_server.protocol.times import duration
from chat_server.reloading import NewSettings, compare
from chat_server.runtime import Runtime
from chat_server.service_manager import ServiceManager
from chat_server.settings import Settings, refuse_without_directory
from chat_server.store import accounts, operators, statistics
from chat_server.store.data_directory import DataDirectory
from chat_server.store.database import READ_ERRORS
from chat_server.store.identity import name_of_node
from chat_server.trail import Trail
from chat_server.writer_pulse import WriterPulse

if TYPE_CHECKING:
    from chat_server.log.nats_connection import Nats

log = logging.getLogger("chat.server")

# How often the service manager is told the status.
STATUS_SECONDS = 15.0


class Server:
    def __init__(
        self,
        settings: Settings,
        read_settings: Callable[[], Settings],
        runtime: Runtime,
        directory: DataDirectory,
        destination: LogDestination,
        manager: ServiceManager,
        hangup: Hangup,
        connections_max: int,
    ) -> None:
        """`connections_max`: see `limit_connections`; `read_settings` reads the settings again. Raises StartError.

        The ports are taken before the store is opened, so that a server that cannot listen changes nothing.
        """
        self._tls_context = _tls_context(settings)
        self._plain, self._tls = _listening(settings, manager)
        self._manager = manager
        self._read_settings = read_settings
        self._hangup = hangup
        self._settings = settings
        self._runtime = runtime
        self._directory = directory
        self._destination = destination
        self._actions = destination.actions
        self._connections_max = connections_max
        self._stop = runtime.event()
        self._begun = runtime.monotonic()
        self._metrics_worker = runtime.worker("metrics")
        self._nats: Nats | None = None
        self._member: ClusterNode | None = None
        self._processes: NodeProcesses | None = None
        self._claims: list[socket.socket] = []

    async def _open_member(self) -> ClusterNode:
        """Raises StartError."""
        settings, runtime, directory = self._settings, self._runtime, self._directory.path
        name = name_of_node(directory, settings.node, runtime.token_hex(4))
        self._nats = await nats_access.connect(settings, runtime, name)
        # These packages are there where there is a connection.
        from chat_server.log.jetstream import JetStreamChain
        from chat_server.log.nats_bus import NatsBus
        from chat_server.log.nats_objects import NatsObjects

        loop = asyncio.get_running_loop()
        if nats_access.has_unbounded_writes(sys.version_info[:3], has_uvloop="uvloop" in type(loop).__module__):
            log.warning(
                "asyncio of Python %s does not wait for a slow NATS server, so that memory may grow without a bound:"
                " install uvloop, or Python 3.12.9, 3.13.2 or newer",
                platform.python_version(),
            )
        streams, bus, objects = JetStreamChain(self._nats), NatsBus(self._nats), NatsObjects(self._nats)
        self._processes = NodeProcesses(replace(settings, node=name), directory)
        return await open_member(
            settings, runtime, directory, name, streams, bus, objects, self._processes, self._statistics
        )

    async def _start_node(self) -> None:
        """Open the node and what stands on it, and start it. Raises StartError."""
        settings, runtime, directory = self._settings, self._runtime, self._directory.path
        if settings.cluster:
            member = self._member = await self._open_member()
            self.node, start = member.node, member.start
        else:
            self.node = open_alone(settings, runtime, directory, self._statistics)
            start = self.node.start
        self.node.on_delivered = Trail(self._actions, self.node.delivery.feed, is_member=self._member is not None).note
        self._outlook = Outlook(runtime, self.node.space, self._warn_operators)
        self._look_at_certificate()
        self._sessions = Sessions(runtime, self.node, settings, self._actions)
        self._acceptor = Acceptor(
            self._open,
            self._connections_max,
            settings.connections_per_address,
            why_banned=lambda address: self.node.doorkeeper.why_not(address, self.node.time.now()),
        )
        asides: dict[type, Callable[[], Coroutine[None, None, Reply]]] = {Reload: self._answer_reload}
        if self._member is not None:
            asides[Verify] = self._member.verification.verify
        self._control = ControlSocket(self.node, directory, settings.text_chars_max, self._actions, asides)
        if settings.metrics_file is not None:
            try:
                metrics.write(Path(settings.metrics_file), self._metrics(self._store_gauges()))
            except OSError as error:
                raise StartError(f"cannot write the metrics file {settings.metrics_file}: {error.strerror}") from None
        await start()

    async def run(self, started: Callable[[str], None]) -> None:
        """Listen until a signal comes or the disk fails; `started` is given the start lines. Raises StartError."""
        await self._start_node()
        self._begin_to_accept()
        self._control.open()
        self._handle_signals()
        running = self._runtime.spawn(self.node.run())
        running.add_done_callback(lambda _: self._stop.set())
        tasks = [
            running,
            self._runtime.spawn(self._sessions.watch_stalled()),
            self._runtime.spawn(self._keep_writing_metrics()),
            self._runtime.spawn(self._keep_telling_manager()),
            self._runtime.spawn(self._keep_watching_room()),
            self._runtime.spawn(self._keep_looking_ahead()),
        ]
        started(self._summary(await self._operator_names()))
        self._manager.tell_ready(self._status())
        if self._hangup.came:
            self._take_hangup()
        try:
            await self._stop.wait()
            self._manager.tell_stopping()
            self._acceptor.close()
            await self._sessions.finish(running)
        finally:
            self._control.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # The last numbers stay in the file.
            if self._settings.metrics_file is not None:
                self._write_metrics(self._metrics(self._store_gauges()))
            self._metrics_worker.close()
            if self._processes is not None:
                self._processes.close()
            self.node.close()
            if self._nats is not None:
                await self._nats.close()
            self._actions.flush()
        if self.node.failure:
            raise StartError(f"{self.node.failure}; stopped")
        if not running.cancelled() and (bug := running.exception()):
            log.critical("the node failed: this is a bug", exc_info=bug)
            raise StartError("stopped by a mistake of the server, which is logged above")

    def _begin_to_accept(self) -> None:
        """Raises StartError."""
        if self._settings.reuse_port:
            self._claims = claim_shared((*self._plain, *self._tls), self.node.history)
        self.node.on_bans = self._sessions.close_banned
        for sock in self._plain:
            self._acceptor.listen(sock, None)
        for sock in self._tls:
            self._acceptor.listen(sock, self._tls_context)
        if self._settings.reuse_port:
            for sock in (*self._plain, *self._tls):
                sock.listen(BACKLOG)

    def _handle_signals(self) -> None:
        handlers = {signal.SIGTERM: self._stop.set, signal.SIGINT: self._stop.set, signal.SIGHUP: self._take_hangup}
        for number, handler in handlers.items():
            # A signal that nohup or a shell without job control has ignored stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, handler)

    # ---- the service manager

    def _status(self) -> str:
        """Return what `systemctl status` shows."""
        online, messages = len(self.node.delivery.presence.online), self.node.metrics.counters["messages"]
        return f"{online} people online over {len(self._sessions)} connections; {messages} messages since the start"

    async def _keep_telling_manager(self) -> None:
        """Tell the manager the status, and the watchdog that loop and writer are alive."""
        manager, pulse = self._manager, WriterPulse(self.node.send_pulse)
        watchdog = manager.watchdog_seconds
        is_alive = True
        while manager.is_there:
            await self._runtime.sleep(min(STATUS_SECONDS, watchdog / 2 if watchdog else STATUS_SECONDS))
            manager.tell_status(self._status())
            was_alive, is_alive = is_alive, pulse.is_alive()
            if is_alive:
                manager.tell_alive()
            elif was_alive:
                log.critical("the writer's thread does nothing any more: this is a bug; the watchdog is not told")

    # ---- reading the settings again

    def _take_hangup(self) -> None:
        """Read the settings again; stop if that came since the terminal was closed."""
        if self._hangup.has_lost_terminal():
            self._stop.set()
            return
        with contextlib.suppress(StartError):
            self._reload()

    async def _answer_reload(self) -> Reloaded:
        """Raises Refusal."""
        try:
            found = self._reload()
        except StartError as error:
            raise Refusal("bad_argument", f"{error}; the settings from before hold") from None
        return Reloaded(found.changes, found.at_restart)

    def _reload(self) -> NewSettings:
        """Read the settings and the certificate again. Raises StartError, and then nothing has changed."""
        self._manager.tell_reloading()
        try:
            found = compare(self._settings, self._read_settings(), is_member=self.node.is_member)
            self._take_settings(found.settings)
        except StartError as error:
            log.error("the settings were not read again: %s; those from before hold", error)
            raise
        finally:
            self._manager.tell_ready(self._status())
        for line in (*found.changes, *found.at_restart):
            log.info("%s", line)
        changes = len(found.changes)
        log.info("the settings were read again: %d %s", changes, "change" if changes == 1 else "changes")
        return found

    def _take_settings(self, settings: Settings) -> None:
        """Raises StartError, and then nothing has changed."""
        refuse_without_directory(settings.metrics_file)
        connections_max = limit_connections(settings.connections_max)
        if self._tls_context is not None:
            renew(self._tls_context, settings.tls_cert or "", settings.tls_key or "")
            log.info("the certificate was read again; new connections are shown it")
            self._look_at_certificate(settings.tls_cert)
            self._outlook.check()
        self._settings, self._connections_max = settings, connections_max
        self._destination.reload(settings)
        self._acceptor.limit(connections_max, settings.connections_per_address)
        self._control.text_chars_max = settings.text_chars_max
        self._sessions.take_settings(settings)
        self.node.take_settings(settings)

    # ---- warnings

    def _look_at_certificate(self, file: str | None = None) -> None:
        """Without a file, at that of the start."""
        file = file or self._settings.tls_cert
        try:
            self._outlook.certificate = None if file is None else certificates.validity(file)
        except (OSError, ValueError) as error:
            self._outlook.certificate = None
            log.warning("nobody will be warned before the certificate %s ends: %s", file, error)

    async def _keep_looking_ahead(self) -> None:
        while True:
            self._outlook.check()
            await self._runtime.sleep(CHECK_SECONDS)

    async def _keep_watching_room(self) -> None:
        while True:
            self._outlook.check_room()
            await self._runtime.sleep(ROOM_SECONDS)

    def _warn_operators(self, text: str) -> None:
        self._runtime.spawn(self._tell_operators(text))

    async def _tell_operators(self, text: str) -> None:
        with contextlib.suppress(*READ_ERRORS):
            ids = await self.node.readers.pick().run(operators.ids)
            self.node.delivery.feed.tell_users(ids, Notice(f"to the operators: {text}"))

    # ---- connections

    def _open(self, address: str, release: Callable[[], None]) -> asyncio.BaseProtocol:
        def session(transport: SocketTransport) -> Session:
            return self._sessions.open(transport, address, release)

        return SocketTransport(session, self._settings.outbox_bytes_max // 2)

    # ---- numbers

    def _statistics(self) -> dict[str, int]:
        """What /stats tells of the running server."""
        return {
            "connections": len(self._sessions),
            "users_online": len(self.node.delivery.presence.online),
            "messages": self.node.metrics.counters["messages"],
            "deliveries": self.node.delivery.feed.deliveries,
            "disk_free_bytes": self.node.space.free_bytes(),
            "disk_reserve_bytes": self.node.space.reserve_bytes,
            "overload_level": self.node.shedding.level,
            "uptime_seconds": int(self._runtime.monotonic() - self._begun),
            **self._outlook.counts(),
        }

    def _store_gauges(self) -> dict[str, float]:
        """The numbers of the store; none if it cannot be read, which is no reason to stop."""
        try:
            return statistics.read_gauges(
                self._directory.path, self.node.time.now().elapsed_ms, self.node.limits.message_ttl_ms
            )
        except (apsw.Error, OSError) as error:
            log.error("cannot read the numbers of the store for the metrics: %s", error)
            return {}

    def _metrics(self, stored: dict[str, float]) -> bytes:
        blobs = self.node.transfers.blobs
        waiting = [session.transport.waiting_bytes() for session in self._sessions]
        gauges = {
            "connections": len(self._sessions),
            "users_online": len(self.node.delivery.presence.online),
            "outbox_bytes": sum(waiting),
            "outbox_bytes_most": max(waiting, default=0),
            "text_quota_bytes": self.node.limits.text_quota_bytes,
            "disk_free_bytes": self.node.space.free_bytes(),
            "disk_reserve_bytes": self.node.space.reserve_bytes,
            **self._outlook.gauges(),
            "overload_level": self.node.shedding.level,
            **stored,
            **(self._member.numbers.gauges() if self._member else {}),
        }
        counters = {
            "deliveries": self.node.delivery.feed.deliveries,
            "connections_refused": self._acceptor.refused["busy"],
            "connections_banned": self._acceptor.refused["banned"],
            "file_bytes_received": blobs.bytes_received,
            "file_bytes_sent": blobs.bytes_sent,
            **(self._member.numbers.counters() if self._member else {}),
        }
        return self.node.metrics.render(gauges, counters, self._actions.refusals)

    def _write_metrics(self, text: bytes) -> None:
        path = self._settings.metrics_file
        try:
            metrics.write(Path(path or ""), text)
        except OSError as error:
            log.error("cannot write the metrics file %s: %s", path, error.strerror)

    async def _keep_writing_metrics(self) -> None:
        while True:
            await self._runtime.sleep(metrics.WRITE_SECONDS)
            if self._settings.metrics_file is None:
                continue
            if self._member is not None:
                await self._member.numbers.ask()
            stored = await self._metrics_worker.run(self._store_gauges)
            await self._metrics_worker.run(self._write_metrics, self._metrics(stored))

    # ---- what is said at the start

    async def _operator_names(self) -> str:
        """The operators that the chat's settings name; without an account or a password they are none yet."""
        told, reader = [], self.node.readers.pick()
        for name in await reader.run(operators.configured_names):
            user = await reader.run(accounts.by_name, fold(name))
            missing = "" if user and user.password else " (has no password yet)" if user else " (has no account yet)"
            told.append(name + missing)
            if user is None:
                log.warning("the operator %s has no account: whoever registers that name first is the operator", name)
        return ", ".join(told)

    def _summary(self, operators: str) -> str:
        settings = self.node.settings
        listening = ", ".join(filter(None, (_addresses(self._plain), _addresses(self._tls, " (TLS)"))))
        host, port = (self._plain or self._tls)[0].getsockname()[:2]
        host = "localhost" if is_loopback(host) or host in ("0.0.0.0", "::") else host
        try_it = f"nc {host} {port}" if self._plain else f"openssl s_client -quiet -connect {host}:{port}"
        where = "a temporary directory, removed at the stop" if self._directory.temporary else str(self._directory.path)
        rate = f"{settings.main_rate} in main" if settings.main_rate else "no limit in main"
        ttl_ms = settings.message_ttl_ms
        life = f"removed {duration(ttl_ms)} after all have read them" if ttl_ms else "kept for ever"
        if self.node.removal_notice:
            log.warning("%s", self.node.removal_notice)
        log.info("started: listening on %s, data in %s", listening, self._directory.path)
        return "\n".join(
            (
                f"chat-server {__version__} listening on {listening}",
                f"  data       {where}",
                f"  messages   {settings.text_chars_max} characters, {rate}, {life}",
                f"  commands   {settings.command_rate or 'any number'} for each connection",
                f"  reports    {settings.reports_to_ban} ban for {duration(settings.ban_ms)}",
                f"  accounts   {'with or without' if self.node.limits.passwordless else 'with'} a password",
                *([f"  operators  {operators}"] if operators else []),
                *([f"  log        {self._destination.path}"] if self._destination.path else []),
                *([f"  removing   {self.node.removal_notice}"] if self.node.removal_notice else []),
                f"  open       up to {self._connections_max} connections",
                f"try it: {try_it}",
            )
        )


def _tls_context(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    map_read_buffers()
    return tls_context(settings.tls_cert, settings.tls_key)


def _listening(settings: Settings, manager: ServiceManager) -> tuple[list[socket.socket], list[socket.socket]]:
    """Return the sockets without and with TLS: those that were passed, or new ones. Raises StartError."""
    if manager.sockets:
        plain, tls = (
            [adopt(each.sock) for each in manager.sockets if each.is_tls == is_tls] for is_tls in (False, True)
        )
        if tls and settings.tls_cert is None:
            raise StartError(
                "a socket named tls was passed, but there is no --tls-cert: give one, or systemctl disable --now"
                " chat-server-tls.socket",
                status=2,
            )
        if settings.tls_cert is not None and not tls:
            log.warning("nobody can use the --tls-cert: no socket named tls was passed (FileDescriptorName=tls)")
        return plain, tls
    host, shared = settings.host, settings.reuse_port
    plain = [] if settings.port is None else listen(host, settings.port, shared=shared)
    return plain, [] if settings.tls_port is None else listen(host, settings.tls_port, shared=shared)


def _addresses(sockets: list[socket.socket], suffix: str = "") -> str:
    named = (sock.getsockname()[:2] for sock in sockets)
    return ", ".join(f"{f'[{host}]' if ':' in host else host}:{port}{suffix}" for host, port in named)
