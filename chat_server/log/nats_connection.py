"""A connection to NATS that is made anew whenever it ends; nobody else knows the package nats-py.

What is left to the package is the protocol of one connection: its parsing, TLS and signing in. The rest is here, for
these reasons, all of them met with version 2.16:

- Its client closes for good when the server calls a message too large, among others, and what it holds back while it
  reconnects may be published long after the sender gave up. So a client has one connection, and then a successor.
- A request that is under way when the connection ends is only noticed by its time-out. Here it ends at once.
- It sends a password in plain text to a server that does not ask for TLS. Here that ends the attempt.
"""

import logging
import os
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from chat_server.log.codec import BATCH_BYTES_MAX
from chat_server.log.stream import FateUnknown, NotAppended
from chat_server.runtime import CancelledError, Future, Runtime, Task

log = logging.getLogger("chat.nats")

# Older servers could lose messages that they had acknowledged, in spite of `sync_interval: always`.
SERVER_VERSION_MIN = (2, 15, 1)
# A batch with its subject and headers, which count for the server's `max_payload`.
MESSAGE_BYTES_MAX = BATCH_BYTES_MAX + (16 << 10)

CONNECT_SECONDS = 2.0
RETRY_SECONDS = 0.25
# A stopped server or a cut cable is noticed after three of them.
PING_SECONDS = 2

# The package does not tell its stream of asyncio that TLS was begun, so asyncio warns whenever a server hangs up.
logging.getLogger("asyncio").addFilter(lambda record: "eof_received" not in str(record.msg))

_HUNG_UP = (ConnectionResetError, BrokenPipeError)
# If the server hangs up while the package writes, the package does not read the server's last words.
_WHY_HUNG_UP = "it hung up, as at its stop, or for a wrong user or password (Authorization Violation)"


class Disconnected(Exception):
    """Nothing came in time, or the connection has ended."""


class NatsMessage(NamedTuple):
    """A message; `status` is that of a word of the server itself, "" for all others."""

    subject: str
    reply: str
    data: bytes
    status: str
    headers: dict[str, str]


class NatsAccess(NamedTuple):
    """How to come to NATS: the servers' URLs, and who one is there."""

    urls: list[str]
    user: str | None = None
    password: str | None = None
    # None where nothing is encrypted, on loopback.
    tls: ssl.SSLContext | None = None


class Nats:
    """A connection to one of the servers, with another one behind it: when it ends, the next is made, for ever."""

    def __init__(self, runtime: Runtime, access: NatsAccess, node: str) -> None:
        self.runtime = runtime
        self._access = access
        self.node = node
        self._client: Client | None = None
        self._inbox = ""
        # Requests that wait for an answer, by the last token of their inbox: their subject, and the answer.
        self._waiting: dict[str, tuple[str, Future[NatsMessage]]] = {}
        self._listeners: list[tuple[str, Callable[[NatsMessage], None]]] = []
        self._connected = runtime.event()
        # Why the last attempt or connection failed.
        self.trouble = ""
        self._attempts: set[Task[None]] = set()
        self._noted = ""  # what the package reported during the last attempt
        self._is_closed = False
        self._keeping = runtime.spawn(self._keep_connected())

    @property
    def is_connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    async def close(self) -> None:
        # While it connects, the package may take the cancellation for itself.
        self._is_closed = True
        self._keeping.cancel()
        with suppress(CancelledError):
            await self._keeping

    # ---- the connection

    async def _keep_connected(self) -> None:
        # Nodes spread over the servers.
        urls = sorted(self._access.urls, key=lambda _: self.runtime.token_bytes(8))
        while not self._is_closed:
            for url in urls:
                client = await self._connect(url)
                if client is None:
                    continue
                try:
                    log.info("connected to NATS at %s", place(url))
                    # The package does not always call back when a connection ends.
                    while client.is_connected and not self._is_closed:
                        await self.runtime.sleep(RETRY_SECONDS)
                finally:
                    self._drop(client)
                log.warning("the connection to NATS at %s ended: %s", place(url), self.trouble or "no reason given")
            await self.runtime.sleep(RETRY_SECONDS)

    async def _connect(self, url: str) -> Client | None:
        """Connect to one server and make all subscriptions; None where that fails, and `trouble` says why."""
        client = Client()
        access = self._access
        self._noted = ""

        def password() -> str:
            # The package sends it in plain text where the server does not ask for TLS.
            if access.tls is not None and not client._server_info.get("tls_required"):
                raise nats.errors.Error("it does not speak TLS")
            return access.password or ""

        async def note(error: Exception) -> None:
            if isinstance(error, OSError | nats.errors.UnexpectedEOF):
                # At its closing the package would write what is left, for which uvloop raises an error if the socket is
                # closed. Nobody catches it, and the subscriptions would never end.
                client._pending, client._pending_data_size = [], 0
            await self._note(error)

        try:
            async with self.runtime.timeout(CONNECT_SECONDS):
                await client.connect(
                    [url],
                    name=f"chat-server {self.node}",
                    user=access.user,
                    password=password if access.user is not None else None,
                    tls=access.tls,
                    error_cb=note,
                    allow_reconnect=False,
                    # Of one attempt; 0 would stand for any number.
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    ping_interval=PING_SECONDS,
                    flush_timeout=PING_SECONDS,
                )
                self._check(client)
                self._inbox = client.new_inbox()
                listeners = [(f"{self._inbox}.*", self._take_answer), *self._listeners]
                for subject, received in listeners:
                    await client.subscribe(subject, cb=_calling(received))
                await client.flush(PING_SECONDS)
        except Exception as error:
            self.trouble = f"{place(url)}: {self._why_failed(error)}"
            self._drop(client)
            return None
        self.trouble = ""
        self._client = client
        # `listen` may have been called since.
        for subject, received in self._listeners[len(listeners) - 1 :]:
            self._attempt(client.subscribe(subject, cb=_calling(received)))
        self._connected.set()
        return client

    def _why_failed(self, error: Exception) -> str:
        """Tell why an attempt failed: what the server or the socket said is more than the package's own words."""
        if isinstance(error, _HUNG_UP):
            return self._noted or _WHY_HUNG_UP
        if isinstance(error, nats.errors.NoServersError):
            return self._noted or told(error)
        if isinstance(error, OSError | nats.errors.Error):
            return told(error)
        # The package lets through what it did not expect, such as a ValueError where a line has no second word.
        return f"it does not answer as a NATS server does ({told(error)})"

    def _check(self, client: Client) -> None:
        """Raise Error where the server cannot be used."""
        if self._access.tls is not None and not client._server_info.get("tls_required"):
            raise nats.errors.Error("it does not speak TLS")
        version = client.connected_server_version
        if (version.major, version.minor, version.patch) < SERVER_VERSION_MIN:
            raise nats.errors.Error(
                f"it is nats-server {version}, and {'.'.join(map(str, SERVER_VERSION_MIN))} or newer is needed, since"
                " older ones could lose what they had acknowledged"
            )
        if client.max_payload < MESSAGE_BYTES_MAX:
            raise nats.errors.Error(f"its max_payload is {client.max_payload}, and {MESSAGE_BYTES_MAX} are needed")

    def _drop(self, client: Client) -> None:
        if self._client is client:
            self._client = None
            self._connected.clear()
        for subject, answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(FateUnknown(f"the connection to NATS ended before {subject} was answered"))
        # Closing waits for what a stopped server does not take, and nobody waits for that.
        self._attempt(client.close())

    async def _note(self, error: Exception) -> None:
        """Take a report of the package. One about a permission fails the request that it belongs to."""
        if not (isinstance(error, nats.errors.Error) and "permissions violation" in str(error).lower()):
            if isinstance(error, _HUNG_UP):
                # It comes late, and says less than what is known of the attempt.
                self.trouble = self.trouble or told(error)
            elif str(error):
                self.trouble = self._noted = told(error)
            return
        log.error("%s", told(error))
        for subject, answer in self._waiting.values():
            # The package writes it in small letters.
            if f'"{subject}"'.lower() in str(error).lower() and not answer.done():
                answer.set_exception(NotAppended(told(error)))

    # ---- messages

    async def wait(self) -> None:
        """Wait for a connection."""
        await self._connected.wait()

    async def open_inbox(self) -> "Inbox":
        """Open a subject of one's own. Raises Disconnected."""
        if (client := self._client) is None:
            raise Disconnected(self.trouble)
        try:
            return Inbox(self, client, await client.subscribe(client.new_inbox()))
        except (nats.errors.Error, OSError) as error:
            raise Disconnected(told(error)) from None

    def listen(self, subject: str, received: Callable[[NatsMessage], None]) -> None:
        """Have it called with each message of the subject, over this connection and all later ones."""
        self._listeners.append((subject, received))
        if self._client is not None:
            self._attempt(self._client.subscribe(subject, cb=_calling(received)))

    def publish(self, subject: str, data: bytes) -> None:
        if self._client is not None:
            self._attempt(self._client.publish(subject, data))

    def _attempt(self, doing: Coroutine[Any, Any, object]) -> None:
        """Do something for which a lost connection is no matter: whoever makes the next one does what is needed."""
        task = self.runtime.spawn(_quietly(doing))
        self._attempts.add(task)
        task.add_done_callback(self._attempts.discard)

    async def request(
        self, subject: str, data: bytes, seconds: float, headers: dict[str, str] | None = None
    ) -> NatsMessage:
        """Publish a message and wait for the answer to it. Raises NotAppended, FateUnknown."""
        client = self._client
        if client is None:
            raise NotAppended(f"no NATS server is connected ({self.trouble})")
        token = self.runtime.token_hex(12)
        answer = self.runtime.future()
        self._waiting[token] = (subject, answer)
        try:
            async with self.runtime.timeout(seconds):
                try:
                    await client.publish(subject, data, f"{self._inbox}.{token}", headers)
                except nats.errors.ConnectionClosedError:
                    raise NotAppended("the connection to NATS has just ended") from None
                message: NatsMessage = await answer
        except TimeoutError:
            raise FateUnknown(f"NATS did not answer {subject} within {seconds:g} s") from None
        finally:
            del self._waiting[token]
        if not message.data and message.status == "503":
            raise NotAppended(f"nothing in NATS answers to {subject}: JetStream is off there, or an election goes on")
        return message

    def _take_answer(self, message: NatsMessage) -> None:
        _, answer = self._waiting.get(message.subject.rpartition(".")[2], ("", None))
        if answer is not None and not answer.done():
            answer.set_result(message)


class Inbox:
    """A subject of one's own, to which others send: what came is given in order until the connection ends."""

    def __init__(self, connection: Nats, client: Client, subscription: Subscription) -> None:
        self._connection = connection
        self._client = client
        self._subscription = subscription

    async def ask(self, subject: str, data: bytes) -> None:
        """Publish what is to be answered here. Raises Disconnected."""
        try:
            await self._client.publish(subject, data, self._subscription.subject)
        except (nats.errors.Error, OSError) as error:
            raise Disconnected(told(error)) from None

    async def next(self, seconds: float) -> NatsMessage:
        """Raises Disconnected."""
        try:
            return _message(await self._subscription.next_msg(seconds))
        except (nats.errors.Error, OSError) as error:
            raise Disconnected(told(error)) from None

    def close(self) -> None:
        self._connection._attempt(self._subscription.unsubscribe())


def _message(message: Msg) -> NatsMessage:
    headers = message.headers or {}
    return NatsMessage(message.subject, message.reply, message.data, headers.get("Status", ""), headers)


def _calling(received: Callable[[NatsMessage], None]) -> Callable[[Msg], Coroutine[Any, Any, None]]:
    async def take(message: Msg) -> None:
        received(_message(message))

    return take


def place(url: str) -> str:
    """A URL without the password that may stand in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def told(error: object) -> str:
    """What an error of the package or of a socket says, without the prefixes and quotes that it puts around it."""
    if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    if isinstance(error, TimeoutError):
        return "no answer"
    text = str(error).strip() or type(error).__name__
    return text.removeprefix("nats: ").strip("'")


async def _quietly(doing: Coroutine[Any, Any, object]) -> None:
    with suppress(nats.errors.Error, OSError):
        await doing
