"""Private chats: making them, inviting, joining, leaving, and who owns them."""

from msgspec import Struct

from chat_server.protocol.arguments import Entrance, Interval, RoomName, RoomTarget, SharedTarget, Topic, Username
from chat_server.protocol.base import Command, Event, Reply
from chat_server.protocol.table import command


class Invited(Event, frozen=True, tag="invited"):
    chat: str
    by: str


class JoinRequest(Event, frozen=True, tag="join_request"):
    chat: str
    user: str


class Joined(Event, frozen=True, tag="joined"):
    chat: str
    user: str


class Left(Event, frozen=True, tag="left"):
    """`by` is whoever removed the user, and None for a user who left."""

    chat: str
    user: str
    by: str | None = None


class Approved(Event, frozen=True, tag="approved"):
    chat: str


class Denied(Event, frozen=True, tag="denied"):
    chat: str


class TopicChanged(Event, frozen=True, tag="topic"):
    """An empty topic means that the chat has none any more."""

    chat: str
    topic: str
    by: str


class SlowModeChanged(Event, frozen=True, tag="slow_mode"):
    """The least time between two messages of one user there, in seconds; 0: none any more."""

    chat: str
    seconds: int
    by: str


class ChatInfo(Struct, frozen=True, omit_defaults=True):
    """One of the user's chats. `read` is the read marker, an id; one-to-one and private chats have `members`.

    `more` is the command that lists the members who are not in it. `slow_mode` has the seconds of one that is on.
    """

    name: str
    read: int
    unread: int
    muted: bool
    owner: str | None = None
    topic: str | None = None
    members: list[str] | None = None
    more: str | None = None
    slow_mode: int = 0


class Invitation(Struct, frozen=True):
    chat: str
    by: str


class PendingRequest(Struct, frozen=True):
    """Somebody asks to be let into one of the user's chats."""

    chat: str
    user: str


class ChatCreated(Reply, frozen=True, omit_defaults=True):
    chat: str


class UserInvited(Reply, frozen=True, omit_defaults=True):
    chat: str
    user: str


class LinkMade(Reply, frozen=True, omit_defaults=True):
    """Only whoever asked is told the `code`, which stands neither in the log nor in the store."""

    chat: str
    code: str
    expires: str

    def __repr__(self) -> str:
        return f"LinkMade({self.chat!r})"


class LinksRevoked(Reply, frozen=True, omit_defaults=True):
    chat: str
    revoked: int


class Entering(Reply, frozen=True, omit_defaults=True):
    """The user is in the chat or, if `asked`, waits for the owner to decide."""

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
    """`more` is the command that lists the next members."""

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
    """The current topic; None if the chat has none."""

    chat: str
    topic: str | None = None


class SlowModeShown(Reply, frozen=True, omit_defaults=True):
    """The current slow mode; 0 for none. `seconds` is always there."""

    chat: str
    seconds: int


# ---- commands


@command(
    "create_chat",
    "create",
    group="Chats",
    reply=ChatCreated,
    runs="logged",
    seen_by_others=True,
    adds=True,
    usage={"name": "<#name>"},
    help="makes a private chat, which is yours",
    example="/create_chat #team",
)
class CreateChat(Command, frozen=True, tag="create_chat"):
    name: RoomName


@command(
    "invite",
    group="Chats",
    reply=UserInvited,
    runs="logged",
    seen_by_others=True,
    adds=True,
    usage={"chat": "<#chat>"},
    fills="chat",
    help="invites a user into a chat that you are in",
    example="/invite #team bob",
)
class Invite(Command, frozen=True, tag="invite"):
    chat: RoomTarget
    username: Username


@command(
    "invite_link",
    group="Chats",
    reply=LinkMade,
    runs="prepared",
    seen_by_others=True,
    adds=True,
    usage={"chat": "<#chat>"},
    fills="chat",
    help="makes a code by which anybody may ask to be let in: /join <code>",
    example="/invite_link #team",
)
class InviteLink(Command, frozen=True, tag="invite_link"):
    chat: RoomTarget


@command(
    "revoke_link",
    group="Chats",
    reply=LinksRevoked,
    runs="logged",
    usage={"chat": "<#chat>"},
    fills="chat",
    help="ends all codes of a chat",
    example="/revoke_link #team",
)
class RevokeLink(Command, frozen=True, tag="revoke_link"):
    chat: RoomTarget


@command(
    "join",
    group="Chats",
    reply=Entering,
    runs="prepared",
    seen_by_others=True,
    adds=True,
    usage={"chat": "<#chat|code>"},
    also={"chat": "code"},
    help="accepts an invitation; with a code, asks the owner to be let in",
    example="/join #team",
)
class Join(Command, frozen=True, tag="join"):
    chat: Entrance


@command(
    "decline",
    group="Chats",
    reply=InvitationDeclined,
    runs="logged",
    usage={"chat": "<#chat>"},
    help="refuses an invitation",
    example="/decline #team",
)
class Decline(Command, frozen=True, tag="decline"):
    chat: RoomTarget


@command(
    "approve",
    group="Chats",
    reply=RequestApproved,
    runs="logged",
    seen_by_others=True,
    adds=True,
    usage={"chat": "<#chat>"},
    fills="chat",
    help="lets in a user who asked; for the owner",
    example="/approve #team carol",
)
class Approve(Command, frozen=True, tag="approve"):
    chat: RoomTarget
    username: Username


@command(
    "deny",
    group="Chats",
    reply=RequestDenied,
    runs="logged",
    usage={"chat": "<#chat>"},
    fills="chat",
    help="refuses a user who asked; for the owner",
    example="/deny #team carol",
)
class Deny(Command, frozen=True, tag="deny"):
    chat: RoomTarget
    username: Username


@command(
    "members",
    "names",
    group="Chats",
    reply=MemberList,
    runs="reading",
    usage={"chat": "<#chat>"},
    fills="chat",
    help="who is in a chat, in the order in which they came; after a user, the next ones",
    example="/members #team",
)
class Members(Command, frozen=True, tag="members"):
    chat: RoomTarget
    after: Username | None = None


@command(
    "leave",
    "part",
    group="Chats",
    reply=ChatLeft,
    runs="logged",
    usage={"chat": "<#chat>"},
    asks="chat",
    help="leaves a chat; an owner's goes to the longest member, and it ends with its last member",
    example="/leave #team",
)
class Leave(Command, frozen=True, tag="leave"):
    chat: RoomTarget


@command(
    "remove",
    group="Chats",
    reply=MemberRemoved,
    runs="logged",
    usage={"chat": "<#chat>"},
    fills="chat",
    help="takes a member out of a chat; for the owner",
    example="/remove #team mallory",
)
class Remove(Command, frozen=True, tag="remove"):
    chat: RoomTarget
    username: Username


@command(
    "give",
    group="Chats",
    reply=OwnerSet,
    runs="logged",
    usage={"chat": "<#chat>"},
    fills="chat",
    help="makes another member the owner of your chat",
    example="/give #team bob",
)
class Give(Command, frozen=True, tag="give"):
    chat: RoomTarget
    username: Username


@command(
    "topic",
    group="Chats",
    reply=TopicShown,
    runs="logged",
    seen_by_others=True,
    usage={"chat": "<#chat>"},
    fills="chat",
    help='what a chat is about: shows it, or sets it ("" takes it away)',
    example="/topic #team the autumn release",
)
class SetTopic(Command, frozen=True, tag="topic"):
    chat: RoomTarget
    text: Topic | None = None


@command(
    "slow_mode",
    "slow",
    group="Chats",
    reply=SlowModeShown,
    runs="logged",
    seen_by_others=True,
    usage={"chat": "<#chat|main>", "interval": "[30s|off]"},
    fills="chat",
    help="how long each person waits between two messages in a chat: shows it; owner and operators set it",
    example="/slow_mode #team 30s",
)
class SetSlowMode(Command, frozen=True, tag="slow_mode"):
    chat: SharedTarget
    interval: Interval | None = None
