"""Pages of the messages that a user has missed, merged over all of the user's chats.

A page ends after `PAGE_MESSAGES_MAX` messages or about `PAGE_TEXT_CHARS_MAX` characters, whichever comes first, so that
a slow reader holds only so much. It consists of parts of stretches; the stretches of chats that many read are shared
(see `stretches`).
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heapreplace, merge
from itertools import islice
from operator import itemgetter

from msgspec import Struct

from chat_server.log.stream import Position
from chat_server.protocol.arguments import ID_MAX
from chat_server.store.database import Database, Row
from chat_server.store.messages import SELECT, to_messages
from chat_server.store.stretches import Part, Stretch, Stretches

PAGE_MESSAGES_MAX = 200
PAGE_TEXT_CHARS_MAX = 24_576
# Messages that nobody shares are made of rows so many at a time.
ROWS_AT_ONCE = 25

_NEW = SELECT + "m.chat_id = ?1 AND m.id > ?2 AND m.id <= ?3 AND m.user_id <> ?4 ORDER BY m.id"
_UNCHANGED = SELECT + "m.chat_id = ?1 AND m.id > ?2 AND m.id <= ?3 AND m.seq = m.id ORDER BY m.id"
_CHANGED = SELECT + "m.chat_id = ?1 AND m.seq > ?2 AND m.seq <= ?3 AND m.seq <> m.id ORDER BY m.seq"
# People are told in one line that an account was deleted, and not message by message.
_CHANGED_BY_PEOPLE = _CHANGED.replace("ORDER", "AND a.deleted_ms IS NULL ORDER")
_STRETCH = SELECT + "m.chat_id = ? AND m.id > ? AND m.id <= ? ORDER BY m.id LIMIT ?"
_ANY = "SELECT 1 FROM messages WHERE chat_id = ? AND id > ? AND id <= ? LIMIT 1"
_BY_ID, _BY_SEQ = 0, 1


class Range(Struct):
    """The messages of one chat with `after` < id (or seq) <= `up_to`. `name` is the chat's as the reader sees it."""

    chat_id: int
    name: str
    after: int
    up_to: int

    @property
    def is_shared(self) -> bool:
        """Whether more than two read the chat. All of them see the same messages under the same name."""
        return not self.name.startswith("@")


def load_new(db: Database, ranges: Iterable[Range], *, not_by: int = 0) -> "Pages":
    """Load pages of the messages of all these chats by id, in their newest state, except for those of one author."""

    def shared(each: Range) -> Iterator[Part]:
        for part in _parts(db, each):
            if not_by in part.stretch.authors:
                yield from part.parts(lambda _, author: author != not_by)
            else:
                yield part

    return Pages(db, ranges, _BY_ID, (not_by,), own=(_NEW,), beside=(), shared=shared)


def load_changed(db: Database, ranges: Iterable[Range]) -> "Pages":
    """Load pages of the messages that changed in these ranges of seq, sorted by seq, as people are told of them."""
    return Pages(db, ranges, _BY_SEQ, (), own=(_CHANGED_BY_PEOPLE,))


def load_new_and_changed(db: Database, ranges: Iterable[Range]) -> "Pages":
    """Load pages of all messages that are new or changed in these ranges of seq, sorted by seq, for programs."""

    def shared(each: Range) -> Iterator[Part]:
        for part in _parts(db, each):
            if part.stretch.has_changes:
                yield from part.parts(lambda message, _: message.seq == message.id)
            else:
                yield part

    return Pages(db, ranges, _BY_SEQ, (), own=(_UNCHANGED, _CHANGED), beside=(_CHANGED,), shared=shared)


class Pages(Iterator[list[Part]]):
    """Pages of what is in some ranges.

    It is read by the statements `own`. What is shared comes from `shared`, and by the statements `beside`.
    """

    def __init__(
        self,
        db: Database,
        ranges: Iterable[Range],
        key: int,
        bindings: Row,
        *,
        own: tuple[str, ...],
        beside: tuple[str, ...] = (),
        shared: Callable[[Range], Iterator[Part]] | None = None,
    ) -> None:
        """`key` is the column that the messages are sorted by."""
        self._db = db
        self._key = key
        self._bindings = bindings
        self._own = own
        self._beside = beside
        self._shared = shared if db.stretches is not None else None
        # Chats with nothing in range are left out first, since a user may have hundreds of them.
        self._ranges = [each for each in ranges if any(next(self._rows(sql, each), None) for sql in own)]
        self._names = {each.chat_id: each.name for each in self._ranges}

    def _rows(self, sql: str, each: Range) -> Iterator[Row]:
        return iter(self._db.rows(sql, (each.chat_id, each.after, each.up_to, *self._bindings)))

    @property
    def has_more(self) -> bool:
        """Whether there may be another page."""
        return bool(self._ranges)

    def __next__(self) -> list[Part]:
        while self._ranges:
            if page := self._load():
                return page
        raise StopIteration

    def _load(self) -> list[Part]:
        """Load one page. All statements end with it, so that no snapshot is held between two pages."""
        page: list[Part] = []
        count = chars = 0
        for part in _merge(self._sources()):
            fitting = part.first(PAGE_MESSAGES_MAX - count, PAGE_TEXT_CHARS_MAX - chars)
            page.append(fitting)
            count += len(fitting)
            chars += fitting.chars
            if count >= PAGE_MESSAGES_MAX or chars >= PAGE_TEXT_CHARS_MAX:
                break
        else:
            self._ranges = []
        for each in self._ranges:
            each.after = page[-1].last_key
        return page

    def _sources(self) -> Iterator[Iterator[Part]]:
        rows = []
        for each in self._ranges:
            is_shared = self._shared is not None and each.is_shared
            if self._shared is not None and each.is_shared:
                yield self._shared(each)
            rows += [self._rows(sql, each) for sql in (self._beside if is_shared else self._own)]
        if rows:
            yield self._from_rows(merge(*rows, key=itemgetter(self._key)))

    def _from_rows(self, rows: Iterator[Row]) -> Iterator[Part]:
        while taken := list(islice(rows, ROWS_AT_ONCE)):
            yield _stretch(self._db, taken, self._names, self._key).whole()


def _merge(sources: Iterable[Iterator[Part]]) -> Iterator[Part]:
    """Merge parts, each source's in the order of their keys, cutting them where another source goes on."""
    heads = [(part.first_key, at, part, each) for at, each in enumerate(sources) if (part := next(each, None))]
    heapify(heads)
    while heads:
        _, at, part, source = heads[0]
        if len(heads) == 1:
            yield part
            rest = None
        else:
            # Keys are unique; the other heads are the next two in the heap.
            below, rest = part.cut(min(heads[1:3])[0])
            yield below
        rest = rest or next(source, None)
        if rest is None:
            heappop(heads)
        else:
            heapreplace(heads, (rest.first_key, at, rest, source))


def _parts(db: Database, each: Range) -> Iterator[Part]:
    """Find or load what is in a range of ids of a shared chat, in the state of the reader's snapshot."""
    kept = db.stretches
    assert kept is not None
    if not kept.is_current:
        row = db.one("SELECT stream, sequence FROM state")
        assert row is not None
        kept.follow(Position(*row))
    after = each.after
    while after < each.up_to:
        found = kept.find(each.chat_id, after) or _load_stretch(db, kept, each, after)
        if found is None:
            return
        up_to, stretch = found
        if part := stretch.between(after, each.up_to):
            yield part
        after = up_to


def _load_stretch(db: Database, kept: Stretches, each: Range, after: int) -> tuple[int, Stretch] | None:
    """Load what follows this id, and keep it for others; None if nothing of the range does."""
    if not db.value(_ANY, (each.chat_id, after, each.up_to)):
        return None
    begin, before, end, messages_left, chars_left = kept.find_gap(each.chat_id, after)
    taken: list[Row] = []
    for row in db.rows(_STRETCH, (each.chat_id, after, ID_MAX if end is None else end, messages_left)):
        taken.append(row)
        chars_left -= len(row[5] or "")
        if chars_left <= 0:
            break
    if end is None or len(taken) == messages_left or chars_left <= 0:
        end = taken[-1][0]
    stretch = _stretch(db, taken, {each.chat_id: each.name}, _BY_ID)
    if before is not None:
        stretch = before.joined(stretch)
    kept.keep(each.chat_id, begin, end, stretch)
    return end, stretch


def _stretch(db: Database, rows: list[Row], names: dict[int, str], key: int) -> Stretch:
    return Stretch(to_messages(db, rows, names), [row[key] for row in rows], [row[-1] for row in rows])
