"""Events into the state: what the server pushes, and what the connection tells of itself and of what was sent."""

from collections.abc import Callable
from typing import Any

from msgspec import structs

from chat_client.common.cells import safe
from chat_client.common.mentions import APART_SECONDS_MIN, calls, mentions, notification
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import AnyEvent, Connected, Connecting, Ended, Forgotten, Lost, Outgoing, TokenNotKept
from chat_client.tui.render.items import Pending
from chat_client.tui.state import words
from chat_client.tui.state.effects import Attention
from chat_client.tui.state.feed import Feed
from chat_client.tui.state.screen import USERS_MAX, Screen
from chat_server.protocol.accounts import ActiveBan, Banned, Unbanned
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Closing, Notice
from chat_server.protocol.files import Upload
from chat_server.protocol.messages import DelayedSent, Expired, Message, ReadMarker, Sent
from chat_server.protocol.people import Limit, Muted, PresenceChanged
from chat_server.protocol.rooms import Approved, Invited, Joined, JoinRequest, Left, TopicChanged
from chat_server.protocol.times import iso

PENDING_PLACE = 1 << 62  # behind all messages
OVER = "the connection has ended: Ctrl-D leaves, a new start signs in"


Words = tuple[str, str] | None  # the chat in which it is told, and the words


def handle(screen: Screen, event: AnyEvent, now: float, answered: bool = False) -> None:
    """`answered`: the user's own command has caused it here, and its answer tells it in words."""
    screen.now = now
    if isinstance(event, Message):
        message(screen, event)
    elif isinstance(event, Outgoing):
        outgoing(screen, event)
    elif isinstance(event, TokenNotKept):
        # Over the line: the first page of the chat, which comes now, would take a note away.
        screen.tell("error", event.told, 30.0)
    elif isinstance(event, Event):
        heard = _HEARD.get(type(event), _other)
        told = heard(screen, event)
        if told is not None and told[1] and not answered:
            _note(screen, *told)
    else:
        _connection(screen, event)


def _in_words(screen: Screen, chat: str, event: Event) -> Words:
    """The server's own."""
    return chat, words.of_event(event, screen.now)


def _other(screen: Screen, event: Event) -> Words:
    return _in_words(screen, screen.open_name, event)


def _note(screen: Screen, chat: str, text: str) -> None:
    screen.room(chat).feed.note("info", text, iso(int(screen.now * 1000)))


# ---- messages


def message(screen: Screen, message: Message) -> None:
    room = screen.room(message.chat)
    if screen.catching_up and not room.loaded:
        # What was missed: the numbers come with the sign-in, the messages when the chat is opened.
        if mentions(message, screen.me) and message.id > room.read:
            room.calls.add(message.id)
        room.newest = max(room.newest, message.id)
        return
    watched = screen.focused and screen.in_sight(room)
    if room is screen.open and not watched and room.new_after is None and not room.unread and message.id > room.newest:
        room.new_after = room.newest
    is_new = room.heard(message, screen.me)
    screen.quotes.pop(message.id, None)
    _into_view(screen, message)
    if is_new and not screen.catching_up and not watched and not room.muted:
        _attend(screen, message)


def _into_view(screen: Screen, message: Message) -> None:
    view = screen.view
    if view is None:
        return
    if message.id in view.feed.said:
        view.feed.put(message)
    elif view.kind == "thread" and message.reply_to in view.feed.said:
        view.feed.extend([message])


def _attend(screen: Screen, message: Message) -> None:
    if calls(message, screen.me) and screen.elapsed - screen.attended >= APART_SECONDS_MIN:
        screen.attended = screen.elapsed
        call = notification(message)
        screen.do(Attention(call.title, call.text))


def outgoing(screen: Screen, event: Outgoing) -> None:
    """One's own message, as far as it has come."""
    reply_to = _number(event.arguments.get("id")) if event.verb == "reply" else None
    name = screen.keys.get(event.key) or _target(screen, event, reply_to)
    room = screen.room(name)
    at = iso(int(event.since * 1000))
    if event.state in ("waiting", "held"):
        screen.keys[event.key], screen.waiting[event.key] = name, event
        if event.error is not None:
            screen.tell("error", f"{why_not(event.error)}; it goes out again by itself")
        pending = room.feed.pending.get(event.key)
        if pending is None:
            place = (PENDING_PLACE, len(room.feed.pending))
            pending = Pending(place=place, at=at, key=event.key, text=event.told, state="waiting", reply_to=reply_to)
            room.feed.pending[event.key] = pending
        pending.state = "held" if event.state == "held" else "waiting"
        pending.cache = None
        return
    screen.keys.pop(event.key, None)
    screen.waiting.pop(event.key, None)
    room.feed.pending.pop(event.key, None)
    if event.state == "discarded" and event.verb == "send_file":
        _note(screen, screen.open_name, f"{safe(event.told)}: cancelled")
    elif event.state == "failed":
        why = why_not(event.error).removeprefix("nothing was sent: ")
        room.feed.leave(event.key, event.told, at, why, reply_to)
        if not screen.in_sight(room):
            screen.tell("error", why)
        _refused(screen, event)
    elif event.state == "sent" and event.reply is not None:
        if (own := _own(screen, event, name, reply_to)) is None:
            _note(screen, screen.open_name, words.of_reply(event.verb, event.reply, screen.now))
            return
        room.heard(own, screen.me)
        _into_view(screen, own)
        room.marked(own.id if room.unread == 0 else 0, screen.me)
        _count(screen, name)
        if own.file is not None and not screen.in_sight(room):
            screen.tell("done", f"{safe(own.file.name)} is sent to {safe(name)}")


def _own(screen: Screen, event: Outgoing, name: str, reply_to: int | None) -> Message | None:
    """The message that came of it; one's own is not pushed to where it was sent from."""
    reply = event.reply
    if not isinstance(reply, Sent | Upload) or reply.id is None:
        return None
    return Message(
        id=reply.id, seq=reply.id, chat=name, from_=screen.me, at=reply.at or "", text=event.text, reply_to=reply_to,
        file=reply.file if isinstance(reply, Upload) else None,
    )  # fmt: skip


def why_not(error: Exception | None) -> str:
    """In words alone: a code is for programs."""
    return error.text if isinstance(error, Refused) else str(error)


def _number(value: Any) -> int | None:
    digits = str(value).removeprefix("#")
    return int(digits) if digits.isdigit() else None


def _target(screen: Screen, event: Outgoing, reply_to: int | None) -> str:
    if reply_to is not None:
        answered = screen.message(reply_to)
        return answered.chat if answered else screen.open_name
    return event.target or screen.open_name


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


def _read(screen: Screen, event: ReadMarker) -> Words:
    if room := screen.rooms.get(event.chat):
        if room.unread and not room.newest:
            screen.ask("status")
        room.marked(event.id, screen.me)
    return None


def _presence(screen: Screen, event: PresenceChanged) -> Words:
    if event.user in screen.users or len(screen.users) < USERS_MAX:
        screen.users[event.user] = event.online
    if event.away and event.user in screen.users:
        screen.away[event.user] = event.away
    else:
        screen.away.pop(event.user, None)
    return None


def _banned(screen: Screen, event: Banned) -> Words:
    screen.ban = ActiveBan(until=event.until, reason=event.reason)
    return _other(screen, event)


def _unbanned(screen: Screen, event: Unbanned) -> Words:
    screen.ban = None
    return _other(screen, event)


def _delayed_sent(screen: Screen, event: DelayedSent) -> Words:
    screen.tell("done", words.of_event(event, screen.now))
    return None


def _notice(screen: Screen, event: Notice) -> Words:
    if event.owner and (room := screen.rooms.get(event.chat or "")):
        room.owner = event.owner
    chat = event.chat if event.chat in screen.rooms else screen.open_name
    return None if screen.catching_up else _in_words(screen, chat or "main", event)


def _invited(screen: Screen, event: Invited) -> Words:
    if event.chat not in screen.invitations:
        screen.invitations.append(event.chat)
    screen.do(Attention("invitation", safe(f"{event.by} invites you to {event.chat}")))
    return _other(screen, event)


def _join_request(screen: Screen, event: JoinRequest) -> Words:
    if (event.chat, event.user) not in screen.requests:
        screen.requests.append((event.chat, event.user))
    return _in_words(screen, event.chat, event)


def _joined(screen: Screen, event: Joined) -> Words:
    room = screen.room(event.chat)
    if room.members is not None and event.user not in room.members:
        room.members.append(event.user)
    screen.requests = [request for request in screen.requests if request != (event.chat, event.user)]
    screen.invitations = [name for name in screen.invitations if name != event.chat]
    if event.user == screen.me:
        screen.ask("status")
    return _in_words(screen, event.chat, event)


def _left(screen: Screen, event: Left) -> Words:
    if event.user == screen.me:
        screen.invitations = [name for name in screen.invitations if name != event.chat]
        gone(screen, event.chat, ask=event.by is not None or bool(screen.typed.strip()))
        by = f"{event.by} removed you from" if event.by else "you are no longer in"
        return screen.open_name, f"{by} {event.chat}"
    room = screen.rooms.get(event.chat)
    if room is None:
        return None
    room.members = [member for member in room.members or [] if member != event.user]
    return _in_words(screen, event.chat, event)


def gone(screen: Screen, chat: str, ask: bool) -> None:
    """Remove a chat that the user is no longer in. `ask`: the text in the line may have been meant for it, and goes to
    `main` only after a question."""
    screen.rooms.pop(chat, None)
    if screen.open_name == chat:
        screen.open_name = "main"
        screen.put_out = chat if ask else None
        screen.view = screen.composing = screen.question = None
        screen.load(screen.open)
    if screen.before_name == chat:
        screen.before_name = "main"


def _approved(screen: Screen, event: Approved) -> Words:
    screen.room(event.chat)
    screen.ask("status")
    return screen.open_name, f"you are in {event.chat} now: /open {event.chat}"


def _topic(screen: Screen, event: TopicChanged) -> Words:
    screen.room(event.chat).topic = event.topic or None
    return _in_words(screen, event.chat, event)


def _expired(screen: Screen, event: Expired) -> Words:
    feeds: list[Feed] = [screen.view.feed] if screen.view else []
    if screen.composing is not None and screen.composing.id in event.ids:
        screen.tell("error", f"#{screen.composing.id} has expired; Esc leaves it", 30.0)
    elif screen.choosing and screen.feed.selected in event.ids:
        screen.tell("info", f"#{screen.feed.selected} has expired; what you type is text")
    if room := screen.rooms.get(event.chat):
        feeds.append(room.feed)
        room.calls -= set(event.ids)
        room.unread = max(0, room.unread - sum(id > room.read for id in event.ids))
    for feed in feeds:
        feed.remove(event.ids)
    return None


def _muted(screen: Screen, event: Muted) -> Words:
    screen.room(event.chat).muted = event.muted
    return None


def _closing(screen: Screen, event: Closing) -> Words:
    if event.code == "kicked":
        return screen.open_name, event.reason
    screen.tell("info", f"the server closes: {event.reason}")
    return None


_HEARD: dict[type[Event], Callable[[Screen, Any], Words]] = {
    ReadMarker: _read,
    PresenceChanged: _presence,
    Banned: _banned,
    Unbanned: _unbanned,
    DelayedSent: _delayed_sent,
    Notice: _notice,
    Invited: _invited,
    JoinRequest: _join_request,
    Joined: _joined,
    Left: _left,
    Approved: _approved,
    TopicChanged: _topic,
    Expired: _expired,
    Muted: _muted,
    Closing: _closing,
}


# ---- the connection


def _connection(screen: Screen, event: Connecting | Connected | Lost | Ended | Forgotten) -> None:
    if isinstance(event, Forgotten):
        for room in screen.rooms.values():
            room.forget()
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
    if isinstance(event, Ended) and event.code != "closed":
        # In the chat, where all of it can be read; the bar has room for what to do.
        screen.open.feed.note("info", event.why, iso(int(screen.now * 1000)))
        screen.tell("error", OVER, 3600.0)


def _connected(screen: Screen, event: Connected) -> None:
    signed_in = event.signed_in
    screen.me, screen.server, screen.catching_up = signed_in.user, event.server, False
    screen.ban = signed_in.ban
    screen.invitations = [each.chat for each in signed_in.invitations]
    screen.requests = [(each.chat, each.user) for each in signed_in.join_requests]
    if not event.resumed:
        for room in screen.rooms.values():
            room.forget()
    for chat in signed_in.chats:
        screen.room(chat.name).told(chat)
    screen.room("main")
    names = {chat.name for chat in signed_in.chats}
    for name in [name for name in screen.rooms if name.startswith("#") and name not in names]:
        gone(screen, name, ask=True)
        screen.tell("info", f"you are no longer in {safe(name)}", 30.0)
    room = screen.open
    if room.unread and room.new_after is None:
        room.new_after = room.read
    screen.load(room)
    screen.ask("status")


def load_limits(screen: Screen, limits: dict[str, Limit]) -> None:
    screen.limits = dict(limits)
