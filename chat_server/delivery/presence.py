"""Presence: who is online or away, and how often others are told of it."""

from collections.abc import Callable, Iterator

from chat_server.delivery.peers import ALONE, Peers, Present
from chat_server.protocol.people import PresenceChanged
from chat_server.runtime import Runtime

# How many changes of one user's presence others are told within this time; at its end they are told the last state.
PRESENCE_TOLD_MAX = 10
PRESENCE_SECONDS = 10.0


class PresenceTracker:
    """In a cluster each node tells its own sessions of the users of all nodes."""

    def __init__(self, runtime: Runtime, online_max: int, tell: Callable[[dict[int, PresenceChanged]], None]) -> None:
        """`tell` is called with what is new by user id, while at most `online_max` users are online."""
        self._runtime = runtime
        self.online_max = online_max
        self._tell = tell
        self.peers: Peers = ALONE
        self.online: dict[int, str] = {}  # the names of all who have a connection to any node, by user id
        self._here: dict[int, None] = {}  # those of them who have one to this node
        self._elsewhere: dict[int, set[str]] = {}  # the other nodes that have a connection of a user
        self._lost: dict[int, str] = {}  # the names of those who were online when this node was cut off
        self._away: dict[int, str] = {}  # why they are, of those online
        self._announced: dict[int, str] = {}  # who was told to be online, and why away ("" for who is not)
        self._changed: dict[int, str] = {}  # the names of those to be told of in this turn
        self._told_times: dict[int, int] = {}  # how often in these PRESENCE_SECONDS
        self._told_enough: dict[int, str] = {}  # who changed again after that
        self._is_put_off = False  # the server has too much to do

    # ---- this node

    def come(self, user_id: int, name: str, away: str | None) -> None:
        """The user has one more connection."""
        self._here[user_id] = None
        self.online[user_id] = name
        self.change(user_id, PresenceChanged(name, True, away))

    def go(self, user_id: int) -> bool:
        """The user's last connection to this node is gone. Return whether no node has one."""
        del self._here[user_id]
        name, is_gone = self.online[user_id], user_id not in self._elsewhere
        if is_gone:
            self._forget(user_id)
        self.peers.tell_presence(Present(user_id, name, online=False, is_noted=is_gone))
        return is_gone

    def change(self, user_id: int, now: PresenceChanged) -> None:
        """The user is away, or back."""
        if user_id not in self.online:
            return
        self._set_away(user_id, now.user, now.away)
        if user_id in self._here:
            self.peers.tell_presence(Present(user_id, now.user, now.away))

    def here(self) -> Iterator[Present]:
        """Those who have a connection to this node."""
        return (Present(user_id, self.online[user_id], self._away.get(user_id)) for user_id in self._here)

    # ---- the other nodes

    def is_elsewhere(self, user_id: int) -> bool:
        return user_id in self._elsewhere

    def come_elsewhere(self, node: str, user: Present) -> None:
        """The user has a connection to that node, and may be away or back."""
        user_id = user.user_id
        self._elsewhere.setdefault(user_id, set()).add(node)
        # Where the user is here, too, this node itself has executed what was said of being away.
        if user_id not in self._here:
            self.online[user_id] = user.name
            self._set_away(user_id, user.name, user.away)

    def go_elsewhere(self, node: str, user_id: int) -> bool:
        """The user has no connection to that node any more. Return whether no node has one."""
        nodes = self._elsewhere.get(user_id)
        if nodes is None or node not in nodes:
            return False
        nodes.remove(node)
        if nodes:
            return False
        del self._elsewhere[user_id]
        if user_id in self._here:
            return False
        self._forget(user_id)
        return True

    def lose_others(self) -> None:
        """Forget who is elsewhere, since this node is cut off. Nobody is told: they may all be there still.

        `miss` follows once the other nodes have been heard again.
        """
        for user_id in self._elsewhere:
            if user_id not in self._here:
                self._lost[user_id] = self.online.pop(user_id)
                self._away.pop(user_id, None)
        self._elsewhere.clear()

    def miss(self) -> list[int]:
        """Tell of those who have not been seen again since `lose_others`; return them."""
        lost, self._lost = self._lost, {}
        for user_id, name in lost.items():
            self._announce_soon(user_id, name)
        return [user_id for user_id in lost if user_id not in self.online]

    # ---- telling

    def put_off(self, put_off: bool) -> None:
        """Tell nothing for a while, and at its end what has become of all who came and went meanwhile."""
        self._is_put_off = put_off
        if not put_off:
            self._announce()

    def _forget(self, user_id: int) -> None:
        self._away.pop(user_id, None)
        self._announce_soon(user_id, self.online.pop(user_id))

    def _set_away(self, user_id: int, name: str, away: str | None) -> None:
        if away:
            self._away[user_id] = away
        else:
            self._away.pop(user_id, None)
        self._announce_soon(user_id, name)

    def _announce_soon(self, user_id: int, name: str) -> None:
        if not self._changed:
            self._runtime.call_soon(self._announce)
        self._changed[user_id] = name

    def _announce(self) -> None:
        """Tell of all changes of this turn at once; who came and went in it is not worth a word."""
        if self._is_put_off:
            return
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
        if events and len(self.online) <= self.online_max:
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
