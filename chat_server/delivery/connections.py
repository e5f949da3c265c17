"""The connections by their numbers, and those of each user."""

from collections.abc import Iterable
from typing import Protocol

from chat_server.delivery.outbox import Outbox
from chat_server.delivery.peers import UserSession
from chat_server.errors import StartError
from chat_server.protocol.connection import SessionInfo
from chat_server.rules.executor import Outcome


class Receiver(Protocol):
    """Whoever has commands in the log and is told what came of them."""

    number: int

    def settle(self, outcome: Outcome) -> bytes:
        """Take the outcome of the command with the number of `entry.origin`; the reply's bytes for an outbox."""

    def settled(self) -> None:
        """All outcomes of the batch have been taken, and the replies written."""

    def abort(self) -> None:
        """Hang up at once."""


class UserConnection(Receiver, Protocol):
    """A receiver that can be a user's."""

    outbox: Outbox
    # The hash of the token that it came in by.
    token: bytes | None

    def describe(self) -> SessionInfo:
        """What its user is told of it."""

    def sign_out(self) -> None:
        """It is nobody's any more; the connection stays."""

    def close(self, code: str, reason: str) -> None:
        """Say why, then hang up."""


# Of one user on one node.
SESSIONS_MAX = 1000
# In a cluster the last three digits of a connection's number are those of its node.
NODES_MAX = 999


class Connections:
    def __init__(self) -> None:
        self._last_number = 0
        self._step = 1
        self._receivers: dict[int, Receiver] = {}
        self._outboxes: dict[int, Outbox] = {}
        # A user with one connection, as most have, has no dict for it, which would take 230 bytes.
        self._by_user: dict[int, UserConnection | dict[int, UserConnection]] = {}

    def number_for_node(self, node: int) -> None:
        """Give numbers that no other node of the cluster gives. `node` is this node's own number, from 1.

        Raises StartError.
        """
        if node > NODES_MAX:
            raise StartError(
                f"the cluster has had {NODES_MAX} nodes with names of their own, and connections of one more cannot be"
                " told apart: start it under the name of a node that is gone (--node NAME)"
            )
        assert not self._receivers
        self._last_number, self._step = node, NODES_MAX + 1

    def add(self, receiver: Receiver, outbox: Outbox | None) -> int:
        """A new connection; its number, which is never given again."""
        self._last_number += self._step
        self._receivers[self._last_number] = receiver
        if outbox is not None:
            self._outboxes[self._last_number] = outbox
        return self._last_number

    def remove(self, number: int) -> None:
        self._receivers.pop(number, None)
        self._outboxes.pop(number, None)

    def find(self, number: int) -> Receiver | None:
        return self._receivers.get(number)

    def outbox_of(self, number: int) -> Outbox | None:
        """Where the connection's replies are written, if anything is."""
        return self._outboxes.get(number)

    def attach(self, connection: UserConnection, user_id: int) -> None:
        known = self._by_user.get(user_id)
        if known is None:
            self._by_user[user_id] = connection
        elif isinstance(known, dict):
            known[connection.number] = connection
        else:
            self._by_user[user_id] = {known.number: known, connection.number: connection}

    def detach(self, connection: UserConnection, user_id: int) -> None:
        known = self._by_user[user_id]
        if isinstance(known, dict):
            del known[connection.number]
        if not isinstance(known, dict) or not known:
            del self._by_user[user_id]

    def has_user(self, user_id: int) -> bool:
        return user_id in self._by_user

    def has_other(self, user_id: int, number: int) -> bool:
        """Whether the user has a connection besides the one with this number."""
        known = self._by_user.get(user_id)
        if known is None:
            return False
        return len(known) > 1 or number not in known if isinstance(known, dict) else known.number != number

    def of_user(self, user_id: int) -> list[UserConnection]:
        """The user's connections, the oldest first."""
        known = self._by_user.get(user_id)
        if known is None:
            return []
        return list(known.values()) if isinstance(known, dict) else [known]

    def outboxes_of(self, user_ids: Iterable[int]) -> list[Outbox]:
        """Those of all connections of these users."""
        return [connection.outbox for user_id in user_ids for connection in self.of_user(user_id)]

    def find_of_user(self, user_id: int, number: int) -> UserConnection | None:
        known = self._by_user.get(user_id)
        if isinstance(known, dict):
            return known.get(number)
        return known if known is not None and known.number == number else None

    def tokens_of_user(self, user_id: int) -> Iterable[tuple[int, bytes | None]]:
        """The number of each of the user's connections, and the token that it came in by."""
        return [(each.number, each.token) for each in self.of_user(user_id)]

    def sessions_of_user(self, user_id: int) -> list[UserSession]:
        return [UserSession(each.describe(), each.token) for each in self.of_user(user_id)[:SESSIONS_MAX]]

    def tokens(self) -> list[bytes]:
        """The tokens by which users' connections came in; each once, in a defined order."""
        tokens = {each.token for user_id in self._by_user for each in self.of_user(user_id)}
        return sorted(token for token in tokens if token is not None)
