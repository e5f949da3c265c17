"""Transfers: the bytes of files on their way to and from the disk.

One thread with a reading connection of its own does all of it. So the chunks of an upload follow each other, a blob is
never deleted while it is being put in place, and however many transfers there are, they cost the chat no more than one.
Only what the store notes as dropped is removed from the disk; a file that the store does not know stays.
"""

import errno
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from chat_server.chat_time import ChatTime
from chat_server.errors import Refusal, not_done_refusal
from chat_server.log.entries import CompleteUpload, LeaveUploads, Limits, Logged
from chat_server.protocol.files import Chunk, GetFile, Upload
from chat_server.rules.context import View
from chat_server.rules.files import check_chunk, find_file, not_open_refusal
from chat_server.rules.outcomes import Opened
from chat_server.runtime import Future, Runtime, Task
from chat_server.shared_files import FileStore, Pin, SharedFiles
from chat_server.store import files
from chat_server.store.blobs import Blobs
from chat_server.store.database import READ_ERRORS, Database
from chat_server.store.files import Uploading
from chat_server.store.local import Sweep, list_sweeps
from chat_server.store.readers import Reader

log = logging.getLogger("chat.files")

SWEPT_AT_ONCE_MAX = 100
# Chunks and lines of files, of all transfers together: 12.5 MiB a second if each is full. The rest is the chat's.
PIECES_PER_SECOND_MAX = 400
# The loop wakes on whole milliseconds, so a turn may come late; delays up to this are made up for.
CATCH_UP_SECONDS = 0.05


class Turns:
    """A number of turns a second, shared by users: 500 connections of one user get no more than one of another."""

    def __init__(self, runtime: Runtime, per_second: float) -> None:
        self._runtime = runtime
        self._seconds = 1 / per_second
        self._next = 0.0
        # The turns that are awaited, by user. A user who has had one goes to the end.
        self._waiting: dict[int, deque[Future[None]]] = {}

    async def wait(self, user_id: int) -> None:
        if not self._waiting and self._take_if_due():
            return
        mine: Future[None] = self._runtime.future()
        if not self._waiting:
            self._schedule()
        self._waiting.setdefault(user_id, deque()).append(mine)
        await mine

    def _take_if_due(self) -> bool:
        now = self._runtime.monotonic()
        if now < self._next:
            return False
        # A loop that was a little late makes up for it; an idle one saves up no more than that.
        self._next = max(self._next, now - CATCH_UP_SECONDS) + self._seconds
        return True

    def _schedule(self) -> None:
        wait = max(0.0, self._next - self._runtime.monotonic())
        self._runtime.call_later(wait, self._give_turns)

    def _give_turns(self) -> None:
        while self._waiting:
            user_id = next(iter(self._waiting))
            queue = self._waiting[user_id]
            if not queue[0].done():
                if not self._take_if_due():
                    self._schedule()
                    return
                queue[0].set_result(None)
            queue.popleft()
            del self._waiting[user_id]
            if queue:
                self._waiting[user_id] = queue


class Whole(Struct, frozen=True):
    """An upload all of whose bytes are on disk. `is_right` says whether they have the sha256 that was announced."""

    command: CompleteUpload
    size: int
    is_right: bool


class Transfers:
    def __init__(
        self,
        runtime: Runtime,
        directory: Path,
        time: ChatTime,
        limits: Callable[[], Limits],
        submit: Callable[[Logged], None],
        forget_sweeps: Callable[[list[int]], Awaitable[None]],
        on_failure: Callable[[Exception], None],
        store: FileStore | None = None,
        cache_bytes_max: int = 0,
        has_room: Callable[[int], bool] = lambda size: True,
    ) -> None:
        """`submit` puts a command in the log; `forget_sweeps` is told what has been removed from the disk.

        `on_failure` is called with an error after which nothing may be acknowledged any more. In a cluster the bytes of
        files are in the `store`, and this node has a cache of them; `has_room` says whether its disk takes so many.
        """
        self.reader = Reader(runtime, directory, "files", local=True)
        self._runtime = runtime
        self.blobs = Blobs(directory)
        self._time = time
        self._limits = limits
        self._submit = submit
        self._forget_sweeps = forget_sweeps
        self.on_failure = on_failure
        self._leases: dict[int, str] = {}  # of the sessions that asked for an upload
        self._sweeping: Task[None] | None = None
        # `turn(user)` waits until the next piece of a file may be taken in or read for this user.
        self.turn = Turns(runtime, PIECES_PER_SECOND_MAX).wait
        self.shared: SharedFiles | None = None
        if store is not None:
            self.shared = SharedFiles(
                runtime, store, self.reader, self.blobs, cache_bytes_max, has_room, self.turn, forget_sweeps
            )
        # The objects of each session that were put, or may have been.
        self._put: dict[int, set[str]] = {}

    # ---- uploads

    async def open_upload(self, upload: Opened) -> Upload:
        """Return how much of the upload is there. A connection that held it before has finished its last write."""
        return Upload(
            upload.upload, await self.reader.run(lambda db: self.blobs.received_bytes(upload.upload, upload.size))
        )

    def lease(self, session: int) -> str:
        """The lease under which the session holds the uploads that it opens."""
        return self._leases.setdefault(session, self._runtime.token_hex(8))

    def draw_object(self) -> str | None:
        """The name of the object that the bytes of an upload will be; None on a lone server."""
        return self.shared.draw_object(self._time.now().elapsed_ms) if self.shared is not None else None

    def leave(self, session: int) -> None:
        """Give up the uploads of a session whose user is gone from it."""
        self._put.pop(session, None)
        lease = self._leases.pop(session, None)
        if lease is not None:
            self._submit(LeaveUploads(lease))

    async def take_chunk(self, user_id: int, session: int, command: Chunk) -> Upload | CompleteUpload:
        """Take in the next bytes. Once the last ones are on disk, return the command that completes the upload.

        Raises Refusal, and none of the bytes were taken then.
        """
        await self.turn(user_id)
        lease = self._leases.get(session)
        try:
            taken = await self.reader.serve(user_id, self._append, user_id, lease, command)
            if isinstance(taken, Whole) and self.shared is not None:
                return await self._share(self.shared, user_id, session, command, taken)
            return taken.command if isinstance(taken, Whole) else taken
        except OSError as error:
            log.error("upload %d of user %d: %s", command.upload, user_id, error)
            if error.errno == errno.EIO:
                self.on_failure(error)
                raise Refusal("unavailable", "the server's disk failed; look with /files later") from None
            raise not_done_refusal(
                f"the server's disk does not take this ({error.strerror}); the same /send_file says what is there"
            ) from None

    def _append(self, db: Database, user_id: int, lease: str | None, command: Chunk) -> "Upload | Whole":
        upload = self._check_chunk(db, user_id, lease, command)
        left = upload.size - self.blobs.received_bytes(upload.id, upload.size)
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
            is_right = upload.sha256 in ("", sha256)
            if is_right and self.shared is None:
                self.blobs.place(upload.id, sha256)
        except OSError:
            # After a failed fsync the content of the disk is unknown.
            discard(db, self.blobs, upload.id)
            raise
        return Whole(CompleteUpload(upload.id, sha256, upload.object), upload.size, is_right)

    def _check_chunk(self, db: Database, user_id: int, lease: str | None, command: Chunk) -> Uploading:
        return check_chunk(View(db, user_id, self._time.now(), self._limits(), {}), lease, command)

    async def _share(
        self, shared: SharedFiles, user_id: int, session: int, chunk: Chunk, whole: "Whole"
    ) -> CompleteUpload:
        """Put the bytes of an upload into the object store, and then into this node's cache. Raises Refusal.

        It is tried once with an object. A try that failed may still be stored later, over what a second one stored.
        """
        upload, sha256, object = whole.command.upload, whole.command.sha256, whole.command.object
        tried = self._put.setdefault(session, set())
        if object is None or object in tried:
            raise not_open_refusal(upload)
        if not whole.is_right:
            return whole.command
        tried.add(object)
        secret = await shared.put(user_id, object, upload, whole.size, sha256)
        try:
            # Whoever goes on with it from elsewhere has another object by now.
            await self.reader.serve(user_id, self._place, user_id, self._leases.get(session), chunk, sha256)
        except Refusal:
            shared.give_up(object)
            raise
        tried.discard(object)
        shared.keep(sha256, whole.size)
        return replace(whole.command, secret=secret)

    def _place(self, db: Database, user_id: int, lease: str | None, chunk: Chunk, sha256: str) -> None:
        upload = self._check_chunk(db, user_id, lease, chunk)
        try:
            self.blobs.place(upload.id, sha256)
        except OSError as error:
            # All have it in the object store.
            log.error("the bytes of upload %d do not go into the cache: %s", upload.id, error)

    # ---- files that are read

    async def bring(self, user_id: int, query: GetFile, view: Callable[[Database], View]) -> Pin | None:
        """Have the bytes of a file on this machine's disk until the pin is released. Raises Refusal."""
        if self.shared is None:
            return None
        return await self.shared.bring(
            user_id, lambda db: (find_file(view(db), query.file_id), files.place_of(db, query.file_id))
        )

    # ---- what may go

    def sweep(self) -> None:
        """Remove from the disk what the store has noted as dropped."""
        if self._sweeping is None:
            self._sweeping = self._runtime.spawn(self._sweep())
        if self.shared is not None:
            self.shared.sweep()

    async def _sweep(self) -> None:
        try:
            while swept := await self.reader.run(list_sweeps, SWEPT_AT_ONCE_MAX):
                await self.reader.run(remove_dropped, self.blobs, swept)
                await self._forget_sweeps([each.id for each in swept])
                if self.shared is not None:
                    await self.shared.note_swept(swept)
        except READ_ERRORS as error:
            # Nothing is lost, since the next sweep looks again.
            log.error("cannot read or note which files may go: %s", error)
        finally:
            self._sweeping = None

    def stop_sweeping(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self.shared is not None:
            self.shared.stop()

    async def hold_files(self) -> None:
        """Keep every file that the database has now until `release_files`, for a backup."""
        await self.reader.run(lambda db: self.blobs.hold())

    async def release_files(self) -> None:
        await self.reader.run(lambda db: self._remove_blobs(db, self.blobs.release()))

    def _remove_blobs(self, db: Database, found: list[str]) -> None:
        """Delete those of the blobs that no file has."""
        for sha256 in found:
            if not files.has_blob(db, sha256):
                self.blobs.delete(sha256)

    def close(self) -> None:
        self.reader.close()


def discard(db: Database, blobs: Blobs, upload: int) -> None:
    """Remove what an upload that is over left on the disk, except for a blob that a file has."""
    for blob in blobs.discard(upload):
        if not files.has_blob(db, blob):
            blobs.delete(blob)


def remove_dropped(db: Database, blobs: Blobs, sweeps: list[Sweep]) -> None:
    """Remove from the disk what the store has noted as dropped."""
    for each in sweeps:
        try:
            if each.upload is not None:
                discard(db, blobs, each.upload)
            elif each.sha256 is not None and not files.has_blob(db, each.sha256):
                blobs.delete(each.sha256)
        except OSError as error:
            log.error("cannot remove what upload %s or blob %s left: %s", each.upload, each.sha256, error)
