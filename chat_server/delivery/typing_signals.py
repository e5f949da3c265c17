"""Who types in which chat: told to those in it who watch, and kept nowhere."""

from collections.abc import Callable, Iterable

from chat_server.delivery.connections import Connections
from chat_server.delivery.memberships import Memberships
from chat_server.delivery.outbox import Outbox
from chat_server.delivery.presence import PresenceTracker
from chat_server.protocol.base import Event
from chat_server.protocol.people import TYPING_SECONDS, Typing
from chat_server.rules.typing_signals import TypingSignal
from chat_server.runtime import Clock

# Others are told at most this often that a user types, whatever the user's program says. In between they may be told
# once that it ended.
TOLD_SECONDS = 2.0


class TypingSignals:
    """In a cluster each node tells its own connections of the users of all nodes."""

    def __init__(
        self,
        clock: Clock,
        connections: Connections,
        memberships: Memberships,
        presence: PresenceTracker,
        tell_live: Callable[[Iterable[Outbox], Event], None],
    ) -> None:
        """`tell_live` is that of the fan-out."""
        self._clock = clock
        self._tell_live = tell_live
        self.is_put_off = False  # the server has too much to do
        self._connections = connections
        self._memberships = memberships
        self._presence = presence
        # When others were told last that a user types, by the user's id; the longest ago stands first.
        self._told: dict[int, float] = {}
        # Where each of them types, until others are told that it ended: a private chat's id, or minus the other user's.
        self._places: dict[int, int] = {}

    def tell(self, user_id: int, signal: TypingSignal) -> None:
        """A user of this node types, or does not any more."""
        if not self.is_put_off and signal.readers and self._is_worth_telling(user_id, signal):
            self.take(signal)
            self._presence.peers.tell_typing(signal)

    def _is_worth_telling(self, user_id: int, signal: TypingSignal) -> bool:
        now, place = self._clock.monotonic(), signal.room or -signal.readers[0]
        self._forget(now - TYPING_SECONDS)
        if not signal.typing:
            if self._places.get(user_id) != place:
                return False
            del self._places[user_id]
            return True
        if user_id in self._told and now - self._told[user_id] < TOLD_SECONDS:
            return False
        self._told.pop(user_id, None)
        self._told[user_id], self._places[user_id] = now, place
        return True

    def _forget(self, until: float) -> None:
        while self._told:
            user_id, told_at = next(iter(self._told.items()))
            if told_at > until:
                return
            del self._told[user_id]
            self._places.pop(user_id, None)

    def take(self, signal: TypingSignal) -> None:
        """Tell the connections to this node of a user of any node, as long as they are in the chat."""
        readers = [
            user_id for user_id in signal.readers if not signal.room or signal.room in self._memberships.rooms(user_id)
        ]
        outboxes = self._connections.outboxes_of(readers)
        event = Typing(signal.chat, signal.user, signal.typing)
        # Behind the reply to a command that takes long it would tell of who has stopped since.
        self._tell_live([outbox for outbox in outboxes if outbox.watches_typing and not outbox.holding], event)
