"""What a reply confirms, as the events that the user's other connections are pushed. Pure.

The connection that changes something is told by its reply alone. With these events whoever listens has one way to learn
of a change, whoever made it: the full screen once learnt of its own edits by its replies, and showed the old text.
What the server pushes to nobody (an invitation that is declined, a block) stays a reply.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chat_server.protocol import events as e
from chat_server.protocol.attention_replies import AwaySet, MuteSet
from chat_server.protocol.room_replies import (
    ChatCreated,
    ChatLeft,
    Entering,
    MemberRemoved,
    OwnerSet,
    RequestApproved,
    TopicShown,
)


def events(verb: str, arguments: Mapping[str, Any], lines: Sequence[e.Event], reply: e.Reply, me: str) -> list[e.Event]:
    """`lines` are those that the command returned before its reply. One's own messages are told by `Outgoing`."""
    match reply:
        case e.Changed(message=e.Message() as message):
            return [message]
        case e.MarkedRead(chat=chat, id=id):
            return [e.ReadMarker(chat, id)]
        case e.Page(chat=chat) if verb in ("messages", "get_chat_with"):  # they mark as read what they show
            return [e.ReadMarker(chat, line.id) for line in lines[-1:] if isinstance(line, e.Message)]
        case MuteSet(chat=chat, muted=muted):
            return [e.Muted(chat, muted)]
        case AwaySet(away=away):
            return [e.Presence(me, True, away)]
        case ChatCreated(chat=chat) | Entering(chat=chat, asked=False):
            return [e.Joined(chat, me)]
        case RequestApproved(chat=chat, user=user):
            return [e.Joined(chat, user)]
        case ChatLeft(chat=chat):
            return [e.Left(chat, me)]
        case MemberRemoved(chat=chat, user=user):
            return [e.Left(chat, user, me)]
        case OwnerSet(chat=chat, owner=owner):
            return [e.Notice(f"{owner} owns {chat} now", chat=chat, owner=owner)]
        case TopicShown(chat=chat, topic=topic) if arguments.get("text") is not None:
            return [e.TopicChanged(chat, topic or "", me)]
    return []
