"""Bytes of files on their way to and from the disk.

All of it happens on one thread with its own reading connection: chunks of an upload follow each other, a blob is never
deleted while it is being put in place, and however many transfers there are, one of them at a time costs the chat
something. What is taken off the disk is what the store has noted as dropped; what it does not know stays.
"""

import asyncio
import errno
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path

from chat_server.clock import ChatTime, Clock
from chat_server.errors import Refusal, not_done
from chat_server.log.entries import CompleteUpload, LeaveUploads, Limits, Logged, Swept
from chat_server.protocol.files import Chunk, Upload
from chat_server.rules.context import View
from chat_server.rules.files import check_chunk
from chat_server.rules.outcomes import Opened
from chat_server.store import files
from chat_server.store.blobs import Blobs
from chat_server.store.database import DISK_ERRORS, LOCKED, UNOPENED, Database
from chat_server.store.readers import Reader

log = logging.getLogger("chat.files")

SWEPT_AT_ONCE_MAX = 100
# Chunks and lines of files of all transfers together: 12.5 MiB a second where each is full. The rest is the chat's.
PIECES_PER_SECOND_MAX = 400
# The loop wakes to the millisecond and not to the half: so much is made up for.
CATCH_UP_SECONDS = 0.05


class Turns:
    """So many a second, users by turns: who transfers over 500 connections gets no more than who has one."""

    def __init__(self, clock: Clock, per_second: float) -> None:
        self._clock = clock
        self._seconds = 1 / per_second
        self._next = 0.0
        # Who waits, by user; the user who had a turn goes to the end.
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}

    async def wait(self, user_id: int) -> None:
        if not self._waiting and self._is_due():
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            self._go_on_later()
        self._waiting.setdefault(user_id, deque()).append(mine)
        await mine

    def _is_due(self) -> bool:
        """Take the next turn, if its time has come."""
        now = self._clock.monotonic()
        if now < self._next:
            return False
        # A loop that was late by a little makes up for it; an idle one saves no more than that up.
        self._next = max(self._next, now - CATCH_UP_SECONDS) + self._seconds
        return True

    def _go_on_later(self) -> None:
        wait = max(0.0, self._next - self._clock.monotonic())
        asyncio.get_running_loop().call_later(wait, self._go_on)

    def _go_on(self) -> None:
        while self._waiting:
            user_id = next(iter(self._waiting))
            queue = self._waiting[user_id]
            if not queue[0].done():
                if not self._is_due():
                    self._go_on_later()
                    return
                queue[0].set_result(None)
            queue.popleft()
            del self._waiting[user_id]
            if queue:
                self._waiting[user_id] = queue


class Transfers:
    def __init__(
        self, directory: Path, clock: Clock, time: ChatTime, limits: Limits, submit: Callable[[Logged], None]
    ) -> None:
        """`submit` puts a command in the log."""
        self.reader = Reader(directory, "files")
        self.blobs = Blobs(directory)
        self._time = time
        self._limits = limits
        self._submit = submit
        # Told of an error after which nothing may be acknowledged any more.
        self.failed: Callable[[Exception], None] = lambda error: None
        self.holders: set[int] = set()  # the sessions that asked for an upload
        self._sweeping: asyncio.Task[None] | None = None
        # `turn(user)`: until the next piece of a file may be taken in or read for this user.
        self.turn = Turns(clock, PIECES_PER_SECOND_MAX).wait

    # ---- uploads

    async def opened(self, upload: Opened) -> Upload:
        """How much of it is there. What another connection was writing is written by then, and it writes no more."""
        return Upload(upload.upload, await self.reader.run(lambda db: self.blobs.received(upload.upload, upload.size)))

    def left(self, session: int) -> None:
        """The session is nobody's any more."""
        if session in self.holders:
            self.holders.remove(session)
            self._submit(LeaveUploads(session))

    async def chunk(self, user_id: int, session: int, command: Chunk) -> Upload | CompleteUpload:
        """Take in the next bytes. With the last ones everything is on disk, and its completion is to be logged.

        Raises Refusal: nothing of the bytes was taken.
        """
        await self.turn(user_id)
        try:
            return await self.reader.serve(user_id, self._take, user_id, session, command)
        except OSError as error:
            log.error("upload %d of user %d: %s", command.upload, user_id, error)
            if error.errno == errno.EIO:
                self.failed(error)
                raise Refusal("unavailable", "the server's disk failed; look with /files later") from None
            raise not_done(
                f"the server's disk does not take this ({error.strerror}); the same /send_file says what is there"
            ) from None

    def _take(self, db: Database, user_id: int, session: int, command: Chunk) -> Upload | CompleteUpload:
        view = View(db, user_id, *self._time.now(), self._limits, {})
        upload = check_chunk(view, session, command)
        left = upload.size - self.blobs.received(upload.id, upload.size)
        if len(command.base64) > left:
            raise Refusal(
                "too_large",
                f"upload {upload.id} has {left} of its {upload.size} bytes left; nothing of these was taken",
            )
        received = self.blobs.append(upload.id, command.base64)
        if received < upload.size:
            return Upload(upload.id, received)
        try:
            sha256 = self.blobs.seal(upload.id)
            if upload.sha256 in ("", sha256):
                self.blobs.place(upload.id, sha256)
        except OSError:
            # What an fsync that failed has left behind is not known.
            discard(db, self.blobs, upload.id)
            raise
        return CompleteUpload(upload.id, sha256)

    # ---- what may go

    def sweep(self) -> None:
        """Take off the disk what the store says may go."""
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().create_task(self._sweep())

    async def _sweep(self) -> None:
        try:
            swept = await self.reader.run(remove_dropped, self.blobs)
            if swept:
                self._submit(Swept(swept))
        except (*DISK_ERRORS, LOCKED, UNOPENED) as error:
            # Nothing is lost with it: the next sweep looks again.
            log.error("cannot read which files may go: %s", error)
        finally:
            self._sweeping = None

    async def keep_all(self) -> None:
        """For a backup: until `let_go`, every file stays that the database has now."""
        await self.reader.run(lambda db: self.blobs.keep())

    async def let_go(self) -> None:
        await self.reader.run(lambda db: self._remove_blobs(db, self.blobs.let_go()))

    def _remove_blobs(self, db: Database, found: list[str]) -> None:
        """Those of them that no file has."""
        for sha256 in found:
            if not files.has_blob(db, sha256):
                self.blobs.delete(sha256)

    def close(self) -> None:
        self.reader.close()


def discard(db: Database, blobs: Blobs, upload: int) -> None:
    """The upload is over: what it left on the disk goes, but for a blob that a file has."""
    for blob in blobs.discard(upload):
        if not files.has_blob(db, blob):
            blobs.delete(blob)


def remove_dropped(db: Database, blobs: Blobs) -> list[int]:
    """Take what the store needs no more off the disk; under which numbers it was noted there."""
    dropped = files.dropped(db, SWEPT_AT_ONCE_MAX)
    for each in dropped:
        try:
            if each.upload is not None:
                discard(db, blobs, each.upload)
            elif each.sha256 is not None and not files.has_blob(db, each.sha256):
                blobs.delete(each.sha256)
        except OSError as error:
            log.error("cannot remove what upload %s or blob %s left: %s", each.upload, each.sha256, error)
    return [each.id for each in dropped]
