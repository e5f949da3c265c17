"""Backups: a tar archive with the database, the files, and their checksums.

A process of its own reads a backup from a snapshot, so that the server is not slowed down; the server only keeps the
files meanwhile. FILE gets its name when it is whole, checked and on disk. Likewise a restore leaves a mark in the
directory until everything is there.
"""

import hashlib
import io
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from chat_server.errors import StartError
from chat_server.runtime import Runtime
from chat_server.store import backup
from chat_server.store.backup import StoredFile
from chat_server.store.blobs import blob_path, sync
from chat_server.store.data_directory import FILES, LOCAL_FILES, LOCK, MOVED, OWNER, RESTORING, UPLOADS, DataDirectory
from chat_server.store.database import FILE
from chat_server.store.work_folder import temporary_folder, work_folder

SUMS = "SHA256SUMS"
CHUNK_BYTES = 1 << 20
SYNC_BYTES = 8 << 20
# The paths of a chat's own files: see `blobs`.
_OURS = re.compile(rf"{FILES}/[0-9a-f]{{2}}(/[0-9a-f]{{64}})?|{UPLOADS}/([0-9]+(\.[0-9a-f]{{64}})?|fetched\.[0-9a-f]+)")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


Fetch = Callable[[list[StoredFile], Path], None]
"""Called with files whose bytes this node of a cluster does not have, and a directory to put those into it can get."""


def save(data: Path, file: Path, progress: Progress, fetch: Fetch, lost: list[StoredFile] | None = None) -> int:
    """Back up the chat in `data`, whether or not a server runs on it; return the size of the archive in bytes.

    `lost` takes the files whose bytes are not to be had; without it, one of these is refused. A killed backup leaves
    files whose names begin with a dot, never FILE. Raises StartError.
    """
    if not (data / FILE).exists():
        raise StartError(f"there is no chat in {data}; name its directory with --data")
    try:
        file = file.resolve()
        if file.exists() and not file.is_file():
            raise StartError(f"cannot write the backup {file}: it is there, and no ordinary file")
        with temporary_folder(f".{file.name}.", file.parent) as work:
            for done, total in backup.copy(data, work / FILE):
                progress("copying the database", done, total)
            progress("checking the database", 0, 1)
            backup.check(work / FILE)
            archive = work / "archive.tar"
            away = [each for each in backup.files(work / FILE) if each.place and not _blob(data, each).exists()]
            if away:
                fetch(away, work)
            _write(archive, work, data, progress, lost)
            _verify(archive, progress)
            sync(archive)
            archive.replace(file)
            sync(file.parent)
        return file.stat().st_size
    except backup.Unusable as error:
        raise StartError(f"nothing was saved: {error}") from None
    except OSError as error:
        raise StartError(f"cannot write the backup {file}: {error.strerror or error}") from None


class _Steady:
    """A file that is synced as it grows: synced all at once, it would hold up those who chat."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._unsynced_bytes = 0

    def write(self, data: bytes) -> int:
        self._unsynced_bytes += len(data)
        written = self._file.write(data)
        if self._unsynced_bytes >= SYNC_BYTES:
            self._file.flush()
            os.fdatasync(self._file.fileno())
            self._unsynced_bytes = 0
        return written

    def tell(self) -> int:
        return self._file.tell()


def _write(archive: Path, work: Path, data: Path, progress: Progress, lost: list[StoredFile] | None) -> None:
    """Write the database in `work` into the archive, and the files, those from `work` that were fetched into it."""
    sums: list[str] = []
    database = work / FILE
    stored = backup.files(database)
    with (
        archive.open("xb") as file,
        tarfile.open(fileobj=cast(IO[bytes], _Steady(file)), mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        _add(tar, database, FILE, sums)
        for number, each in enumerate(stored, 1):
            progress("copying the files", number, len(stored))
            path = next((path for path in (_blob(data, each), _blob(work, each)) if path.exists()), None)
            digest = _add(tar, path, str(_blob(Path(), each)), sums, each.sha256) if path else None
            # A cluster keeps no file for a backup: one that was deleted meanwhile is left out.
            if digest == each.sha256 or (path is None and each.place and not backup.has_file(data / FILE, each.sha256)):
                continue
            if lost is None:
                raise backup.Unusable(
                    f"the bytes of {each.name} (message #{each.message_id}) are {'damaged' if digest else 'missing'}:"
                    f" {_blob(data, each)}; put them back from an older backup, or /delete {each.message_id} as an"
                    " operator, or leave all such files out with --without-lost-files"
                )
            lost.append(each)
        text = "".join(sums).encode()
        info = tarfile.TarInfo(SUMS)
        info.size, info.mode, info.mtime = len(text), 0o600, int(database.stat().st_mtime)
        tar.addfile(info, io.BytesIO(text))


def _blob(directory: Path, each: StoredFile) -> Path:
    return blob_path(directory, each.sha256)


def _add(tar: tarfile.TarFile, path: Path, name: str, sums: list[str], wanted: str | None = None) -> str:
    """Add the file, unless it has another sha256 than is wanted; return the one that it has."""
    with path.open("rb") as file:
        info = tar.gettarinfo(arcname=name, fileobj=file)
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mode = 0o600
        digest = _digest(file)
        if wanted not in (None, digest):
            return digest
        file.seek(0)
        tar.addfile(info, file)
    sums.append(f"{digest}  {name}\n")
    return digest


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _members(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """The members of the archive. Raises Unusable for one that no backup has."""
    for info in tar:
        path = PurePosixPath(info.name)
        ours = info.name in (FILE, SUMS) or (path.parts[:1] == (FILES,) and len(path.parts) > 1)
        is_whole = info.isreg() and not info.issparse()  # a sparse one of a few bytes would fill the disk
        if not ours or ".." in path.parts or not is_whole or path.as_posix() != info.name:
            raise backup.Unusable(f"{info.name!r} in it is not from a backup")
        file = tar.extractfile(info)
        assert file is not None
        yield info, file


def _verify(archive: Path, progress: Progress, extract_to: Path | None = None) -> None:
    """Read the archive to its end and compare the checksums; extract it into `extract_to`. Raises Unusable."""
    found: dict[str, str] = {}
    wanted: dict[str, str] | None = None
    size = archive.stat().st_size
    try:
        with tarfile.open(archive, "r:") as tar:
            for info, file in _members(tar):
                progress("checking the archive", info.offset, size)
                if info.name == SUMS:
                    lines = file.read().decode().splitlines()
                    wanted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
                elif extract_to is None:
                    found[info.name] = _digest(file)
                else:
                    found[info.name] = _extract(file, extract_to / info.name)
    except (tarfile.TarError, UnicodeDecodeError, EOFError) as error:
        raise backup.Unusable(f"it is no backup, or damaged: {error}") from None
    if wanted is None:
        raise backup.Unusable("it is no backup, or cut short: the sums at its end are missing")
    if wanted != found or FILE not in found:
        wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise backup.Unusable(f"it is damaged: {', '.join(wrong[:3]) or FILE}")
    progress("checking the archive", size, size)


def _extract(file: IO[bytes], path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("xb") as out:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    path.chmod(0o600)
    return digest.hexdigest()


# ---- restoring


def restore(runtime: Runtime, file: Path, data: str, force: bool, progress: Progress) -> Path:
    """Put the chat of a backup into the directory `data`, which nobody may be using. Raises StartError."""
    if not file.is_file():
        raise StartError(f"there is no backup {file}")
    directory = DataDirectory(data, restoring=True)
    try:
        there = [path for path in directory.path.iterdir() if path.name not in (LOCK, RESTORING)]
        if there and not force:
            raise StartError(
                f"the data directory {directory.path} is not empty; choose another --data,"
                " or replace what is in it with --force"
            )
        _refuse_foreign_files(directory.path)
        _restore(runtime, file, directory.path, progress)
        return directory.path
    except backup.Unusable as error:
        raise StartError(f"nothing was restored, {file} cannot be used: {error}") from None
    except OSError as error:
        raise StartError(f"cannot restore into {directory.path}: {error.strerror or error}") from None
    finally:
        directory.close()


def _refuse_foreign_files(data: Path) -> None:
    """Raises StartError if --force would remove something that is not of a chat."""
    found = next(
        (path for path in _paths_to_remove(data) if not _OURS.fullmatch(path.relative_to(data).as_posix())), None
    )
    if found is None and backup.is_of_another_program(data / FILE):
        found = data / FILE
    if found is not None:
        raise StartError(f"{found} is not of a chat, and would be lost: choose another --data, or move it away")


def _paths_to_remove(data: Path) -> Iterator[Path]:
    for folder in (FILES, UPLOADS):
        if (data / folder).is_dir():
            yield from (data / folder).rglob("*")
        elif (data / folder).exists():
            yield data / folder


def _restore(runtime: Runtime, file: Path, data: Path, progress: Progress) -> None:
    with work_folder(data) as work:
        _verify(file, progress, extract_to=work)
        backup.check(work / FILE)
        backup.begin_history(work / FILE, runtime.token_hex(8))
        for path in [work, *(path for path in work.rglob("*") if path.is_dir())]:
            sync(path)
        # From here until all of the new is there, the old is gone: the mark keeps a server from starting.
        mark = data / RESTORING
        mark.touch(mode=0o600)
        sync(data)
        for name in (f"{FILE}-wal", f"{FILE}-shm", f"{FILE}-journal", FILE, OWNER, MOVED, *LOCAL_FILES):
            (data / name).unlink(missing_ok=True)
        for path in (data / FILES, data / UPLOADS):
            shutil.rmtree(path, ignore_errors=True)
        for name in (FILES, FILE):
            if (work / name).exists():
                (work / name).rename(data / name)
        sync(data)
        mark.unlink()
        sync(data)
