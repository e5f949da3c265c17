"""The one owner of state: takes batches from the log, has them executed, delivers them.

One batch is under way at a time: ordered, executed and committed on the writer's thread, delivered on the loop. While
it is, the next one gathers in the log.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from msgspec import Struct

from chat_server.allowance import Allowances
from chat_server.clock import ChatTime, Clock
from chat_server.delivery.hub import Hub
from chat_server.delivery.readers import Reader, Readers
from chat_server.entries import Configure, Departed, Due, Entry, LeaveUploads, Limits, Logged, Told, UseTokens
from chat_server.log import Log
from chat_server.log.local import LocalLog
from chat_server.metrics import Metrics
from chat_server.passwords import Passwords, SignInGuard
from chat_server.prepare import Preparer
from chat_server.protocol import commands as c
from chat_server.protocol.events import Event, Reply
from chat_server.protocol.times import clock_time, duration, iso
from chat_server.rules import Executor, read
from chat_server.rules.retention import spares
from chat_server.rules.turn import Then, View
from chat_server.settings import Settings
from chat_server.store.database import DISK_ERRORS, Database, open_writer
from chat_server.store.state import State
from chat_server.transfers import Transfers

log = logging.getLogger("chat.node")

# A timer sleeps at most so long: what somebody named a time for is due as soon as the wall clock is set to it.
TIMER_SECONDS_MAX = 0.5
# What has expired is removed at least so often.
TIDY_MS = 3_600_000
TOKENS_AT_ONCE = 500
OVERDUE_SECONDS = 0.01
# Texts that were erased stand in SQLite's log for at most about so long; a reader that needs it is waited for.
SCRUB_SECONDS = 2.0
SCRUB_AGAIN_SECONDS = 0.2


class Page(Struct, frozen=True):
    """A page of a reading; at its end (`events` is None) its reply, or what has to be logged before that is said."""

    events: Sequence[Event] | None
    end: Reply | Then | None = None


class Reading:
    """A query that is being answered, page by page, on a reader's thread."""

    def __init__(self, node: "Node", reader: Reader, user_id: int, query: Any) -> None:
        self._node = node
        self._reader = reader
        self._user_id = user_id
        self._query = query
        self._pages: Generator[Sequence[Event], None, Reply | Then] | None = None

    async def next(self) -> Page:
        """Raises Refusal."""
        if type(self._query) is c.GetFile:
            await self._node.transfers.turn()
        return await self._reader.serve(self._user_id, self._next)

    def _next(self, db: Database) -> Page:
        if self._pages is None:
            node = self._node
            hub, blobs, clock = node.hub, node.transfers.blobs, node.clock.monotonic
            view = View(db, self._user_id, *node.time.now(), node.limits, hub.online, node.live, clock, blobs)
            self._pages = read(view, self._query)
        try:
            return Page(next(self._pages))
        except StopIteration as stop:
            return Page(None, stop.value)


class Node:
    def __init__(self, settings: Settings, clock: Clock, directory: Path) -> None:
        """Opens the store. Raises StartError."""
        self.clock = clock
        self.limits = _limits(settings)
        # Set once the disk has failed: why. Nothing is acknowledged after that.
        self.failure: str | None = None
        self.metrics = Metrics(clock.now_ms())
        # What the running server counts, for /stats; the server around the node adds what it knows.
        self.live: Callable[[], dict[str, int]] = dict
        self._executor = Executor(open_writer(directory), clock.monotonic)
        state = self._executor.state
        self.time = ChatTime(clock, at_ms=state.at_ms, elapsed_ms=state.elapsed_ms)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self.readers = Readers(directory)
        self.transfers = Transfers(directory, clock, self.time, self.limits, self.submit)
        self.allowances = Allowances(settings.command_rate, settings.command_burst)
        self.passwords = Passwords()
        guard = SignInGuard(self.time, settings.sign_in_tries)
        self.preparer = Preparer(self.readers, self.limits, self.time, self.passwords, guard, self.transfers)
        self.hub = Hub(
            clock,
            self.readers,
            outbox_bytes_max=settings.outbox_bytes_max,
            presence_max=settings.presence_max,
        )
        self.hub.delivered = state.seq
        self.hub.on_told = lambda user_id, notices: self.submit(Told(notices), user_id)
        self.hub.on_detached = self.transfers.left
        self.hub.on_departed = lambda user_id: self.submit(Departed(), user_id)
        self.spared = self._spared(state)
        self._log: Log = LocalLog(self.time, applied=state.applied)
        self._timer: asyncio.TimerHandle | None = None
        self._scrubbing: asyncio.Task[None] | None = None
        self._tidy_ms = self._use_ms = self.time.now().elapsed_ms + TIDY_MS
        self._steps = self.time.steps
        self.submit(Configure(self.limits, secrets.token_hex(8), list(settings.operators)))
        self.submit(LeaveUploads(None))
        # What came due while the server was down.
        self.submit(Due())

    def _spared(self, state: State) -> str:
        """What is said of messages that are to go, where many may at once; "" where there is none.

        The upgrade may be one from a version that removed nothing: whoever runs the server hears of it in time.
        """
        ttl_ms = self.limits.message_ttl_ms
        if ttl_ms is None or not spares(state, self.limits):
            return ""
        count = self._executor.count_read()
        if not count:
            return ""
        at = clock_time(iso(self.time.now().at_ms + ttl_ms), "")
        return (
            f"{count} message{'s' if count != 1 else ''} that all have read will be removed from {at} UTC on, which is"
            f" --message-ttl ({duration(ttl_ms)}) after this start, the first since an upgrade, a restore or a time"
            " without --message-ttl; --message-ttl off keeps them"
        )

    def submit(self, command: Logged, user_id: int = 0, session: int = 0, address: str = "") -> None:
        """Put a command in the log. The session is told its outcome (`Receiver.settle`) when it is on disk.

        `address` is "" for the machine itself.
        """
        self._log.submit(Entry(command, user_id, session, address))

    def read(self, user_id: int, query: Any) -> Reading:
        return Reading(self, self._reader_for(query), user_id, query)

    def _reader_for(self, query: Any) -> Reader:
        """What may take long, a search or a file, holds nobody up who reads messages."""
        if isinstance(query, c.Search):
            return self.readers.searcher
        return self.transfers.reader if isinstance(query, c.GetFile) else self.readers.pick()

    async def run(self) -> None:
        """Until the log is closed and empty, or the disk fails (`failure` says how)."""
        loop = asyncio.get_running_loop()
        tidying = loop.create_task(self.transfers.tidy())
        while (batch := await self._log.next_batch()) is not None:
            begun = self.clock.monotonic()
            try:
                executed = await loop.run_in_executor(self._writer, self._executor.execute, batch)
            except DISK_ERRORS as error:
                self._fail(error)
                break
            seconds = self.clock.monotonic() - begun
            changes = executed.seq - self.hub.delivered
            self.metrics.batch(len(batch.entries), seconds, executed.commit_seconds, changes, executed.counts)
            self.hub.deliver(executed)
            self._arm(executed.next_due_ms, executed.next_due_at_ms)
            self._scrub_soon()
        self._log.close()
        tidying.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._scrubbing is not None:
            self._scrubbing.cancel()

    def _fail(self, error: Exception) -> None:
        # An fsync that failed is never retried: what the disk holds now is known only after a restart.
        self.failure = f"the disk failed: {error}"
        log.critical("%s; nothing more is acknowledged, the server stops", self.failure)
        self._log.close()

    def _scrub_soon(self) -> None:
        if self._executor.unclean and self._scrubbing is None:
            self._scrubbing = asyncio.get_running_loop().create_task(self._scrub())

    async def _scrub(self) -> None:
        """What was erased is soon in no file any more; many erasures together cost one."""
        loop, wait = asyncio.get_running_loop(), SCRUB_SECONDS
        try:
            while self._executor.unclean:
                await asyncio.sleep(wait)
                done = await loop.run_in_executor(self._writer, self._executor.scrub)
                wait = SCRUB_SECONDS if done else SCRUB_AGAIN_SECONDS
        except DISK_ERRORS as error:
            self._fail(error)
        finally:
            self._scrubbing = None

    def _arm(self, due_ms: int | None, due_at_ms: int | None) -> None:
        """Wait for what is due next by either of the two times; at the latest for the next tidying up."""
        if self._timer is not None:
            self._timer.cancel()
        wait_ms = self._wait_ms(due_ms, due_at_ms)
        # What is still due after it has been dealt with is more than one batch takes, or fails: not at full speed.
        wait = min(wait_ms / 1000, TIMER_SECONDS_MAX) if wait_ms > 0 else OVERDUE_SECONDS
        self._timer = asyncio.get_running_loop().call_later(wait, self._ring, due_ms, due_at_ms)

    def _wait_ms(self, due_ms: int | None, due_at_ms: int | None) -> int:
        now = self.time.now()
        wait_ms = min(self._tidy_ms if due_ms is None else due_ms, self._tidy_ms) - now.elapsed_ms
        return wait_ms if due_at_ms is None else min(wait_ms, due_at_ms - now.at_ms)

    def _ring(self, due_ms: int | None, due_at_ms: int | None) -> None:
        # Where the clock was set, both times are stored at once: over a stop the wall clock's difference counts.
        if self._wait_ms(due_ms, due_at_ms) > 0 and self._steps == self.time.steps:
            self._arm(due_ms, due_at_ms)
        else:
            self._steps = self.time.steps
            self._tidy_ms = self.time.now().elapsed_ms + TIDY_MS
            if self.time.now().elapsed_ms >= self._use_ms:
                self._use_tokens()
            self.submit(Due())
            self.transfers.sweep()

    def _use_tokens(self) -> None:
        """A token lives since its last use, and whoever stays connected uses it."""
        self._use_ms = self.time.now().elapsed_ms + TIDY_MS
        tokens = self.hub.tokens()
        for start in range(0, len(tokens), TOKENS_AT_ONCE):
            self.submit(UseTokens(tokens[start : start + TOKENS_AT_ONCE]))

    def finish(self) -> None:
        """Take no more commands; `run` ends when those that were submitted are done."""
        self.time.now()
        if self._steps != self.time.steps:
            # Over the stop the wall clock's difference counts: from the clock as it is now.
            self.submit(Due())
        self._log.close()

    def close(self) -> None:
        self.passwords.close()
        self.readers.close()
        self.transfers.close()
        self._writer.shutdown(wait=True)
        self._executor.close()


def _limits(settings: Settings) -> Limits:
    rate, accounts = settings.main_rate, settings.accounts_rate
    return Limits(
        passwordless=settings.passwordless,
        replay_messages=settings.replay_messages,
        page_messages=settings.page_messages,
        main_rate_count=rate.count if rate else None,
        main_rate_window_ms=rate.window_ms if rate else 0,
        reports_to_ban=settings.reports_to_ban,
        ban_ms=settings.ban_ms,
        reports_per_day=settings.reports_per_day,
        report_min_age_ms=settings.report_min_age_ms,
        delayed_max=settings.delayed_max,
        delayed_ahead_ms=settings.delayed_ahead_ms,
        token_ttl_ms=settings.token_ttl_ms,
        chats_max=settings.chats_max,
        link_ttl_ms=settings.link_ttl_ms,
        message_ttl_ms=settings.message_ttl_ms,
        absent_after_ms=settings.absent_after_ms,
        file_bytes_max=settings.file_bytes_max,
        file_quota_bytes=settings.file_quota_bytes,
        registration=settings.registration,
        accounts_count=accounts.count if accounts else None,
        accounts_window_ms=accounts.window_ms if accounts else 0,
    )
