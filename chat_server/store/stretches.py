"""Stretches of chats that many read: each is loaded once, and rendered once for each format.

500 people who come back to 1,000 unread messages in `main` read the same 1,000. A reader keeps the stretches that it
loaded last. What a stretch has is what the reader's snapshot has: the writer notes each message that it changes, with
the place of the batch in the log, and a reader drops what changed up to its snapshot before it looks at any stretch.
"""

from bisect import bisect_left, bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple

import apsw

from chat_server.log.stream import Position
from chat_server.protocol.formats import Format
from chat_server.protocol.messages import Message

# A stretch ends after so many messages or characters, whichever comes first. It is written as one line would be.
STRETCH_MESSAGES_MAX = 50
STRETCH_CHARS_MAX = 4096
# What one reader keeps.
KEPT_BYTES_MAX = 16 << 20
# The changes that are kept for readers. One who missed more drops everything.
CHANGES_KEPT = 2000
# What a message takes with its lines in both formats, besides its text (950 were measured with 60 letters); what a
# character takes, in ASCII and otherwise, and what a name.
_MESSAGE_BYTES, _ASCII_BYTES, _CHAR_BYTES, _NAME_BYTES = 800, 3, 12, 200

Rendering = tuple[str, bytes, list[int]]
"""A date, the lines of a stretch as they are on that date, and where each message begins in them."""


class Stretch:
    """Messages in the order in which they are shown. `authors` are the ids of theirs, `newest` their newest seq."""

    __slots__ = (
        "_renderings", "authors", "chars_before", "has_changes", "is_of_everyone", "keys", "messages", "newest",
    )  # fmt: skip

    def __init__(self, messages: list[Message], keys: list[int], authors: list[int]) -> None:
        """`keys`, ascending, are what the messages are sorted by."""
        self.messages = messages
        self.keys = keys
        self.authors = authors
        seqs = [message.seq for message in messages]
        self.newest = max(seqs, default=0)
        # Of messages that have changed the seq is not the id any more.
        self.has_changes = seqs != [message.id for message in messages]
        # How many characters there are before each message, and in all.
        self.chars_before = [0, *accumulate([len(message.text or "") for message in messages])]
        # Nobody can leave main, so that what was read of it may be shown at any time.
        self.is_of_everyone = {message.chat for message in messages} == {"main"}
        self._renderings: dict[Format, Rendering] = {}

    def __len__(self) -> int:
        return len(self.messages)

    @property
    def chars(self) -> int:
        return self.chars_before[-1]

    def whole(self) -> "Part":
        return Part(self, 0, len(self.messages))

    def between(self, after: int, up_to: int) -> "Part":
        """The part with `after` < key <= `up_to`."""
        return Part(self, bisect_right(self.keys, after), bisect_right(self.keys, up_to))

    def joined(self, other: "Stretch") -> "Stretch":
        """This one, and behind it the other."""
        return Stretch(self.messages + other.messages, self.keys + other.keys, self.authors + other.authors)

    def render(self, format: Format, now: str, start: int, stop: int) -> bytes:
        """The lines of the messages from `start` to before `stop`. Of `now` only the date is seen in them."""
        date = now[:10]
        rendering = self._renderings.get(format)
        if rendering is None or rendering[0] != date:
            lines = [format.event(message, now) for message in self.messages]
            rendering = self._renderings[format] = date, b"".join(lines), [0, *accumulate(map(len, lines))]
        _, all_lines, offsets = rendering
        return all_lines[offsets[start] : offsets[stop]]

    def estimate_bytes(self) -> int:
        """About what the stretch takes with its lines in both formats, rather more than less."""
        taken = _MESSAGE_BYTES * (len(self.messages) + 1)
        for message in self.messages:
            names = len(message.mentions or ()) + sum(map(len, (message.reactions or {}).values()))
            text = message.text or ""
            taken += (_ASCII_BYTES if text.isascii() else _CHAR_BYTES) * len(text) + _NAME_BYTES * names
        return taken


class Part:
    """The messages of a stretch from `start` to before `stop`; a page consists of parts.

    It copies nothing, since whoever comes back to rooms that took turns is shown each stretch in as many parts as it
    has messages. With copies 1,000 messages of 50 rooms took 106 thousand instructions a line, not 66.
    """

    __slots__ = ("start", "stop", "stretch")

    def __init__(self, stretch: Stretch, start: int, stop: int) -> None:
        self.stretch = stretch
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[Message]:
        return iter(self.stretch.messages[self.start : self.stop])

    @property
    def first_key(self) -> int:
        return self.stretch.keys[self.start]

    @property
    def last_key(self) -> int:
        return self.stretch.keys[self.stop - 1]

    @property
    def chars(self) -> int:
        return self.stretch.chars_before[self.stop] - self.stretch.chars_before[self.start]

    @property
    def newest(self) -> int:
        """The newest seq."""
        if len(self) == len(self.stretch):
            return self.stretch.newest
        return max([message.seq for message in self], default=0)

    @property
    def is_of_everyone(self) -> bool:
        """Whether it may be shown at any time."""
        return self.stretch.is_of_everyone

    def parts(self, is_in: Callable[[Message, int], bool]) -> Iterator["Part"]:
        """The parts that consist of messages, each with its author, for which the function says so."""
        start: int | None = None
        for at, message in enumerate(self, self.start):
            if not is_in(message, self.stretch.authors[at]):
                if start is not None:
                    yield Part(self.stretch, start, at)
                start = None
            elif start is None:
                start = at
        if start is not None:
            yield Part(self.stretch, start, self.stop)

    def first(self, messages: int, chars: int) -> "Part":
        """The first messages: at most so many, and up to the one with which there are so many characters."""
        before = self.stretch.chars_before
        stop = bisect_left(before, before[self.start] + chars, self.start + 1, self.stop)
        return Part(self.stretch, self.start, min(stop, self.start + messages))

    def cut(self, key: int) -> tuple["Part", "Part"]:
        """What is below a key, and the rest."""
        at = bisect_left(self.stretch.keys, key, self.start, self.stop)
        return Part(self.stretch, self.start, at), Part(self.stretch, at, self.stop)

    def render(self, format: Format, now: str) -> bytes:
        """See `Stretch.render`: all parts of a stretch are cut from the same lines."""
        return self.stretch.render(format, now, self.start, self.stop)


class ChangedMessages:
    """The messages that batches changed or removed after they were stored. The writer notes them; readers follow.

    A reader's snapshot has the batches up to a place in the log. A batch is on disk only after its changes are noted
    here, so whoever sees a batch finds its changes. A batch that was rolled back has noted too much, which is harmless.
    """

    def __init__(self) -> None:
        self._noted: deque[tuple[Position, int, int]] = deque(maxlen=CHANGES_KEPT)
        self.newest = Position(0, 0)
        # The place of the batch that is being executed.
        self.position = Position(0, 0)

    def watch(self, connection: apsw.Connection) -> None:
        """Have SQLite tell of each change, whichever statement makes it. New messages cost nothing."""
        connection.create_scalar_function("note_change", self._note, 2)
        connection.execute(
            """
            CREATE TEMP TRIGGER messages_change AFTER UPDATE ON main.messages BEGIN
                SELECT note_change(old.chat_id, old.id);
            END;
            CREATE TEMP TRIGGER messages_go AFTER DELETE ON main.messages BEGIN
                SELECT note_change(old.chat_id, old.id);
            END;
            -- Whoever is deleted is shown with none of the texts and reactions.
            CREATE TEMP TRIGGER users_change AFTER UPDATE OF name, deleted_ms ON main.users BEGIN
                SELECT note_change(0, 0);
            END;
            """
        )

    def _note(self, *message: Any) -> None:
        chat_id, message_id = message
        self._noted.append((self.position, chat_id, message_id))
        self.newest = self.position

    def between(self, after: Position, up_to: Position) -> list[tuple[int, int]] | None:
        """The chats and ids of what changed, chat 0 for everything; None if that is not known any more."""
        # A copy is made at once, while the writer may go on.
        noted = list(self._noted)
        if len(noted) == CHANGES_KEPT and noted[0][0] > after:
            return None
        return [(chat_id, id_) for position, chat_id, id_ in noted if after < position <= up_to]


class Gap(NamedTuple):
    """Where a new stretch should be: above the id `begin`, up to the id `end` if there is a next one.

    It goes on `before`, a short one that ends there, so that they do not become ever shorter.
    """

    begin: int
    before: Stretch | None
    end: int | None
    messages: int
    chars: int


class Stretches:
    """The stretches that one reader keeps: those used last, up to so many bytes."""

    def __init__(self, changes: ChangedMessages, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._changes = changes
        self._bytes_max = bytes_max
        # How far in the log the stretches are what the store has, and whether that is the reader's snapshot.
        self._position = Position(0, 0)
        self.is_current = False
        # By chat and the id above which they begin, the one that was used last at the end: its last id, and its bytes.
        self._kept: OrderedDict[tuple[int, int], tuple[int, Stretch, int]] = OrderedDict()
        self._begins: dict[int, list[int]] = {}
        self.bytes = 0

    def find(self, chat_id: int, after: int) -> tuple[int, Stretch] | None:
        """Find the stretch that goes on above this id, and up to which id it goes; it may begin before.

        `follow` MUST have been called for the snapshot.
        """
        begins = self._begins.get(chat_id, [])
        at = bisect_right(begins, after) - 1
        if at < 0 or (found := self._kept[chat_id, begins[at]])[0] <= after:
            return None
        self._kept.move_to_end((chat_id, begins[at]))
        return found[0], found[1]

    def find_gap(self, chat_id: int, after: int) -> "Gap":
        """Find where a new stretch should be that has what is above this id."""
        begins = self._begins.get(chat_id, [])
        at = bisect_right(begins, after)
        end = begins[at] if at < len(begins) else None
        if at:
            up_to, before, _ = self._kept[chat_id, begins[at - 1]]
            if up_to == after and len(before) < STRETCH_MESSAGES_MAX // 2 and before.chars < STRETCH_CHARS_MAX // 2:
                messages, chars = STRETCH_MESSAGES_MAX - len(before), STRETCH_CHARS_MAX - before.chars
                return Gap(begins[at - 1], before, end, messages, chars)
        return Gap(after, None, end, STRETCH_MESSAGES_MAX, STRETCH_CHARS_MAX)

    def keep(self, chat_id: int, after: int, up_to: int, stretch: Stretch) -> None:
        """Keep the stretch of all messages of the chat with `after` < id <= `up_to`."""
        taken = stretch.estimate_bytes()
        if taken > self._bytes_max:
            return
        self._drop(chat_id, after)
        begins = self._begins.setdefault(chat_id, [])
        begins.insert(bisect_left(begins, after), after)
        self._kept[chat_id, after] = up_to, stretch, taken
        self.bytes += taken
        while self.bytes > self._bytes_max:
            self._drop(*next(iter(self._kept)))

    def follow(self, position: Position) -> None:
        """Drop what has changed since the last snapshot; the reader's goes up to this place in the log."""
        before, self._position = self._position, position
        self.is_current = True
        if not self._kept or self._changes.newest <= before:
            return
        changed = self._changes.between(before, self._position)
        if changed is None or (0, 0) in changed:
            self._kept.clear()
            self._begins.clear()
            self.bytes = 0
            return
        for chat_id, message_id in changed:
            begins = self._begins.get(chat_id, [])
            at = bisect_left(begins, message_id) - 1
            if at >= 0 and self._kept[chat_id, begins[at]][0] >= message_id:
                self._drop(chat_id, begins[at])

    def _drop(self, chat_id: int, after: int) -> None:
        if (dropped := self._kept.pop((chat_id, after), None)) is not None:
            begins = self._begins[chat_id]
            del begins[bisect_left(begins, after)]
            if not begins:
                del self._begins[chat_id]
            self.bytes -= dropped[2]
