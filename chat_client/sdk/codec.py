"""Lines of the wire to typed values, and commands to lines. Pure.

A newer server may say more than this client knows: unknown fields are ignored, an unknown event is `Unknown`, a reply
without a class here is `OtherReply`. MUST NOT raise for any line.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.json import Decoder, Encoder

from chat_client.sdk import clock
from chat_client.sdk.errors import UNCERTAIN, Refused
from chat_client.sdk.events import OtherReply, Unknown
from chat_client.sdk.local_time import local_text
from chat_server.protocol import attention_replies, file_replies, operator_replies, room_replies
from chat_server.protocol import events as e

# The class of each verb's reply.
REPLIES: dict[str, type[e.Reply]] = {
    "sign_in": e.SignedIn,
    "resume": e.SignedIn,
    "sign_out": e.SignedOut,
    "password": e.PasswordSet,
    "delete_account": e.AccountDeleted,
    "send_all": e.Sent,
    "send": e.Sent,
    "reply": e.Sent,
    "edit": e.Changed,
    "delete": e.Changed,
    "react": e.Changed,
    "unreact": e.Changed,
    "talk": e.Talking,
    "send_delayed": e.DelayedSet,
    "cancel_delayed": e.DelayedCancelled,
    "delayed": e.DelayedList,
    "send_file": file_replies.Upload,
    "chunk": file_replies.Upload,
    "cancel_upload": file_replies.UploadCancelled,
    "get_chat_with": e.Page,
    "messages": e.Page,
    "history": e.Page,
    "thread": e.Thread,
    "search": e.Found,
    "read": e.MarkedRead,
    "mute": attention_replies.MuteSet,
    "unmute": attention_replies.MuteSet,
    "get_file": file_replies.FileSent,
    "files": file_replies.FileList,
    "create_chat": room_replies.ChatCreated,
    "invite": room_replies.UserInvited,
    "invite_link": room_replies.LinkMade,
    "revoke_link": room_replies.LinksRevoked,
    "join": room_replies.Entering,
    "decline": room_replies.InvitationDeclined,
    "approve": room_replies.RequestApproved,
    "deny": room_replies.RequestDenied,
    "members": room_replies.MemberList,
    "leave": room_replies.ChatLeft,
    "remove": room_replies.MemberRemoved,
    "give": room_replies.OwnerSet,
    "topic": room_replies.TopicShown,
    "status": e.StatusReport,
    "who": e.WhoReport,
    "away": attention_replies.AwaySet,
    "block": attention_replies.BlockSet,
    "unblock": attention_replies.BlockSet,
    "blocked": attention_replies.BlockList,
    "report": e.Reported,
    "presence": e.PresenceSet,
    "help": e.HelpText,
    "format": e.FormatSet,
    "ping": e.Pong,
    "sessions": e.SessionList,
    "quit": e.Goodbye,
    "ban": operator_replies.UserBanned,
    "unban": operator_replies.UserUnbanned,
    "kick": operator_replies.Kicked,
    "reports": operator_replies.ReportList,
    "announce": operator_replies.Announced,
    "stats": operator_replies.Stats,
}


class _Head(Struct):
    type: str
    re: str = ""
    label: str | None = None


class Line(Struct, frozen=True):
    """A decoded line: an event, or the reply or the refusal that ends a command. `label` as it stands on the line."""

    what: e.Event | e.Reply | Refused
    label: str | None = None


_head = Decoder(_Head).decode
_fields = Decoder(dict[str, Any]).decode
_event: Callable[[bytes], e.Event] = Decoder(e.AnyEvent).decode
_replies = {verb: Decoder(reply).decode for verb, reply in REPLIES.items()}
_events = {each.__struct_config__.tag for each in e.AnyEvent.__args__}
_encode = Encoder().encode


def decode(line: bytes) -> Line | None:
    """None for what is no JSON line of the protocol, like the greeting."""
    try:
        head = _head(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    match head.type:
        case "ok":
            return Line(_reply(head.re, line), head.label)
        case "error":
            return Line(_refused(line), head.label)
    return Line(_known_event(line) if head.type in _events else _unknown(head.type, line), head.label)


def _reply(verb: str, line: bytes) -> e.Reply:
    if verb in _replies:
        try:
            return _replies[verb](line)
        except msgspec.ValidationError:
            pass
    return OtherReply(_rest(line, "type", "re", "label"))


def _refused(line: bytes) -> Refused:
    fields = _rest(line, "type", "re", "label")
    code, text = str(fields.pop("code", "internal")), str(fields.pop("text", ""))
    refused = Refused(code, local_text(text, fields, clock.now()), fields)
    if refused.code not in UNCERTAIN:
        return refused
    known = "it is not known whether it was done" if refused.done is None else "nothing was done"
    return refused if known in refused.text else Refused(refused.code, f"{refused.text}; {known}", fields)


def _known_event(line: bytes) -> e.Event:
    try:
        return _event(line)
    except msgspec.ValidationError as error:
        return _unknown(str(_fields(line)["type"]), line, str(error))


def _unknown(name: str, line: bytes, _why: str = "") -> Unknown:
    return Unknown(name, _rest(line, "type", "label"))


def _rest(line: bytes, *without: str) -> dict[str, Any]:
    return {name: value for name, value in _fields(line).items() if name not in without}


def encode(verb: str, arguments: Mapping[str, Any], label: str) -> bytes:
    """A command as a line; arguments that are None are left out."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return _encode({"cmd": verb, **given, "label": label}) + b"\n"
