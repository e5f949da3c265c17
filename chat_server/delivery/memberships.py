"""The private chats of connected users, as of the outcome that is being routed.

A user's chats come with the sign-in (`Entered`) and change with each `MembershipChange`, both in the order of the
log. The store is ahead of that and MUST NOT be asked.
"""

from collections.abc import Collection, Set

from chat_server.rules.outcomes import Entered, MembershipChange

# Most users are in no private chat, and a set of its own takes 216 bytes.
_NONE: frozenset[int] = frozenset()


class Memberships:
    def __init__(self) -> None:
        self._rooms: dict[int, frozenset[int]] = {}
        # In the order in which they came here, so that writes to them have a defined order.
        self._users: dict[int, dict[int, None]] = {}

    def enter(self, entered: Entered) -> None:
        """A user signed in; on a second connection this says nothing new."""
        if entered.user_id not in self._rooms:
            self._rooms[entered.user_id] = frozenset(entered.rooms) if entered.rooms else _NONE
            for room in entered.rooms:
                self._users.setdefault(room, {})[entered.user_id] = None

    def change(self, change: MembershipChange) -> None:
        """Users without a connection are not tracked."""
        if change.user_id not in self._rooms:
            return
        if change.came:
            self._add(change.user_id, change.room)
        else:
            self._take(change.user_id, change.room)

    def forget(self, user_id: int) -> None:
        """The user's last connection is gone."""
        for room in self._rooms.pop(user_id, _NONE):
            self._drop(user_id, room)

    def rooms(self, user_id: int) -> Set[int]:
        return self._rooms.get(user_id, _NONE)

    def users(self, room: int) -> Collection[int]:
        return self._users.get(room, ())

    def _add(self, user_id: int, room: int) -> None:
        self._rooms[user_id] |= {room}
        self._users.setdefault(room, {})[user_id] = None

    def _take(self, user_id: int, room: int) -> None:
        if room in self._rooms[user_id]:
            self._rooms[user_id] -= {room}
            self._drop(user_id, room)

    def _drop(self, user_id: int, room: int) -> None:
        users = self._users[room]
        del users[user_id]
        if not users:
            del self._users[room]
