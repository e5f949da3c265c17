"""Messages: writing them, and reading them in order, a bounded page at a time.

What comes out are `events.Message`, as the reader sees them. A page ends after `PAGE_MESSAGES_MAX` messages or about
`PAGE_TEXT_CHARS_MAX` characters, whichever is first, so that a reader who is slow holds only so much.
"""

from collections.abc import Iterable, Iterator
from heapq import merge
from operator import itemgetter
from typing import Any

from msgspec import Struct

from chat_server.protocol.arguments import ID_MAX
from chat_server.protocol.events import Message
from chat_server.protocol.times import iso
from chat_server.store.database import Database, Row

PAGE_MESSAGES_MAX = 200
PAGE_TEXT_CHARS_MAX = 24_576

_SELECT = """SELECT m.id, m.seq, m.chat_id, a.name, m.at_ms, m.text, m.delayed, m.deleted_ms
    FROM messages m JOIN users a ON a.id = m.user_id WHERE """


class Range(Struct):
    """The messages of one chat with `after` < id (or seq) <= `up_to`. `name` is the chat's, from the reader's side."""

    chat_id: int
    name: str
    after: int
    up_to: int


def insert(db: Database, seq: int, chat_id: int, user_id: int, at_ms: int, text: str, delayed: bool) -> None:
    db.run(
        "INSERT INTO messages (id, seq, chat_id, user_id, at_ms, text, delayed) VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6)",
        (seq, chat_id, user_id, at_ms, text, delayed),
    )


def delete_of(db: Database, user_id: int, seq: int, at_ms: int) -> int:
    """The texts of all that the user wrote go; each message gets its own seq from `seq` + 1 on. The last one given."""
    db.run(
        """UPDATE messages SET text = NULL, deleted_ms = ?3, seq = ?2 + numbered.number
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM messages
              WHERE user_id = ?1 AND deleted_ms IS NULL) AS numbered WHERE messages.id = numbered.id""",
        (user_id, seq, at_ms),
    )
    return seq + db.connection.changes()


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
_CHANGED_BY_PEOPLE = _CHANGED.replace("ORDER", "AND (a.deleted_ms IS NULL OR m.deleted_ms IS NULL) ORDER")
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
        page: list[Message] = []
        chars = 0
        for row in merged:
            page.append(_message(row, names[row[2]]))
            chars += len(row[5] or "")
            if len(page) >= PAGE_MESSAGES_MAX or chars >= PAGE_TEXT_CHARS_MAX:
                break
        else:
            ranges = []
        # The statements end here: between two pages no snapshot is held, however slow the reader is.
        del merged
        for each in ranges:
            each.after = page[-1].id if key == _BY_ID else page[-1].seq
        if page:
            yield page


def page(
    db: Database, chat_id: int, name: str, limit: int, *, above: int = 0, below: int | None = None, newest_first: bool
) -> list[Message]:
    """Up to `limit` messages with `above` < id < `below`, the newest or the oldest of them; always by id."""
    order = "DESC" if newest_first else "ASC"
    rows = db.all(
        f"{_SELECT} m.chat_id = ? AND m.id > ? AND m.id < ? ORDER BY m.id {order} LIMIT ?",
        (chat_id, above, below if below is not None else ID_MAX, limit),
    )
    return [_message(row, name) for row in (reversed(rows) if newest_first else rows)]


def unread_page(db: Database, user_id: int, chat_id: int, name: str, read_id: int, limit: int) -> list[Message]:
    """The first `limit` messages of others above the marker, by id."""
    rows = db.all(
        f"{_SELECT} m.chat_id = ? AND m.id > ? AND m.user_id <> ? ORDER BY m.id LIMIT ?",
        (chat_id, read_id, user_id, limit),
    )
    return [_message(row, name) for row in rows]


def _message(row: Any, chat: str) -> Message:
    id_, seq, _, author, at_ms, text, delayed, deleted_ms = row
    return Message(
        id=id_,
        seq=seq,
        chat=chat,
        from_=author,
        at=iso(at_ms),
        text=text,
        deleted=deleted_ms is not None,
        delayed=bool(delayed),
    )
