"""The port to the other nodes of a cluster: what a node tells and asks them; a lone node has none."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from msgspec import Struct

from chat_server.protocol.connection import SessionInfo
from chat_server.rules.typing_signals import TypingSignal


class Present(Struct, frozen=True, array_like=True):
    """A user of a node, as it tells the others.

    Where the user went, `is_noted` says that the node logs the departure, since it knows of no other connection.
    """

    user_id: int
    name: str
    away: str | None = None
    online: bool = True
    is_noted: bool = False


class UserSession(Struct, frozen=True):
    """One connection of a user, and the hash of the token that it came in by."""

    info: SessionInfo
    token: bytes | None


class SessionsElsewhere(NamedTuple):
    """A user's connections to other nodes, and the nodes that did not answer in time."""

    sessions: list[UserSession]
    unanswered: list[str]


class Peers(Protocol):
    @property
    def are_heard(self) -> bool:
        """Whether this node hears the others, so that it knows who is connected to them."""

    def tell_presence(self, user: Present) -> None:
        """Tell the others that a user of this node came, went, or is away or back."""

    def tell_typing(self, signal: TypingSignal) -> None:
        """Tell the others that a user of this node types; what is lost is not told again."""

    async def sessions_of(self, user_id: int) -> SessionsElsewhere: ...

    def statistics(self) -> Mapping[str, Mapping[str, int]]:
        """What the nodes count, this one too, by their names; nothing without a cluster."""

    def leave(self) -> None:
        """Say that this node is stopping: its users are gone, and one of the others logs that."""


class _NoPeers:
    are_heard = True

    def tell_presence(self, user: Present) -> None:
        pass

    def tell_typing(self, signal: TypingSignal) -> None:
        pass

    async def sessions_of(self, user_id: int) -> SessionsElsewhere:
        return SessionsElsewhere([], [])

    def statistics(self) -> Mapping[str, Mapping[str, int]]:
        return {}

    def leave(self) -> None:
        pass


ALONE: Peers = _NoPeers()
