"""The connections of one user to all nodes: their list, and what is logged to sign them out."""

from collections.abc import Callable

from msgspec.structs import replace

from chat_server.delivery.connections import SESSIONS_MAX, Connections
from chat_server.delivery.peers import SessionsElsewhere, UserSession
from chat_server.delivery.presence import PresenceTracker
from chat_server.errors import Refusal, not_done_refusal
from chat_server.log.entries import NO_SESSION, EndTokens
from chat_server.protocol.accounts import SignOut
from chat_server.protocol.connection import SessionList
from chat_server.protocol.people import ONLY_HERE

_NOBODY = SessionsElsewhere([], [])


class UserSessions:
    def __init__(self, connections: Connections, presence: PresenceTracker, ending: Callable[[int], list[int]]) -> None:
        """`ending` tells which of a user's connections to this node end with the batch that is being delivered."""
        self._connections = connections
        self._presence = presence
        self._ending = ending

    async def list(self, user_id: int, asking: int) -> SessionList:
        """List the user's connections; `asking` is the number of the one that asks."""
        elsewhere = await self._presence.peers.sessions_of(user_id)
        infos = [each.info for each in (*self._connections.sessions_of_user(user_id), *elsewhere.sessions)]
        infos.sort(key=lambda info: (info.since, info.session))  # whichever node is asked
        return SessionList(
            [replace(each, this=True) if each.session == asking else each for each in infos[:SESSIONS_MAX]],
            elsewhere.unanswered or None,
            self._note(elsewhere),
        )

    async def tokens(self, user_id: int) -> tuple[set[bytes], str | None]:
        """Return the tokens by which the user's connections came in, and a note if some connections are not known."""
        elsewhere = await self._presence.peers.sessions_of(user_id)
        known = (*self._connections.sessions_of_user(user_id), *elsewhere.sessions)
        return {each.token for each in known if each.token is not None}, self._note(elsewhere)

    def _note(self, elsewhere: SessionsElsewhere) -> str | None:
        if elsewhere.unanswered:
            return f"no answer from {_names(elsewhere)}: connections to {_it(elsewhere)} are missing here"
        return None if self._presence.peers.are_heard else ONLY_HERE

    async def to_end(self, user_id: int, asking: int, command: SignOut) -> tuple[EndTokens, Callable[[], int]]:
        """Return what is logged to sign out, and a function that counts the other connections that end by that.

        The function is called while the batch is delivered. Raises Refusal.
        """
        number = command.session.number if command.session else asking
        own = {each.info.session: each for each in self._connections.sessions_of_user(user_id)}
        is_elsewhere = self._presence.is_elsewhere(user_id) or number not in (None, *own)
        elsewhere = await self._presence.peers.sessions_of(user_id) if is_elsewhere else _NOBODY
        token = None
        if number is not None:
            token = self._find(number, own, elsewhere).token
        return self._with_count(user_id, asking, EndTokens(number, token), elsewhere)

    async def to_end_token(self, user_id: int, asking: int, token: bytes) -> tuple[EndTokens, Callable[[], int]]:
        """Return the same for one token of the user. Those that do not answer end its connections all the same."""
        elsewhere = await self._presence.peers.sessions_of(user_id)
        return self._with_count(user_id, asking, EndTokens(NO_SESSION, token), elsewhere)

    def _with_count(
        self, user_id: int, asking: int, end: EndTokens, elsewhere: SessionsElsewhere
    ) -> tuple[EndTokens, Callable[[], int]]:
        ended = [
            each
            for each in elsewhere.sessions
            if end.session in (None, each.info.session) or (end.token is not None and end.token == each.token)
        ]

        def count() -> int:
            return len(ended) + sum(each != asking for each in self._ending(user_id))

        return end, count

    def _find(self, number: int, own: dict[int, UserSession], elsewhere: SessionsElsewhere) -> UserSession:
        found = own | {each.info.session: each for each in elsewhere.sessions}
        if number in found:
            return found[number]
        if elsewhere.unanswered:
            raise not_done_refusal(
                f"no answer from {_names(elsewhere)}, and session {number} may be there; try again in a moment"
            )
        if not self._presence.peers.are_heard:
            raise not_done_refusal(f"{ONLY_HERE}, and session {number} is not; try again in a moment")
        raise Refusal("bad_argument", f"you have no session {number}; /sessions lists them")


def _names(elsewhere: SessionsElsewhere) -> str:
    return ", ".join(elsewhere.unanswered)


def _it(elsewhere: SessionsElsewhere) -> str:
    return "it" if len(elsewhere.unanswered) == 1 else "them"
