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
from chat_server.log.entries import (
    Configure,
    EndStream,
    Entry,
    Limits,
    MarkSeen,
    OrderedBatch,
    RaiseVersion,
    Verdict,
    WrongBatch,
    check_belongs,
)
from chat_server.log.stream import Position
from chat_server.log.versions import VERSION
from chat_server.protocol.times import BEGINNING_MS, Now
from chat_server.rules.context import Context, View
from chat_server.rules.outcomes import Ending, MembershipChange, Page, Push, Result, Stale
from chat_server.rules.registry import READINGS, RULES, rule
from chat_server.rules.retention import note_read_ranges
from chat_server.store import digests, erasures, retention
from chat_server.store import state as states
from chat_server.store.database import DISK_ERRORS, Database, NoRoom, is_of_this_machine
from chat_server.store.stretches import ChangedMessages

log = logging.getLogger("chat.rules")

# The log's clock may be set. Over a longer time than this between two batches the sender's clock is asked, too.
CLOCK_TRUSTED_MS = 60_000


@rule(EndStream)
def end_stream(context: Context, command: EndStream) -> None:
    if command.next > context.state.position.stream:
        context.state.position, context.state.digest = Position(command.next, 0), b""


@rule(RaiseVersion)
def raise_version(context: Context, command: RaiseVersion) -> None:
    state = context.state
    if command.version <= state.version:
        return
    if command.version > VERSION:
        raise WrongBatch(
            f"the cluster went on to version {command.version} of the log at batch {state.position}, and this program"
            f" knows up to {VERSION}: start a newer chat-server, as the other nodes run it"
        )
    states.raise_version(context.db, state, command.version)


class Outcome(Struct, frozen=True):
    """What became of one entry. `seq` is the last seq that was given out when the entry was done."""

    entry: Entry
    result: Result | Refusal | Stale
    pushes: list[Push]
    seq: int
    membership_changes: Sequence[MembershipChange] = ()
    endings: Sequence[Ending] = ()

    @property
    def code(self) -> str:
        """The code of the refusal, "stale" for what is to be prepared again, "" for what was done."""
        if isinstance(self.result, Refusal):
            return self.result.code
        return "stale" if isinstance(self.result, Stale) else ""


class Executed(Struct, frozen=True):
    """A batch that is on disk, or changes nothing, as `verdict` says.

    `position` and `now` say where the store is in the log, and the times there.

    The node logs the next `Due` at `next_due_ms` in elapsed time or at `next_due_at_ms` by the wall clock, whichever
    comes first; each is None if nothing waits for it. `commit_seconds` is how long the commit took, with its fsync.
    `counts` are the counts of the rules (see `context.Context`); `dropped` is the last note of something that was
    dropped (see `store.local`); `has_erased` says whether texts were erased.
    """

    outcomes: list[Outcome]
    seq: int
    next_due_ms: int | None
    next_due_at_ms: int | None
    commit_seconds: float = 0.0
    counts: Mapping[str, int] = {}
    verdict: Verdict = "executed"
    position: Position = Position(0, 0)
    now: Now = Now(0, 0)
    dropped: int = 0
    has_erased: bool = False

    def without_waiting(self, count: int) -> "Executed":
        """Return the same without the sessions that waited for the oldest outcomes."""
        told = [replace(each, entry=replace(each.entry, origin=None)) for each in self.outcomes[:count]]
        return replace(self, outcomes=[*told, *self.outcomes[count:]])


class Executor:
    """Executes batches against one database, on the writer's thread alone."""

    def __init__(self, db: Database, monotonic: Callable[[], float] = lambda: 0.0) -> None:
        """`monotonic` only measures; no execution depends on it."""
        assert db.cache is not None
        self._db = db
        self._cache = db.cache
        self._monotonic = monotonic
        self._load()

    def _load(self) -> None:
        self.state = states.load(self._db)
        self._limits = None
        if self.state.limits is not None:
            self._limits = msgspec.json.decode(self.state.limits, type=Limits)

    def execute(self, ordered: OrderedBatch) -> Executed:
        """Execute and commit. A batch that is not the next of its node is skipped; see `Executed`.

        Raises WrongBatch for one of another chat, or that needs a newer program.
        Raises NoRoom, LOCKED and SHORTAGES: certainly nothing was done, and the same batch may be executed again.
        Raises one of DISK_ERRORS: nothing of the batch may be acknowledged, and nothing after it.
        """
        check_belongs(ordered.batch, ordered.position, self.state.history, self.state.version)
        if ordered.position <= self.state.position:
            return self._executed([], {}, "repeated", self._look_ahead())
        verdict = self._judge(ordered)
        if verdict != "executed":
            return self._write(ordered, lambda: ([], {}), verdict)
        try:
            return self._commit(ordered, self._execute_one)
        except Exception as error:
            if _is_no_outcome(error):
                raise
            log.warning(
                "batch %s failed; it is executed again with each entry on its own", ordered.position, exc_info=True
            )
            return self._commit(ordered, self._execute_guarded)

    def _judge(self, ordered: OrderedBatch) -> Verdict:
        """The next batch of the node's newest start is executed; the first one of a newer start ends the older.

        Nobody else writes into a lone server's log, so there a batch only has to be the next one of all.
        """
        batch, position = ordered.batch, ordered.position
        if not position.stream:
            return "executed" if position.sequence == self.state.position.sequence + 1 else "ahead"
        known = self.state.nodes.get(batch.node)
        executed = 0
        if known is not None and batch.incarnation <= known.incarnation:
            if (batch.incarnation, batch.nonce) != (known.incarnation, known.nonce):
                return "repeated"
            executed = known.number
        if batch.number <= executed:
            return "repeated"
        return "executed" if batch.number == executed + 1 else "ahead"

    @property
    def limits(self) -> Limits | None:
        """The limits as of the last batch, None before the first one. Any thread may ask."""
        return self._limits

    def _look_ahead(self) -> states.Ahead:
        limits = self._limits
        if limits is None:
            return states.Ahead(None, None, 0)
        return states.look_ahead(self._db, limits.message_ttl_ms, limits.absent_after_ms)

    def count_read(self) -> int:
        """Count the messages that all have read, and that are removed at the end of their life."""
        return retention.count_read_messages(self._db)

    @property
    def is_erasing(self) -> bool:
        """Tell whether something is left of a deleted account."""
        return erasures.first(self._db) is not None

    @property
    def changed_messages(self) -> ChangedMessages:
        """What batches change of messages that were stored before."""
        return self._db.changed_messages

    @property
    def unclean(self) -> bool:
        """Tell whether texts were erased that may still be in SQLite's log."""
        return self._db.unclean

    def scrub(self) -> bool:
        """As `Database.scrub`."""
        return self._db.scrub()

    def abandon(self) -> None:
        """Touch the database no more, not even when it is closed."""
        self._db.abandon()

    def close(self) -> None:
        self._db.close()

    def _commit(self, ordered: OrderedBatch, execute: Callable[[Context, Entry], Outcome]) -> Executed:
        batch = ordered.batch

        def execute_all() -> tuple[list[Outcome], Mapping[str, int]]:
            state = self.state
            state.elapsed_ms = self._elapsed_ms(ordered)
            state.at_ms = ordered.at_ms
            if state.history is None:
                states.begin(self._db, state, batch.history, batch.version)
            is_shared = bool(ordered.position.stream)
            if is_shared:
                states.note_sender(
                    self._db, state, batch.node, batch.incarnation, batch.nonce, batch.number, batch.sent_ms
                )
            context = Context(self._db, state, self._limits, batch.node)
            outcomes = [execute(context, entry) for entry in batch.entries]
            note_read_ranges(context)
            if is_shared:
                codes = [(outcome.seq, outcome.code) for outcome in outcomes]
                state.outcomes = digests.after_batch(state.outcomes, state.seq, state.at_ms, state.elapsed_ms, codes)
            return outcomes, context.counts

        return self._write(ordered, execute_all, "executed")

    def _write(
        self, ordered: OrderedBatch, execute: Callable[[], tuple[list[Outcome], Mapping[str, int]]], verdict: Verdict
    ) -> Executed:
        """Execute in a transaction, and note the place in the log in it."""
        kept, limits = replace(self.state), self._limits
        self._cache.begin_batch()
        was_unclean, self._db.unclean = self._db.unclean, False
        try:
            self._db.changed_messages.position = ordered.position
            self._db.run("BEGIN IMMEDIATE")
            # A rule that ends the stream moves on from here.
            self.state.position, self.state.digest = ordered.position, ordered.digest
            outcomes, counts = execute()
            states.advance(self._db, self.state)
            # A query after the commit could still find the database locked.
            ahead = self._look_ahead()
            begun = self._monotonic()
            self._db.run("COMMIT")
            commit_seconds = self._monotonic() - begun
        except BaseException as error:
            full = isinstance(error, DISK_ERRORS) and self._db.is_full(error)
            if self._db.connection.in_transaction:
                self._db.run("ROLLBACK")
            self._cache.forget()
            # The state is restored from memory, since a locked or full database may not be readable.
            self.state, self._limits = kept, limits
            if full:
                raise NoRoom(str(error)) from error
            raise
        finally:
            has_erased = self._db.unclean
            self._db.unclean = was_unclean or has_erased
        return self._executed(outcomes, counts, verdict, ahead, commit_seconds, has_erased=has_erased)

    def _executed(
        self,
        outcomes: list[Outcome],
        counts: Mapping[str, int],
        verdict: Verdict,
        ahead: states.Ahead,
        commit_seconds: float = 0.0,
        *,
        has_erased: bool = False,
    ) -> Executed:
        state, (due_ms, due_at_ms, dropped) = self.state, ahead
        now = Now(state.at_ms, state.elapsed_ms)
        return Executed(
            *(outcomes, state.seq, due_ms, due_at_ms, commit_seconds, counts, verdict, state.position, now, dropped),
            has_erased,
        )

    def _elapsed_ms(self, ordered: OrderedBatch) -> int:
        """How long the chat has lived at this batch, if the log leaves that to be counted.

        It grows with the log's clock. If that says that a long time has passed, the sender's clock has to agree: one
        wrong clock would end bans, messages and sign-ins early. It is compared with itself alone, since its last batch.
        """
        state, batch = self.state, ordered.batch
        if ordered.elapsed_ms is not None:
            return max(state.elapsed_ms, ordered.elapsed_ms)
        if state.history is None:
            return max(ordered.at_ms, BEGINNING_MS)
        passed_ms = ordered.at_ms - state.at_ms
        if passed_ms > CLOCK_TRUSTED_MS:
            sender = state.nodes.get(batch.node)
            said_ms = CLOCK_TRUSTED_MS
            if sender is not None:
                said_ms = batch.sent_ms - sender.sent_ms - (state.elapsed_ms - sender.elapsed_ms)
            passed_ms = min(passed_ms, said_ms)
        return state.elapsed_ms + max(0, passed_ms)

    def _execute_guarded(self, context: Context, entry: Entry) -> Outcome:
        """Execute an entry as `_execute_one` does, but undo a rule that fails and go on with the rest of the batch."""
        if entry.seen is not None:
            marked = self._execute_guarded(context, Entry(entry.seen, entry.user_id))
            done = self._execute_guarded(context, replace(entry, seen=None))
            return replace(done, entry=entry, pushes=[*marked.pushes, *done.pushes])
        seq, limits = self.state.seq, self._limits
        counts = context.counts.copy()
        self._db.run("SAVEPOINT entry")
        try:
            outcome = self._execute_one(context, entry)
        except Exception as error:
            if _is_no_outcome(error):
                raise
            self._db.run("ROLLBACK TO entry")
            self._cache.forget()
            self.state.seq, self._limits = seq, limits
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
        assert self._limits is not None or type(command) is Configure, "a log begins with a Configure entry"
        context.take(entry)
        if entry.seen is not None:
            RULES[MarkSeen](context, entry.seen)
        marked = len(context.pushes)
        try:
            result = RULES[type(command)](context, command)
        except (Refusal, Stale) as refused:
            return Outcome(entry, refused, context.pushes[:marked], self.state.seq)
        self._limits = context.limits
        return Outcome(entry, result, context.pushes, self.state.seq, context.membership_changes, context.endings)


def _is_no_outcome(error: Exception) -> bool:
    """The outcome of a batch is the same on all machines, so no machine's or program's limit may become part of it."""
    return isinstance(error, WrongBatch) or is_of_this_machine(error)


def read(view: View, query: Any) -> Iterator[Page]:
    """Answer a query: yield pages of events, the last of them with the end. Raises Refusal."""
    answer = READINGS[type(query)](view, query)
    while isinstance(answer, Generator):
        try:
            yield Page(next(answer))
        except StopIteration as stop:
            answer = stop.value
    yield answer if isinstance(answer, Page) else Page((), answer)
