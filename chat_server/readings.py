"""Readings: queries that are answered page by page on a reader's thread, from a snapshot."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import Any

from chat_server.chat_time import ChatTime
from chat_server.delivery.delivery import Delivery
from chat_server.log.entries import Limits
from chat_server.protocol.people import ONLY_HERE
from chat_server.rules import read
from chat_server.rules.context import View
from chat_server.rules.outcomes import Page
from chat_server.rules.registry import has_online_users, reader_of
from chat_server.runtime import Clock
from chat_server.shared_files import Pin
from chat_server.store.database import Database
from chat_server.store.readers import Reader, Readers
from chat_server.transfers import Transfers


class Reading:
    """One query while it is answered."""

    def __init__(
        self,
        reader: Reader,
        user_id: int,
        query: Any,
        view: Callable[[Database], View],
        turn: Callable[[int], Awaitable[None]] | None = None,
        bring: Callable[[], Awaitable[Pin | None]] | None = None,
    ) -> None:
        """`turn` is awaited before each page, and `bring` before the first; its pin is kept until the end."""
        self._reader = reader
        self._user_id = user_id
        self._query = query
        self._view = view
        self._turn = turn
        self._bring = bring
        self._pin: Pin | None = None
        self._pages: Iterator[Page] | None = None

    async def next(self) -> Page:
        """Raises Refusal, and is over then."""
        try:
            if self._turn is not None:
                await self._turn(self._user_id)
            if self._bring is not None:
                self._pin, self._bring = await self._bring(), None
            page = await self._reader.serve(self._user_id, self._next)
        except BaseException:
            self.close()
            raise
        if page.end is not None:
            self.close()
        return page

    def close(self) -> None:
        """Nobody wants another page."""
        if self._pin is not None:
            self._pin.release()

    def _next(self, db: Database) -> Page:
        if self._pages is None:
            self._pages = read(self._view(db), self._query)
        return next(self._pages)


class Readings:
    def __init__(
        self,
        clock: Clock,
        time: ChatTime,
        limits: Callable[[], Limits],
        delivery: Delivery,
        readers: Readers,
        transfers: Transfers,
        live: Callable[[], dict[str, int]],
    ) -> None:
        """`live` tells what the running server counts, for /stats."""
        self._clock = clock
        self._time = time
        self._limits = limits
        self._delivery = delivery
        self._readers = readers
        self._transfers = transfers
        self._live = live

    def begin(self, user_id: int, query: Any) -> Reading:
        # A snapshot: the reader's thread must not walk a mapping that the loop changes.
        online: Mapping[int, str] = {}
        nodes: Mapping[str, Mapping[str, int]] = {}
        note = None
        if has_online_users(query):
            presence = self._delivery.presence
            online, nodes = dict(presence.online), presence.peers.statistics()
            note = None if presence.peers.are_heard else ONLY_HERE

        def view(db: Database) -> View:
            clock, blobs = self._clock.monotonic, self._transfers.blobs
            return View(db, user_id, self._time.now(), self._limits(), online, self._live, clock, blobs, note, nodes)

        # A search or a file may take long, and must not hold up users who read messages.
        match reader_of(query):
            case "searches":
                return Reading(self._readers.searcher, user_id, query, view)
            case "files":
                bring = partial(self._transfers.bring, user_id, query, view)
                return Reading(self._transfers.reader, user_id, query, view, self._transfers.turn, bring)
        return Reading(self._readers.pick(), user_id, query, view)
