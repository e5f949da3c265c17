"""The files of a cluster on one of its nodes: from the object store into a bounded cache on its disk.

The cache is the folder of the blobs (see `store.blobs`), and everything in it can be fetched again. A file that is read
is pinned there. What the log drops goes from the cache by the same sweep as on a lone server.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Protocol

from chat_server.errors import Refusal, not_done_refusal
from chat_server.log.stream import FateUnknown, NotAppended, ObjectMissing
from chat_server.protocol.messages import File
from chat_server.rules.files import not_open_refusal
from chat_server.runtime import Runtime, Task, await_shared
from chat_server.store import files
from chat_server.store.blobs import READ_BYTES, Blobs, Damaged
from chat_server.store.database import READ_ERRORS, Database
from chat_server.store.files import Stored
from chat_server.store.local import Sweep, list_store_sweeps
from chat_server.store.readers import Reader

log = logging.getLogger("chat.files")

SECRET_BYTES = 32
NAME_BYTES = 16
# Files on their way from the object store at once; each holds a few pieces in memory.
FETCHES_MAX = 32
SWEPT_AT_ONCE_MAX = 100
# What could not be removed from the object store is tried again after this time.
SWEEP_AGAIN_SECONDS = 5.0


class FileStore(Protocol):
    """The bytes of files where all nodes have them. An object is `<bucket>/<name>`, put once and never replaced."""

    async def put(self, object: str, secret: bytes, data: AsyncIterator[bytes]) -> None:
        """Store an object under a key of its own. Raises NotAppended, FateUnknown."""

    def get(self, object: str, secret: bytes) -> AsyncGenerator[bytes, None]:
        """The object's bytes, as they come. Raises ObjectMissing, NotAppended."""

    async def delete(self, object: str) -> None:
        """Delete an object, if it is there. Raises NotAppended."""

    async def delete_bucket(self, bucket: int) -> None:
        """Delete a bucket, if it is there, with all that is in it. Raises NotAppended."""


async def read_sha256(store: FileStore, object: str, secret: bytes) -> str:
    """Read an object to its end; the sha256 of its bytes. Raises ObjectMissing, NotAppended."""
    digest = hashlib.sha256()
    async with aclosing(store.get(object, secret)) as pieces:
        async for data in pieces:
            digest.update(data)
    return digest.hexdigest()


class Pin:
    """Keeps a blob in the cache until it is released.

    It counts, and does not go by references: the frames of an error that somebody holds have some, and a pin that only
    the garbage collector found stayed for minutes.
    """

    def __init__(self, pins: Counter[str], sha256: str) -> None:
        self._pins = pins
        self._sha256 = sha256
        self._is_released = False
        pins[sha256] += 1

    def release(self) -> None:
        """A second time it does nothing."""
        if not self._is_released:
            self._is_released = True
            self._pins[self._sha256] -= 1
            if not self._pins[self._sha256]:
                del self._pins[self._sha256]


class FileCache:
    """Which blobs are on the disk, in the order of their last use. It belongs to the loop."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes = 0
        self._sizes: dict[str, int] = {}
        self._pins: Counter[str] = Counter()

    def pin(self, sha256: str) -> Pin:
        """Keep a blob, whether or not it is there yet. It counts as used now."""
        if sha256 in self._sizes:
            self._sizes[sha256] = self._sizes.pop(sha256)
        return Pin(self._pins, sha256)

    def is_pinned(self, sha256: str) -> bool:
        """Any thread may ask."""
        return sha256 in self._pins

    def add(self, sha256: str, size: int) -> None:
        self.forget(sha256)
        self._sizes[sha256] = size
        self.bytes += size

    def forget(self, sha256: str) -> None:
        self.bytes -= self._sizes.pop(sha256, 0)

    def excess(self, wanted_bytes: int = 0) -> list[str]:
        """The blobs that have to go, so that the cache has its size and so many bytes are freed on the disk."""
        found, left, freed = [], self.bytes, 0
        for sha256, size in self._sizes.items():
            if left <= self.bytes_max and freed >= wanted_bytes:
                break
            if not self.is_pinned(sha256):
                found.append(sha256)
                left, freed = left - size, freed + size
        return found


class SharedFiles:
    def __init__(
        self,
        runtime: Runtime,
        store: FileStore,
        reader: Reader,
        blobs: Blobs,
        cache_bytes_max: int,
        has_room: Callable[[int], bool],
        turn: Callable[[int], Awaitable[None]],
        forget_sweeps: Callable[[list[int]], Awaitable[None]],
    ) -> None:
        """`reader` and `forget_sweeps` are those of `Transfers`; `turn` is awaited before each piece."""
        self._runtime = runtime
        self._store = store
        self._reader = reader
        self._blobs = blobs
        self.cache = FileCache(cache_bytes_max)
        self._has_room = has_room
        self._turn = turn
        self._forget_sweeps = forget_sweeps
        # By object: all who ask for one wait for the same.
        self._fetching: dict[str, Task[Refusal | None]] = {}
        self._fetched = runtime.event()
        self._tasks: set[Task[None]] = set()
        self._sweeping: Task[None] | None = None

    def draw_object(self, elapsed_ms: int) -> str:
        """Return the name of an object that nobody has."""
        return f"{files.bucket_at(elapsed_ms)}/{self._runtime.token_hex(NAME_BYTES)}"

    async def look_at_cache(self) -> None:
        """Learn what is in the cache, and remove what no file has: it was dropped while this node did not run."""
        for folder in await self._reader.run(lambda db: list(self._blobs.folders())):
            found = await self._reader.run(self._look_at, folder)
            for sha256, size in found:
                self.cache.add(sha256, size)
        await self._shrink()

    def _look_at(self, db: Database, folder: list[str]) -> list[tuple[str, int]]:
        for sha256 in folder:
            if not files.has_blob(db, sha256):
                self._blobs.delete(sha256)
        return [(sha256, size) for sha256 in folder if (size := self._blobs.size(sha256)) is not None]

    # ---- into the object store

    async def put(self, user_id: int, object: str, upload: int, size: int, sha256: str) -> bytes:
        """Store the part of an upload, and read it back; the key to it. MUST be called once with an object.

        Raises Refusal: certainly no file has it then.
        """
        secret = self._runtime.token_bytes(SECRET_BYTES)
        try:
            await self._store.put(object, secret, self._read_part(user_id, upload, size))
            if await read_sha256(self._store, object, secret) != sha256:
                raise ObjectMissing("it reads differently from what was written")
        except (NotAppended, FateUnknown, ObjectMissing) as error:
            log.error("the object store does not take upload %d: %s", upload, error)
            raise not_done_refusal(
                "the cluster does not take the file for now; the same /send_file goes on with it in a moment"
            ) from None
        return secret

    async def _read_part(self, user_id: int, upload: int, size: int) -> AsyncIterator[bytes]:
        for offset in range(0, size, READ_BYTES):
            length = min(READ_BYTES, size - offset)
            data = await self._reader.serve(user_id, lambda db, *at: self._blobs.read_part(*at), upload, offset, length)
            if len(data) != length:
                # Whoever has gone on with it meanwhile has changed the part.
                raise not_open_refusal(upload)
            yield data

    def keep(self, sha256: str, size: int) -> None:
        """A blob was put in place."""
        self.cache.add(sha256, size)
        self._spawn(self._shrink())

    def give_up(self, object: str) -> None:
        """Delete an object that no file will have."""

        async def delete() -> None:
            # Otherwise it goes with its upload or its bucket.
            with suppress(NotAppended):
                await self._store.delete(object)

        self._spawn(delete())

    # ---- out of it

    async def bring(self, user_id: int, find: Callable[[Database], tuple[File, Stored | None]]) -> Pin:
        """Have the bytes of the file that `find` finds on the disk, whole and checked, until the pin is released.

        Raises Refusal.
        """
        file, stored = await self._reader.serve(user_id, find)
        pin = self.cache.pin(file.sha256)
        try:
            if stored is not None and not await self._is_whole(user_id, file.sha256):
                refusal = await self._fetch_with_others(user_id, file, stored)
                if refusal is not None:
                    # It may have been deleted meanwhile.
                    await self._reader.serve(user_id, find)
                    raise refusal
        except BaseException:
            pin.release()
            raise
        return pin

    async def _is_whole(self, user_id: int, sha256: str) -> bool:
        steps = self._blobs.verify(sha256)
        try:
            while await self._reader.serve(user_id, lambda db: next(steps, self) is None):
                pass
        except Damaged:
            return False
        return True

    async def _fetch_with_others(self, user_id: int, file: File, stored: Stored) -> Refusal | None:
        while stored.object not in self._fetching and len(self._fetching) >= FETCHES_MAX:
            self._fetched.clear()
            await self._fetched.wait()
        task = self._fetching.get(stored.object)
        if task is None:
            task = self._fetching[stored.object] = self._runtime.spawn(self._fetch(user_id, file, stored))
            task.add_done_callback(lambda _: self._end_fetch(stored.object))
        return await await_shared(task)

    def _end_fetch(self, object: str) -> None:
        del self._fetching[object]
        self._fetched.set()

    async def _fetch(self, user_id: int, file: File, stored: Stored) -> Refusal | None:
        name = stored.object.partition("/")[2]
        try:
            await self._shrink()
            if not self._has_room(file.size):
                await self._shrink(file.size)
            if not self._has_room(file.size):
                raise OSError("there is no room for it")
            await self._copy(user_id, file, stored, name)
            if await self._reader.run(self._place, name, file.sha256):
                self.keep(file.sha256, file.size)
            return None
        except (NotAppended, FateUnknown) as error:
            log.warning("file %d cannot be fetched for now: %s", file.id, error)
            why = "the cluster's object store does not answer; try again in a moment, or at another server"
        except ObjectMissing as error:
            if await self._reader.run(files.find, file.id) is not None:  # otherwise it was deleted meanwhile
                log.error("the bytes of file %d, object %s, are lost: %s", file.id, stored.object, error)
            why = "they are damaged or missing in the cluster's object store, so that nothing is sent"
        except OSError as error:
            log.error("file %d does not go into the cache: %s", file.id, error)
            why = f"this server's disk does not take them ({error.strerror or error}); try another server"
        finally:
            with suppress(OSError):
                await self._reader.run(lambda db: self._blobs.drop_fetched(name))
        return not_done_refusal(f"the bytes of {file.name} cannot be had: {why}")

    async def _copy(self, user_id: int, file: File, stored: Stored, name: str) -> None:
        """Raises NotAppended, ObjectMissing, OSError."""
        digest = hashlib.sha256()
        async with aclosing(self._store.get(stored.object, stored.secret)) as pieces:
            async for data in pieces:
                await self._turn(user_id)
                digest.update(data)
                await self._reader.serve(user_id, lambda db, some: self._blobs.append_fetched(name, some), data)
        if digest.hexdigest() != file.sha256:
            raise ObjectMissing("they have another sha256")

    def _place(self, db: Database, name: str, sha256: str) -> bool:
        """Put fetched bytes into the cache, unless the last file that has them was dropped meanwhile."""
        if not files.has_blob(db, sha256):
            return False
        self._blobs.place_fetched(name, sha256)
        return True

    # ---- what may go

    async def _shrink(self, wanted_bytes: int = 0) -> None:
        """Remove the blobs that were not used for longest."""
        victims = self.cache.excess(wanted_bytes)
        if victims:
            for sha256 in await self._reader.run(self._evict, victims):
                self.cache.forget(sha256)

    def _evict(self, db: Database, victims: list[str]) -> list[str]:
        return [each for each in victims if not self.cache.is_pinned(each) and self._blobs.evict(each)]

    async def note_swept(self, sweeps: list[Sweep]) -> None:
        """Blobs were removed from the cache, unless another file has the same bytes."""
        swept = [each.sha256 for each in sweeps if each.sha256 is not None]
        gone = await self._reader.run(lambda db: [each for each in swept if self._blobs.size(each) is None])
        for sha256 in gone:
            self.cache.forget(sha256)

    def sweep(self) -> None:
        """Remove from the object store what the log has dropped."""
        if self._sweeping is None:
            self._sweeping = self._runtime.spawn(self._sweep())

    async def _sweep(self) -> None:
        """Each node does it, and the first one is enough."""
        try:
            while sweeps := await self._reader.run(list_store_sweeps, SWEPT_AT_ONCE_MAX):
                done: list[int] = []
                trouble: Exception | None = None
                for each in sweeps:
                    try:
                        if each.object is not None:
                            await self._store.delete(each.object)
                        if each.bucket is not None:
                            await self._store.delete_bucket(each.bucket)
                    except (NotAppended, FateUnknown) as error:
                        trouble = error
                        break
                    done.append(each.id)
                if done:
                    await self._forget_sweeps(done)
                if trouble is not None:
                    log.warning("what was deleted cannot be removed from the object store yet: %s", trouble)
                    await self._runtime.sleep(SWEEP_AGAIN_SECONDS)
        except READ_ERRORS as error:
            log.error("cannot read or note what may go from the object store: %s", error)
        finally:
            self._sweeping = None

    def _spawn(self, doing: Awaitable[None]) -> None:
        async def quietly() -> None:
            try:
                await doing
            except (OSError, *READ_ERRORS) as error:
                log.error("the cache of files cannot be tended: %s", error)

        task = self._runtime.spawn(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def start(self) -> None:
        self._spawn(self.look_at_cache())

    def stop(self) -> None:
        for task in (*self._tasks, *self._fetching.values(), self._sweeping):
            if task is not None:
                task.cancel()
