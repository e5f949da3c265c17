"""The executor that tries a batch until it is on disk, through locks, a full disk and the like.

A lock of another program, a full disk, and a lack of files or memory concern one machine, but the outcome of a batch
is the same on all. So a batch that others may have is retried until it is done. A batch that only this node has, which
the log knows, may still be amended or withdrawn: the log of a single node orders a batch by its commit.
"""

import logging
from collections.abc import Callable

import apsw
from msgspec.structs import replace

from chat_server.disk_space import Space
from chat_server.errors import Refusal, StartError, no_room_refusal, not_done_refusal
from chat_server.log import Log
from chat_server.log.entries import Entry, OrderedBatch, RefuseForRoom, WrongBatch
from chat_server.rules.executor import Executed, Outcome
from chat_server.runtime import Runtime
from chat_server.store import idempotency_keys
from chat_server.store.database import DISK_ERRORS, LOCKED, SHORTAGES, UNOPENED, NoRoom
from chat_server.store.readers import Readers
from chat_server.writer import LOCKED_AGAIN_SECONDS, LOCKED_SECONDS_MAX, Writer, still_locked

log = logging.getLogger("chat.node")

# What could not be done, and no user asked for, is retried after this time.
AGAIN_SECONDS = 1.0
# The same trouble is logged at most once in this time.
TELL_SECONDS = 10.0
_LOCKED = not_done_refusal("another program keeps the database locked; try again in a moment")
_KEY_WAS_USED = Refusal(
    "unavailable", "an earlier try with this key may have been done; say it again in a moment, with the same key"
)


class RetryingExecutor:
    def __init__(
        self,
        runtime: Runtime,
        space: Space,
        writer: Writer,
        log: Log,
        readers: Readers,
        has_failed: Callable[[], bool],
    ) -> None:
        """`has_failed` says whether the node may acknowledge nothing any more."""
        self._runtime = runtime
        self._space = space
        self._writer = writer
        self._log = log
        self._readers = readers
        self._has_failed = has_failed
        self._told: dict[str, float] = {}
        # Set at a stop: from then on a lock is not waited for.
        self.is_finishing = False

    async def execute(self, ordered: OrderedBatch) -> Executed | None:
        """Execute the batch until it is on disk, or certainly not done and not ordered. None once the node has failed.

        Raises WrongBatch, Gone and DISK_ERRORS.
        """
        begun = self._runtime.monotonic()
        while True:
            try:
                executed = await self._writer.execute(ordered)
                return None if self._has_failed() else executed
            except LOCKED:
                log.error("another program keeps the database locked; %d commands wait", len(ordered.batch.entries))
                waited = self._runtime.monotonic() - begun
                if (self.is_finishing or waited > LOCKED_SECONDS_MAX) and self._take_back(ordered):
                    return await self._refuse(ordered, _LOCKED)
                await self._runtime.sleep(LOCKED_AGAIN_SECONDS)
            except SHORTAGES as error:
                what = _shortage(error)
                self._tell(f"{what}; what is said meanwhile waits or is refused")
                if self._take_back(ordered):
                    return await self._refuse(ordered, not_done_refusal(f"{what}; try again in a moment"))
                await self._runtime.sleep(AGAIN_SECONDS)
            except NoRoom:
                self._tell("the disk is full; nothing new is taken until there is room")
                self._space.look_again()
                amended = self._log.amend(ordered, [_without_room(entry) for entry in ordered.batch.entries])
                if amended is not None:
                    return await self._execute_without_room(amended)
                if not await self._writer.make_room():
                    await self._runtime.sleep(AGAIN_SECONDS)
            if self._has_failed():
                return None

    async def _execute_without_room(self, ordered: OrderedBatch) -> Executed:
        """Execute what adds nothing, in the room that can still be made."""
        more = any(entry.seen or type(entry.command) is not RefuseForRoom for entry in ordered.batch.entries)
        while more:
            more = await self._writer.make_room()
            try:
                return await self._writer.execute(ordered)
            except NoRoom:
                continue
            except (LOCKED, *SHORTAGES):
                break
        self._take_back(ordered)
        return await self._refuse(ordered, no_room_refusal())

    def _tell(self, text: str) -> None:
        now = self._runtime.monotonic()
        if now - self._told.get(text, float("-inf")) > TELL_SECONDS:
            self._told = {text: now}
            log.error("%s", text)

    def _take_back(self, ordered: OrderedBatch) -> bool:
        return self._log.amend(ordered, []) is not None

    async def _refuse(self, ordered: OrderedBatch, refusal: Refusal) -> Executed:
        """Refuse the batch, of which nothing was done or ordered. What no user asked for is submitted again."""
        seq, outcomes = self._writer.state.seq, []
        for entry in ordered.batch.entries:
            if entry.origin is None:
                self._runtime.call_later(AGAIN_SECONDS, self._log.submit, entry)
            is_open = await self._may_have_been_done(entry)
            outcomes.append(Outcome(entry, _KEY_WAS_USED if is_open else refusal, [], seq))
        return Executed(outcomes, seq, None, None)

    async def _may_have_been_done(self, entry: Entry) -> bool:
        """Tell whether the key of a command was used before: an earlier try was done then, but its reply was lost."""
        key = getattr(entry.command, "key", None)
        if key is None:
            return False
        try:
            return await self._readers.pick().run(idempotency_keys.find, entry.user_id, key, 0) is not None
        except (apsw.Error, OSError):
            return True


async def execute_at_start(runtime: Runtime, writer: Writer, ordered: OrderedBatch) -> Executed:
    """Raises StartError."""
    deadline = runtime.monotonic() + LOCKED_SECONDS_MAX
    while True:
        try:
            return await writer.execute(ordered)
        except LOCKED:
            if runtime.monotonic() > deadline:
                raise still_locked() from None
            log.warning("another program keeps the database locked; it is waited for")
            await runtime.sleep(LOCKED_AGAIN_SECONDS)
        except NoRoom:
            if not await writer.make_room():
                raise StartError(
                    f"the disk of {writer.directory} is full: the settings cannot be stored; make room"
                ) from None
        except WrongBatch as error:
            raise StartError(str(error)) from None
        except SHORTAGES as error:
            raise StartError(f"{_shortage(error)}; nothing was done") from None
        except DISK_ERRORS as error:
            raise StartError(f"the disk failed: {error}") from None


def _shortage(error: Exception) -> str:
    return f"a file could not be opened ({error})" if isinstance(error, UNOPENED) else "memory ran out"


def _without_room(entry: Entry) -> Entry:
    """Return the entry as it is ordered on a full disk: every node refuses what would add something."""
    return replace(entry, command=RefuseForRoom()) if entry.command.adds else replace(entry, has_room=False)
