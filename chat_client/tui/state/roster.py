"""The roster: users online and away, invitations, and requests to join."""

from collections.abc import Iterable

from msgspec import Struct, field

from chat_client.tui.state.chat_state import ChatState
from chat_client.tui.state.items import Offer
from chat_server.protocol.base import Event
from chat_server.protocol.people import PresenceChanged, StatusReport
from chat_server.protocol.rooms import Invitation, Invited, JoinRequest, PendingRequest

USERS_MAX = 2000


class Roster(Struct):
    """`online`: the users that are known, and whether each is online. `join_requests`: a chat, and who asks to join.
    `withdrawn`: what cannot be had any more, whose notes are to go."""

    online: dict[str, bool] = field(default_factory=dict)
    away: dict[str, str] = field(default_factory=dict)
    invitations: list[str] = field(default_factory=list)
    join_requests: list[tuple[str, str]] = field(default_factory=list)
    withdrawn: list[Offer] = field(default_factory=list)
    asked_at: float = float("-inf")  # when the client last asked for all of it, of `elapsed`

    def take_presence(self, event: PresenceChanged) -> None:
        if event.user in self.online or len(self.online) < USERS_MAX:
            self.online[event.user] = event.online
        if event.away and event.user in self.online:
            self.away[event.user] = event.away
        else:
            self.away.pop(event.user, None)

    def take_status(self, report: StatusReport) -> None:
        self.online = {**dict.fromkeys(report.active, True), **dict.fromkeys(report.inactive, False)}
        self.away = dict(report.away or {})
        self.take_requests(report.invitations, report.join_requests)

    def take_requests(self, invitations: Iterable[Invitation], join_requests: Iterable[PendingRequest]) -> None:
        before = self._offers()
        self.invitations = [each.chat for each in invitations]
        self.join_requests = [(each.chat, each.user) for each in join_requests]
        self.withdrawn += before - self._offers()

    def drop_invitation(self, chat: str) -> None:
        if chat in self.invitations:
            self.invitations.remove(chat)
            self.withdrawn.append(_invitation(chat))

    def drop_join_request(self, chat: str, user: str) -> None:
        if (chat, user) in self.join_requests:
            self.join_requests.remove((chat, user))
            self.withdrawn.append(_join_request(chat, user))

    def _offers(self) -> set[Offer]:
        return {*map(_invitation, self.invitations), *(_join_request(*request) for request in self.join_requests)}


def offer_of(event: Event) -> Offer | None:
    """What the note of an event says one may do, as long as that is so."""
    if isinstance(event, Invited):
        return _invitation(event.chat)
    return _join_request(event.chat, event.user) if isinstance(event, JoinRequest) else None


def _invitation(chat: str) -> Offer:
    return ("invitation", chat)


def _join_request(chat: str, user: str) -> Offer:
    return ("request", chat, user)


def recent_speakers(chats: Iterable[ChatState], me: str) -> list[str]:
    """Who else spoke in these, the last one first."""
    seen: dict[str, None] = {}
    for chat in chats:
        seen.update(dict.fromkeys(reversed(chat.speakers)))
    seen.pop(me, None)
    return list(seen)
