"""Messages: writing them, and reading them in order, a bounded page at a time.

What comes out are `events.Message`, as the reader sees them. A page ends after `PAGE_MESSAGES_MAX` messages or about
`PAGE_TEXT_CHARS_MAX` characters, whichever is first, so that a reader who is slow holds only so much.
"""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush, merge
from itertools import islice
from operator import itemgetter

import msgspec
from msgspec import Struct

from chat_server.protocol.arguments import ID_MAX
from chat_server.protocol.messages import File, Message
from chat_server.protocol.times import iso
from chat_server.store import files, search
from chat_server.store.database import Database, Row

PAGE_MESSAGES_MAX = 200
PAGE_TEXT_CHARS_MAX = 24_576
# Of one statement.
DATED_AT_ONCE_MAX = 2000

_SELECT = """SELECT m.id, m.seq, m.chat_id, a.name, m.at_ms, m.text, m.delayed, coalesce(m.deleted_ms, a.deleted_ms),
    m.edited_ms, m.reply_to, m.reactions, m.mentions, m.file_id
    FROM messages m JOIN users a ON a.id = m.user_id WHERE """


class Range(Struct):
    """The messages of one chat with `after` < id (or seq) <= `up_to`. `name` is the chat's, from the reader's side."""

    chat_id: int
    name: str
    after: int
    up_to: int


class Stored(Struct, frozen=True):
    """What rules look at before they change a message."""

    id: int
    chat_id: int
    user_id: int
    deleted: bool


_INSERT = """INSERT INTO messages
    (id, seq, chat_id, user_id, at_ms, elapsed_ms, text, delayed, reply_to, mentions, alone)
    VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
    NOT EXISTS (SELECT 1 FROM members WHERE chat_id = ?2 AND absent = 0 AND user_id <> ?3))"""


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
    db.run(_INSERT, (seq, chat_id, user_id, at_ms, elapsed_ms, text, delayed, reply_to, _names(mentions)))


def _names(mentions: list[str] | None) -> str | None:
    return None if mentions is None else msgspec.json.encode(mentions).decode()


def find(db: Database, message_id: int) -> Stored | None:
    row = db.one(
        "SELECT m.id, m.chat_id, m.user_id, m.deleted_ms IS NOT NULL OR a.deleted_ms IS NOT NULL"
        " FROM messages m JOIN users a ON a.id = m.user_id WHERE m.id = ?",
        (message_id,),
    )
    return Stored(row[0], row[1], row[2], bool(row[3])) if row else None


def text_of(db: Database, message_id: int) -> str | None:
    text: str | None = db.value("SELECT text FROM messages WHERE id = ?", (message_id,))
    return text


def edit(db: Database, message_id: int, seq: int, text: str, at_ms: int, mentions: list[str] | None) -> None:
    db.run(
        "UPDATE messages SET text = ?, mentions = ?, edited_ms = ?, seq = ? WHERE id = ?",
        (text, _names(mentions), at_ms, seq, message_id),
    )
    search.replace(db, message_id)
    db.unclean = True


def delete(db: Database, message_id: int, seq: int, at_ms: int) -> None:
    """The text, the reactions and the file go; the row stays, as long as the message would have lived."""
    delete_reactions(db, [message_id])
    db.run("DELETE FROM files WHERE message_id = ?", (message_id,))
    db.run(
        "UPDATE messages SET text = NULL, mentions = NULL, deleted_ms = ?, reactions = 0, file_id = NULL, seq = ?"
        " WHERE id = ?",
        (at_ms, seq, message_id),
    )
    search.remove(db, [message_id])
    db.unclean = True


def remove(db: Database, ids: list[int]) -> None:
    """They are gone, with all that is only about them. What comments on one of them stays as it is."""
    if not ids:
        return
    search.remove(db, ids)
    listed = (msgspec.json.encode(ids).decode(),)
    delete_reactions(db, ids)
    db.run("DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))", listed)
    db.unclean = True


def delete_reactions(db: Database, ids: list[int]) -> None:
    """All reactions to these messages; everybody may have reacted to each."""
    db.portions(
        "DELETE FROM reactions WHERE (message_id, emoji, user_id) IN (SELECT message_id, emoji, user_id FROM reactions"
        " WHERE message_id IN (SELECT value FROM json_each(?)) LIMIT ?)",
        (msgspec.json.encode(ids).decode(),),
    )


def reacted(db: Database, message_id: int, emoji: str, user_id: int) -> bool:
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


def date_back(db: Database, at_ms: int, elapsed_ms: int) -> int:
    """Where times of messages lie in the future, they become what they were, or now; how many there were.

    A message's own time is known by how long the chat had lived; of those from before that was kept it is not.
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
    """At most so many messages of a chat go for good. How many."""
    ids = [row[0] for row in db.all("SELECT id FROM messages WHERE chat_id = ? ORDER BY id LIMIT ?", (chat_id, limit))]
    remove(db, ids)
    return len(ids)


def newest(db: Database, chat_id: int, up_to: int | None = None) -> int:
    """The id of the chat's newest message (not above `up_to`), 0 if it has none."""
    bound = "" if up_to is None else " AND id <= ?2"
    bindings: Row = (chat_id,) if up_to is None else (chat_id, up_to)
    return db.value(f"SELECT max(id) FROM messages WHERE chat_id = ?1{bound}", bindings) or 0


def unread(db: Database, user_id: int, chat_id: int, read_id: int, up_to: int = ID_MAX) -> int:
    """How many messages of others the chat has above the marker."""
    count: int = db.value(
        "SELECT count(*) FROM messages WHERE chat_id = ? AND id > ? AND id <= ? AND user_id <> ?",
        (chat_id, read_id, up_to, user_id),
    )
    return count


_NEW = _SELECT + "m.chat_id = ?1 AND m.id > ?2 AND m.id <= ?3 AND m.user_id <> ?4 ORDER BY m.id"
_UNCHANGED = _SELECT + "m.chat_id = ?1 AND m.id > ?2 AND m.id <= ?3 AND m.seq = m.id ORDER BY m.id"
_CHANGED = _SELECT + "m.chat_id = ?1 AND m.seq > ?2 AND m.seq <= ?3 AND m.seq <> m.id ORDER BY m.seq"
# What went with its author's account is told to people in one line, not message by message.
_CHANGED_BY_PEOPLE = _CHANGED.replace("ORDER", "AND a.deleted_ms IS NULL ORDER")
_BY_ID, _BY_SEQ = 0, 1


def new(db: Database, ranges: Iterable[Range], *, not_by: int = 0) -> Iterator[list[Message]]:
    """Pages of the messages of all these chats by id, each in its newest state, but for those of one author."""
    return _pages(db, (_NEW,), (not_by,), list(ranges), _BY_ID)


def changed(db: Database, ranges: Iterable[Range]) -> Iterator[list[Message]]:
    """Pages of the messages that changed in the ranges, which are of seq here, by seq; for people."""
    return _pages(db, (_CHANGED_BY_PEOPLE,), (), list(ranges), _BY_SEQ)


def new_and_changed(db: Database, ranges: Iterable[Range]) -> Iterator[list[Message]]:
    """Pages of all that is new or changed in the ranges, which are of seq here, by seq; for programs."""
    return _pages(db, (_UNCHANGED, _CHANGED), (), list(ranges), _BY_SEQ)


def _pages(
    db: Database, queries: tuple[str, ...], bindings: Row, ranges: list[Range], key: int
) -> Iterator[list[Message]]:
    def rows(sql: str, each: Range) -> Iterator[Row]:
        return iter(db.rows(sql, (each.chat_id, each.after, each.up_to, *bindings)))

    # Chats with nothing in range are left out first: someone may have hundreds of them.
    ranges = [each for each in ranges if any(next(rows(sql, each), None) for sql in queries)]
    names = {each.chat_id: each.name for each in ranges}
    while ranges:
        merged = merge(*(rows(sql, each) for each in ranges for sql in queries), key=itemgetter(key))
        taken: list[Row] = []
        chars = 0
        for row in merged:
            taken.append(row)
            chars += len(row[5] or "")
            if len(taken) >= PAGE_MESSAGES_MAX or chars >= PAGE_TEXT_CHARS_MAX:
                break
        else:
            ranges = []
        # The statements end here: between two pages no snapshot is held, however slow the reader is.
        del merged
        for each in ranges:
            each.after = taken[-1][key]
        if taken:
            yield _messages(db, taken, names)


def page(
    db: Database, chat_id: int, name: str, limit: int, *, above: int = 0, below: int | None = None, newest_first: bool
) -> list[Message]:
    """Up to `limit` messages with `above` < id < `below`, the newest or the oldest of them; always by id."""
    order = "DESC" if newest_first else "ASC"
    rows = db.all(
        f"{_SELECT} m.chat_id = ? AND m.id > ? AND m.id < ? ORDER BY m.id {order} LIMIT ?",
        (chat_id, above, below if below is not None else ID_MAX, limit),
    )
    return _messages(db, rows[::-1] if newest_first else rows, {chat_id: name})


def unread_page(db: Database, user_id: int, chat_id: int, name: str, read_id: int, limit: int) -> list[Message]:
    """The first `limit` messages of others above the marker, by id."""
    rows = db.all(
        f"{_SELECT} m.chat_id = ? AND m.id > ? AND m.user_id <> ? ORDER BY m.id LIMIT ?",
        (chat_id, read_id, user_id, limit),
    )
    return _messages(db, rows, {chat_id: name})


def one(db: Database, message_id: int, chat: str) -> Message:
    """A message that is there, in its newest state; `chat` is its chat's name from the reader's side."""
    (row,) = db.all(f"{_SELECT} m.id = ?", (message_id,))
    return _messages(db, [row], {row[2]: chat})[0]


def several(db: Database, ids: list[int], chat: str = "") -> list[tuple[int, Message]]:
    """Those of these messages that are there, by id, each with the id of its chat. `chat` is what that is called."""
    listed = (msgspec.json.encode(ids).decode(),)
    rows = db.all(f"{_SELECT} m.id IN (SELECT value FROM json_each(?)) ORDER BY m.id", listed)
    chats = [row[2] for row in rows]
    return list(zip(chats, _messages(db, rows, dict.fromkeys(chats, chat)), strict=True))


def thread(db: Database, root: int, chat: str) -> Iterator[list[Message]]:
    """Pages of a message and all that comments on it, or on a comment on it, by id."""
    ids = _thread_ids(db, root)
    while page := list(islice(ids, PAGE_MESSAGES_MAX)):
        yield [message for _, message in several(db, page, chat)]


def _thread_ids(db: Database, root: int) -> Iterator[int]:
    """Ascending. What waits are the next comment on each message so far, so each costs two look-ups, however many."""
    waiting = [(root, 0)]
    while waiting:
        id_, on = heappop(waiting)
        yield id_
        for comment, above in ((on, id_), (id_, id_)):
            following = db.value(_NEXT_COMMENT, (comment, above)) if comment else None
            if following is not None:
                heappush(waiting, (following, comment))


_NEXT_COMMENT = "SELECT id FROM messages WHERE reply_to = ? AND id > ? ORDER BY id LIMIT 1"


def _messages(db: Database, rows: list[Row], names: dict[int, str]) -> list[Message]:
    """The rows as their reader sees them; `names` are those of their chats by id."""
    return [_message(db, row, names[row[2]]) for row in rows]


def _reactions(db: Database, message_id: int) -> dict[str, list[str]] | None:
    """Who reacted with what: emojis and names in the order in which they came."""
    rows = db.all(
        "SELECT r.emoji, u.name FROM reactions r JOIN users u ON u.id = r.user_id WHERE r.message_id = ?"
        " AND u.deleted_ms IS NULL ORDER BY r.seq",
        (message_id,),
    )
    reactions: dict[str, list[str]] = {}
    for emoji, name in rows:
        reactions.setdefault(emoji, []).append(name)
    return reactions or None


def _file(db: Database, file_id: int) -> File:
    found = files.find(db, file_id)
    assert found is not None
    return found[0]


def _message(db: Database, row: Row, chat: str) -> Message:
    id_, seq, _, author, at_ms, text, delayed, deleted_ms, edited_ms, reply_to, reactions, mentions, file_id = row
    if deleted_ms is not None:
        # The texts of a deleted account are still there for a while: see `rules.erasure`.
        return Message(
            id=id_,
            seq=seq,
            chat=chat,
            from_=author,
            at=iso(at_ms),
            reply_to=reply_to,
            deleted=True,
            delayed=bool(delayed),
        )
    return Message(
        id=id_,
        seq=seq,
        chat=chat,
        from_=author,
        at=iso(at_ms),
        text=text,
        reply_to=reply_to,
        edited=iso(edited_ms) if edited_ms is not None else None,
        reactions=_reactions(db, id_) if reactions else None,
        file=_file(db, file_id) if file_id else None,
        delayed=bool(delayed),
        mentions=mentions and msgspec.json.decode(mentions),
    )
