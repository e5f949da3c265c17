"""Alternatives to the server that is connected, for when it has been of no use for a while.

A server that has lost its cluster shows what it has, lets nobody in and takes nothing; one with a full disk takes
nothing, either. Its user goes to another server of the cluster. That one is asked before, since whoever has left a
server that is cut off cannot come back to it, and where all are cut off it is better to read on.
"""

import ssl
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from chat_client.sdk.backoff import Backoff
from chat_client.sdk.errors import Disconnected, Refused
from chat_client.sdk.link import Answer, Link, LinkLost, Request
from chat_client.sdk.runtime import CancelledError, Future, Runtime
from chat_client.sdk.server_address import Server
from chat_server.protocol.connection import FormatSet

# An election among the servers of a cluster takes 4 to 12 s, and is no reason to leave. The pauses grow until a server
# is well, so that nobody goes back and forth between servers that are all of no use.
PATIENCE_SECONDS_MIN, PATIENCE_SECONDS_MAX = 30.0, 300.0
ANSWER_SECONDS_MAX = 10.0


class Alternatives:
    def __init__(self, runtime: Runtime, servers: Sequence[Server], tls: ssl.SSLContext | None) -> None:
        self._runtime, self._servers, self._tls = runtime, servers, tls
        self._patience = Backoff(PATIENCE_SECONDS_MIN, PATIENCE_SECONDS_MAX)
        self._in_trouble, self._is_well = runtime.event(), runtime.event()

    def begin_trouble(self) -> None:
        """The server says that it has lost its cluster, or takes nothing for now."""
        self._in_trouble.set()
        self._is_well.clear()

    def end_trouble(self) -> None:
        """The server says that it has its cluster again, or has taken something."""
        self.begin_anew()
        self._patience.reset()

    def begin_anew(self) -> None:
        """Nothing is known of the server: the connection has ended."""
        self._in_trouble.clear()
        self._is_well.set()

    async def find(self, current: Server) -> Server:
        """Wait until the current server has been in trouble for long without a break, and another one is sound."""
        begin = self._servers.index(current)
        others = [each for each in (*self._servers[begin:], *self._servers[:begin]) if each != current]
        while True:
            await self._wait_for_trouble(self._patience.next_pause(self._runtime.uniform))
            for other in others:
                if await self._is_sound(other) and self._in_trouble.is_set():
                    return other

    async def _wait_for_trouble(self, seconds: float) -> None:
        """Wait until there has been trouble for this time without a break."""
        while True:
            await self._in_trouble.wait()
            try:
                async with self._runtime.timeout(seconds):
                    await self._is_well.wait()
            except TimeoutError:
                return

    async def _is_sound(self, server: Server) -> bool:
        """Whether a server answers, and has its cluster: it says so before one signs in."""
        try:
            async with self._runtime.timeout(ANSWER_SECONDS_MAX):
                link = await Link.open(self._runtime, server, self._tls, lambda _: None, self._has_room)
                reading = self._runtime.spawn(link.run())
                try:
                    await link.wait_for_greeting()
                    answered: Future[Answer] = self._runtime.future()
                    link.command("format", {"format": "json"}, Request(partial(_set, answered)))
                    answer = await answered
                finally:
                    reading.cancel()
                    await link.close()
                    with suppress(CancelledError, LinkLost):
                        await reading
        except (LinkLost, Disconnected, Refused, TimeoutError):
            return False
        return isinstance(answer, FormatSet) and not answer.stale

    async def _has_room(self) -> None:
        """What comes is read at once."""


def _set(answered: Future[Answer], answer: Answer) -> None:
    if not answered.done():  # the time was over
        answered.set_result(answer)
