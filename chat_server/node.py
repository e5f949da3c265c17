"""The one owner of state: takes batches from the log, has them executed, delivers them.

One batch is under way at a time: ordered, executed and committed on the writer's thread, delivered on the loop. While
it is, the next one gathers in the log.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw
from msgspec import Struct
from msgspec.structs import replace

from chat_server.chat_time import ChatTime
from chat_server.delivery.hub import Hub
from chat_server.disk_space import Space, no_room
from chat_server.errors import Refusal, StartError, not_done
from chat_server.log import Log
from chat_server.log.entries import (
    Batch,
    Configure,
    Departed,
    Due,
    Entry,
    Identity,
    LeaveUploads,
    Limits,
    Logged,
    Origin,
    Told,
    UseTokens,
)
from chat_server.log.local import LocalLog
from chat_server.metrics import Metrics
from chat_server.passwords import Passwords, SignInGuard
from chat_server.prepare import Preparer
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.times import clock_time, duration, iso
from chat_server.rules import Executor, read
from chat_server.rules.context import View
from chat_server.rules.executor import Executed, Outcome
from chat_server.rules.outcomes import Then
from chat_server.rules.registry import reader_of
from chat_server.runtime import Runtime
from chat_server.settings import Settings
from chat_server.store import idempotency_keys
from chat_server.store.data_directory import Gone, OpenFiles, claim
from chat_server.store.database import DISK_ERRORS, LOCKED, UNOPENED, Database, NoRoom, open_writer
from chat_server.store.identity import begin_incarnation
from chat_server.store.readers import Reader, Readers
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
# How often it is looked whether the data directory is still there, and whether the disk has room for the spare file.
WATCH_SECONDS = 0.5
# While another program keeps the database locked, commands and the start wait for at most so long.
LOCKED_SECONDS_MAX = 30.0
# What the server itself has to do is tried again after so long when the disk was full, or the database locked.
AGAIN_SECONDS = 1.0
LOCKED_AGAIN_SECONDS = 0.2
TELL_SECONDS = 10.0
_KEY_WAS_USED = Refusal(
    "unavailable", "an earlier try with this key may have been done; say it again in a moment, with the same key"
)


R = TypeVar("R")


def when_unlocked(do: Callable[[], R], seconds: float) -> R:
    """Do what must be done, as soon as no other program keeps the database locked; after so long raises StartError."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return do()
        except LOCKED:
            if time.monotonic() > deadline:
                raise StartError(
                    "another program keeps the database locked; nothing was done: end it (fuser chat.db names it), then"
                    " try again"
                ) from None
            log.warning("another program keeps the database locked; it is waited for")
            time.sleep(LOCKED_AGAIN_SECONDS)


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
        if reader_of(self._query) == "files":
            await self._node.transfers.turn(self._user_id)
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
    def __init__(self, settings: Settings, runtime: Runtime, directory: Path) -> None:
        """Opens the store. Raises StartError."""
        self.clock = clock = runtime
        self.limits = _limits(settings)
        # Set once the disk has failed: why. Nothing is acknowledged after that.
        self.failure: str | None = None
        self._finishing = False
        self._gone = False
        self._told_full = float("-inf")
        self._told_unopened = float("-inf")
        self.metrics = Metrics(clock.now_ms())
        # What the running server counts, for /stats; the server around the node adds what it knows.
        self.live: Callable[[], dict[str, int]] = dict
        self.space = Space(directory, settings.disk_reserve_bytes, clock)
        self._executor = Executor(when_unlocked(lambda: open_writer(directory), LOCKED_SECONDS_MAX), clock.monotonic)
        state = self._executor.state
        self.time = ChatTime(clock, at_ms=state.at_ms, elapsed_ms=state.elapsed_ms)
        self._writer = runtime.worker("writer")
        self.readers = Readers(runtime, directory)
        self.transfers = Transfers(runtime, directory, self.time, self.limits, self.submit)
        self.transfers.failed = self._fail
        self.passwords = Passwords(runtime)
        guard = SignInGuard(runtime, self.time, settings.sign_in_tries)
        self.preparer = Preparer(self.readers, self.limits, self.time, self.passwords, guard, self.transfers)
        self.spared = self._spared(state)
        self._identity = self._begin(settings, directory)
        self.hub = Hub(
            clock,
            self.readers,
            self._identity,
            outbox_bytes_max=settings.outbox_bytes_max,
            presence_max=settings.presence_max,
        )
        state = self._executor.state
        self._files = OpenFiles(directory)
        self.hub.delivered = state.seq
        self.hub.on_told = lambda user_id, notices: self.submit(Told(notices), user_id)
        self.hub.on_detached = self.transfers.left
        self.hub.on_departed = lambda user_id: self.submit(Departed(), user_id)
        self._log: Log = LocalLog(self.time, applied=state.applied)
        self._timer: asyncio.TimerHandle | None = None
        self._scrubbing: asyncio.Task[None] | None = None
        self._tidy_ms = self.time.now().elapsed_ms + TIDY_MS
        # Well before a token would end that is used all the time.
        self._use_every_ms = min(TIDY_MS, self.limits.token_ttl_ms // 2)
        self._use_ms = self.time.now().elapsed_ms + self._use_every_ms
        self._steps = self.time.steps
        # What came due while the server was down.
        self.submit(Due())

    def _spared(self, state: State) -> str:
        """What the first start after an upgrade or a restore says of messages that are to go; "" where there is none.

        The upgrade may be one from a version that removed nothing: whoever runs the server hears of it in time.
        """
        ttl_ms = self.limits.message_ttl_ms
        if state.spared_ms is not None or ttl_ms is None:
            return ""
        count = self._executor.count_read()
        if not count:
            return ""
        at = clock_time(iso(self.time.now().at_ms + ttl_ms), "")
        return (
            f"{count} message{'s' if count != 1 else ''} that all have read will be removed from {at} UTC on, which is"
            f" --message-ttl ({duration(ttl_ms)}) after this first start since an upgrade or a restore;"
            " --message-ttl off keeps them"
        )

    def _begin(self, settings: Settings, directory: Path) -> Identity:
        """Log what must hold from the start on, or do not start. Raises StartError."""
        known = self._executor.state.history
        history = known or secrets.token_hex(8)
        if known:
            claim(directory, known)
        identity = begin_incarnation(directory, secrets.token_hex(4))
        entries = [Entry(Configure(self.limits, history, list(settings.operators))), Entry(LeaveUploads(None))]
        batch = Batch(self._executor.state.applied + 1, *self.time.now(), entries)
        try:
            executed = self._execute_at_start(batch)
        except NoRoom:
            raise StartError(f"the disk of {directory} is full: the settings cannot be stored; make room") from None
        except (*DISK_ERRORS, UNOPENED) as error:
            raise StartError(f"the disk failed: {error}") from None
        if any(isinstance(outcome.result, Refusal) for outcome in executed.outcomes):
            raise StartError("the settings could not be stored, by a mistake of the server, which is logged above")
        claim(directory, history)
        return identity

    def _execute_at_start(self, batch: Batch) -> Executed:
        while True:
            try:
                return when_unlocked(lambda: self._executor.execute(batch), LOCKED_SECONDS_MAX)
            except NoRoom:
                if not self._make_room():
                    raise

    def submit(self, command: Logged, user_id: int = 0, session: int = 0, number: int = 0, address: str = "") -> None:
        """Put a command in the log. The session is told its outcome (`Receiver.settle`) when it is on disk.

        `number` counts the session's commands in the log. `address` is "" for the machine itself.
        """
        origin = Origin(*self._identity, session, number) if session else None
        self._log.submit(Entry(command, user_id, origin, address, not self.space.has_room(command.announced_bytes)))

    def read(self, user_id: int, query: Any) -> Reading:
        return Reading(self, self._reader_for(query), user_id, query)

    def _reader_for(self, query: Any) -> Reader:
        match reader_of(query):
            case "searches":
                return self.readers.searcher
            case "files":
                return self.transfers.reader
        return self.readers.pick()

    async def run(self) -> None:
        """Until the log is closed and empty, or the disk fails (`failure` says how)."""
        loop = asyncio.get_running_loop()
        watching = loop.create_task(self._watch())
        while (batch := await self._log.next_batch()) is not None and not self.failure:
            begun = self.clock.monotonic()
            try:
                executed = await self._executed(batch)
            except (*DISK_ERRORS, Gone) as error:
                self._fail(error)
            if self.failure:
                break
            seconds = self.clock.monotonic() - begun
            changes = executed.seq - self.hub.delivered
            self.metrics.batch(len(batch.entries), seconds, executed.commit_seconds, changes, executed.counts)
            self.hub.deliver(executed)
            self._arm(executed.next_due_ms, executed.next_due_at_ms)
            self._scrub_soon()
        self._log.close()
        watching.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._scrubbing is not None:
            self._scrubbing.cancel()

    async def _executed(self, batch: Batch) -> Executed:
        """What became of the batch: it is on disk, or certainly not done. Raises Gone and one of DISK_ERRORS."""
        try:
            return await self._execute(batch)
        except NoRoom:
            return await self._execute_without_room(batch)
        except LOCKED:
            return await self._refused(
                batch, not_done("another program keeps the database locked; try again in a moment")
            )
        except UNOPENED as error:
            if self.clock.monotonic() - self._told_unopened > TELL_SECONDS:
                self._told_unopened = self.clock.monotonic()
                log.error("a file could not be opened: %s; what is said meanwhile is refused", error)
            return await self._refused(batch, not_done(f"a file could not be opened ({error}); try again in a moment"))

    async def _execute(self, batch: Batch) -> Executed:
        """Wait for as long as one can while another program keeps the database locked."""
        deadline = self.clock.monotonic() + LOCKED_SECONDS_MAX
        while True:
            try:
                return await self._writer.run(self._execute_here, batch)
            except LOCKED:
                log.error("another program keeps the database locked; %d commands wait", len(batch.entries))
                if self._finishing or self.clock.monotonic() > deadline:
                    raise
                await asyncio.sleep(LOCKED_AGAIN_SECONDS)

    def _execute_here(self, batch: Batch) -> Executed:
        """On the writer's thread. What went into files that somebody took away is not acknowledged."""
        executed = self._executor.execute(batch)
        self._files.check_committed()
        return executed

    async def _execute_without_room(self, batch: Batch) -> Executed:
        """What adds something is refused; the rest is tried again with the room that can still be made.

        This batch is nobody else's: one that was rolled back is not in the log of a node that is alone.
        """
        if self.clock.monotonic() - self._told_full > TELL_SECONDS:
            self._told_full = self.clock.monotonic()
            log.error("the disk is full; nothing new is taken until there is room")
        self.space.look_again()
        small = [replace(entry, cramped=True) for entry in batch.entries if not entry.command.adds]
        refused = no_room()
        executed = None
        while executed is None and small:
            more = await self._writer.run(self._make_room)
            try:
                executed = await self._execute(replace(batch, entries=small))
            except NoRoom:
                if not more:
                    return await self._refused(batch, refused)
            except (LOCKED, UNOPENED):
                return await self._refused(batch, refused)
        if executed is None:
            return await self._refused(batch, refused)
        outcomes = iter(executed.outcomes)
        return replace(
            executed,
            outcomes=[
                Outcome(entry, refused, [], executed.seq) if entry.command.adds else next(outcomes)
                for entry in batch.entries
            ],
        )

    def _make_room(self) -> bool:
        """On the writer's thread; whether it is worth more than one try."""
        found = self.space.give_up_spare()
        self._executor.scrub()
        return found

    async def _refused(self, batch: Batch, refusal: Refusal) -> Executed:
        """Nothing of the batch was done. What nobody asked for is tried again by itself."""
        loop, state = asyncio.get_running_loop(), self._executor.state
        outcomes = []
        for entry in batch.entries:
            if entry.origin is None:
                loop.call_later(AGAIN_SECONDS, self._log.submit, entry)
            is_open = await self._may_have_been_done(entry)
            outcomes.append(Outcome(entry, _KEY_WAS_USED if is_open else refusal, [], state.seq))
        return Executed(outcomes, state.seq, None, None)

    async def _may_have_been_done(self, entry: Entry) -> bool:
        """Whether the key of a command was used before: an earlier try was done then, whose answer got lost."""
        key = getattr(entry.command, "key", None)
        if key is None:
            return False
        try:
            return await self.readers.pick().run(idempotency_keys.find, entry.user_id, key, 0) is not None
        except (apsw.Error, OSError):
            return True

    async def _watch(self) -> None:
        while True:
            try:
                self._files.check()
            except Gone as gone:
                self._fail(gone)
                return
            self.space.keep_spare()
            await asyncio.sleep(WATCH_SECONDS)

    def _fail(self, error: Exception) -> None:
        if self.failure:
            return
        self._gone = isinstance(error, Gone)
        # An fsync that failed is never retried: what the disk holds now is known only after a restart.
        self.failure = f"the disk failed: {error}"
        log.critical("%s; nothing more is acknowledged, the server stops", self.failure)
        self._log.close()

    def _scrub_soon(self) -> None:
        if self._executor.unclean and self._scrubbing is None:
            self._scrubbing = asyncio.get_running_loop().create_task(self._scrub())

    async def _scrub(self) -> None:
        """What was erased is soon in no file any more; many erasures together cost one."""
        wait = SCRUB_SECONDS
        try:
            while self._executor.unclean:
                await asyncio.sleep(wait)
                done = await self._writer.run(self._executor.scrub)
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
        wait_ms = min(self._tidy_ms if due_ms is None else due_ms, self._tidy_ms, self._use_ms) - now.elapsed_ms
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
        self._use_ms = self.time.now().elapsed_ms + self._use_every_ms
        tokens = self.hub.tokens()
        for start in range(0, len(tokens), TOKENS_AT_ONCE):
            self.submit(UseTokens(tokens[start : start + TOKENS_AT_ONCE]))

    def finish(self) -> None:
        """Take no more commands; `run` ends when those that were submitted are done."""
        self.time.now()
        if self._steps != self.time.steps:
            # Over the stop the wall clock's difference counts: from the clock as it is now.
            self.submit(Due())
        self._finishing = True
        self._log.close()

    def close(self) -> None:
        self.passwords.close()
        self.readers.close()
        self.transfers.close()
        self._writer.close()
        self._files.close()
        if self._gone:
            self._executor.abandon()
        self._executor.close()
        if not self.failure:
            self.space.take_back()


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
        text_quota_bytes=settings.text_quota_bytes,
    )
