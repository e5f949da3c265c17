"""Events and replies as lines for people. The first characters of a line tell its kind:

    `+ ` done    `- ` refused    `[` a message    `* ` an event    two spaces: an item    four and `| `: more of a text
    `= ` bytes of a file in base64

MUST NOT let a text of a user begin a line: every line break in one is followed by the continuation mark.
`now` is the time in ISO 8601, UTC; another day's times carry their date.
"""

from collections.abc import Callable
from typing import Any

from chat_server.errors import Refusal
from chat_server.protocol import events as e
from chat_server.protocol.text_replies import REPLIES, file_told
from chat_server.protocol.times import clock_time, until_told

_CONTINUED = "\n    | "


def event(event: e.Event, now: str) -> bytes:
    """The event's line or lines; nothing for what a person has no use for."""
    if type(event) is e.Message:
        return _message(event, now)
    if type(event) is e.FileChunk:
        head = f"* file {event.file.id} {event.file.name} {event.file.size}\n" if event.file else ""
        return f"{head}= {event.data}\n".encode() if event.data else head.encode()
    words = _EVENTS[type(event)](event, now)
    return b"" if words is None else f"* {_indented(words)}\n".encode()


def reply(reply: e.Reply, label: str | None, now: str) -> bytes:
    """The items that the reply lists, then the reply."""
    if type(reply) is e.Sent and label is None:
        return b"+ sent #%d\n" % reply.id
    items, words = REPLIES[type(reply)](reply, now)
    mark = "+" if label is None else f"+ @{label}"
    return "".join([*(f"  {_indented(item)}\n" for item in items), f"{mark} {_indented(words)}\n"]).encode()


def refusal(refusal: Refusal, label: str | None) -> bytes:
    mark = "-" if label is None else f"- @{label}"
    return f"{mark} {refusal.code}: {_indented(refusal.text)}\n".encode()


def _indented(words: str) -> str:
    return words.replace("\n", _CONTINUED)


def _marks(message: e.Message) -> str:
    """What is to be known of a message besides its text."""
    if (
        message.reply_to is None
        and message.edited is None
        and message.file is None
        and not message.delayed
        and not message.reactions
    ):
        return ""
    words = [
        file_told(message.file) if message.file and message.text != message.file.name else "",
        f"on #{message.reply_to}" if message.reply_to else "",
        "edited" if message.edited else "",
        "delayed" if message.delayed else "",
        *(f"{emoji} {' '.join(names)}" for emoji, names in (message.reactions or {}).items()),
    ]
    return "".join(f" ({word})" for word in words if word)


def _message(message: e.Message, now: str) -> bytes:
    chat, sender = message.chat, message.from_
    if chat[0] != "@":
        where = f"{chat} {sender}"
    elif chat[1:] == sender:
        where = chat
    else:
        where = f"to {chat}"
    first = "(deleted)" if message.deleted else message.text or ""
    if message.file is not None and message.text == message.file.name:
        first = file_told(message.file)
    more = ""
    if "\n" in first:
        first, *parts = first.split("\n")
        more = "".join([f"    | {part}\n" for part in parts])
    return f"[{clock_time(message.at, now)}] {where}: {first}{_marks(message)} (#{message.id})\n{more}".encode()


_WHY_NOT = {
    "unknown_user": "its receiver is gone (unknown_user)",
    "unknown_chat": "you are no longer in its chat (unknown_chat)",
}
_EVENTS: dict[type[e.Event], Callable[[Any, str], str | None]] = {
    e.Presence: lambda event, now: (
        f"{event.user} is away: {event.away}"
        if event.away
        else f"{event.user} is {'online' if event.online else 'offline'}"
    ),
    e.QuietMessage: lambda event, now: None,
    # A person's own other windows: what was read there is no news here.
    e.ReadMarker: lambda event, now: None,
    e.Muted: lambda event, now: f"{event.chat} is {'muted now' if event.muted else 'no longer muted'}",
    e.Banned: lambda event, now: f"you are banned {until_told(event.until, now)}: {event.reason}; you can still read",
    e.Unbanned: lambda event, now: "your ban is over: you can write again",
    e.DelayedSent: lambda event, now: f"your delayed message {event.id} was sent (#{event.message_id})",
    e.DelayedFailed: lambda event, now: (
        f"your delayed message {event.id} was not sent: {_WHY_NOT.get(event.code, event.code)}"
    ),
    e.Invited: lambda event, now: (
        f"{event.by} invites you to {event.chat}; /join {event.chat} accepts, /decline {event.chat} refuses"
    ),
    e.JoinRequest: lambda event, now: (
        f"{event.user} asks to join {event.chat}; /approve {event.chat} {event.user} lets them in,"
        f" /deny {event.chat} {event.user} refuses"
    ),
    e.Joined: lambda event, now: f"{event.user} joined {event.chat}",
    e.Left: lambda event, now: (
        f"{event.by} removed {event.user} from {event.chat}" if event.by else f"{event.user} left {event.chat}"
    ),
    e.Approved: lambda event, now: (
        f"you are in {event.chat} now, its owner let you in; /history {event.chat} shows what was said"
    ),
    e.Denied: lambda event, now: f"the owner of {event.chat} does not let you in",
    e.TopicChanged: lambda event, now: (
        f"{event.by} set the topic of {event.chat}: {event.topic}"
        if event.topic
        else f"{event.by} took the topic of {event.chat} away"
    ),
    # What was read long ago scrolls away by itself.
    e.Expired: lambda event, now: None,
    e.Notice: lambda event, now: f"announcement by {event.by}: {event.text}" if event.by else event.text,
    e.Closing: lambda event, now: f"closing: {event.reason}",
    e.Act: lambda event, now: " ".join(
        filter(None, (event.at, event.who, event.act, event.whom, event.why and f"({event.why})"))
    ),
    e.Record: lambda event, now: f"{event.kind}: {', '.join(f'{name} {value}' for name, value in event.data.items())}",
}
