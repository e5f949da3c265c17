"""Open uploads, the files of messages, and the bytes that may be removed from the disk.

When a message or an upload is deleted, triggers of the tables (see `schema`) delete its file, free its reservation and
note in `dropped` what it left on the disk, and in the object store of a cluster.

There each upload has an object, named `<bucket>/<random>` when the upload is opened or gone on with, so that whoever
held it before can complete it no more. Its name is never used again. A bucket is for the objects of one period of
elapsed time; it is deleted whole once nothing in it is of an upload or a file, since deleted objects leave bytes there
(encrypted ones, whose key is gone). One file that lives on keeps its bucket, but not the room of the others.
"""

from msgspec import Struct

from chat_server.protocol.arguments import ID_MAX, Key, Target
from chat_server.protocol.files import FileInChat
from chat_server.protocol.messages import File
from chat_server.protocol.times import iso
from chat_server.store.database import Database

# How long an upload that nobody holds waits for its user.
UPLOAD_LIFE_MS = 600_000
# Notes of what was dropped (see `local`). A machine follows each at once; only after a power cut it is behind.
DROPPED_KEPT = 10_000
# Objects go into the bucket of their week, and into that of the week before or after where clocks differ. A bucket
# costs each of three NATS servers 0.25 MB of memory and 0.014 % of a core, and stays for ever if a file in it does.
BUCKET_MS = 7 * 24 * 3_600_000


class Uploading(Struct, frozen=True):
    """An upload. Only the holder of the `lease` may send chunks; it is None while nobody holds the upload.

    `sha256` is the announced one, or "" if none was announced. `object` is None on a lone server.
    """

    id: int
    user_id: int
    lease: str | None
    target: Target
    name: str
    size: int
    sha256: str
    key: Key | None
    object: str | None


_UPLOADS = """SELECT id, user_id, lease, target_kind, target_name, target_folded, name, size, sha256, key, object
    FROM uploads WHERE """


def _uploading(row: tuple[object, ...]) -> Uploading:
    id_, user_id, lease, kind, name, folded, *rest = row
    return Uploading(id_, user_id, lease, Target(kind, name, folded), *rest)  # type: ignore[arg-type]


def find_upload(db: Database, upload_id: int, user_id: int) -> Uploading | None:
    """Find an upload of the user by its number."""
    row = db.one(_UPLOADS + "id = ? AND user_id = ?", (upload_id, user_id))
    return _uploading(row) if row else None


def uploads_of(db: Database, user_id: int) -> list[Uploading]:
    return [_uploading(row) for row in db.all(_UPLOADS + "user_id = ? ORDER BY id", (user_id,))]


def insert_upload(
    db: Database, user_id: int, target: Target, name: str, size: int, sha256: str, key: str | None
) -> int:
    return db.insert(
        "INSERT INTO uploads (user_id, target_kind, target_name, target_folded, name, size, sha256, key)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (user_id, target.kind, target.name, target.folded, name, size, sha256, key),
    )


def hold(db: Database, upload_id: int, node: str, lease: str, key: str | None, object: str | None) -> None:
    """Let the holder of this lease on this node go on with the upload, which then has this object and no other."""
    if object is not None:
        db.run(
            "INSERT INTO dropped (object) SELECT object FROM uploads WHERE id = ? AND object IS NOT NULL", (upload_id,)
        )
        db.run("INSERT OR IGNORE INTO buckets VALUES (?)", (bucket_of(object),))
    db.run(
        "UPDATE uploads SET node = ?, lease = ?, expires_ms = NULL, key = coalesce(key, ?), object = ? WHERE id = ?",
        (node, lease, key, object, upload_id),
    )


def hand_over_object(db: Database, upload_id: int) -> None:
    """Let the upload end without its object, which is to become a file's."""
    db.run("UPDATE uploads SET object = NULL WHERE id = ?", (upload_id,))


def drop_unused_object(db: Database, object: str) -> None:
    """Note an object that was handed over as dropped if no file has it."""
    db.run(
        "INSERT INTO dropped (object) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM files WHERE object = ?)",
        (object, object),
    )


def leave(db: Database, node: str, lease: str | None, expires_ms: int) -> None:
    """Let the uploads of this lease, or with None those of all leases of the node, wait for their users until then."""
    which, bindings = ("node = ?", (node,)) if lease is None else ("node = ? AND lease = ?", (node, lease))
    db.run_in_portions(
        "UPDATE uploads SET node = NULL, lease = NULL, expires_ms = ?"
        f" WHERE id IN (SELECT id FROM uploads WHERE {which} LIMIT ?)",
        (expires_ms, *bindings),
    )


def leave_of_user(db: Database, user_id: int, expires_ms: int) -> None:
    """As `leave`, for all uploads of a user."""
    db.run(
        "UPDATE uploads SET node = NULL, lease = NULL, expires_ms = ? WHERE user_id = ? AND node IS NOT NULL",
        (expires_ms, user_id),
    )


def delete_upload(db: Database, upload_id: int) -> None:
    db.run("DELETE FROM uploads WHERE id = ?", (upload_id,))


def delete_uploads_to(db: Database, chat_id: int) -> None:
    """Delete all uploads to a private chat, which MUST still have its name."""
    db.run_in_portions(
        "DELETE FROM uploads WHERE id IN (SELECT id FROM uploads"
        " WHERE target_kind = 'room' AND target_folded = (SELECT folded FROM chats WHERE id = ?) LIMIT ?)",
        (chat_id,),
    )


def delete_expired_uploads(db: Database, elapsed_ms: int, limit: int) -> None:
    db.run(
        "DELETE FROM uploads WHERE id IN"
        " (SELECT id FROM uploads WHERE expires_ms <= ? ORDER BY expires_ms, id LIMIT ?)",
        (elapsed_ms, limit),
    )


def is_key_of_upload(db: Database, user_id: int, key: str) -> bool:
    return db.one("SELECT 1 FROM uploads WHERE user_id = ? AND key = ? LIMIT 1", (user_id, key)) is not None


def bytes_of(db: Database, user_id: int) -> int:
    """Return how many bytes the user's files and uploads have together."""
    return db.value("SELECT bytes FROM file_bytes WHERE user_id = ?", (user_id,)) or 0


# ---- files


class Stored(Struct, frozen=True):
    """Where the bytes of a file are in the object store, and the key to them."""

    object: str
    secret: bytes


def attach(db: Database, file: File, message_id: int, chat_id: int, user_id: int) -> None:
    """Insert a file and attach it to its message."""
    db.run(
        "INSERT INTO files (id, message_id, chat_id, user_id, name, size, sha256) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (file.id, message_id, chat_id, user_id, file.name, file.size, file.sha256),
    )
    db.run("UPDATE messages SET file_id = ? WHERE id = ?", (file.id, message_id))


def find(db: Database, file_id: int) -> tuple[File, int] | None:
    """Find a file and the id of its message."""
    row = db.one("SELECT id, name, size, sha256, message_id FROM files WHERE id = ?", (file_id,))
    return (File(*row[:4]), row[4]) if row else None


def place_in_store(db: Database, file_id: int, stored: Stored) -> None:
    db.run("UPDATE files SET object = ?, secret = ? WHERE id = ?", (stored.object, stored.secret, file_id))


def place_of(db: Database, file_id: int) -> Stored | None:
    """Return where the bytes of a file are in the object store; None for a file of a lone server."""
    row = db.one("SELECT object, secret FROM files WHERE id = ? AND object IS NOT NULL", (file_id,))
    return Stored(*row) if row else None


def of_chat(db: Database, chat_id: int, before: int | None, limit: int) -> list[FileInChat]:
    """Return the newest files of a chat, in messages with an id below `before`, sorted by message."""
    rows = db.all(
        "SELECT f.id, f.name, f.size, f.sha256, f.message_id, a.name, m.at_ms FROM files f"
        " JOIN messages m ON m.id = f.message_id JOIN users a ON a.id = f.user_id"
        " WHERE f.chat_id = ? AND f.message_id < ? AND a.deleted_ms IS NULL ORDER BY f.message_id DESC LIMIT ?",
        (chat_id, ID_MAX if before is None else before, limit),
    )
    return [
        FileInChat(id=id_, name=name, size=size, sha256=sha256, message_id=message_id, from_=author, at=iso(at_ms))
        for id_, name, size, sha256, message_id, author, at_ms in reversed(rows)
    ]


def has_blob(db: Database, sha256: str) -> bool:
    return db.one("SELECT 1 FROM files WHERE sha256 = ? LIMIT 1", (sha256,)) is not None


# ---- buckets of the object store


def bucket_at(elapsed_ms: int) -> int:
    """Return the number of the bucket for new objects."""
    return elapsed_ms // BUCKET_MS


def is_bucket_open(bucket: int, elapsed_ms: int) -> bool:
    """Tell whether an upload may have its object in this bucket."""
    return abs(bucket - bucket_at(elapsed_ms)) <= 1


def bucket_of(object: str) -> int:
    return int(object.partition("/")[0])


def delete_empty_buckets(db: Database, elapsed_ms: int) -> None:
    """Delete the buckets that nothing is in, and into which nothing can come any more."""
    # "0" is the character behind "/".
    own = "object >= number || '/' AND object < number || '0'"
    db.run(
        f"DELETE FROM buckets WHERE number < ? AND NOT EXISTS (SELECT 1 FROM files WHERE {own})"
        f" AND NOT EXISTS (SELECT 1 FROM uploads WHERE {own})",
        (bucket_at(elapsed_ms) - 1,),
    )


# ---- what may go


def last_dropped(db: Database) -> int:
    """Return the number of the last note of something that was dropped, 0 if there is none."""
    last: int | None = db.value("SELECT max(id) FROM dropped")
    return last or 0


def prune_dropped(db: Database, limit: int) -> None:
    """Delete notes that are older than those that are kept, `limit` of them at most."""
    db.run(
        "DELETE FROM dropped WHERE id IN"
        " (SELECT id FROM dropped WHERE id <= (SELECT max(id) FROM dropped) - ? ORDER BY id LIMIT ?)",
        (DROPPED_KEPT, limit),
    )
