"""The replies of private chats. What `events` says holds here too."""

from chat_server.protocol.events import Reply


class ChatCreated(Reply, frozen=True, omit_defaults=True):
    chat: str


class UserInvited(Reply, frozen=True, omit_defaults=True):
    chat: str
    user: str


class LinkMade(Reply, frozen=True, omit_defaults=True):
    """`code` is put in for who asked alone: it stands neither in the log nor in the store."""

    chat: str
    code: str
    expires: str

    def __repr__(self) -> str:
        return f"LinkMade({self.chat!r})"


class LinksRevoked(Reply, frozen=True, omit_defaults=True):
    chat: str
    revoked: int


class Entering(Reply, frozen=True, omit_defaults=True):
    """The user is in the chat; or has asked and waits for the owner's word."""

    chat: str
    asked: bool = False


class InvitationDeclined(Reply, frozen=True, omit_defaults=True):
    chat: str


class RequestApproved(Reply, frozen=True, omit_defaults=True):
    chat: str
    user: str


class RequestDenied(Reply, frozen=True, omit_defaults=True):
    chat: str
    user: str


class MemberList(Reply, frozen=True, omit_defaults=True):
    """`more` is the command for the next ones."""

    chat: str
    owner: str
    members: list[str]
    more: str | None = None


class ChatLeft(Reply, frozen=True, omit_defaults=True):
    chat: str


class MemberRemoved(Reply, frozen=True, omit_defaults=True):
    chat: str
    user: str


class OwnerSet(Reply, frozen=True, omit_defaults=True):
    chat: str
    owner: str


class TopicShown(Reply, frozen=True, omit_defaults=True):
    """The topic as it is now; None if there is none."""

    chat: str
    topic: str | None = None
