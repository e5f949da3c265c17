"""Delayed messages in the model (see `model`)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chat_server.protocol.messages import DelayedFailed, DelayedMessage, DelayedSent
from chat_server.protocol.times import iso
from tests.unit.rules.model_people import Refused
from tests.unit.rules.model_rooms import Room

if TYPE_CHECKING:
    from tests.unit.rules.model import User

DELAYED_MAX = 3
MAIN = "main"


@dataclass
class Delayed:
    id: int
    author: str
    target: str
    due_ms: int
    text: str
    room: Room | None = None


class Delays:
    """A mixin of `Model`."""

    if TYPE_CHECKING:
        now_ms: int
        offset_ms: int
        users: dict[str, User]

        def _refuse_banned(self, name: str) -> None: ...
        def _room(self, name: str, room: str) -> Room: ...
        def _other(self, name: str, target: str) -> User: ...
        def _refuse_blocked(self, name: str, other: str) -> None: ...
        def _apart(self, one: str, other: str) -> bool: ...
        def _main_free_ms(self, name: str) -> int: ...
        def _post(self, author: str, target: str, text: str, delayed: bool) -> int: ...

    def __init__(self) -> None:
        super().__init__()
        self.delayed: list[Delayed] = []
        self.delayed_ids = 0

    def send_delayed(self, author: str, target: str, delay_ms: int, text: str) -> int:
        self._refuse_banned(author)
        room = self._room(author, target) if target.startswith("#") else None
        if target != MAIN and not room:
            self._other(author, target)
            self._refuse_blocked(author, target)
        if sum(each.author == author for each in self.delayed) >= DELAYED_MAX:
            raise Refused("too_many")
        self.delayed_ids += 1
        self.delayed.append(Delayed(self.delayed_ids, author, target, self.now_ms + delay_ms, text, room))
        return self.delayed_ids

    def cancel(self, author: str, delayed_id: int) -> None:
        found = [each for each in self.delayed if (each.id, each.author) == (delayed_id, author)]
        if not found:
            raise Refused("unknown_delayed")
        self.delayed.remove(found[0])

    def send_due(self) -> None:
        for each in sorted(self.delayed, key=lambda each: (each.due_ms, each.id)):
            if each.due_ms <= self.now_ms:
                self._send_due(each)

    def _send_due(self, each: Delayed) -> None:
        author = self.users[each.author]
        if author.ban_until_ms > self.now_ms:
            each.due_ms = author.ban_until_ms
        elif each.target == MAIN and self._main_free_ms(each.author) > self.now_ms:
            each.due_ms = self._main_free_ms(each.author)
        else:
            self.delayed.remove(each)
            if each.room and each.author not in each.room.members:
                author.notices.append(DelayedFailed(each.id, "unknown_chat"))
            elif each.target != MAIN and not each.room and self.users[each.target].deleted:
                author.notices.append(DelayedFailed(each.id, "unknown_user"))
            elif each.target != MAIN and not each.room and self._apart(each.author, each.target):
                author.notices.append(DelayedFailed(each.id, "blocked"))
            else:
                sent = self._post(each.author, each.target, each.text, delayed=True)
                author.notices.append(DelayedSent(each.id, sent))

    def _earliest_ms(self, each: Delayed) -> int:
        """Return the earliest time of a message: not before the end of a ban, or of the limit in main."""
        free_ms = self._main_free_ms(each.author) if each.target == MAIN else 0
        return max(each.due_ms, self.users[each.author].ban_until_ms, free_ms)

    def waiting(self, name: str) -> list[DelayedMessage]:
        """Return the waiting messages, sorted by when they can be sent."""
        mine = [(self._earliest_ms(each), each.id, each) for each in self.delayed if each.author == name]
        return [
            DelayedMessage(
                each.id,
                each.target if each.target == MAIN or each.room else f"@{each.target}",
                iso(earliest_ms + self.offset_ms),
                each.text,
            )
            for earliest_ms, _, each in sorted(mine, key=lambda one: one[:2])
        ]
