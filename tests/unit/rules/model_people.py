"""Reports, bans, blocks and operators in the model (see `model`)."""

import re
from typing import TYPE_CHECKING

from chat_server.protocol.times import iso
from tests.unit.fakes import DAY_MS

if TYPE_CHECKING:
    from tests.unit.rules.model import Chat, Message, User
    from tests.unit.rules.model_delayed import Delayed

OPERATOR = "anna"
REPORTS_TO_BAN, BAN_MS = 2, 3_600_000
REPORTS_PER_DAY = 4


class Refused(Exception):
    """Raised with the code of a refusal."""


class People:
    """A mixin of `Model`."""

    if TYPE_CHECKING:
        now_ms: int
        offset_ms: int
        users: dict[str, User]
        messages: list[Message]
        delayed: list[Delayed]

        def _alive(self, name: str) -> User: ...
        def _other(self, name: str, target: str) -> User: ...
        def end_between(self, one: str, other: str) -> None: ...

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[tuple[str, str, int, bool]] = []  # by whom, whom, when, counted
        self.acts: list[tuple[str, str]] = []  # what the operator did, and to whom

    # ---- reports and bans

    def report(self, reporter: str, target: str) -> int:
        self._alive(reporter)
        user = self._other(reporter, target)
        if any((by, whom) == (reporter, target) for by, whom, _, _ in self.reports):
            raise Refused("already_reported")
        if sum(by == reporter and at_ms > self.now_ms - DAY_MS for by, _, at_ms, _ in self.reports) >= REPORTS_PER_DAY:
            raise Refused("too_many")
        counts = target != OPERATOR and user.ban_until_ms <= self.now_ms
        self.reports.append((reporter, target, self.now_ms, counts))
        count = sum(whom == target and at_ms >= user.ban_until_ms and it for _, whom, at_ms, it in self.reports)
        if counts and count >= REPORTS_TO_BAN:
            user.ban_until_ms = self.now_ms + BAN_MS
        return count

    def ban(self, name: str, target: str, duration_ms: int) -> str:
        """Ban a user. Return until when."""
        self._refuse_non_operators(name)
        self._other(name, target)
        self._end_ban_at(target, self.now_ms + duration_ms)
        self.acts.append(("ban", target))
        return iso(self.now_ms + self.offset_ms + duration_ms)

    def unban(self, name: str, target: str) -> bool:
        """Unban a user. Return whether there was a ban."""
        self._refuse_non_operators(name)
        if self._other(name, target).ban_until_ms <= self.now_ms:
            return False
        self._end_ban_at(target, self.now_ms)
        self.acts.append(("unban", target))
        return True

    def _end_ban_at(self, target: str, until_ms: int) -> None:
        """Set the end of a ban. Messages that wait for the old end wait for the new one."""
        user = self.users[target]
        for each in self.delayed:
            if (each.author, each.due_ms) == (target, user.ban_until_ms):
                each.due_ms = until_ms
        user.ban_until_ms = until_ms

    def banned_until(self, name: str) -> str | None:
        until_ms = self.users[name].ban_until_ms
        return iso(until_ms + self.offset_ms) if until_ms > self.now_ms else None

    def _refuse_banned(self, name: str) -> None:
        if self._alive(name).ban_until_ms > self.now_ms:
            raise Refused("banned")

    def _refuse_non_operators(self, name: str) -> None:
        if name != OPERATOR:
            raise Refused("forbidden")

    def _find_any(self, id_: int) -> "Message":
        """Find a message of any chat, for the operator to delete."""
        for message in self.messages:
            if message.id == id_ and message.text is not None:
                if message.author != OPERATOR:
                    self.acts.append(("delete", message.author))
                return message
        raise Refused("unknown_message")

    # ---- blocks and mentions

    def block(self, name: str, other: str) -> str:
        user = self._alive(name)
        self._other(name, other)
        user.blocked.add(other)
        self.end_between(name, other)
        return other

    def unblock(self, name: str, other: str) -> str:
        user = self._alive(name)
        if other not in self.users:
            raise Refused("unknown_user")
        if other == name:
            raise Refused("not_yourself")
        user.blocked.discard(other)
        return other

    def _apart(self, one: str, other: str) -> bool:
        return other in self.users[one].blocked or one in self.users[other].blocked

    def _refuse_blocked(self, name: str, other: str) -> None:
        if self._apart(name, other):
            raise Refused("blocked")

    def _find_mentioned(self, author: str, chat: "Chat", text: str) -> list[str] | None:
        """Find the users whom the text names who are in the chat and have not blocked the author."""
        users = {name: user for name, user in self.users.items() if not user.deleted}
        named = [(name, users[name]) for name in re.findall(r"@(\w+)", text) if name in users]
        called = [name for name, user in named if chat in user.markers and author not in user.blocked]
        return called if named else None
