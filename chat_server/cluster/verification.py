"""The verification of nodes: digests of their tables as of one batch of the log are compared.

The batch is a mark, alone in its batch. Every node begins a process beside it before the mark is logged; at the mark
the process opens its read transaction, for which the node waits before it executes the next batch, and then computes
at a low priority. Nodes are asked again and again for what they have come to, since the message bus may lose an answer.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from msgspec import Struct

from chat_server.cluster.bus_messages import BusDecoder, encode
from chat_server.cluster.side_processes import DigestReader, Digests, ReadingFailed, SideProcesses
from chat_server.errors import Refusal, not_done_refusal
from chat_server.log.entries import Mark
from chat_server.log.stream import Bus, Position
from chat_server.protocol.control import ClusterVerified
from chat_server.runtime import Runtime, Task
from chat_server.store import digests

log = logging.getLogger("chat.cluster")

TOPIC = "digests"
ASK_SECONDS = 1.0
AGAIN_SECONDS = 0.5
# Starting a process takes a second or so on a busy machine. The mark does not wait for nodes that take longer.
READY_SECONDS = 20.0
# A node that has not answered for this time is given up.
SILENT_SECONDS = 10.0
DIGESTS_SECONDS = 570.0
# A log that takes anything brings the mark to a first node within this time, also through an election.
MARK_SECONDS = 20.0
# The longest that a node waits with its next batch; opening takes a millisecond.
OPEN_SECONDS = 1.0
# If nobody has asked for this time, the process ends.
FORGOTTEN_SECONDS = 30.0


class _Question(Struct, frozen=True):
    mark: str


class Answer(Struct, frozen=True):
    """How far a node has come: `failed` says why in `why`, and `done` has the digests."""

    node: str
    mark: str
    stage: Literal["begun", "ready", "reading", "done", "failed"]
    why: str = ""
    found: Digests | None = None

    @property
    def is_final(self) -> bool:
        return self.stage in ("done", "failed")


class Verification:
    """A node's part in verifying, and its asking the others."""

    def __init__(
        self,
        runtime: Runtime,
        bus: Bus,
        node: str,
        processes: SideProcesses,
        *,
        submit: Callable[[Mark], None],
        living: Callable[[], Iterable[str]],
    ) -> None:
        """`living` names the other living nodes; `submit` logs a mark."""
        self._runtime = runtime
        self._bus = bus
        self._node = node
        self._processes = processes
        self._submit = submit
        self._living = living
        self._question_decoder = BusDecoder[_Question](_Question, "a question about digests")
        self._answer_decoder = BusDecoder[Answer](Answer, "an answer about digests")
        self._answer = Answer(node, "", "failed")
        self._reader: DigestReader | None = None
        self._working: Task[None] | None = None
        self._asked_at = 0.0
        self._is_asking = False

    def start(self) -> None:
        self._bus.answer(TOPIC, self._take_question)

    # ---- answering

    def _take_question(self, data: bytes) -> bytes | None:
        question = self._question_decoder.decode(data)
        if question is None:
            return None
        self._asked_at = self._runtime.monotonic()
        if question.mark != self._answer.mark:
            self._end()
            self._answer = Answer(self._node, question.mark, "begun")
            self._working = self._runtime.spawn(self._prepare(question.mark))
        return encode(self._answer)

    def _set(self, mark: str, stage: Literal["ready", "reading", "done", "failed"], why: str = "") -> None:
        if self._answer.mark == mark and not self._answer.is_final:
            self._answer = Answer(self._node, mark, stage, why)

    async def _prepare(self, mark: str) -> None:
        try:
            reader = await self._processes.begin_reading()
        except ReadingFailed as error:
            self._set(mark, "failed", str(error))
            return
        if mark != self._answer.mark:
            reader.close()
            return
        self._reader = reader
        self._set(mark, "ready")
        while self._reader is reader and self._runtime.monotonic() - self._asked_at < FORGOTTEN_SECONDS:
            await self._runtime.sleep(ASK_SECONDS)
        if self._reader is reader:
            self._set(mark, "failed", "it was not asked any more")
            self._end()

    async def reach(self, mark: str) -> None:
        """The batch with the mark was executed, and none after it."""
        if mark != self._answer.mark:
            return
        reader = self._reader
        if reader is None:
            self._set(mark, "failed", "its process had not begun when the mark came")
            return
        try:
            async with self._runtime.timeout(OPEN_SECONDS):
                await reader.open()
        except (ReadingFailed, TimeoutError) as error:
            self._set(mark, "failed", str(error) or "its process did not open the database in time")
            self._end()
            return
        self._set(mark, "reading")
        self._working = self._runtime.spawn(self._read(mark, reader))

    async def _read(self, mark: str, reader: DigestReader) -> None:
        try:
            found = await reader.digests()
        except ReadingFailed as error:
            self._set(mark, "failed", str(error))
        else:
            if self._answer.mark == mark:
                self._answer = Answer(self._node, mark, "done", found=found)
        if self._reader is reader:
            self._reader = None
        reader.close()

    def _end(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    # ---- asking

    async def verify(self) -> ClusterVerified:
        """Compare all living nodes, including this one. Raises Refusal."""
        if self._is_asking:
            raise Refusal("busy", "this node is verifying already; wait for that to end")
        self._is_asking = True
        try:
            return await self._verify(self._runtime.token_hex(8))
        finally:
            self._is_asking = False

    async def _verify(self, mark: str) -> ClusterVerified:
        asked = sorted({self._node, *self._living()})
        answers: dict[str, Answer] = {}
        heard_at = dict.fromkeys(asked, self._runtime.monotonic())
        begun = self._runtime.monotonic()
        marked_at: float | None = None
        while self._runtime.monotonic() - begun < DIGESTS_SECONDS:
            await self._ask(mark, asked, answers, heard_at)
            waited_for = [
                node
                for node in asked
                if self._runtime.monotonic() - heard_at[node] < SILENT_SECONDS
                and not (node in answers and answers[node].is_final)
            ]
            if not waited_for:
                break
            is_ready = all(node in answers and answers[node].stage != "begun" for node in waited_for)
            if marked_at is None and (is_ready or self._runtime.monotonic() - begun > READY_SECONDS):
                marked_at = self._runtime.monotonic()
                self._submit(Mark(mark))
            is_reached = any(each.stage in ("reading", "done") for each in answers.values())
            if marked_at is not None and not is_reached and self._runtime.monotonic() - marked_at > MARK_SECONDS:
                raise not_done_refusal("the log of the cluster takes nothing for now; verify again once it does")
            await self._runtime.sleep(AGAIN_SECONDS)
        return compare(asked, answers)

    async def _ask(self, mark: str, asked: list[str], answers: dict[str, Answer], heard_at: dict[str, float]) -> None:
        data = encode(_Question(mark))
        for each in await self._bus.ask(TOPIC, data, ASK_SECONDS, len(asked)):
            answer = self._answer_decoder.decode(each)
            if answer is not None and answer.node in heard_at and answer.mark == mark:
                answers[answer.node] = answer
                heard_at[answer.node] = self._runtime.monotonic()


class _Alike(NamedTuple):
    """Nodes of one version of the tables: those that hold the same as most, and in which tables the others differ."""

    same: list[str]
    model: Digests
    different: dict[str, list[str]]
    is_majority: bool


def compare(asked: list[str], answers: dict[str, Answer]) -> ClusterVerified:
    """Compare what the nodes have found. Where most agree, the others differ; otherwise all that are not alike do."""
    found: dict[int, dict[str, Digests]] = {}
    for node in asked:
        if node in answers and (digests_of := answers[node].found) is not None:
            found.setdefault(digests_of.schema, {})[node] = digests_of
    failed = {node: answers[node].why for node in asked if node in answers and answers[node].stage == "failed"}
    told = {node for nodes in found.values() for node in nodes}
    unanswered = [node for node in asked if node not in told and node not in failed]
    groups = [_compare_alike(nodes) for _, nodes in sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))]
    different = {node: tables for group in groups for node, tables in group.different.items()}
    most = groups[0] if groups else None
    stream, sequence = most.model.position if most else Position(0, 0)
    return ClusterVerified(
        agree=not different and not failed and not unanswered,
        batch=sequence,
        stream=stream,
        same=most.same if most else [],
        digest=digests.total(most.model.tables) if most else "",
        different=different,
        is_majority=all(group.is_majority for group in groups),
        failed=failed,
        unanswered=unanswered,
        apart=sorted(node for group in groups[1:] for node in group.same),
    )


def _compare_alike(found: dict[str, Digests]) -> _Alike:
    totals = {node: (each.position, digests.total(each.tables)) for node, each in found.items()}
    common, count = Counter(totals.values()).most_common(1)[0]
    same = [node for node in found if totals[node] == common]
    model = found[same[0]]
    different = {
        node: sorted(name for name in {*each.tables, *model.tables} if each.tables.get(name) != model.tables.get(name))
        for node, each in found.items()
        if node not in same
    }
    return _Alike(same, model, different, count * 2 > len(found))
