"""The administrator's commands to a running server, over `control.sock`.

The lines are those of the protocol, with a table of commands of their own. An answer has the format of its question,
text or JSON. Whoever can open the socket (mode 0600, in a directory of mode 0700) may send them: there is no sign-in.

`answer` is the one implementation. Its `Backend` is the node of a running server, or the store alone (`offline`).
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from chat_server.action_log import ActionLog
from chat_server.errors import UNREADABLE, Refusal, StartError
from chat_server.frontend.acceptor import Acceptor
from chat_server.log.entries import MACHINE
from chat_server.node import Node
from chat_server.protocol.base import Reply, Spec
from chat_server.protocol.connection import Help, HelpText
from chat_server.protocol.control import CONTROL, Backup
from chat_server.protocol.formats import format_of
from chat_server.protocol.help import help_text
from chat_server.protocol.lines import decode
from chat_server.protocol.parse import parse
from chat_server.protocol.table import TABLE
from chat_server.rules.executor import Outcome
from chat_server.rules.outcomes import Page, events_of
from chat_server.rules.registry import RULES
from chat_server.store.database import READ_ERRORS

log = logging.getLogger("chat.control")

SOCKET = "control.sock"
LINE_BYTES_MAX = 65_536
CONNECTIONS_MAX = 32
# Whoever runs the server gets in even when everybody else has used up the open files.
SPARE_DESCRIPTORS = 4
# The kernel takes paths of Unix sockets of at most 107 bytes.
PATH_BYTES_MAX = 100
# The commands of operators, and those of the administrator alone.
VERBS: dict[str, Spec] = {
    verb: spec for verb, spec in TABLE.items() if spec.who == "operators" or verb == "help"
} | CONTROL


# What the server itself answers, beside the node: by the type of the query.
Asides = Mapping[type, Callable[[], Coroutine[None, None, Reply]]]


class Backend(Protocol):
    """Executes the administrator's commands."""

    def now(self) -> str: ...

    async def order(self, command: Any) -> Reply:
        """Execute a command that changes something. Raises Refusal."""

    def read(self, query: Any) -> AsyncIterator[Page]:
        """Answer a query, page by page. Raises Refusal."""


async def answer(backend: Backend, line: bytes, text_chars_max: int) -> AsyncIterator[tuple[bytes, str, str, str]]:
    """Yield the lines that answer this one.

    The last one comes with the verb, with `ok` or the code of the refusal, and with the user whom it is about, if any.
    """
    format = format_of(line.decode(errors="replace"))
    verb, label, result = "", None, "ok"
    reply: Reply | Refusal | None = None
    try:
        parsed = parse(decode(line), text_chars_max=text_chars_max, verbs=VERBS)
        verb, label = parsed.verb, parsed.label
        if parsed.error is not None:
            raise parsed.error
        if isinstance(parsed.command, Help):
            reply = HelpText(help_text(parsed.command.command, VERBS))
        elif type(parsed.command) in RULES:
            reply = await backend.order(parsed.command)
        else:
            async for page in backend.read(parsed.command):
                for event in events_of(page.events):
                    yield format.event(event, backend.now(), label), "", "", ""
                if page.end is not None:
                    assert isinstance(page.end, Reply)
                    reply = page.end
    except Refusal as refusal:
        reply, result = refusal, refusal.code
    except READ_ERRORS as error:
        log.error("the disk failed while the answer to %s was read: %s", verb, error)
        reply, result = UNREADABLE, UNREADABLE.code
    assert reply is not None
    yield format.answer(reply, verb, label, backend.now()), verb or "-", result, getattr(reply, "user", "")


# ---- beside a running server


class ControlConnection:
    """A connection over the socket: it has commands logged, but nothing is pushed to it."""

    def __init__(self, node: Node, transport: asyncio.Transport, asides: Asides) -> None:
        self._node = node
        self._asides = asides
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._logged = 0
        self._transport = transport
        self.number = node.delivery.add(self)
        # Whether a backup reads the files.
        self.keeps_files = False

    def now(self) -> str:
        return self._node.delivery.now()

    async def order(self, command: Any) -> Reply:
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._logged += 1
        self._waiting[self._logged] = done
        self._node.submit(command, MACHINE, self.number, self._logged)
        result = (await done).result
        if isinstance(result, Refusal):
            raise result
        assert isinstance(result, Reply)
        return result

    async def read(self, query: Any) -> AsyncIterator[Page]:
        if type(query) in self._asides:
            yield Page((), await self._asides[type(query)]())
            return
        if isinstance(query, Backup) and not self.keeps_files:
            self.keeps_files = True
            await self._node.transfers.hold_files()
        reading = self._node.read(MACHINE, query)
        while True:
            page = await reading.next()
            yield page
            if page.end is not None:
                return

    def settle(self, outcome: Outcome) -> bytes:
        assert outcome.entry.origin is not None
        done = self._waiting.pop(outcome.entry.origin.number)
        if not done.done():
            done.set_result(outcome)
        return b""

    def settled(self) -> None:
        pass

    def abort(self) -> None:
        self._transport.abort()

    def close(self) -> None:
        self._node.delivery.connections.remove(self.number)


class _StreamProtocol(asyncio.StreamReaderProtocol):
    """One connection, as streams. `release` is called when it is lost."""

    def __init__(
        self,
        serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]],
        release: Callable[[], None],
    ) -> None:
        super().__init__(asyncio.StreamReader(LINE_BYTES_MAX), serve)
        self._release = release

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._release()


class ControlSocket:
    """Listens on `control.sock` in the data directory, whose lock the caller holds."""

    def __init__(
        self,
        node: Node,
        directory: Path,
        text_chars_max: int,
        actions: ActionLog,
        asides: Asides,
    ) -> None:
        self._node = node
        self._asides = asides
        self._path = directory / SOCKET
        self.text_chars_max = text_chars_max
        self._actions = actions
        self._acceptor = Acceptor(self._open, CONNECTIONS_MAX, None, spare=SPARE_DESCRIPTORS)
        self._bound = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Raises StartError."""
        sock = socket.socket(socket.AF_UNIX)
        try:
            # A socket left by a killed server belongs to nobody, since we hold the directory's lock.
            self._path.unlink(missing_ok=True)
            with short_address(self._path) as address:
                sock.bind(address)
            self._path.chmod(0o600)
            self._bound = self._path.stat().st_ino
            sock.setblocking(False)
            sock.listen(CONNECTIONS_MAX)
        except OSError as error:
            sock.close()
            raise StartError(f"cannot listen on {self._path}: {error.strerror or error}") from None
        self._acceptor.listen(sock, None)

    def _open(self, address: str, release: Callable[[], None]) -> asyncio.BaseProtocol:
        return _StreamProtocol(self._serve, release)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = ControlConnection(self._node, cast(asyncio.Transport, writer.transport), self._asides)
        try:
            while line := await reader.readline():
                if line.strip():
                    await self._answer(connection, line.rstrip(b"\r\n"), writer)
        except (OSError, ValueError) as error:
            log.info("control connection %d ended: %s", connection.number, error)
        except asyncio.CancelledError:
            # The server stops. A command has either been done, and stands in the audit, or it has not.
            pass
        except Exception:
            log.exception("control connection %d failed: this is a bug", connection.number)
        finally:
            self._tasks.discard(task)
            connection.close()
            writer.close()
            if connection.keeps_files:
                await self._node.transfers.release_files()

    async def _answer(self, connection: ControlConnection, line: bytes, writer: asyncio.StreamWriter) -> None:
        clock = self._node.runtime
        begun = clock.monotonic()
        async for data, verb, result, user in answer(connection, line, self.text_chars_max):
            if writer.is_closing():
                # uvloop makes a RuntimeError of the write, and asyncio this.
                raise ConnectionResetError("whoever asked has left")
            writer.write(data)
            await writer.drain()
            if verb:
                self._actions.add("server", verb, result, clock.monotonic() - begun, connection.number, "control")
            if user:
                self._actions.add_fact("act", {"do": verb, "of": user})

    def close(self) -> None:
        self._acceptor.close()
        # If the directory was replaced, the socket there may be another server's.
        if self._bound and self._path.exists() and self._path.stat().st_ino == self._bound:
            self._path.unlink(missing_ok=True)
        for task in list(self._tasks):
            task.cancel()


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Yield an address of a Unix socket that is short enough for the kernel. It is valid inside the `with`."""
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
