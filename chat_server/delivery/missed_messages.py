"""The messages that a user has missed, read page by page on a reader's thread."""

from collections.abc import Iterator

from chat_server.store import chats, message_pages, state
from chat_server.store.database import Database
from chat_server.store.message_pages import Range
from chat_server.store.stretches import Stretch


class MissedMessages:
    """The messages and changes with `start` < seq <= `stop` in all chats of one user.

    An outbox makes it and asks for its pages; the same object answers for all of them, always on the same reader, since
    a database connection belongs to one thread.
    """

    __slots__ = ("_pages", "by_id", "start", "stop", "store_seq", "user_id")

    def __init__(self, user_id: int, start: int, stop: int, *, by_id: bool) -> None:
        """`by_id`: in the order in which people read them; otherwise by seq, as programs do."""
        self.user_id = user_id
        self.start = start
        self.stop = stop
        self.by_id = by_id
        self.store_seq = stop  # after the last page: how far the store had come when it was read
        self._pages: Iterator[list[Stretch]] | None = None

    def next_page(self, db: Database) -> list[Stretch] | None:
        """None after the last page."""
        if self._pages is None:
            ranges = [Range(each.chat_id, each.name, self.start, self.stop) for each in chats.of_user(db, self.user_id)]
            self._pages = self._for_people(db, ranges) if self.by_id else message_pages.load_new_and_changed(db, ranges)
        page = next(self._pages, None)
        if page is None:
            self.store_seq = state.load(db).seq
        return page

    def _for_people(self, db: Database, ranges: list[Range]) -> Iterator[list[Stretch]]:
        """The new messages, then the changes to those that had been shown before."""
        changes = [Range(each.chat_id, each.name, each.after, each.up_to) for each in ranges]
        yield from message_pages.load_new(db, ranges)
        for page in message_pages.load_changed(db, changes):
            yield [part for each in page for part in each.parts(lambda message, _: message.id <= self.start)]
