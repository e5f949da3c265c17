"""The events of one's own confirmed commands, as the user's other connections get them. Pure.

The connection that changes something is told by its reply alone. With these events whoever listens has one way to learn
of a change, whoever made it: the full screen once learnt of its own edits by its replies, and showed the old text.
What the server pushes to nobody (an invitation that is declined, a block) stays a reply.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import Changed, MarkedRead, Message, MessagesShown, ReadMarker
from chat_server.protocol.people import AwaySet, Muted, MuteSet, PreferenceChanged, PreferenceSet, PresenceChanged
from chat_server.protocol.rooms import (
    ChatCreated,
    ChatLeft,
    Entering,
    Joined,
    Left,
    MemberRemoved,
    OwnerSet,
    RequestApproved,
    SlowModeChanged,
    SlowModeShown,
    TopicChanged,
    TopicShown,
)


def events(verb: str, arguments: Mapping[str, Any], lines: Sequence[Event], reply: Reply, me: str) -> list[Event]:
    """`lines` are those that the command returned before its reply. One's own messages are told by `Outgoing`."""
    match reply:
        case Changed(message=Message() as message):
            return [message]
        case MarkedRead(chat=chat, id=id):
            return [ReadMarker(chat, id)]
        case MessagesShown(chat=chat) if verb in ("messages", "get_chat_with"):  # they mark as read what they show
            return [ReadMarker(chat, line.id) for line in lines[-1:] if isinstance(line, Message)]
        case MuteSet(chat=chat, muted=muted):
            return [Muted(chat, muted)]
        case PreferenceSet(name=name, value=value):
            return [PreferenceChanged(name, value)]
        case AwaySet(away=away):
            return [PresenceChanged(me, True, away)]
        case ChatCreated(chat=chat) | Entering(chat=chat, asked=False):
            return [Joined(chat, me)]
        case RequestApproved(chat=chat, user=user):
            return [Joined(chat, user)]
        case ChatLeft(chat=chat):
            return [Left(chat, me)]
        case MemberRemoved(chat=chat, user=user):
            return [Left(chat, user, me)]
        case OwnerSet(chat=chat, owner=owner):
            return [Notice(f"{owner} owns {chat} now", chat=chat, owner=owner)]
        case TopicShown(chat=chat, topic=topic) if arguments.get("text") is not None:
            return [TopicChanged(chat, topic or "", me)]
        case SlowModeShown(chat=chat, seconds=seconds) if arguments.get("interval") is not None:
            return [SlowModeChanged(chat, seconds, me)]
    return []
