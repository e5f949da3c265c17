"""The messages that a user has missed, read page by page on a reader's thread."""

from chat_server.store import chats, message_pages, state
from chat_server.store.database import Database
from chat_server.store.message_pages import Pages, Range
from chat_server.store.stretches import Part


class MissedMessages:
    """The messages and changes with `start` < seq <= `stop` in all chats of one user.

    An outbox makes it and asks for its pages; the same object answers for all of them, always on the same reader, since
    a database connection belongs to one thread.
    """

    __slots__ = ("_changed", "_pages", "by_id", "is_read", "start", "stop", "store_seq", "user_id")

    def __init__(self, user_id: int, start: int, stop: int, *, by_id: bool) -> None:
        """`by_id`: in the order in which people read them; otherwise by seq, as programs do."""
        self.user_id = user_id
        self.start = start
        self.stop = stop
        self.by_id = by_id
        self.is_read = False  # no page is left
        self.store_seq = stop  # after the last page: how far the store had come when it was read
        self._pages: Pages | None = None
        # For people the changes to messages that had been shown before come behind the new messages; None from then on.
        self._changed: list[Range] | None = None

    def next_page(self, db: Database) -> list[Part]:
        """The next page, which may be empty; `is_read` tells whether it is the last one.

        Beside a busy `main` a connection that is behind misses a page with each batch. Another way to the reader's
        thread, to learn that no page follows, let the next batch come first: 250 sign-ins took 3,550 ways, not 129.
        """
        if self._pages is None:
            ranges = [Range(each.chat_id, each.name, self.start, self.stop) for each in chats.of_user(db, self.user_id)]
            if self.by_id:
                self._changed = [Range(each.chat_id, each.name, each.after, each.up_to) for each in ranges]
                self._pages = message_pages.load_new(db, ranges)
            else:
                self._pages = message_pages.load_new_and_changed(db, ranges)
        page = next(self._pages, [])
        if self.by_id and self._changed is None:
            page = self._shown_before(page)
        elif self._changed is not None and not self._pages.has_more:
            self._pages, self._changed = message_pages.load_changed(db, self._changed), None
            page = page or self._shown_before(next(self._pages, []))
        self.is_read = not self._pages.has_more
        if self.is_read:
            self.store_seq = state.load(db).seq
        return page

    def _shown_before(self, page: list[Part]) -> list[Part]:
        return [part for each in page for part in each.parts(lambda message, _: message.id <= self.start)]
