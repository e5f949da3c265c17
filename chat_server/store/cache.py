"""The writer's cache: accounts, places of messages and unread chats, as they stand in the store.

It outlives a batch, so whoever goes on talking is not looked up again: three statements a message, 5 of the 15 µs that
a message between two people took to execute. It holds nothing of what is not there. Four rules keep it right:

- Whatever changes an account does so in `accounts.update`, which forgets the account.
- Whatever ends or changes a place for somebody calls `forget_places`: a member who leaves, a chat that ends, a block,
  the end of an account, slow mode. All places are forgotten then, since that is rare beside messages.
- Each message to a chat of two is noted with `chats.note_message`.
- Whatever is undone takes the whole cache with it.

Readers' threads have no cache.
"""

from typing import Any

# Of each kind. Beyond so many all are forgotten, which costs less than to know which were used last. 30,000 places take
# 15 MB; with 10,000 of them, talk in 15,000 chats of two took 9 of 100 µs a message more.
KEPT_MAX = 30_000


class Cache:
    """- `users`: accounts by id (see `accounts`).
    - `places`: where a user may write, by the user's id, and the kind and the folded name of the target.
    - `main_slow_ms`: the slow mode of main, None if it was not read yet.
    - `text_bytes`: how much the texts of users take at most (see `text_quota`).
    - `unread`: of users in many chats, the chats of two that may be unread, with their newest messages (see `chats`).
    """

    def __init__(self) -> None:
        self.users: dict[int, Any] = {}
        self.places: dict[tuple[int, str, str], Any] = {}
        self.main_slow_ms: int | None = None
        self.text_bytes: dict[int, int] = {}
        self.unread: dict[int, dict[int, int]] = {}

    def begin_batch(self) -> None:
        if len(self.unread) > KEPT_MAX:
            self.unread.clear()
        if len(self.text_bytes) > KEPT_MAX:
            self.text_bytes.clear()
        if len(self.users) > KEPT_MAX:
            self.users.clear()
        if len(self.places) > KEPT_MAX:
            self.places.clear()

    def forget_places(self) -> None:
        self.places.clear()
        self.main_slow_ms = None

    def forget(self) -> None:
        """Forget everything, since what was read may have been undone."""
        self.users.clear()
        self.forget_places()
        self.text_bytes.clear()
        self.unread.clear()
