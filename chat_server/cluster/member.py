"""Opening a node as a member of a cluster: on a log that it shares with others."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar

from chat_server import __version__
from chat_server.chat_time import ClusterTime
from chat_server.cluster.chain import Chain
from chat_server.cluster.heartbeats import Heartbeats, Vitals
from chat_server.cluster.milestones import Milestones, StateComparison
from chat_server.cluster.numbers import ClusterNumbers
from chat_server.cluster.sealed_objects import SealedObjects
from chat_server.cluster.side_processes import SideProcesses
from chat_server.cluster.snapshot_keeper import SnapshotKeeper
from chat_server.cluster.snapshots import (
    SnapshotError,
    is_mistaken,
    load_newest,
    mark_mistaken,
    refuse_mistaken,
)
from chat_server.cluster.upgrade import Upgrade
from chat_server.cluster.verification import Verification
from chat_server.disk_space import Space
from chat_server.errors import StartError
from chat_server.log.entries import Identity, NoteDeparture, WrongBatch
from chat_server.log.replicated import ReplicatedLog
from chat_server.log.stream import Bus, NotAppended, Objects, StreamLost, Streams
from chat_server.log.versions import VERSION
from chat_server.node import Node
from chat_server.retrying_executor import execute_at_start
from chat_server.runtime import Runtime
from chat_server.settings import Settings
from chat_server.store.blobs import Blobs
from chat_server.store.data_directory import DATABASE, claim
from chat_server.store.database import open_unchanged
from chat_server.store.identity import begin_incarnation
from chat_server.writer import Writer

log = logging.getLogger("chat.cluster")

# After a power cut all machines start at once, and the servers of the log may take a while to find each other.
REACH_SECONDS = 60.0
REACH_AGAIN_SECONDS = 1.0
# A node has caught up once no more batches than this are left: they come while it starts.
LEFT_MAX = 100
PROGRESS_SECONDS = 10.0
NONCE_BYTES = 8

R = TypeVar("R")


class ClusterNode(NamedTuple):
    """A node of a cluster, and what connects it with the others. The end of the node ends the rest."""

    node: Node
    log: ReplicatedLog
    heartbeats: Heartbeats
    chain: Chain
    keeper: SnapshotKeeper
    numbers: ClusterNumbers
    upgrade: Upgrade
    verification: Verification

    async def start(self) -> None:
        """Have the node begin to write into the log, and be heard. Raises StartError."""
        await self.node.start()
        self.node.number_connections()
        await self.heartbeats.start()
        self.chain.start()
        self.keeper.start()
        self.upgrade.start()
        self.verification.start()


async def open_member(
    settings: Settings,
    runtime: Runtime,
    directory: Path,
    name: str,
    streams: Streams,
    bus: Bus,
    objects: Objects,
    processes: SideProcesses,
    live: Callable[[], dict[str, int]] = dict,
) -> ClusterNode:
    """Open the node with this name (see `identity.name_of_node`), and execute the log up to its end.

    `live` is as for `Node`. Raises StartError.
    """
    # On a full disk this makes the room that reading needs.
    space = Space(directory, settings.disk_reserve_bytes, runtime)
    await _begin_state(runtime, directory, streams, objects)
    writer = Writer(runtime, directory, space, durable=False)
    try:
        # From the first batch on, the writer watches that all that belongs to the directory stays there.
        Blobs(directory)
        milestones = Milestones(writer.state.at_ms)
        time, replicated, identity = await _join(runtime, directory, name, streams, writer, milestones)
    except BaseException:
        writer.close(abandon=False)
        raise
    chain = Chain(runtime, replicated, rank=lambda: heartbeats.rank())
    node = Node(
        *(settings, runtime, directory),
        identity=identity,
        time=time,
        space=space,
        writer=writer,
        log=replicated,
        live=live,
        rank=lambda: heartbeats.rank(),
        is_member=True,
        on_executed=chain.follow,
        file_store=SealedObjects(objects),
        on_mark=lambda mark: verification.reach(mark),
    )

    heartbeats = Heartbeats(
        *(runtime, bus, identity, node.delivery.presence, node.delivery.connections),
        vitals=lambda: Vitals(replicated.position, milestones.last, VERSION, __version__, live(), keeper.is_making),
        typing=node.delivery.typing.take,
        departed=lambda user_id: node.submit(NoteDeparture(), user_id),
        unheard=node.delivery.outage.suspect,
        heard=StateComparison(name, lambda why: _stop_odd_one(node, directory, why)).compare,
    )
    may_make = heartbeats.may_make_snapshot
    keeper = SnapshotKeeper(runtime, replicated, objects, processes, now=time.now, may_make=may_make)
    upgrade = Upgrade(runtime, replicated, heartbeats, lambda: writer.state.version)
    numbers = ClusterNumbers(runtime, streams, objects, replicated, heartbeats, upgrade, node)
    verification = Verification(runtime, bus, name, processes, submit=node.submit, living=lambda: heartbeats.living)
    return ClusterNode(node, replicated, heartbeats, chain, keeper, numbers, upgrade, verification)


def _stop_odd_one(node: Node, directory: Path, why: str) -> None:
    """Stop a node whose state is wrong, and have its next start replace that."""
    try:
        mark_mistaken(directory)
        then = "its next start is from a snapshot"
    except OSError as error:
        then = f"start it again with an empty directory, since {directory} takes no note of it ({error.strerror})"
    node.fail(f"{why}; {then}")


async def _begin_state(runtime: Runtime, directory: Path, streams: Streams, objects: Objects) -> None:
    """Start from the newest snapshot if the directory has no state, or one that cannot go on. Raises StartError."""
    if (directory / DATABASE).exists() and not is_mistaken(directory):
        there, stream = await _when_reached(runtime, streams.list), _stream_of(directory)
        if not there or not stream or stream in there:
            return
        log.warning("stream %d of the log, where this node was, is gone: it starts again from a snapshot", stream)
    try:
        await _when_reached(runtime, lambda: load_newest(objects, directory))
    except SnapshotError as error:
        raise StartError(str(error)) from None
    refuse_mistaken(directory)


def _stream_of(directory: Path) -> int:
    """Return the stream that the state in the directory has come to, 0 for the chat of a single server."""
    with closing(open_unchanged(directory, older=True)) as db:
        has_one = db.one("SELECT 1 FROM pragma_table_info('state') WHERE name = 'stream'")
        return db.value("SELECT stream FROM state") if has_one else 0


async def _join(
    runtime: Runtime, directory: Path, name: str, streams: Streams, writer: Writer, milestones: Milestones
) -> tuple[ClusterTime, ReplicatedLog, Identity]:
    """Execute the log up to its end, then take the incarnation after the node's last one in the log. Raises StartError.

    If another process takes the same incarnation, their nonces differ, and the one that writes second ends.
    """
    state = writer.state
    if state.history is not None:
        claim(directory, state.history)
        if not state.position.stream:
            raise StartError(
                f"{directory} holds the chat of a single server: chat-server cluster import moves it into the"
                " cluster; or name a new directory with --data"
            )
    time = ClusterTime(runtime, at_ms=state.at_ms, elapsed_ms=state.elapsed_ms)
    replicated = ReplicatedLog(
        runtime,
        streams,
        time,
        name,
        history=state.history,
        position=state.position,
        digest=state.digest,
        version=lambda: writer.state.version,
        on_executed=lambda position, now: milestones.note_batch(position, now.at_ms, writer.state.outcomes),
    )
    await _catch_up(runtime, writer, replicated)
    known = {node: sender.incarnation for node, sender in writer.state.nodes.items()}
    identity = begin_incarnation(directory, name, known)
    replicated.join(identity, runtime.token_bytes(NONCE_BYTES), runtime.token_hex(8))
    return time, replicated, identity


async def _catch_up(runtime: Runtime, writer: Writer, replicated: ReplicatedLog) -> None:
    """Execute the log up to about its end. Raises StartError."""
    try:
        await _when_reached(runtime, replicated.open)
        left = LEFT_MAX + 1
        while left > LEFT_MAX:
            end = await _when_reached(runtime, replicated.end)
            left = 0
            told_at = runtime.monotonic()
            while (ordered := await replicated.next_before(end)) is not None:
                executed = await execute_at_start(runtime, writer, ordered)
                replicated.note_executed(ordered, executed.verdict, executed.position, executed.now)
                left += 1
                if runtime.monotonic() - told_at > PROGRESS_SECONDS:
                    told_at = runtime.monotonic()
                    log.info("catching up with the log: at %s, of %s so far", replicated.position, end)
            if replicated.position.stream != end.stream:
                left = LEFT_MAX + 1
    except (WrongBatch, StreamLost) as error:
        raise StartError(str(error)) from None


async def _when_reached(runtime: Runtime, ask: Callable[[], Awaitable[R]]) -> R:
    """Ask the servers of the log until they answer. Raises StartError after a while."""
    deadline = runtime.monotonic() + REACH_SECONDS
    has_warned = False
    while True:
        try:
            return await ask()
        except NotAppended as error:
            if runtime.monotonic() > deadline:
                raise StartError(f"the log of the cluster cannot be reached: {error}; are its servers up?") from None
            if not has_warned:
                has_warned = True
                log.warning("the log of the cluster cannot be reached yet (%s); it is waited for", error)
        await runtime.sleep(REACH_AGAIN_SECONDS)
