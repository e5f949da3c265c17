"""What the conformance tests stand on: the real server in a process of its own, and clients that speak to its socket.

No test sleeps to wait for something: `roundtrip` is the barrier. What the server wrote before its pong has come.
"""

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

import apsw

from tests.fork_server import Forked, run, start

Json = dict[str, Any]
Line = TypeVar("Line", str, Json)
Command = str | Json

# Long enough for a machine that is busy with other things, on which a start took 31 s; a test that passes never waits
# for it.
TIMEOUT_SECONDS = 60.0
# A node looks for NATS for 15 s before it gives up.
START_SECONDS = 60.0
# A stop takes a tenth of a second, unless it waits for somebody: nobody is waited for so long.
STOP_SECONDS_MAX = 30.0
LINE_BYTES_MAX = 1 << 20

_counter = itertools.count(1)


def rounds(many: int) -> int:
    """How often something is tried that is killed at random: so often in `make test-all`, a quarter of it otherwise."""
    return many if os.environ.get("TESTS") == "all" else -(-many // 4)


def unique(name: str) -> str:
    """A name that no other test uses, since tests of one file share a server."""
    return f"{name}{next(_counter)}"


# ---- the server


class Beside(Protocol):
    """Another program that a server needs: it outlives kills of the server, and ends when the server is closed."""

    options: tuple[str, ...]

    def start(self) -> None:
        """Start it if it does not run."""

    def close(self) -> None: ...


class Server:
    """The server, on a port of its own. It can be killed, stopped and started again on the same data."""

    program: tuple[str, ...] = ("-m", "chat_server")
    # Those of this process that run now.
    running: ClassVar[set["Server"]] = set()
    # Makes what each server needs beside it, from the place of its data.
    make_beside: ClassVar[Callable[[Path], Beside] | None] = None

    def __init__(self, data: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.options = options
        self.port = 0
        self.listening = ""  # the line with which it says so
        self.process: Forked | subprocess.Popen[bytes] | None = None
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("CHAT_")}
        self.environment |= environment or {}
        self._log = data.with_name(data.name + ".log")
        make_beside = type(self).make_beside
        self._beside = make_beside(data) if make_beside is not None else None

    def arguments(self) -> list[str]:
        """What starts it, with what it needs beside it running."""
        beside: tuple[str, ...] = ()
        if self._beside is not None:
            self._beside.start()
            beside = self._beside.options
        return [sys.executable, *self.program, "--port", "0", "--data", str(self.data), *beside, *self.options]

    def start(self, stderr: int | None = None) -> None:
        """Returns when it listens; the log grows on from the last run, where it does not go to `stderr`."""
        with self._log.open("ab") as log:
            self.process = self._begin(log.fileno() if stderr is None else stderr)
        Server.running.add(self)
        assert self.process.stdout is not None
        self.listening = self.process.stdout.readline().decode()
        found = re.search(r" listening on [^,]*:(\d+)", self.listening)
        assert found, f"the server did not start: {self.listening}{self.log}"
        self.port = int(found[1])

    def _begin(self, stderr: int) -> "Forked | subprocess.Popen[bytes]":
        return start(self.arguments(), self.environment, self.data.parent, stdout=subprocess.PIPE, stderr=stderr)

    def refusal(self) -> tuple[int, str]:
        """The exit status and all that it says where it cannot start."""
        done = run(self.arguments(), self.environment, self.data.parent, timeout=START_SECONDS)
        return done.returncode, done.stdout + done.stderr

    def end(self, number: signal.Signals, timeout: float = TIMEOUT_SECONDS) -> int:
        """Its exit status after this signal."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.ended(timeout)

    def ended(self, timeout: float = TIMEOUT_SECONDS) -> int:
        """Its exit status, once it has ended."""
        assert self.process is not None
        process, self.process = self.process, None
        Server.running.discard(self)
        try:
            return process.wait(timeout)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def terminate(self) -> int:
        return self.end(signal.SIGTERM)

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def restart(self) -> None:
        """In order, on the same data; the port is another one."""
        assert self.terminate() == 0, self.log
        self.start()

    def stand_still(self, length: timedelta) -> None:
        """Stop and start again, as if so much time had passed between."""
        assert self.terminate() == 0, self.log
        ms = int(length.total_seconds() * 1000)
        with contextlib.closing(apsw.Connection(str(self.data / "chat.db"))) as connection:
            connection.execute("UPDATE state SET at_ms = at_ms - ?", (ms,))
        self.start()

    def close(self) -> None:
        if self.process is not None:
            self.terminate()
        if self._beside is not None:
            self._beside.close()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    async def logged(self, words: str, count: int = 1) -> str:
        """The log, once it has these words so often."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while (log := self.log).count(words) < count:
                await asyncio.sleep(0.01)
        return log

    def resident_bytes(self) -> int:
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class RemoteServer(Server):
    """The server, for which `REMOTE` and all of 127.0.0.0/8 but 127.0.0.1 are other machines."""

    program = (str(Path(__file__).with_name("remote.py")),)


class SteppedServer(Server):
    """The server, whose wall clock is set by `set_clock` while it runs or stands."""

    program = (str(Path(__file__).with_name("stepped.py")),)

    def __init__(self, data: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        self._clock = data.with_name(data.name + ".clock")
        super().__init__(data, *options, environment={"CLOCK": str(self._clock), **(environment or {})})

    def set_clock(self, ahead: timedelta) -> None:
        """By so much it is ahead from here on."""
        new = self._clock.with_suffix(".new")
        new.write_text(str(int(ahead.total_seconds() * 1000)))
        new.replace(self._clock)


class GatedServer(Server):
    """The server, which hashes no password before `gate` is open."""

    program = (str(Path(__file__).with_name("gated.py")),)

    def start(self, stderr: int | None = None) -> None:
        self._pipe = self.data.with_name("gate")
        self._pipe.unlink(missing_ok=True)
        os.mkfifo(self._pipe)
        self._gate: int | None = None
        super().start(stderr)

    def open_gate(self) -> None:
        self._gate = os.open(self._pipe, os.O_RDWR)

    def close(self) -> None:
        if self._gate is None:
            # Its threads wait there, also at the stop.
            self.open_gate()
        super().close()
        assert self._gate is not None
        os.close(self._gate)


# An address that only `RemoteServer` takes for another machine.
REMOTE = "127.0.0.2"


# ---- connections


class Connection:
    """Bytes and lines, as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, receive_buffer: int | None = None, source: str | None = None) -> "Connection":
        """With `receive_buffer` the kernel and the reader together hold little of what nobody reads.

        `source` is the address to come from, of 127.0.0.0/8: see `RemoteServer`.
        """
        sock = socket.socket()
        if source is not None:
            sock.bind((source, 0))
        limit = LINE_BYTES_MAX
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            limit = 1 << 16
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        return cls(*await asyncio.open_connection(sock=sock, limit=limit))

    async def send(self, *lines: str) -> None:
        await self.send_bytes("".join(f"{line}\n" for line in lines).encode())

    async def send_bytes(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def line(self) -> str:
        """The next line without its end."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            line = await self.reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError(f"the connection ended with {line!r}")
        return line[:-1].decode()

    async def lines(self, count: int) -> list[str]:
        return [await self.line() for _ in range(count)]

    async def rest(self) -> list[str]:
        """All lines up to the end of the connection."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return (await self.reader.read()).decode().splitlines()

    async def end(self) -> list[str]:
        """Say that nothing more comes; all that the server still says."""
        self.writer.write_eof()
        return await self.rest()

    def reset(self) -> None:
        """Gone without a word."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Client(Connection, Generic[Line]):
    """A connection in one of the two forms. `pushed` holds what was pushed to it and not asked for yet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self.pushed: list[Line] = []
        self.name = ""
        self._labels = map("c{}".format, itertools.count(1))

    def decode(self, line: str) -> Line:
        raise NotImplementedError

    def is_final(self, line: Line, label: str) -> bool:
        raise NotImplementedError

    async def next(self) -> Line:
        return self.decode(await self.line())

    async def command(self, command: Command) -> tuple[list[Line], Line]:
        """The lines that it returned, and its final reply."""
        raise NotImplementedError

    async def code(self, command: Command) -> str:
        """`ok`, or the code of its refusal."""
        raise NotImplementedError

    async def roundtrip(self) -> list[Line]:
        """All that was pushed before this, and not returned yet by another call."""
        label = await self.send_labelled("/ping")
        while not self.is_final(line := await self.next(), label):
            self.pushed.append(line)
        pushed, self.pushed = self.pushed, []
        return pushed

    async def send_labelled(self, command: Command) -> str:
        label = next(self._labels)
        if isinstance(command, str):
            await self.send(f"@{label} {command}")
        else:
            await self.send(json.dumps({**command, "label": label}))
        return label

    async def enter(self, line: str) -> list[Line]:
        """Sign in with this line; what is shown before the reply. Who else comes and goes is not told."""
        shown, _ = await self.command(line)
        assert await self.code("/presence off") == "ok", f"{line}: not signed in"
        return shown


class TextClient(Client[str]):
    def decode(self, line: str) -> str:
        return line

    def is_final(self, line: str, label: str) -> bool:
        return line.startswith((f"+ @{label} ", f"- @{label} "))

    async def command(self, command: Command) -> tuple[list[str], str]:
        """A barrier goes first: what was pushed until then is no line of the command's. The reply has no label."""
        barrier, label = await self.send_labelled("/ping"), await self.send_labelled(command)
        while not self.is_final(line := await self.next(), barrier):
            self.pushed.append(line)
        returned = []
        while not self.is_final(line := await self.next(), label):
            returned.append(line)
        return returned, line.replace(f" @{label}", "", 1)

    async def code(self, command: Command) -> str:
        _, reply = await self.command(command)
        return "ok" if reply.startswith("+ ") else reply[2:].partition(":")[0]

    async def ok(self, command: Command) -> str:
        """Its reply without the mark; it must be done."""
        _, reply = await self.command(command)
        assert reply.startswith("+ "), reply
        return reply[2:]


class JsonClient(Client[Json]):
    token = ""
    position = 0

    def decode(self, line: str) -> Json:
        return cast(Json, json.loads(line))

    def is_final(self, line: Json, label: str) -> bool:
        return line["type"] in ("ok", "error") and line.get("label") == label

    async def command(self, command: Command) -> tuple[list[Json], Json]:
        """Neither the returned lines nor the reply has its label any more."""
        label = await self.send_labelled(command)
        returned = []
        while not self.is_final(line := await self.next(), label):
            if line.get("label") == label:
                returned.append(_without_label(line))
            else:
                self.pushed.append(line)
        return returned, _without_label(line)

    async def code(self, command: Command) -> str:
        _, reply = await self.command(command)
        return "ok" if reply["type"] == "ok" else str(reply["code"])

    async def ok(self, command: Command) -> Json:
        """Its reply; it must be done."""
        _, reply = await self.command(command)
        assert reply["type"] == "ok", reply
        return reply

    async def refused(self, command: Command) -> Json:
        _, reply = await self.command(command)
        assert reply["type"] == "error", reply
        return reply

    async def enter(self, line: str) -> list[Json]:
        shown, reply = await self.command(line)
        assert reply["type"] == "ok", reply
        self.token, self.position = reply["token"], reply["seq"]
        await self.ok("/presence off")
        return shown

    async def event(self, kind: str, **fields: object) -> Json:
        """The first event of this type, with these fields, that was or will be pushed; others stay in `pushed`."""
        wanted = {"type": kind, **fields}
        for place, line in enumerate(self.pushed):
            if wanted.items() <= line.items():
                return self.pushed.pop(place)
        while not wanted.items() <= (line := await self.next()).items():
            self.pushed.append(line)
        return line

    async def pipeline(self, commands: Iterable[Command]) -> list[Json]:
        """The final replies to all of these, which are sent without waiting for any."""
        lines = [json.dumps(command) if isinstance(command, dict) else command for command in commands]
        sending = asyncio.ensure_future(self.send(*lines))
        replies = await self.replies(len(lines))
        await sending
        return replies

    async def replies(self, count: int) -> list[Json]:
        """The next final replies; all that comes between them is in `pushed`."""
        replies: list[Json] = []
        while len(replies) < count:
            line = await self.next()
            (replies if line["type"] in ("ok", "error") else self.pushed).append(line)
        return replies


def _without_label(line: Json) -> Json:
    return {name: value for name, value in line.items() if name != "label"}


# ---- people at a server


class Chat:
    """A server and the connections of one test to it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._connections: list[Connection] = []

    async def connection(self, receive_buffer: int | None = None, source: str | None = None) -> Connection:
        """Nothing is read from it, not even the greeting."""
        connection = await Connection.open(self.server.port, receive_buffer, source)
        self._connections.append(connection)
        return connection

    async def text_stranger(self, receive_buffer: int | None = None, source: str | None = None) -> TextClient:
        """Who has read the greeting, and did nothing yet."""
        connection = await self.connection(receive_buffer, source)
        client = TextClient(connection.reader, connection.writer)
        assert (await client.line()).startswith("* ")
        return client

    async def json_stranger(self, receive_buffer: int | None = None, source: str | None = None) -> JsonClient:
        connection = await self.connection(receive_buffer, source)
        client = JsonClient(connection.reader, connection.writer)
        assert (await client.line()).startswith("* ")
        await client.ok("/format json")
        return client

    async def text(
        self, name: str | None = None, *, receive_buffer: int | None = None, source: str | None = None
    ) -> TextClient:
        """Signed in; without a name, as somebody new."""
        client = await self.text_stranger(receive_buffer, source)
        client.name = name or unique("somebody")
        await client.enter(f"/sign_in {client.name}")
        return client

    async def json(
        self, name: str | None = None, *, receive_buffer: int | None = None, source: str | None = None
    ) -> JsonClient:
        client = await self.json_stranger(receive_buffer, source)
        client.name = name or unique("somebody")
        await client.enter(f"/sign_in {client.name}")
        return client

    async def resume(self, token: str, position: int | None = None) -> tuple[JsonClient, list[Json], Json]:
        """The connection, what it was shown, and the reply."""
        client = await self.json_stranger()
        shown, reply = await client.command(f"/resume {token}" + ("" if position is None else f" {position}"))
        client.name = reply.get("user", "")
        return client, shown, reply

    async def close(self) -> None:
        """Everybody leaves."""
        for connection in self._connections:
            await connection.close()
        self._connections.clear()


# ---- what lines say


def soon(seconds: float = 1.5) -> str:
    """A time a moment ahead, as a delay. The server knows no part of a millisecond: it would be early by that."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def texts(lines: Iterable[Json]) -> list[str]:
    """The texts of the messages among them, but for deleted ones."""
    return [line["text"] for line in lines if line["type"] == "message" and "text" in line]


def ids(lines: Iterable[Json]) -> list[int]:
    return [line["id"] for line in lines if line["type"] == "message"]


def messages(lines: Iterable[str]) -> list[str]:
    """The texts of the messages among lines for people, those in one line each."""
    return [line.split(": ", 1)[1].rsplit(" (#", 1)[0] for line in lines if line.startswith("[")]
