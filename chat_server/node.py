"""The node, the one owner of state: takes batches from the log, has them executed, delivers them.

One batch is under way at a time: ordered, executed and committed on the writer's thread, delivered on the loop. While
it is, the next one gathers in the log.
"""

import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from chat_server.chat_time import ChatTime, LocalTime
from chat_server.delivery.delivery import Delivery
from chat_server.delivery.rendering import RoutedEvents
from chat_server.disk_space import Space
from chat_server.doorkeeper import Doorkeeper
from chat_server.errors import Refusal, StartError, not_done_refusal
from chat_server.freshness import Freshness
from chat_server.log import Log
from chat_server.log.entries import (
    Configure,
    Due,
    Entry,
    ForgetNotices,
    Identity,
    LeaveUploads,
    Limits,
    Logged,
    Mark,
    MarkSeen,
    NoteDeparture,
    Origin,
    WrongBatch,
)
from chat_server.log.local import LocalLog
from chat_server.log.versions import VERSION, version_needed
from chat_server.metrics import Metrics
from chat_server.overload import Overload
from chat_server.passwords import Guesses, Passwords, SignInGuard
from chat_server.prepare import Preparer
from chat_server.protocol.times import clock_time, duration, iso
from chat_server.readings import Reading, Readings
from chat_server.retrying_executor import RetryingExecutor, execute_at_start
from chat_server.rules.executor import Executed, Outcome
from chat_server.runtime import Future, Runtime
from chat_server.schedule import Schedule
from chat_server.send_ring import WriteNow
from chat_server.settings import Settings
from chat_server.shared_files import FileStore
from chat_server.shared_settings import differences, limits_of, refuse_open_door, with_limits
from chat_server.shedding import Shedding
from chat_server.store import address_bans, operators
from chat_server.store.data_directory import Gone, claim
from chat_server.store.database import DISK_ERRORS, READ_ERRORS
from chat_server.store.identity import begin_incarnation
from chat_server.store.readers import Readers
from chat_server.transfers import Transfers
from chat_server.writer import Writer

log = logging.getLogger("chat.node")

# How often the node checks that the data directory is still there, and that the disk has room for the spare file.
WATCH_SECONDS = 0.5
# After this time without a batch a node of a cluster logs one, so that time goes on: there it is counted from batch to
# batch, and somebody has to log one at least every 20 s.
QUIET_MS = 15_000

_NOT_KNOWN_TO_ALL = not_done_refusal(
    "not all servers of this chat know this yet, since they are being upgraded; try again in a few minutes"
)


class Node:
    # Called after each batch, with the seq before it and its events.
    on_delivered: Callable[[Executed, int, RoutedEvents], None] | None = None
    # Called after the bans of addresses have changed.
    on_bans: Callable[[], None] | None = None

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        directory: Path,
        *,
        identity: Identity,
        time: ChatTime,
        space: Space,
        writer: Writer,
        log: Log,
        live: Callable[[], dict[str, int]],
        rank: Callable[[], int],
        is_member: bool,
        on_executed: Callable[[Executed], None] = lambda executed: None,
        file_store: FileStore | None = None,
        on_mark: Callable[[str], Awaitable[None]] | None = None,
        write_now: WriteNow = os.write,
    ) -> None:
        """`live` tells what the running server counts, for /stats; `rank` its place among the living nodes, from 0.

        A member of a cluster shares its settings with the other nodes (see `shared_settings`). `on_executed` is called
        with each batch, before it is delivered, and `on_mark` is awaited after each mark, before the next batch is
        executed. `file_store` is the cluster's. Raises StartError.
        """
        self.runtime = runtime
        self._settings = settings
        self.is_member = is_member
        own = limits_of(settings)
        # Those that hold until the log has been read; None from then on.
        self._limits_before: Limits | None = (is_member and writer.limits) or own
        # The reason why nothing may be acknowledged any more, once that is so.
        self.failure: str | None = None
        self.metrics = Metrics(runtime.now_ms(), identity.node if is_member else "")
        self.space = space
        self.time = time
        self.readers = Readers(runtime, directory, writer.changed_messages)
        limits = self._limits_now
        self.transfers = self._make_transfers(settings, directory, writer, file_store)
        self.passwords = Passwords(runtime)
        self._guesses = Guesses(time, settings.wrong_passwords_rate)
        self.overload = overload = Overload()
        self.doorkeeper = Doorkeeper()
        self.delivery = self._make_delivery(settings, identity, writer.state.seq, write_now)
        freshness = Freshness(runtime, log.catch_up, lambda: self.metrics.counters["batches"], is_alone=not is_member)
        self.shedding = Shedding(runtime, overload, log, self.readers, self.delivery)
        self.preparer = self._make_preparer(freshness, overload)
        self._directory, self._identity = directory, identity
        self._begins_with: list[Logged] = [
            Configure(own, list(settings.operators), only_first=is_member),
            LeaveUploads(None),
        ]
        self._writer, self._log = writer, log
        self._on_executed = on_executed
        self._on_mark = on_mark
        self._executor = RetryingExecutor(runtime, space, writer, log, self.readers, lambda: self.failure is not None)
        self._readings = Readings(runtime, time, limits, self.delivery, self.readers, self.transfers, live)
        self._schedule = self._make_schedule(rank, is_member)
        self._gone = False
        self.removal_notice = self._make_removal_notice()

    def _make_transfers(
        self, settings: Settings, directory: Path, writer: Writer, store: FileStore | None
    ) -> Transfers:
        return Transfers(
            self.runtime,
            directory,
            self.time,
            self._limits_now,
            self.submit,
            writer.forget_sweeps,
            self._report_disk_failure,
            store,
            settings.file_cache_bytes,
            self.space.has_room,
        )

    def _make_preparer(self, freshness: Freshness, overload: Overload) -> Preparer:
        return Preparer(
            self.runtime,
            self.readers,
            self._limits_now,
            self.time,
            self.passwords,
            SignInGuard(self.runtime, self.time),
            self._guesses,
            self.transfers,
            self.delivery,
            freshness,
            overload,
        )

    def _make_delivery(self, settings: Settings, identity: Identity, seq: int, write_now: WriteNow) -> Delivery:
        return Delivery(
            self.runtime,
            self.time,
            identity,
            seq=seq,
            outbox_bytes_max=settings.outbox_bytes_max,
            presence_max=settings.presence_max,
            told=lambda user_id, notices: self.submit(ForgetNotices(notices), user_id),
            detached=self.transfers.leave,
            departed=lambda user_id: self.submit(NoteDeparture(), user_id),
            write_now=write_now,
        )

    def _make_schedule(self, rank: Callable[[], int], is_member: bool) -> Schedule:
        return Schedule(
            self.runtime,
            self.time,
            self.submit,
            rank=rank,
            quiet_ms=QUIET_MS if is_member else None,
            tokens=self.delivery.connections.tokens,
            limits=self._limits_now,
        )

    def _limits_now(self) -> Limits:
        return self.limits

    @property
    def limits(self) -> Limits:
        """The limits that hold now. They are the log's, whatever the options of this node say."""
        found = self._limits_before or self._writer.limits
        assert found is not None
        return found

    @property
    def settings(self) -> Settings:
        """The settings that hold here now: the node's own, and the log's."""
        return with_limits(self._settings, self.limits)

    @property
    def history(self) -> str:
        """The history of the chat. It MUST be known: a new chat has one once it is started."""
        found = self._writer.state.history
        assert found is not None
        return found

    def take_settings(self, settings: Settings) -> None:
        """Use these from now on; what the log has of them follows with a batch."""
        own, before = limits_of(settings), (limits_of(self._settings), self._settings.operators)
        self._settings = settings
        self.space.set_reserve(settings.disk_reserve_bytes)
        self._guesses.most = settings.wrong_passwords_rate
        self.delivery.presence.online_max = settings.presence_max
        self.delivery.feed.write_bytes_max = settings.outbox_bytes_max // 2
        if self.transfers.shared is not None:
            self.transfers.shared.cache.bytes_max = settings.file_cache_bytes
        if not self.is_member and (own, settings.operators) != before:
            self.submit(Configure(own, list(settings.operators)))

    def _make_removal_notice(self) -> str:
        """Return what the first start after an upgrade or a restore says of messages to be removed, "" if none are.

        The upgrade may be from a version that removed nothing, so the administrator hears of it in time.
        """
        ttl_ms = self.limits.message_ttl_ms
        if self._writer.state.spared_ms is not None or ttl_ms is None:
            return ""
        count = self._writer.count_read()
        if not count:
            return ""
        at = clock_time(iso(self.time.now().at_ms + ttl_ms), "")
        return (
            f"{count} message{'s' if count != 1 else ''} that all have read will be removed from {at} UTC on, which is"
            f" --message-ttl ({duration(ttl_ms)}) after this first start since an upgrade or a restore;"
            " --message-ttl off keeps them"
        )

    async def start(self) -> None:
        """Execute the log up to this node's own entries for its start. Raises StartError.

        These store its settings, and release the uploads that its last process held.
        """
        self._log.begin(self._withdraw)
        for command in self._begins_with:
            self.submit(command)
        is_own = False
        try:
            while not is_own:
                ordered = await self._log.next_batch()
                assert ordered is not None
                executed = await execute_at_start(self.runtime, self._writer, ordered)
                self._log.note_executed(ordered, executed.verdict, executed.position, executed.now)
                self._on_executed(executed)
                batch = ordered.batch
                is_own = (batch.node, batch.incarnation) == self._identity and executed.verdict == "executed"
        except WrongBatch as error:
            raise StartError(str(error)) from None
        if any(isinstance(outcome.result, Refusal) for outcome in executed.outcomes):
            raise StartError("the settings could not be stored, by a mistake of the server, which is logged above")
        claim(self._directory, self.history)
        self._limits_before = None
        await self._read_bans()
        refuse_open_door(self._settings, self.limits)
        named = await self.readers.pick().run(operators.configured_names)
        for difference in differences(self._settings, self.limits, named):
            log.warning("%s", difference)
        self.delivery.deliver(executed)
        # What came due while the server was down.
        self.submit(Due())
        if self.transfers.shared is not None:
            self.transfers.shared.start()

    def number_connections(self) -> None:
        """Give the connections numbers that no other node of the cluster gives. Raises StartError."""
        self.delivery.connections.number_for_node(self._writer.state.nodes[self._identity.node].id)

    def submit(
        self,
        command: Logged,
        user_id: int = 0,
        session: int = 0,
        number: int = 0,
        network: str = "",
        seen: MarkSeen | None = None,
    ) -> None:
        """Put a command in the log. The session gets its outcome (`Receiver.settle`) once it is on disk.

        `number` counts the session's commands in the log. `network` is what its address counts as. `seen`: see `Entry`.
        """
        node, incarnation = self._identity
        origin = Origin(node, incarnation, session, number) if session else None
        entry = Entry(command, user_id, origin, network, self.has_room(command), seen)
        if self.is_member and self._is_too_new(command):
            # Nobody is answered within the call.
            self.runtime.call_soon(self._refuse, [entry], _NOT_KNOWN_TO_ALL)
        else:
            self._log.submit(entry)

    def _is_too_new(self, command: Logged) -> bool:
        """Tell whether not all nodes of the cluster know the command yet."""
        version = self._writer.state.version
        return 0 < version < VERSION and version_needed(command) > version

    def has_room(self, command: Logged) -> bool:
        """Tell whether the disk has room for what the command adds."""
        return self.space.has_room(command.announced_bytes if command.announces else 0)

    def _withdraw(self, entries: Sequence[Entry], refusal: Refusal) -> None:
        """Answer those whose commands the log does not wait for any longer."""
        if refusal.code == "unavailable":
            self.delivery.outage.suspect()
        self._refuse(entries, refusal)

    def _refuse(self, entries: Sequence[Entry], refusal: Refusal) -> None:
        """Answer those whose commands are not logged."""
        seq = self.delivery.delivered
        self.delivery.deliver(Executed([Outcome(entry, refusal, [], seq) for entry in entries], seq, None, None))

    def send_pulse(self) -> Future[str]:
        """See `writer_pulse`."""
        return self._writer.send_pulse()

    @property
    def is_full(self) -> bool:
        """Whether so much waits for the log that no further command should be taken."""
        return self._log.is_full

    def read(self, user_id: int, query: Any) -> Reading:
        return self._readings.begin(user_id, query)

    async def run(self) -> None:
        """Run until the log is closed and empty, or nothing may be acknowledged any more (`failure` says why)."""
        watching = self.runtime.spawn(self._watch())
        try:
            while (ordered := await self._log.next_batch()) is not None and not self.failure:
                begun = self.runtime.monotonic()
                self.shedding.begin_batch(begun)
                executed = await self._executor.execute(ordered)
                if executed is None:
                    break
                told = self._log.note_executed(ordered, executed.verdict, executed.position, executed.now)
                if told:
                    executed = executed.without_waiting(told)
                self._on_executed(executed)
                seconds = self.runtime.monotonic() - begun
                changes = executed.seq - self.delivery.delivered
                self.metrics.count_batch(
                    len(ordered.batch.entries), seconds, executed.commit_seconds, changes, executed.counts
                )
                if "address_bans" in executed.counts:
                    # Before it is answered, so that whoever then connects finds it so.
                    await self._read_bans()
                before = self.delivery.delivered
                events = self.delivery.deliver(executed)
                if self.on_delivered is not None:
                    self.on_delivered(executed, before, events)
                self.delivery.outage.note_batch(executed.now.at_ms)
                self.shedding.end_batch(self.runtime.monotonic(), is_on_disk=executed.commit_seconds > 0)
                done = "dues" in executed.counts
                self._schedule.arm(executed.next_due_ms, executed.next_due_at_ms, done=done)
                self._writer.tend(self._report_disk_failure)
                if self._writer.has_sweeps:
                    self.transfers.sweep()
                # A mark is alone in its batch.
                if executed.outcomes and type(mark := executed.outcomes[0].entry.command) is Mark and self._on_mark:
                    await self._on_mark(mark.mark)
        except (*DISK_ERRORS, Gone) as error:
            self._report_disk_failure(error)
        except WrongBatch as error:
            self.fail(str(error))
        finally:
            self._log.close(abandon=True)
            watching.cancel()
            self._schedule.stop()
            self._writer.stop_tending()
            self.transfers.stop_sweeping()

    async def _read_bans(self) -> None:
        try:
            bans = await self.readers.pick().run(address_bans.list_all, self.time.now().elapsed_ms)
        except READ_ERRORS as error:
            log.error("the bans of addresses cannot be read; the old ones hold: %s", error)
            return
        self.doorkeeper.read(bans)
        if self.on_bans is not None:
            self.on_bans()

    async def _watch(self) -> None:
        while True:
            looked = self.runtime.monotonic()
            try:
                self._writer.check_files()
            except Gone as gone:
                self._report_disk_failure(gone)
                return
            self.space.keep_spare()
            if self.delivery.outage.take_probe():
                self.submit(Due())
            await self.runtime.sleep(WATCH_SECONDS)
            self.shedding.look(self.runtime.monotonic() - looked - WATCH_SECONDS)

    def _report_disk_failure(self, error: Exception) -> None:
        """Stop the node. A failed fsync is never retried: what the disk holds is known only after a restart."""
        self._gone = self._gone or isinstance(error, Gone)
        self.fail(f"the disk failed: {error}")

    def fail(self, why: str) -> None:
        """Stop; nothing more is acknowledged."""
        if not self.failure:
            self.failure = why
            log.critical("%s; nothing more is acknowledged, the server stops", why)
            self._log.close(abandon=True)

    def finish(self) -> None:
        """Take no more commands; `run` ends when those that were submitted are done."""
        self.delivery.presence.peers.leave()
        self._schedule.finish()
        self._executor.is_finishing = True
        self._log.close()

    def close(self) -> None:
        self.passwords.close()
        self.readers.close()
        self.transfers.close()
        self._writer.close(abandon=self._gone)
        if not self.failure:
            self.space.take_back()


def open_alone(
    settings: Settings,
    runtime: Runtime,
    directory: Path,
    live: Callable[[], dict[str, int]] = dict,
    open_log: Callable[..., Log] = LocalLog,
    write_now: WriteNow = os.write,
    *,
    is_member: bool = False,
) -> Node:
    """Open a node with a log of its own, which `open_log` makes. `live`, `is_member`: see `Node`. Raises StartError."""
    space = Space(directory, settings.disk_reserve_bytes, runtime)
    writer = Writer(runtime, directory, space)
    state = writer.state
    history = state.history or runtime.token_hex(8)
    if state.history is not None:
        claim(directory, state.history)
    if state.position.stream:
        raise StartError(
            f"the chat in {directory} is one node's copy of a cluster's: start it with --cluster, or restore a snapshot"
            " of the cluster into a new directory"
        )
    identity = begin_incarnation(directory, runtime.token_hex(4), {})
    time = LocalTime(runtime, at_ms=state.at_ms, elapsed_ms=state.elapsed_ms)
    log = open_log(runtime, time, identity, history=history, position=state.position)
    return Node(
        settings,
        runtime,
        directory,
        identity=identity,
        time=time,
        space=space,
        writer=writer,
        log=log,
        live=live,
        rank=lambda: 0,
        is_member=is_member,
        write_now=write_now,
    )
