"""The search index, derived from the messages, in the machine's own database (see `local`).

Each block of ids has an FTS5 table of its own. So one look-up is short, whatever is searched for, and the words of
removed messages soon leave the pages. A table has two columns: `text`, and `scope`, whose words no user can write: who
may see the message, who wrote it, and in which chat. So FTS5 itself intersects the matches with what may be seen.

SQLite divides texts into words (`unicode61`, fixed at Unicode 6.1), so that no version of Python changes that. Before,
`normalize` folds spellings of the same word into one, and puts spaces around each character of scripts that are
written without spaces, since a run of letters is one word. Texts and queries are treated alike.
"""

import itertools
import re
from collections.abc import Iterator, Set

import apsw
import msgspec

from chat_server.protocol.word_folding import fold_alone, fold_words
from chat_server.store.database import Database, Row

# One step indexes no more, since it holds up the writer.
STEP_MESSAGES_MAX = 1000
STEP_TEXT_BYTES_MAX = 65_536
# Pages of the index that one step rewrites. With 64, a step held the writer up for 20 ms.
MERGED_PAGES_MAX = 16
# If the index lags behind by more ids, each batch advances it.
BEHIND_IDS_MAX = 32_768
# Ids in a block. FTS5 may look at so many to find nothing, and a removal rewrites so many.
BLOCK_IDS = 1 << 14
# A block that grows is written in so many segments before FTS5 merges some; it is rewritten as one when it is complete.
# Merged by fours, as FTS5 does by itself, each word was written three times over: a third of what indexing took.
SEGMENTS_MAX = 64

_TOKENIZER = ("unicode61", "remove_diacritics", "2", "categories", "L* M* N* Co")
# Prefixes of two and three letters are indexed too, since many words share them.
_TABLE = """CREATE VIRTUAL TABLE {0} USING fts5(text, scope, content='', contentless_delete=1, prefix='2 3',
    tokenize="unicode61 remove_diacritics 2 categories 'L* M* N* Co'")"""
# Thai, Lao, Tibetan, Burmese, Hangul, Khmer; kana, bopomofo and Han with their extensions and the half-width forms.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u318f"
    "\u31a0-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff]+"
)
# The stretches of Unicode of which `_Normalized` keeps what it has found out: nearly all that people write, and emojis.
_KEPT = (range(0x10000), range(0x1F000, 0x20000))
# No code point: `str.translate` refuses it with a `ValueError`.
_NOT_ALONE = -1

_ROWS = """SELECT m.id, m.text,
        'c' || m.chat_id || ' u' || m.user_id || coalesce(' s' || c.low_user || ' s' || c.high_user, '')
    FROM messages m JOIN chats c ON c.id = m.chat_id WHERE m.text IS NOT NULL AND """
_RANGE, _LISTED = "m.id > ? AND m.id <= ?", "m.id IN (SELECT value FROM json_each(?)) AND m.id <= ?"
# The id at which a step down from the end of a range ends; NULL if the step covers the whole range.
_FIRST_OF_STEP = """SELECT CASE WHEN count(*) = ?3 OR max(total) > ?4
        THEN coalesce(min(id) FILTER (WHERE total <= ?4), max(id)) END
    FROM (SELECT id, sum(size) OVER (ORDER BY id DESC) AS total FROM (
        SELECT id, coalesce(octet_length(text), 0) AS size FROM messages WHERE id > ?1 AND id < ?2
        ORDER BY id DESC LIMIT ?3))"""
_INSERT = "INSERT INTO {0} (rowid, text, scope) VALUES (?, ?, ?)"


class _Normalized(dict[int, str | int]):
    """What each character becomes, for `str.translate`: found out when it first occurs, in 7 µs.

    All 69,632 that are kept take 8 MB.
    """

    def __missing__(self, code: int) -> str | int:
        if not any(code in kept for kept in _KEPT):
            return _NOT_ALONE
        char = chr(code)
        folded = fold_alone(char)
        if folded is None:
            self[code] = _NOT_ALONE
        else:
            normal = _finish(folded)
            self[code] = code if normal == char else normal
        return self[code]


_NORMALIZED = _Normalized()


def space_out(text: str) -> str:
    """Put spaces around each character of a script that is written without spaces."""
    return text if text.isascii() else _UNSPACED.sub(lambda run: f" {'  '.join(run[0])} ", text)


def normalize(text: str) -> str:
    """Normalize a text for the index, or a query in the same way. The result has no quotes of FTS5's syntax."""
    if text.isascii():
        return text.lower().replace('"', " ")
    try:
        # One pass: 64 letters with accents, or Cyrillic ones, take 6 to 8 µs, where step by step they took 30.
        return text.translate(_NORMALIZED)
    except ValueError:
        return _finish(fold_words(text))


def _finish(folded: str) -> str:
    return space_out(folded).replace('"', " ")


def tokenize(db: Database, text: str) -> list[str]:
    """Return the words of a text as the index stores them."""
    tokenizer = db.connection.fts5_tokenizer(_TOKENIZER[0], list(_TOKENIZER[1:]))
    found = tokenizer(
        normalize(text).encode(), apsw.FTS5_TOKENIZE_QUERY, None, include_offsets=False, include_colocated=False
    )
    return [str(word) for word in found]


# ---- writing


def index_step(db: Database, after: int, newest: int) -> int:
    """Index the next messages after this id, as many as one step may. Return the id up to which all are indexed."""
    block = _block_of(after + 1)
    end = (block + 1) * BLOCK_IDS - 1
    rows: list[Row] = []
    size, up_to = 0, min(newest, end)
    for id, text, scope in db.rows(f"{_ROWS}{_RANGE} ORDER BY m.id LIMIT ?", (after, up_to, STEP_MESSAGES_MAX + 1)):
        size += len(text.encode())
        if rows and (size > STEP_TEXT_BYTES_MAX or len(rows) == STEP_MESSAGES_MAX):
            up_to = rows[-1][0]
            break
        rows.append((id, normalize(text), scope))
    _insert(db, block, rows)
    if up_to == end:
        _mark_stale(db, block)
    return up_to


def refresh(db: Database, ids: Set[int], indexed: int) -> None:
    """Bring the index up to date with messages whose texts were edited or removed. It covers ids up to `indexed`."""
    for block, some in itertools.groupby(sorted(ids), _block_of):
        if _has_table(db, block):
            listed = msgspec.json.encode(list(some)).decode()
            db.run(f"DELETE FROM {_table_of(block)} WHERE rowid IN (SELECT value FROM json_each(?))", (listed,))
            _mark_stale(db, block)
            _insert(db, block, _rows(db, _LISTED, (listed, indexed)))


def drop(db: Database) -> None:
    """Drop the whole index."""
    for (block,) in db.all("SELECT id FROM word_blocks"):
        db.run(f"DROP TABLE {_table_of(block)}")
    db.run("DELETE FROM word_blocks")
    db.unclean = True


def count_stale_blocks(db: Database) -> int:
    """Count the blocks that `tidy_step` has to work on."""
    count: int = db.value("SELECT count(*) FROM word_blocks WHERE stale OR merging")
    return count


def tidy_step(db: Database) -> None:
    """Take one step of rewriting a block without its removed words, as FTS5's documentation of `merge` describes."""
    row = db.one("SELECT id, merging FROM word_blocks WHERE stale OR merging ORDER BY merging DESC, id LIMIT 1")
    if row is None:
        return
    block, merging = row
    if not merging and _is_empty(db, block):
        db.run(f"DROP TABLE {_table_of(block)}")
        db.run("DELETE FROM word_blocks WHERE id = ?", (block,))
        db.unclean = True
        return
    before = db.connection.total_changes()
    pages = MERGED_PAGES_MAX if merging else -MERGED_PAGES_MAX
    db.run(f"INSERT INTO {_table_of(block)} ({_table_of(block)}, rank) VALUES ('merge', ?)", (pages,))
    if not merging:
        db.run("UPDATE word_blocks SET stale = 0, merging = 1 WHERE id = ?", (block,))
    elif db.connection.total_changes() - before < 2:
        db.run("UPDATE word_blocks SET merging = 0 WHERE id = ?", (block,))
        db.unclean = True


def _is_empty(db: Database, block: int) -> bool:
    """Tell whether all messages of the block are gone and no others will come."""
    indexed, _ = position(db)
    first, end = block * BLOCK_IDS, (block + 1) * BLOCK_IDS
    left = db.one("SELECT 1 FROM messages WHERE id >= ? AND id < ? AND text IS NOT NULL", (first, end))
    return end <= indexed and left is None


def _mark_stale(db: Database, block: int) -> None:
    """Have `tidy_step` rewrite the block, which is complete or has lost words.

    FTS5 MUST NOT merge by itself meanwhile: it did so at each write, for up to 0.6 s at once.
    """
    db.run("UPDATE word_blocks SET stale = 1 WHERE id = ? AND NOT stale", (block,))
    if db.connection.changes():
        _set_options(db, block, automerge=0, deletemerge=0)


def _rows(db: Database, which: str, bindings: Row) -> list[Row]:
    return [(id, normalize(text), scope) for id, text, scope in db.rows(_ROWS + which, bindings)]


def _insert(db: Database, block: int, rows: list[Row]) -> None:
    if not rows:
        return
    if not _has_table(db, block):
        db.run(_TABLE.format(_table_of(block)))
        db.run("INSERT INTO word_blocks (id) VALUES (?)", (block,))
        _set_options(db, block, automerge=0, crisismerge=SEGMENTS_MAX)
    db.run_for_each(_INSERT.format(_table_of(block)), rows)


def _set_options(db: Database, block: int, **options: int) -> None:
    for option, value in options.items():
        db.run(f"INSERT INTO {_table_of(block)} ({_table_of(block)}, rank) VALUES (?, ?)", (option, value))


def _block_of(message_id: int) -> int:
    return message_id // BLOCK_IDS


def _table_of(block: int) -> str:
    return f"folded_{block}"


def _has_table(db: Database, block: int) -> bool:
    return db.one("SELECT 1 FROM word_blocks WHERE id = ?", (block,)) is not None


# ---- reading


def position(db: Database) -> tuple[int, int]:
    """Return the id up to which all messages are indexed, and the last id that was given out."""
    row = db.one("SELECT indexed, seq FROM place, state")
    assert row is not None
    return row[0], row[1]


def find(db: Database, match: str, below: int, limit: int) -> Iterator[tuple[list[int], int]]:
    """Look for the FTS5 expression block by block, the newest first.

    Each block yields the ids of at most `limit` matches, the newest first, and the id below which the search goes on,
    0 after the last block.
    """
    rows = db.all(
        "SELECT id, id > min(id) OVER () FROM word_blocks WHERE id * ? < ? ORDER BY id DESC", (BLOCK_IDS, below)
    )
    for block, more in rows:
        yield _find(db, _table_of(block), match, below, limit), more and block * BLOCK_IDS


def find_unindexed(db: Database, match: str, after: int, below: int, limit: int) -> list[int]:
    """Find matches among the messages with `after` < id < `below` by a temporary index of these alone."""
    rows = _rows(db, _RANGE, (after, below - 1))
    if not rows:
        return []
    own = Database(apsw.Connection(":memory:"))
    try:
        own.run(_TABLE.format("words"))
        own.run_for_each(_INSERT.format("words"), rows)
        return _find(own, "words", match, below, limit)
    finally:
        own.close()


def _find(db: Database, table: str, match: str, below: int, limit: int) -> list[int]:
    sql = f"SELECT rowid FROM {table} WHERE {table} MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
    return [row[0] for row in db.all(sql, (match, below, limit))]


def first_of_step(db: Database, after: int, below: int) -> int:
    """Return where a step that ends below the id `below` begins: the lowest id above `after` that it still covers."""
    first: int | None = db.value(_FIRST_OF_STEP, (after, below, STEP_MESSAGES_MAX, STEP_TEXT_BYTES_MAX))
    return after + 1 if first is None else first
