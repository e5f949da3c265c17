"""Presence: who is online or away, and how often others are told of it."""

from collections.abc import Callable

from chat_server.protocol.people import PresenceChanged
from chat_server.runtime import Runtime

# Of one user's coming, going and being away others are told so often within so long, and then the state at its end.
PRESENCE_TOLD_MAX = 10
PRESENCE_SECONDS = 10.0


class PresenceTracker:
    def __init__(self, runtime: Runtime, online_max: int, tell: Callable[[dict[int, PresenceChanged]], None]) -> None:
        """`tell` is called with what is new by user id, while at most `online_max` users are online."""
        self._runtime = runtime
        self._online_max = online_max
        self._tell = tell
        self.online: dict[int, str] = {}  # the names of all who have a connection, by user id
        self._away: dict[int, str] = {}  # why they are, of those online
        self._announced: dict[int, str] = {}  # who was told to be online, and why away ("" for who is not)
        self._changed: dict[int, str] = {}  # the names of those to be told of in this turn
        self._told_times: dict[int, int] = {}  # how often in these PRESENCE_SECONDS
        self._told_enough: dict[int, str] = {}  # who changed again after that

    def come(self, user_id: int, name: str, away: str | None) -> None:
        """The user has one more connection."""
        self.online[user_id] = name
        self.change(user_id, PresenceChanged(name, True, away))

    def go(self, user_id: int) -> None:
        """The user's last connection is gone."""
        self._away.pop(user_id, None)
        self._announce_soon(user_id, self.online.pop(user_id))

    def change(self, user_id: int, now: PresenceChanged) -> None:
        """The user is away, or back."""
        if user_id not in self.online:
            return
        if now.away:
            self._away[user_id] = now.away
        else:
            self._away.pop(user_id, None)
        self._announce_soon(user_id, now.user)

    def _announce_soon(self, user_id: int, name: str) -> None:
        if not self._changed:
            self._runtime.call_soon(self._announce)
        self._changed[user_id] = name

    def _announce(self) -> None:
        """Tell of all changes of this turn at once; who came and went in it is not worth a word."""
        changed, self._changed = self._changed, {}
        events: dict[int, PresenceChanged] = {}
        for user_id, name in changed.items():
            now = self._away.get(user_id, "") if user_id in self.online else None
            if now == self._announced.get(user_id):
                continue
            if not self._may_tell_of(user_id):
                self._told_enough[user_id] = name
                continue
            if now is None:
                del self._announced[user_id]
            else:
                self._announced[user_id] = now
            events[user_id] = PresenceChanged(name, now is not None, now or None)
        if events and len(self.online) <= self._online_max:
            self._tell(events)

    def _may_tell_of(self, user_id: int) -> bool:
        """A user who changes all the time would cost all the others a line each time."""
        if not self._told_times:
            self._runtime.call_later(PRESENCE_SECONDS, self._begin_anew)
        times = self._told_times[user_id] = self._told_times.get(user_id, 0) + 1
        return times <= PRESENCE_TOLD_MAX

    def _begin_anew(self) -> None:
        self._told_times.clear()
        self._changed = self._told_enough | self._changed
        self._told_enough = {}
        self._announce()
