"""The index of what was written, for `/search`: derived from the messages, up to the one that `State.indexed` says.

An FTS5 table with two columns: `text`, and `scope`, words that no user writes there: who may see the message, who wrote
it, where, and in which block of ids. So FTS5 itself intersects what is sought with what may be seen, and no search
reads more than the blocks that it asks for.

How texts become words is SQLite's (`unicode61`, Unicode 6.1 for ever), so that no version of Python changes it. It
takes a run of letters for one word; scripts that are written without spaces are taken apart into characters first, here
and in what is sought alike (`spaced`).
"""

import re
from collections.abc import Iterable

import apsw
import msgspec

from chat_server.store.database import Database

# What one step indexes at most: it holds up what else the writer has to do.
STEP_MESSAGES_MAX = 1000
STEP_TEXT_BYTES_MAX = 65_536
MERGED_PAGES_MAX = 64
# Ids in a block: what FTS5 may have to look at before it finds nothing.
BLOCK_IDS = 1 << 14

# Beginnings of words of so many letters have an index of their own (`prefix` in the schema).
PREFIXES = (2, 3)

_TOKENIZER = ("unicode61", "remove_diacritics", "2", "categories", "L* M* N* Co")
# As in the schema, but for a few messages alone.
_TABLE = """CREATE VIRTUAL TABLE words USING fts5(
    text, scope, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 2 categories 'L* M* N* Co'")"""
# Thai, Lao, Tibetan, Burmese, Hangul, Khmer; kana, bopomofo and Han with their extensions and the half-width forms.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u318f"
    "\u31a0-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff]"
)

# One row of JSON for all messages: what has to be done to them in Python is done to all at once.
_ROWS = """SELECT json_group_array(json_array(m.id, m.text,
        'c' || m.chat_id || ' u' || m.user_id || ' b' || (m.id >> 14)
        || coalesce(' s' || c.low_user || ' s' || c.high_user, '')))
    FROM messages m JOIN chats c ON c.id = m.chat_id WHERE m.id > ? AND m.id <= ? AND m.text IS NOT NULL"""
# Where a step from one end of a range ends; NULL where it has all of the range.
_END_OF_STEP = """SELECT CASE WHEN count(*) = ?3 OR max(total) > ?4
        THEN coalesce({0}(id) FILTER (WHERE total <= ?4), {1}(id)) END
    FROM (SELECT id, sum(size) OVER (ORDER BY id {2}) AS total FROM (
        SELECT id, coalesce(octet_length(text), 0) AS size FROM messages WHERE id > ?1 AND id < ?2
        ORDER BY id {2} LIMIT ?3))"""
_LAST_OF_STEP, _FIRST_OF_STEP = _END_OF_STEP.format("max", "min", "ASC"), _END_OF_STEP.format("min", "max", "DESC")
_INSERT = "INSERT INTO words (rowid, text, scope) SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)"


def spaced(text: str) -> str:
    """The text with spaces around each character of a script that has none."""
    return text if text.isascii() else _UNSPACED.sub(r" \g<0> ", text)


def tokens(db: Database, text: str) -> list[str]:
    """The words of a text, as the index has them."""
    tokenize = db.connection.fts5_tokenizer(_TOKENIZER[0], list(_TOKENIZER[1:]))
    found = tokenize(
        spaced(text).encode(), apsw.FTS5_TOKENIZE_QUERY, None, include_offsets=False, include_colocated=False
    )
    return [str(word) for word in found]


# ---- writing


def step(db: Database, after: int, newest: int) -> int:
    """Index the next messages after this id, as many as one step may; up to which id all is indexed then."""
    last: int | None = db.value(_LAST_OF_STEP, (after, newest + 1, STEP_MESSAGES_MAX, STEP_TEXT_BYTES_MAX))
    up_to = newest if last is None else last
    _insert(db, _rows(db, after, up_to))
    return up_to


def tidy(db: Database) -> None:
    """Take what was removed out of some pages of the index, where it is a tenth of a part of it or more."""
    db.run("INSERT INTO words (words, rank) VALUES ('merge', ?)", (MERGED_PAGES_MAX,))


def replace(db: Database, message_id: int) -> None:
    """The message has another text now."""
    if db.one("SELECT 1 FROM words WHERE rowid = ?", (message_id,)) is not None:
        remove(db, [message_id])
        _insert(db, _rows(db, message_id - 1, message_id))


def remove(db: Database, ids: Iterable[int]) -> None:
    """MUST be called wherever messages or their texts go away, in the same transaction."""
    db.run(
        "DELETE FROM words WHERE rowid IN (SELECT value FROM json_each(?))", (msgspec.json.encode(list(ids)).decode(),)
    )


def remove_of(db: Database, user_id: int) -> None:
    """All that the user wrote."""
    db.run(
        "DELETE FROM words WHERE rowid IN (SELECT id FROM messages WHERE user_id = ? AND text IS NOT NULL)", (user_id,)
    )


def _rows(db: Database, after: int, up_to: int) -> str:
    rows: str = db.value(_ROWS, (after, up_to))
    return spaced(rows)


def _insert(db: Database, rows: str) -> None:
    db.run(_INSERT, (rows,))


# ---- reading


def position(db: Database) -> tuple[int, int]:
    """Up to which id all is indexed, and the last id."""
    row = db.one("SELECT indexed, seq FROM state")
    assert row is not None
    return row[0], row[1]


def oldest(db: Database) -> int:
    """The id of the oldest message, 0 if there is none."""
    return db.value("SELECT min(id) FROM messages") or 0


def find(db: Database, match: str, below: int, limit: int) -> list[int]:
    """The ids of the indexed messages that the FTS5 expression matches, the newest first."""
    rows = db.all(
        "SELECT rowid FROM words WHERE words MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?", (match, below, limit)
    )
    return [row[0] for row in rows]


def find_unindexed(db: Database, match: str, after: int, below: int, limit: int) -> list[int]:
    """As `find`, of the messages with `after` < id < `below`, by an index of those alone."""
    rows = _rows(db, after, below - 1)
    if rows == "[]":
        return []
    own = Database(apsw.Connection(":memory:"))
    try:
        own.run(_TABLE)
        _insert(own, rows)
        return find(own, match, below, limit)
    finally:
        own.close()


def first_of_step(db: Database, after: int, below: int) -> int:
    """The lowest id above `after` of the last messages below an id that are no more than a step."""
    first: int | None = db.value(_FIRST_OF_STEP, (after, below, STEP_MESSAGES_MAX, STEP_TEXT_BYTES_MAX))
    return after + 1 if first is None else first
