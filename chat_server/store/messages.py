"""Messages: writing them, and loading some of them in order.

Messages are loaded as `protocol.messages.Message`, as their reader sees them.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice

import msgspec
from msgspec import Struct

from chat_server.protocol.arguments import ID_MAX
from chat_server.protocol.messages import File, Message
from chat_server.protocol.times import iso
from chat_server.store import files
from chat_server.store.database import Database, Row

# A thread is loaded so many messages at a time.
THREAD_PAGE_MAX = 200
# One statement looks at no more ids.
DATED_AT_ONCE_MAX = 2000

# The columns that `to_messages` takes; the last one is the author.
SELECT = """SELECT m.id, m.seq, m.chat_id, a.name, m.at_ms, m.text, m.delayed, coalesce(m.deleted_ms, a.deleted_ms),
    m.edited_ms, m.reply_to, m.replies, m.reactions, m.mentions, m.file_id, m.user_id
    FROM messages m JOIN users a ON a.id = m.user_id WHERE """


class StoredMessage(Struct, frozen=True):
    """The columns of a message that rules check before they change it."""

    id: int
    chat_id: int
    user_id: int
    deleted: bool
    seq: int


# Short, and shorter for most messages: apsw reads all of it to find the prepared statement, 1.9 ns a character, and
# with the blanks and columns of one for all that was 0.25 µs more.
_INSERT = (
    "INSERT INTO messages(id,seq,chat_id,user_id,at_ms,elapsed_ms,text,alone{})VALUES(?1,?1,?2,?3,?4,?5,?6,"
    "NOT EXISTS(SELECT 1 FROM members WHERE chat_id=?2 AND absent=0 AND user_id<>?3){})"
)
_INSERT_PLAIN = _INSERT.format("", "")
_INSERT_OTHER = _INSERT.format(",delayed,reply_to,mentions", ",?7,?8,?9")


def insert(
    db: Database,
    seq: int,
    chat_id: int,
    user_id: int,
    at_ms: int,
    elapsed_ms: int,
    text: str,
    delayed: bool = False,
    reply_to: int | None = None,
    mentions: list[str] | None = None,
) -> None:
    if not delayed and reply_to is None and mentions is None:
        db.run(_INSERT_PLAIN, (seq, chat_id, user_id, at_ms, elapsed_ms, text))
        return
    db.run(_INSERT_OTHER, (seq, chat_id, user_id, at_ms, elapsed_ms, text, delayed, reply_to, _names(mentions)))
    if reply_to is not None:
        # What is answered gets no new seq: the comment itself tells everybody, and a long text is not sent again.
        db.run("UPDATE messages SET replies = replies + 1 WHERE id = ?", (reply_to,))


def _names(mentions: list[str] | None) -> str | None:
    return None if mentions is None else msgspec.json.encode(mentions).decode()


def find(db: Database, message_id: int) -> StoredMessage | None:
    row = db.one(
        "SELECT m.id, m.chat_id, m.user_id, m.deleted_ms IS NOT NULL OR a.deleted_ms IS NOT NULL, m.seq"
        " FROM messages m JOIN users a ON a.id = m.user_id WHERE m.id = ?",
        (message_id,),
    )
    return StoredMessage(row[0], row[1], row[2], bool(row[3]), row[4]) if row else None


def text_of(db: Database, message_id: int) -> str | None:
    text: str | None = db.value("SELECT text FROM messages WHERE id = ?", (message_id,))
    return text


def edit(db: Database, message_id: int, seq: int, text: str, at_ms: int, mentions: list[str] | None) -> None:
    db.run(
        "UPDATE messages SET text = ?, mentions = ?, edited_ms = ?, seq = ? WHERE id = ?",
        (text, _names(mentions), at_ms, seq, message_id),
    )
    db.unclean = True


def delete(db: Database, message_id: int, seq: int, at_ms: int) -> None:
    """Delete the text, the reactions and the file of a message. The row stays for as long as the message would have."""
    delete_reactions(db, [message_id])
    db.run("DELETE FROM files WHERE message_id = ?", (message_id,))
    db.run(
        "UPDATE messages SET text = NULL, mentions = NULL, deleted_ms = ?, reactions = 0, file_id = NULL, seq = ?"
        " WHERE id = ?",
        (at_ms, seq, message_id),
    )
    db.unclean = True


def remove(db: Database, ids: list[int]) -> None:
    """Remove messages for good, with all that belongs to them alone. Comments on them stay as they are."""
    if not ids:
        return
    listed = (msgspec.json.encode(ids).decode(),)
    delete_reactions(db, ids)
    db.run("DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))", listed)
    db.unclean = True


def delete_reactions(db: Database, ids: list[int]) -> None:
    """Delete all reactions to these messages, in portions, since everybody may have reacted to each."""
    db.run_in_portions(
        "DELETE FROM reactions WHERE (message_id, emoji, user_id) IN (SELECT message_id, emoji, user_id FROM reactions"
        " WHERE message_id IN (SELECT value FROM json_each(?)) LIMIT ?)",
        (msgspec.json.encode(ids).decode(),),
    )


def has_reacted(db: Database, message_id: int, emoji: str, user_id: int) -> bool:
    return db.one("SELECT 1 FROM reactions WHERE message_id = ? AND emoji = ? AND user_id = ?",
                  (message_id, emoji, user_id)) is not None  # fmt: skip


def emojis(db: Database, message_id: int) -> list[str]:
    return [row[0] for row in db.all("SELECT DISTINCT emoji FROM reactions WHERE message_id = ?", (message_id,))]


def react(db: Database, message_id: int, emoji: str, user_id: int, seq: int) -> None:
    db.run("INSERT INTO reactions VALUES (?, ?, ?, ?)", (message_id, emoji, user_id, seq))
    db.run("UPDATE messages SET reactions = reactions + 1, seq = ? WHERE id = ?", (seq, message_id))


def unreact(db: Database, message_id: int, emoji: str, user_id: int, seq: int) -> None:
    db.run("DELETE FROM reactions WHERE message_id = ? AND emoji = ? AND user_id = ?", (message_id, emoji, user_id))
    db.run("UPDATE messages SET reactions = reactions - 1, seq = ? WHERE id = ?", (seq, message_id))


def clamp_future_times(db: Database, at_ms: int, elapsed_ms: int) -> int:
    """Correct the times of messages that lie in the future. Return how many messages had any.

    A message's own time is derived from its elapsed time. Old messages without one are dated now, as are all changes.
    """
    newest: int = db.value("SELECT max(id) FROM messages") or 0
    changed = 0
    for above in range(0, newest, DATED_AT_ONCE_MAX):
        db.run(
            """UPDATE messages SET edited_ms = min(edited_ms, ?1), deleted_ms = min(deleted_ms, ?1),
                at_ms = iif(at_ms > ?1, ?1 - max(0, ?2 - coalesce(elapsed_ms, ?2)), at_ms)
            WHERE id > ?3 AND id <= ?4 AND (at_ms > ?1 OR edited_ms > ?1 OR deleted_ms > ?1)""",
            (at_ms, elapsed_ms, above, above + DATED_AT_ONCE_MAX),
        )
        changed += db.connection.changes()
    return changed


def clear(db: Database, chat_id: int, limit: int) -> int:
    """Remove at most `limit` messages of a chat for good. Return how many were removed."""
    ids = [row[0] for row in db.all("SELECT id FROM messages WHERE chat_id = ? ORDER BY id LIMIT ?", (chat_id, limit))]
    remove(db, ids)
    return len(ids)


def newest_id(db: Database, chat_id: int, up_to: int | None = None) -> int:
    """Return the id of the chat's newest message, or of its newest one up to `up_to`; 0 if there is none."""
    bound = "" if up_to is None else " AND id <= ?2"
    bindings: Row = (chat_id,) if up_to is None else (chat_id, up_to)
    return db.value(f"SELECT max(id) FROM messages WHERE chat_id = ?1{bound}", bindings) or 0


def first_id_since(db: Database, chat_id: int, at_ms: int) -> int | None:
    """Return the id of the chat's first message that was sent at `at_ms` or later; None if all are older.

    It is found by halving, without an index of times: ids go up with them, but for a clock that was set back.
    """

    def next_after(id_: int) -> Row:
        row = db.one(_NEXT_IN_CHAT, (chat_id, id_))
        assert row is not None
        return row

    low, high = 0, newest_id(db, chat_id) - 1
    if high < 0 or next_after(high)[1] < at_ms:
        return None
    while low < high:
        middle = (low + high) // 2
        id_, sent_ms = next_after(middle)
        if sent_ms >= at_ms:
            high = middle
        else:
            low = id_
    first: int = next_after(low)[0]
    return first


_NEXT_IN_CHAT = "SELECT id, at_ms FROM messages WHERE chat_id = ? AND id > ? ORDER BY id LIMIT 1"


def count_unread(db: Database, user_id: int, chat_id: int, read_id: int, up_to: int = ID_MAX) -> int:
    """Count the messages of other users above the marker."""
    count: int = db.value(
        "SELECT count(*) FROM messages WHERE chat_id = ? AND id > ? AND id <= ? AND user_id <> ?",
        (chat_id, read_id, up_to, user_id),
    )
    return count


def load_page(
    db: Database, chat_id: int, name: str, limit: int, *, above: int = 0, below: int | None = None, newest_first: bool
) -> list[Message]:
    """Load the newest or the oldest `limit` messages with `above` < id < `below`, always sorted by id."""
    order = "DESC" if newest_first else "ASC"
    rows = db.all(
        f"{SELECT} m.chat_id = ? AND m.id > ? AND m.id < ? ORDER BY m.id {order} LIMIT ?",
        (chat_id, above, below if below is not None else ID_MAX, limit),
    )
    return to_messages(db, rows[::-1] if newest_first else rows, {chat_id: name})


def load_unread_page(db: Database, user_id: int, chat_id: int, name: str, read_id: int, limit: int) -> list[Message]:
    """Load the first `limit` messages of other users above the marker, sorted by id."""
    rows = db.all(
        f"{SELECT} m.chat_id = ? AND m.id > ? AND m.user_id <> ? ORDER BY m.id LIMIT ?",
        (chat_id, read_id, user_id, limit),
    )
    return to_messages(db, rows, {chat_id: name})


def load_one(db: Database, message_id: int, chat: str) -> Message:
    """Load a message that exists, in its newest state; `chat` is its chat's name as the reader sees it."""
    (row,) = db.all(f"{SELECT} m.id = ?", (message_id,))
    return to_messages(db, [row], {row[2]: chat})[0]


def load_several(db: Database, ids: list[int], chat: str = "") -> list[tuple[int, Message]]:
    """Load those of these messages that exist, sorted by id, each with its chat's id. `chat` names all their chats."""
    listed = (msgspec.json.encode(ids).decode(),)
    rows = db.all(f"{SELECT} m.id IN (SELECT value FROM json_each(?)) ORDER BY m.id", listed)
    chats = [row[2] for row in rows]
    return list(zip(chats, to_messages(db, rows, dict.fromkeys(chats, chat)), strict=True))


def load_thread(db: Database, root: int, chat: str) -> Iterator[list[Message]]:
    """Load pages of a message and all its comments, and comments on these, sorted by id."""
    ids = _thread_ids(db, root)
    while page := list(islice(ids, THREAD_PAGE_MAX)):
        yield [message for _, message in load_several(db, page, chat)]


def _thread_ids(db: Database, root: int) -> Iterator[int]:
    """Yield the ids of a thread in ascending order.

    The heap holds the next comment on each message so far, so that an id costs two look-ups in a thread of any size.
    """
    waiting = [(root, 0)]
    while waiting:
        id_, on = heappop(waiting)
        yield id_
        for comment, above in ((on, id_), (id_, id_)):
            following = db.value(_NEXT_COMMENT, (comment, above)) if comment else None
            if following is not None:
                heappush(waiting, (following, comment))


_NEXT_COMMENT = "SELECT id FROM messages WHERE reply_to = ? AND id > ? ORDER BY id LIMIT 1"


def to_messages(db: Database, rows: list[Row], names: dict[int, str]) -> list[Message]:
    """Convert rows to messages as their reader sees them; `names` are the names of their chats by id."""
    return [_to_message(db, row, names[row[2]]) for row in rows]


def _load_reactions(db: Database, message_id: int) -> dict[str, list[str]] | None:
    """Load the names of those who reacted, by emoji, both in the order of the reactions."""
    rows = db.all(
        "SELECT r.emoji, u.name FROM reactions r JOIN users u ON u.id = r.user_id WHERE r.message_id = ?"
        " AND u.deleted_ms IS NULL ORDER BY r.seq",
        (message_id,),
    )
    reactions: dict[str, list[str]] = {}
    for emoji, name in rows:
        reactions.setdefault(emoji, []).append(name)
    return reactions or None


def _last_reply(db: Database, message_id: int) -> int:
    last: int = db.value("SELECT max(id) FROM messages WHERE reply_to = ?", (message_id,))
    return last


def _load_file(db: Database, file_id: int) -> File:
    found = files.find(db, file_id)
    assert found is not None
    return found[0]


def _to_message(db: Database, row: Row, chat: str) -> Message:
    (
        id_,
        seq,
        _,
        author,
        at_ms,
        text,
        delayed,
        deleted_ms,
        edited_ms,
        reply_to,
        replies,
        reactions,
        mentions,
        file_id,
        _,
    ) = row
    if deleted_ms is not None:
        # The texts of a deleted account are still stored for a while (see `rules.erasure`).
        text = edited_ms = reactions = mentions = file_id = None
    return Message(
        id=id_,
        seq=seq,
        chat=chat,
        from_=author,
        at=iso(at_ms),
        text=text,
        reply_to=reply_to,
        replies=replies,
        last_reply=_last_reply(db, id_) if replies else None,
        edited=iso(edited_ms) if edited_ms is not None else None,
        reactions=_load_reactions(db, id_) if reactions else None,
        file=_load_file(db, file_id) if file_id else None,
        deleted=deleted_ms is not None,
        delayed=bool(delayed),
        mentions=mentions and msgspec.json.decode(mentions),
    )
