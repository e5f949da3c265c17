"""The executor: a batch of entries in one transaction, each by its rule.

A rule that raises anything but a Refusal has a bug. The batch is then rolled back and executed again with a savepoint
before each entry, so that only the faulty one fails. The usual path does not pay for that.
"""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chat_server.errors import Refusal
from chat_server.log.entries import Batch, Configure, Entry, Limits, is_next
from chat_server.rules.context import Context, View
from chat_server.rules.outcomes import Ending, Move, Page, Push, Result, Stale
from chat_server.rules.registry import READINGS, RULES
from chat_server.rules.search import keep_index_close
from chat_server.store import erasures, retention, state
from chat_server.store.database import DISK_ERRORS, UNOPENED, Database, NoRoom, is_of_this_machine

log = logging.getLogger("chat.rules")


class Outcome(Struct, frozen=True):
    """What became of one entry. `seq` is the last seq that was given out when the entry was done."""

    entry: Entry
    result: Result | Refusal | Stale
    pushes: list[Push]
    seq: int
    moves: Sequence[Move] = ()
    endings: Sequence[Ending] = ()


class Executed(Struct, frozen=True):
    """A batch that is on disk.

    The node logs the next `Due` at `next_due_ms` in elapsed time or at `next_due_at_ms` by the wall clock, whichever
    comes first; each is None if nothing waits for it. `commit_seconds` is how long the commit took, with its fsync.
    `counts` are the counts of the rules (see `context.Context`).
    """

    outcomes: list[Outcome]
    seq: int
    next_due_ms: int | None
    next_due_at_ms: int | None
    commit_seconds: float = 0.0
    counts: Mapping[str, int] = {}


class Executor:
    """Executes batches against one database, on the writer's thread alone."""

    def __init__(self, db: Database, monotonic: Callable[[], float] = lambda: 0.0) -> None:
        """`monotonic` only measures; no execution depends on it."""
        self._db = db
        self._monotonic = monotonic
        self._load()

    def _load(self) -> None:
        self.state = state.load(self._db)
        self._limits = None
        if self.state.limits is not None:
            self._limits = msgspec.json.decode(self.state.limits, type=Limits)

    def execute(self, batch: Batch) -> Executed:
        """Execute and commit. A batch that was executed before changes nothing, since a log may repeat.

        Raises WrongBatch for one that is not the next of this chat.
        Raises NoRoom, LOCKED and SHORTAGES: certainly nothing was done, and the same batch may be executed again.
        Raises one of DISK_ERRORS: nothing of the batch may be acknowledged, and nothing after it.
        """
        if not is_next(batch, self.state.history, self.state.applied):
            return Executed([], self.state.seq, *self._next_due())
        try:
            return self._commit(batch, self._execute_one)
        except Exception as error:
            if is_of_this_machine(error):
                raise
            log.warning("batch %d failed; it is executed again with each entry on its own", batch.number, exc_info=True)
            return self._commit(batch, self._execute_guarded)

    def _next_due(self) -> tuple[int | None, int | None]:
        limits = self._limits
        if limits is None:
            return None, None
        waits = state.next_due_ms(self._db, limits.message_ttl_ms, limits.absent_after_ms)
        first = min((each for each in (waits, self.state.index_due_ms) if each is not None), default=None)
        return first, state.next_due_at_ms(self._db)

    def count_read(self) -> int:
        """Count the messages that all have read, and that are removed at the end of their life."""
        return retention.count_read_messages(self._db)

    @property
    def is_erasing(self) -> bool:
        """Tell whether something is left of a deleted account."""
        return erasures.first(self._db) is not None

    @property
    def unclean(self) -> bool:
        """Tell whether texts were erased that may still be in SQLite's log."""
        return self._db.unclean

    def scrub(self) -> bool:
        """Remove erased texts from SQLite's log. Return False if this has to be tried again. Raises DISK_ERRORS."""
        try:
            return self._db.scrub()
        except UNOPENED:
            return False
        except DISK_ERRORS as error:
            if self._db.is_full(error):
                return False
            raise

    def abandon(self) -> None:
        """Touch the database no more, not even when it is closed."""
        self._db.abandon()

    def close(self) -> None:
        self._db.close()

    def _commit(self, batch: Batch, execute: Callable[[Context, Entry], Outcome]) -> Executed:
        kept, limits = replace(self.state), self._limits
        self._db.begin_batch()
        try:
            self._db.run("BEGIN IMMEDIATE")
            self.state.at_ms = batch.at_ms
            self.state.elapsed_ms = max(self.state.elapsed_ms, batch.elapsed_ms)
            if self.state.history is None:
                state.begin(self._db, self.state, batch.history)
            context = Context(self._db, self.state, self._limits, batch.node)
            before = self.state.seq
            outcomes = [execute(context, entry) for entry in batch.entries]
            keep_index_close(context, self.state.seq - before)
            self.state.applied = batch.number
            state.advance(self._db, self.state)
            # A query after the commit could still find the database locked.
            next_due = self._next_due()
            begun = self._monotonic()
            self._db.run("COMMIT")
            commit_seconds = self._monotonic() - begun
        except BaseException as error:
            full = isinstance(error, DISK_ERRORS) and self._db.is_full(error)
            if self._db.connection.in_transaction:
                self._db.run("ROLLBACK")
            # The state is restored from memory, since a locked or full database may not be readable.
            self.state, self._limits = kept, limits
            if full:
                raise NoRoom(str(error)) from error
            raise
        return Executed(outcomes, self.state.seq, *next_due, commit_seconds, context.counts)

    def _execute_guarded(self, context: Context, entry: Entry) -> Outcome:
        """Execute an entry as `_execute_one` does, but undo a rule that fails and go on with the rest of the batch."""
        seq, indexed, limits = self.state.seq, self.state.indexed, self._limits
        counts = context.counts.copy()
        self._db.run("SAVEPOINT entry")
        try:
            outcome = self._execute_one(context, entry)
        except Exception as error:
            # The outcome of a batch is the same on all machines, so no machine's fault may become part of it.
            if is_of_this_machine(error):
                raise
            self._db.run("ROLLBACK TO entry")
            self._db.begin_batch()
            self.state.seq, self.state.indexed, self._limits = seq, indexed, limits
            context.counts = counts
            if limits is not None:
                context.limits = limits
            name = type(entry.command).__name__
            log.error("%s of user %d failed: this is a bug", name, entry.user_id, exc_info=True)
            refusal = Refusal("internal", "this failed by a mistake of the server, which is logged; nothing was done")
            outcome = Outcome(entry, refusal, [], seq)
        self._db.run("RELEASE entry")
        return outcome

    def _execute_one(self, context: Context, entry: Entry) -> Outcome:
        command = entry.command
        if type(command) is Configure:
            self._limits = context.limits = command.limits
        assert self._limits is not None, "a log begins with a Configure entry"
        context.take(entry)
        try:
            result = RULES[type(command)](context, command)
        except (Refusal, Stale) as refused:
            return Outcome(entry, refused, [], self.state.seq)
        return Outcome(entry, result, context.pushes, self.state.seq, context.moves, context.endings)


def read(view: View, query: Any) -> Iterator[Page]:
    """Answer a query: yield pages of events, then the end. Raises Refusal."""
    answer = READINGS[type(query)](view, query)
    while isinstance(answer, Generator):
        try:
            yield Page(next(answer))
        except StopIteration as stop:
            answer = stop.value
    yield Page(None, answer)
