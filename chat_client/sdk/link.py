"""One connection to one server: lines in and out, and the command that each reply answers.

Every command has a label, which the lines that it returns and its reply carry; pushed lines have none. A link lives
until `run` ends. Then each command without an answer is answered with Disconnected.
"""

import asyncio
import contextlib
import itertools
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from chat_client.sdk import codec
from chat_client.sdk.errors import ChatError, Disconnected, Refused
from chat_client.sdk.local_time import local_text
from chat_client.sdk.runtime import Future, Runtime
from chat_client.sdk.server_address import Server
from chat_server.errors import Refusal
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import ADDRESS_BANNED, Closing
from chat_server.protocol.lines import LineBuffer, UnendedLine

CONNECT_SECONDS_MAX = 20
GREETING_SECONDS_MAX = 20
# A server greets at once. One that is silent may wait for the client to speak first, as with TLS.
SILENT_SECONDS, TLS_SECONDS_MAX = 2, 5
# A connection that is quiet for this time is pinged, and given up if no answer comes.
QUIET_SECONDS, PONG_SECONDS_MAX = 60, 30
# Where another server could answer what waits, the one that hangs is left sooner. In a cluster an answer may take 12 s.
WAITING_QUIET_SECONDS, WAITING_PONG_SECONDS_MAX = 8, 16
LOOK_SECONDS = 4
READ_BYTES_MAX = 1 << 16
SERVER_LINE_BYTES_MAX = 1 << 20
# Lines that one command returned and nobody has taken yet; the last ones are kept.
RETURNED_MAX = 10_000
LINE_BYTES_MAX_BEFORE_SIGN_IN = 4096

TLS_ALERT = b"\x15\x03"
SPEAKS_TLS = "it speaks TLS there; use --tls (and --ca FILE, if the system does not know who signed its certificate)"

Answer = Reply | ChatError


class LinkLost(Exception):
    """The connection is gone; the message says why, for a person."""


class TurnedAway(LinkLost):
    """The address is banned. Another try would end so, too."""


class Request:
    """A command under way: what it returns goes to `on_line`, its end to `on_answer`. Both MUST NOT block."""

    def __init__(self, on_answer: Callable[[Answer], None], on_line: Callable[[Event], None] | None = None) -> None:
        self.lines: deque[Event] = deque(maxlen=RETURNED_MAX)
        self.on_answer = on_answer
        self.on_line = on_line or self.lines.append


class Link:
    def __init__(
        self,
        runtime: Runtime,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_push: Callable[[Event], None],
        room: Callable[[], Awaitable[None]],
        silent: Callable[[], Awaitable[None]] | None = None,
        *,
        has_others: bool = False,
    ) -> None:
        """`silent` is called if no greeting comes; it raises LinkLost if it finds out why.

        `has_others` says whether another server could be tried.
        """
        self.line_bytes_max = LINE_BYTES_MAX_BEFORE_SIGN_IN
        self._runtime = runtime
        self._reader, self._writer = reader, writer
        self._on_push, self._room, self._silent = on_push, room, silent
        self._has_others = has_others
        self._lines = LineBuffer(SERVER_LINE_BYTES_MAX)
        self._labels = map(str, itertools.count(1))
        self._requests: dict[str, Request] = {}
        self._greeted: Future[None] = runtime.future()
        self._closed: str | None = None
        self._why = "the server closed the connection"

    @classmethod
    async def open(
        cls,
        runtime: Runtime,
        server: Server,
        tls: ssl.SSLContext | None,
        on_push: Callable[[Event], None],
        room: Callable[[], Awaitable[None]],
        *,
        has_others: bool = False,
    ) -> "Link":
        """Raises LinkLost."""
        try:
            async with runtime.timeout(CONNECT_SECONDS_MAX):
                reader, writer = await _connect(server, tls)
        except TimeoutError:
            raise LinkLost(f"no answer within {CONNECT_SECONDS_MAX} s") from None
        except ssl.SSLError as error:
            raise LinkLost(_tls_words(error, server)) from None
        except UnicodeError:
            raise LinkLost("that is no name of a host") from None
        except OSError as error:
            raise LinkLost(_words(error)) from None
        silent = partial(_refuse_tls, runtime, server) if tls is None else None
        return cls(runtime, reader, writer, on_push, room, silent, has_others=has_others)

    @property
    def closed(self) -> bool:
        return self._closed is not None

    async def wait_for_greeting(self) -> None:
        """Wait for the server's first line. A client that speaks earlier may miss why it is turned away.

        Raises Disconnected if there is none; `run` knows why.
        """
        await self._greeted

    # ---- out

    def command(self, verb: str, arguments: Mapping[str, Any], request: Request) -> None:
        """Raises Refused for a line that no server takes, as its answer would carry no label."""
        label = next(self._labels)
        self._write(codec.encode(verb, arguments, label), label, request)

    def line(self, line: str, request: Request) -> None:
        label = next(self._labels)
        self._write(f"@{label} {line}\n".encode("utf-8", "replace"), label, request)

    def _write(self, line: bytes, label: str, request: Request) -> None:
        if len(line) > self.line_bytes_max:
            raise Refused("line_too_long", f"that is {len(line)} bytes; a line has at most {self.line_bytes_max}")
        if self._closed is not None:
            request.on_answer(Disconnected(self._closed))
            return
        self._requests[label] = request
        self._writer.write(line)

    # ---- in

    async def run(self) -> None:
        """Read until the connection ends, which is a LinkLost. Never returns."""
        why = self._why
        try:
            while True:
                await self._room()
                data = await self._read()
                if not data:
                    raise LinkLost(self._why)
                if self._lines.feed(data):
                    self._take()
        except LinkLost as lost:
            why = str(lost)
            raise
        except OSError as error:
            why = _words(error)
            raise LinkLost(why) from None
        except (UnendedLine, Refusal):
            why = "the server sent a line without an end"
            raise LinkLost(why) from None
        finally:
            self._end(why)

    async def _read(self) -> bytes:
        if not self._greeted.done():
            if self._silent is not None:
                with contextlib.suppress(LinkLost):
                    return await self._read_within(SILENT_SECONDS)
                await self._silent()
            return await self._read_within(GREETING_SECONDS_MAX)
        return await self._read_or_ping()

    async def _read_or_ping(self) -> bytes:
        """Ping a server from which nothing comes, and give it up if there is no answer. What waits may begin later."""
        silent, pinged = 0.0, None
        while True:
            waits = self._has_others and bool(self._requests)
            quiet, patience = (
                (WAITING_QUIET_SECONDS, WAITING_PONG_SECONDS_MAX) if waits else (QUIET_SECONDS, PONG_SECONDS_MAX)
            )
            if pinged is not None and silent - pinged >= patience:
                raise LinkLost(f"nothing came from the server for {silent:g} s")
            if pinged is None and silent >= quiet:
                pinged = silent
                self.command("ping", {}, Request(lambda _: None))
            seconds = min(LOOK_SECONDS, quiet, patience)
            with contextlib.suppress(LinkLost):
                return await self._read_within(seconds)
            silent += seconds

    async def _read_within(self, seconds: float) -> bytes:
        try:
            async with self._runtime.timeout(seconds):
                return await self._reader.read(READ_BYTES_MAX)
        except TimeoutError as error:
            # A connection that timed out in the kernel raises TimeoutError, too.
            if error.errno is not None:
                raise
            raise LinkLost(f"nothing came from the server for {seconds:g} s") from None

    def _take(self) -> None:
        while (line := self._lines.take(SERVER_LINE_BYTES_MAX)) is not None:
            if not self._greeted.done():
                self._greet(line)
                continue
            decoded = codec.decode(line, self._runtime.now())
            if decoded is not None:
                self._dispatch(decoded)

    def _greet(self, line: bytes) -> None:
        if line.startswith(TLS_ALERT):
            raise LinkLost(SPEAKS_TLS)
        if not line.startswith(b"* "):
            raise LinkLost("what answers there is no chat server")
        words = line[2:].decode("utf-8", "replace")
        if words.startswith("closing: "):
            why = local_text(words.removeprefix("closing: "), {}, self._runtime.now())
            raise TurnedAway(why) if why.startswith(ADDRESS_BANNED) else LinkLost(why)
        self._greeted.set_result(None)

    def _dispatch(self, line: codec.Line) -> None:
        request = None if line.label is None else self._requests.get(line.label)
        if isinstance(line.what, Event):
            if isinstance(line.what, Closing):
                self._why = f"the server closed the connection: {line.what.reason}"
            if line.label is None:
                self._on_push(line.what)
            elif request is not None:
                request.on_line(line.what)
        elif request is not None and line.label is not None:
            del self._requests[line.label]
            request.on_answer(line.what)

    # ---- the end

    def _end(self, why: str) -> None:
        self._closed = why
        if not self._greeted.done():
            self._greeted.set_exception(Disconnected(why))
            self._greeted.exception()  # nobody may be waiting
        requests, self._requests = self._requests, {}
        for request in requests.values():
            request.on_answer(Disconnected(f"{why}; whether it was done is not known", None))

    def hang_up(self, why: str | None = None) -> None:
        """Close, after what was written has gone out; `why` is what is told of the loss."""
        self._why = why or self._why
        self._writer.close()

    async def close(self) -> None:
        """Returns once the system has what was written, or cannot take it."""
        self._end(self._closed or "closed")
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with self._runtime.timeout(1):
                await self._writer.wait_closed()


async def _connect(server: Server, tls: ssl.SSLContext | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Raises OSError.

    `localhost` is 127.0.0.1, where a server listens by default, before it is anything else: most systems try ::1 first,
    and any user of the machine who listened there was sent the token.
    """
    if server.host.lower() == "localhost":
        with contextlib.suppress(ConnectionRefusedError):
            name = server.host if tls is not None else None
            return await asyncio.open_connection("127.0.0.1", server.port, ssl=tls, server_hostname=name)
    return await asyncio.open_connection(server.host, server.port, ssl=tls)


def _words(error: OSError) -> str:
    """The reason in words for a person, without what asyncio adds around it."""
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, ConnectionResetError):
        return "the connection was reset"
    return error.strerror or str(error) or type(error).__name__


async def _refuse_tls(runtime: Runtime, server: Server) -> None:
    """Raises LinkLost if the server speaks TLS. Nothing is sent to it that would need trust."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with runtime.timeout(TLS_SECONDS_MAX):
            _, writer = await _connect(server, context)
    except ssl.SSLError as error:
        speaks = "ALERT" in (error.reason or "")  # that is TLS too
    except OSError:
        speaks = False
    else:
        speaks = True
        writer.close()
    if speaks:
        raise LinkLost(SPEAKS_TLS)


def _tls_words(error: ssl.SSLError, server: Server) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        is_plain = error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_EOF_WHILE_READING")
        return (
            "it does not speak TLS there, which --tls, --ca or an earlier sign-in there asks for; at another port?"
            if is_plain
            else (f"no TLS: {error.reason or error}")
        )
    why = _CERTIFICATE_FAULTS.get(error.verify_code)
    if why is None:
        return f"its certificate is not trusted: {error.verify_message}"
    return f"its certificate is not trusted: {why.format(host=server.host)}"


_UNKNOWN_SIGNER = "nobody known here has signed it; --ca FILE names who did"
_CERTIFICATE_FAULTS = {  # by OpenSSL's numbers (X509_V_ERR_...)
    2: _UNKNOWN_SIGNER, 18: _UNKNOWN_SIGNER, 19: _UNKNOWN_SIGNER, 20: _UNKNOWN_SIGNER, 21: _UNKNOWN_SIGNER,
    9: "it is not valid yet; is the clock of this machine right? Else whoever runs the server has to mend it",
    10: "it has expired; whoever runs the server has to renew it, unless the clock of this machine is wrong",
    62: "it is for another name than {host}; --server with the name that stands in it",
    64: "it is for another address than {host}; --server with a name or an address that stands in it",
}  # fmt: skip
