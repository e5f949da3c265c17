"""The commands of private chats, the group `Chats` of the table. What `commands` says holds here too."""

from chat_server.protocol.arguments import Entrance, Room, RoomName, Topic, User
from chat_server.protocol.table import Command, command

__all__ = [
    "Approve",
    "CreateChat",
    "Decline",
    "Deny",
    "Give",
    "Invite",
    "InviteLink",
    "Join",
    "Leave",
    "Members",
    "Remove",
    "RevokeLink",
    "SetTopic",
]


@command(
    "create_chat",
    "create",
    group="Chats",
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
    seen_by_others=True,
    adds=True,
    usage={"chat": "<#chat>"},
    help="invites a user into a chat that you are in",
    example="/invite #team bob",
)
class Invite(Command, frozen=True, tag="invite"):
    chat: Room
    username: User


@command(
    "invite_link",
    group="Chats",
    seen_by_others=True,
    adds=True,
    usage={"chat": "<#chat>"},
    help="makes a code by which anybody may ask to be let in: /join <code>",
    example="/invite_link #team",
)
class InviteLink(Command, frozen=True, tag="invite_link"):
    chat: Room


@command(
    "revoke_link",
    group="Chats",
    usage={"chat": "<#chat>"},
    help="ends all codes of a chat",
    example="/revoke_link #team",
)
class RevokeLink(Command, frozen=True, tag="revoke_link"):
    chat: Room


@command(
    "join",
    group="Chats",
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
    usage={"chat": "<#chat>"},
    help="refuses an invitation",
    example="/decline #team",
)
class Decline(Command, frozen=True, tag="decline"):
    chat: Room


@command(
    "approve",
    group="Chats",
    seen_by_others=True,
    adds=True,
    usage={"chat": "<#chat>"},
    help="lets in who asked; for the owner",
    example="/approve #team carol",
)
class Approve(Command, frozen=True, tag="approve"):
    chat: Room
    username: User


@command(
    "deny",
    group="Chats",
    usage={"chat": "<#chat>"},
    help="refuses who asked; for the owner",
    example="/deny #team carol",
)
class Deny(Command, frozen=True, tag="deny"):
    chat: Room
    username: User


@command(
    "members",
    "names",
    group="Chats",
    usage={"chat": "<#chat>"},
    help="who is in a chat, who came first stands first; after a user, the next ones",
    example="/members #team",
)
class Members(Command, frozen=True, tag="members"):
    chat: Room
    after: User | None = None


@command(
    "leave",
    "part",
    group="Chats",
    usage={"chat": "<#chat>"},
    help="leaves a chat; the owner's goes to the longest member, and it ends with its last one",
    example="/leave #team",
)
class Leave(Command, frozen=True, tag="leave"):
    chat: Room


@command(
    "remove",
    group="Chats",
    usage={"chat": "<#chat>"},
    help="takes a member out of a chat; for the owner",
    example="/remove #team mallory",
)
class Remove(Command, frozen=True, tag="remove"):
    chat: Room
    username: User


@command(
    "give",
    group="Chats",
    usage={"chat": "<#chat>"},
    help="makes another member the owner of your chat",
    example="/give #team bob",
)
class Give(Command, frozen=True, tag="give"):
    chat: Room
    username: User


@command(
    "topic",
    group="Chats",
    seen_by_others=True,
    usage={"chat": "<#chat>"},
    help='what a chat is about: shows it, or sets it ("" takes it away)',
    example="/topic #team the autumn release",
)
class SetTopic(Command, frozen=True, tag="topic"):
    chat: Room
    text: Topic | None = None
