"""Events into the state: what the server pushes, and what the connection tells of itself and of what was sent."""

from collections.abc import Callable
from typing import Any

from msgspec import structs

from chat_client.model.effects import Attention
from chat_client.model.feed import Feed
from chat_client.model.room import Room
from chat_client.model.screen import USERS_MAX, Screen
from chat_client.rows.cells import safe
from chat_client.rows.items import Pending, begin
from chat_client.rows.said import calls
from chat_client.states import AnyEvent, Connected, Connecting, Ended, Forgotten, Lost, Outgoing, Unknown
from chat_server.protocol.events import Ban, Event, Limit, Message, ReadMarker, Sent
from chat_server.protocol.times import iso

PENDING_PLACE = 1 << 62  # behind all messages
ATTENTION_SECONDS_MIN = 1.0  # between two


def handle(screen: Screen, event: AnyEvent, now: float) -> None:
    screen.now = now
    if isinstance(event, Message):
        message(screen, event)
    elif isinstance(event, Outgoing):
        outgoing(screen, event)
    elif isinstance(event, ReadMarker):
        if room := screen.rooms.get(event.chat):
            room.marked(event.id, screen.me)
    elif isinstance(event, Event):
        name, fields = (event.name, event.fields) if isinstance(event, Unknown) else _plain(event)
        if heard := _HEARD.get(name):
            heard(screen, fields)
        else:
            _note(screen, screen.open_name, in_words(name, fields))
    else:
        _connection(screen, event)


def _plain(event: Event) -> tuple[str, dict[str, Any]]:
    return str(event.__struct_config__.tag), structs.asdict(event)


def in_words(name: str, fields: dict[str, Any]) -> str:
    """What this client has no words of its own for: its fields as they are."""
    said = ", ".join(f"{key}: {_value(value)}" for key, value in fields.items())
    return f"{name.replace('_', ' ')}{': ' if said and name else ''}{said}"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "; ".join(_value(each) for each in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(each)}" for key, each in value.items())
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _note(screen: Screen, chat: str, text: str) -> None:
    screen.room(chat).feed.note("info", text, iso(int(screen.now * 1000)))


# ---- messages


def message(screen: Screen, message: Message) -> None:
    room = screen.room(message.chat)
    if screen.catching_up and not room.loaded:
        # What was missed: the numbers come with the sign-in, the messages when the chat is opened.
        if calls(message, screen.me) and message.id > room.read:
            room.calls.add(message.id)
        room.newest = max(room.newest, message.id)
        return
    watched = screen.focused and screen.view is None and room is screen.open and room.feed.anchor is None
    if room is screen.open and not watched and room.new_after is None and not room.unread and message.id > room.newest:
        room.new_after = room.newest
    is_new = room.heard(message, screen.me)
    screen.quotes.pop(message.id, None)
    _into_view(screen, message)
    if is_new and not screen.catching_up and not watched and not room.muted:
        _attend(screen, room, message)


def _into_view(screen: Screen, message: Message) -> None:
    view = screen.view
    if view is None:
        return
    if message.id in view.feed.said:
        view.feed.put(message)
    elif view.kind == "thread" and message.reply_to in view.feed.said:
        view.feed.extend([message])


def _attend(screen: Screen, room: Room, message: Message) -> None:
    if not (room.direct or calls(message, screen.me)):
        return
    if screen.now - screen.attended < ATTENTION_SECONDS_MIN:
        return
    screen.attended = screen.now
    where = "" if room.direct else f" in {room.name}"
    screen.do(Attention(safe(f"{message.from_}{where}"), safe(begin(message.text or ""))[:120]))


def outgoing(screen: Screen, event: Outgoing) -> None:
    """One's own message, as far as it has come."""
    reply_to = _number(event.arguments.get("id")) if event.verb == "reply" else None
    name = screen.keys.get(event.key) or _target(screen, event, reply_to)
    if event.verb == "send_delayed" or name is None:
        _delayed(screen, event)
        return
    room = screen.room(name)
    at = iso(int(event.since * 1000))
    if event.state in ("waiting", "held"):
        screen.keys[event.key] = name
        pending = room.feed.pending.get(event.key)
        if pending is None:
            place = (PENDING_PLACE, len(room.feed.pending))
            pending = Pending(place=place, at=at, key=event.key, text=event.text, state="waiting", reply_to=reply_to)
            room.feed.pending[event.key] = pending
        pending.state = "held" if event.state == "held" else "waiting"
        pending.cache = None
        return
    screen.keys.pop(event.key, None)
    room.feed.pending.pop(event.key, None)
    if event.state == "failed":
        why = str(event.error)
        room.feed.leave(event.key, event.text, at, why, reply_to)
        screen.tell("error", why)
        _refused(screen, event)
    elif event.state == "sent" and isinstance(event.reply, Sent):
        own = Message(
            id=event.reply.id, seq=event.reply.id, chat=name, from_=screen.me, at=event.reply.at, text=event.text,
            reply_to=reply_to,
        )  # fmt: skip
        room.heard(own, screen.me)
        _into_view(screen, own)
        room.marked(own.id if room.unread == 0 else 0, screen.me)
        _count(screen, name)


def _number(value: Any) -> int | None:
    digits = str(value).removeprefix("#")
    return int(digits) if digits.isdigit() else None


def _target(screen: Screen, event: Outgoing, reply_to: int | None) -> str | None:
    if reply_to is not None:
        answered = screen.message(reply_to)
        return answered.chat if answered else screen.open_name
    return event.target


def _delayed(screen: Screen, event: Outgoing) -> None:
    if event.state == "sent" and event.reply is not None:
        fields = structs.asdict(event.reply)
        due = str(fields.get("due", ""))
        _note(screen, screen.open_name, f"delayed message {fields.get('delayed_id')} goes out at {due}")
    elif event.state == "failed":
        screen.tell("error", str(event.error))


def _count(screen: Screen, name: str) -> None:
    """What is left of the limit in main, until the server says it again."""
    limit = screen.limits.get("main_messages")
    if name == "main" and limit is not None:
        if limit.used == 0:
            screen.ask("status")  # when it ends, only the server knows
        screen.limits["main_messages"] = structs.replace(limit, used=limit.used + 1)


def _refused(screen: Screen, event: Outgoing) -> None:
    code = getattr(event.error, "code", "")
    if code in ("rate_limited", "banned"):
        screen.ask("status")


# ---- events of the server


def _presence(screen: Screen, fields: dict[str, Any]) -> None:
    if fields["user"] in screen.users or len(screen.users) < USERS_MAX:
        screen.users[fields["user"]] = fields["online"]
    if fields.get("away"):
        screen.away[fields["user"]] = fields["away"]
    else:
        screen.away.pop(fields["user"], None)


def _banned(screen: Screen, fields: dict[str, Any]) -> None:
    screen.ban = Ban(until=fields["until"], reason=fields["reason"])
    _note(screen, screen.open_name, f"you are banned: {fields['reason']}; you can still read")


def _unbanned(screen: Screen, fields: dict[str, Any]) -> None:
    screen.ban = None
    _note(screen, screen.open_name, "your ban is over: you can write again")


def _delayed_sent(screen: Screen, fields: dict[str, Any]) -> None:
    screen.tell("done", f"your delayed message {fields['id']} was sent (#{fields['message_id']})")


def _delayed_failed(screen: Screen, fields: dict[str, Any]) -> None:
    _note(screen, screen.open_name, f"your delayed message {fields['id']} was not sent: {fields['code']}")


def _notice(screen: Screen, fields: dict[str, Any]) -> None:
    if fields.get("owner") and (room := screen.rooms.get(fields.get("chat") or "")):
        room.owner = fields["owner"]
    if not screen.catching_up:
        _note(screen, screen.open_name, fields["text"])


def _invited(screen: Screen, fields: dict[str, Any]) -> None:
    if fields["chat"] not in screen.invitations:
        screen.invitations.append(fields["chat"])
    text = f"{fields['by']} invites you to {fields['chat']}: /join {fields['chat']} or /decline {fields['chat']}"
    _note(screen, screen.open_name, text)
    screen.do(Attention("invitation", safe(f"{fields['by']} invites you to {fields['chat']}")))


def _join_request(screen: Screen, fields: dict[str, Any]) -> None:
    chat, user = fields["chat"], fields["user"]
    if (chat, user) not in screen.requests:
        screen.requests.append((chat, user))
    _note(screen, chat, f"{user} asks to join: /approve {chat} {user} or /deny {chat} {user}")


def _joined(screen: Screen, fields: dict[str, Any]) -> None:
    chat, user = fields["chat"], fields["user"]
    room = screen.room(chat)
    if room.members is not None and user not in room.members:
        room.members.append(user)
    screen.requests = [request for request in screen.requests if request != (chat, user)]
    screen.invitations = [name for name in screen.invitations if name != chat]
    if user == screen.me:
        _status_soon(screen)
    _note(screen, chat, f"{user} has joined {chat}")


def _left(screen: Screen, fields: dict[str, Any]) -> None:
    chat, user = fields["chat"], fields["user"]
    if user == screen.me:
        gone(screen, chat)
        screen.tell("info", f"you are no longer in {chat}")
    elif room := screen.rooms.get(chat):
        room.members = [member for member in room.members or [] if member != user]
        _note(screen, chat, f"{user} has left {chat}")


def gone(screen: Screen, chat: str) -> None:
    """The user is in this chat no more."""
    screen.rooms.pop(chat, None)
    if screen.open_name == chat:
        screen.open_name = "main"
        screen.view = screen.composing = None
        screen.load(screen.open)
    if screen.before_name == chat:
        screen.before_name = "main"


def _approved(screen: Screen, fields: dict[str, Any]) -> None:
    screen.room(fields["chat"])
    _status_soon(screen)
    _note(screen, screen.open_name, f"you are in {fields['chat']} now: /open {fields['chat']}")


def _denied(screen: Screen, fields: dict[str, Any]) -> None:
    _note(screen, screen.open_name, f"you were not let into {fields['chat']}")


def _topic(screen: Screen, fields: dict[str, Any]) -> None:
    room = screen.room(fields["chat"])
    room.topic = fields.get("topic") or None
    _note(screen, room.name, f"{fields.get('by', 'somebody')} sets the topic: {room.topic or 'none'}")


def _expired(screen: Screen, fields: dict[str, Any]) -> None:
    feeds: list[Feed] = [screen.view.feed] if screen.view else []
    if room := screen.rooms.get(fields["chat"]):
        feeds.append(room.feed)
        room.calls -= set(fields["ids"])
        own_read = [id for id in fields["ids"] if id > room.read]
        room.unread = max(0, room.unread - len(own_read))
    for feed in feeds:
        feed.remove(fields["ids"])


def _muted(screen: Screen, fields: dict[str, Any]) -> None:
    screen.room(fields["chat"]).muted = fields["muted"]


def _closing(screen: Screen, fields: dict[str, Any]) -> None:
    screen.tell("info", f"the server closes: {fields['reason']}")


def _status_soon(screen: Screen) -> None:
    screen.ask("status")


_HEARD: dict[str, Callable[[Screen, dict[str, Any]], None]] = {
    "presence": _presence,
    "banned": _banned,
    "unbanned": _unbanned,
    "delayed_sent": _delayed_sent,
    "delayed_failed": _delayed_failed,
    "notice": _notice,
    "invited": _invited,
    "join_request": _join_request,
    "joined": _joined,
    "left": _left,
    "approved": _approved,
    "denied": _denied,
    "topic": _topic,
    "expired": _expired,
    "muted": _muted,
    "closing": _closing,
}


# ---- the connection


def _connection(screen: Screen, event: Connecting | Connected | Lost | Ended | Forgotten) -> None:
    if isinstance(event, Forgotten):
        for room in screen.rooms.values():
            _unload(room)
        screen.quotes.clear()
        screen.view = screen.composing = None
        screen.tell("info", "the server was restored from an older copy: messages that you saw may be gone", 30.0)
        return
    screen.connection = event
    if isinstance(event, Connecting):
        screen.server = event.server
        screen.catching_up = True
    elif isinstance(event, Connected):
        _connected(screen, event)
    else:
        for room in screen.rooms.values():
            room.asked.clear()


def _unload(room: Room) -> None:
    room.feed.restart([])
    room.loaded = False
    room.new_after = None
    room.asked.clear()
    room.newest = 0


def _connected(screen: Screen, event: Connected) -> None:
    signed_in = event.signed_in
    screen.me, screen.server, screen.catching_up = signed_in.user, event.server, False
    screen.ban = signed_in.ban
    screen.invitations = [each.chat for each in signed_in.invitations]
    screen.requests = [(each.chat, each.user) for each in signed_in.join_requests]
    if not event.resumed:
        for room in screen.rooms.values():
            _unload(room)
    for chat in signed_in.chats:
        screen.room(chat.name).told(chat)
    screen.room("main")
    names = {chat.name for chat in signed_in.chats}
    for name in [name for name in screen.rooms if name.startswith("#") and name not in names]:
        gone(screen, name)
    room = screen.open
    if room.unread and room.new_after is None:
        room.new_after = room.read
    screen.load(room)
    screen.ask("status")


def load_limits(screen: Screen, limits: dict[str, Limit]) -> None:
    screen.limits = dict(limits)
