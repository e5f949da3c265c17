"""Incoming events: how each event of the server or the connection changes the state."""

from collections.abc import Callable
from typing import Any

from chat_client.common import wording
from chat_client.common.mentions import mentions
from chat_client.sdk.events import AnyEvent, Connected, Connecting, Ended, Forgotten, Lost, Outgoing, TokenNotKept
from chat_client.tui.state.effects import Ring
from chat_client.tui.state.history import load
from chat_client.tui.state.notes import note_quietly
from chat_client.tui.state.outgoing import take_outgoing
from chat_client.tui.state.screen_state import ScreenState
from chat_server.protocol.accounts import ActiveBan, Banned, Unbanned
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Closing, Notice
from chat_server.protocol.messages import DelayedSent, Expired, Message, ReadMarker
from chat_server.protocol.people import Muted, PresenceChanged
from chat_server.protocol.rooms import Approved, Invited, Joined, JoinRequest, Left, TopicChanged

OVER = "the connection has ended: Ctrl-D leaves, a new start signs in"

Told = tuple[str, str] | None  # the chat in which it is told, and the words


def handle(screen: ScreenState, event: AnyEvent, now: float, answered: bool = False) -> None:
    """`answered`: the user's own command has caused it here, and its answer tells it in words."""
    screen.now = now
    watched = isinstance(event, Message) and _is_watched(screen, event)
    if call := screen.attention.call(event, screen.session.user, screen.elapsed, watched):
        screen.do(Ring(call.title, call.text))
    if isinstance(event, Message):
        _message(screen, event)
    elif isinstance(event, Outgoing):
        take_outgoing(screen, event)
    elif isinstance(event, TokenNotKept):
        # Over the line: the first page of the chat, which comes now, would take a note away.
        screen.tell("error", wording.state(event, screen.elapsed), 30.0)
    elif isinstance(event, Event):
        told = _HANDLERS.get(type(event), _other)(screen, event)
        if told is not None and told[1] and not answered:
            note_quietly(screen, *told)
    else:
        _connection(screen, event)


def _in_words(screen: ScreenState, chat: str, event: Event) -> tuple[str, str]:
    return chat, wording.event(event, screen.session.user, screen.now)


def _other(screen: ScreenState, event: Event) -> Told:
    return _in_words(screen, screen.chats.open_name, event)


# ---- messages


def _message(screen: ScreenState, message: Message) -> None:
    chat, user = screen.chats.chat(message.chat), screen.session.user
    catching_up = screen.session.catching_up
    if catching_up and not chat.loaded:
        # What was missed: the numbers come with the sign-in, the messages when the chat is opened.
        if mentions(message, user) and message.id > chat.read:
            chat.mentions.add(message.id)
        chat.newest = max(chat.newest, message.id)
        return
    watched = _is_watched(screen, message)
    is_open = chat is screen.chats.open
    if is_open and not watched and chat.new_after is None and not chat.unread and message.id > chat.newest:
        chat.new_after = chat.newest
    chat.add(message, user)
    screen.quotes.forget(message.id)
    screen.put_into_view(message)


def _is_watched(screen: ScreenState, message: Message) -> bool:
    """Whether the user sees the message come."""
    return screen.reading.focused and screen.shows_end_of(screen.chats.chat(message.chat))


# ---- events of the server


def _read_marker(screen: ScreenState, event: ReadMarker) -> Told:
    if chat := screen.chats.by_name.get(event.chat):
        if chat.unread and not chat.newest:
            screen.ask("status")
        chat.mark_read(event.id, screen.session.user)
    return None


def _presence(screen: ScreenState, event: PresenceChanged) -> Told:
    screen.roster.take_presence(event)
    return None


def _banned(screen: ScreenState, event: Banned) -> Told:
    screen.session.ban = ActiveBan(until=event.until, reason=event.reason)
    return _other(screen, event)


def _unbanned(screen: ScreenState, event: Unbanned) -> Told:
    screen.session.ban = None
    return _other(screen, event)


def _delayed_sent(screen: ScreenState, event: DelayedSent) -> Told:
    screen.tell("done", wording.event(event, screen.session.user, screen.now))
    return None


def _notice(screen: ScreenState, event: Notice) -> Told:
    chats = screen.chats
    if event.owner and (chat := chats.by_name.get(event.chat or "")):
        chat.owner = event.owner
    name = event.chat if event.chat in chats.by_name else chats.open_name
    return None if screen.session.catching_up else _in_words(screen, name or "main", event)


def _invited(screen: ScreenState, event: Invited) -> Told:
    if event.chat not in screen.roster.invitations:
        screen.roster.invitations.append(event.chat)
    return _other(screen, event)


def _join_request(screen: ScreenState, event: JoinRequest) -> Told:
    if (event.chat, event.user) not in screen.roster.join_requests:
        screen.roster.join_requests.append((event.chat, event.user))
    return _in_words(screen, event.chat, event)


def _joined(screen: ScreenState, event: Joined) -> Told:
    chat = screen.chats.chat(event.chat)
    if chat.members is not None and event.user not in chat.members:
        chat.members.append(event.user)
    screen.roster.drop_join_request(event.chat, event.user)
    screen.roster.drop_invitation(event.chat)
    if event.user == screen.session.user:
        screen.ask("status")
    return _in_words(screen, event.chat, event)


def _left(screen: ScreenState, event: Left) -> Told:
    if event.user == screen.session.user:
        screen.roster.drop_invitation(event.chat)
        _remove_chat(screen, event.chat, ask=event.by is not None or bool(screen.composer.text.strip()))
        return _in_words(screen, screen.chats.open_name, event)
    chat = screen.chats.by_name.get(event.chat)
    if chat is None:
        return None
    chat.members = [member for member in chat.members or [] if member != event.user]
    return _in_words(screen, event.chat, event)


def _remove_chat(screen: ScreenState, name: str, ask: bool) -> None:
    """Remove a chat that the user is no longer in. `ask`: the text in the line may have been meant for it, and goes to
    `main` only after a question."""
    if screen.chats.remove(name):
        screen.chats.removed_from = name if ask else None
        screen.view = screen.composer.target = screen.dialogs.question = None
        load(screen, screen.chats.open)


def _approved(screen: ScreenState, event: Approved) -> Told:
    screen.chats.chat(event.chat)
    screen.ask("status")
    return _in_words(screen, screen.chats.open_name, event)


def _topic_changed(screen: ScreenState, event: TopicChanged) -> Told:
    screen.chats.chat(event.chat).topic = event.topic or None
    return _in_words(screen, event.chat, event)


def _expired(screen: ScreenState, event: Expired) -> Told:
    target = screen.composer.target
    if target is not None and target.id in event.ids:
        screen.tell("error", f"#{target.id} has expired; Esc leaves it", 30.0)
    elif screen.is_choosing and screen.feed.selected in event.ids:
        screen.tell("info", f"#{screen.feed.selected} has expired; what you type is text")
    if screen.view:
        screen.view.feed.remove(event.ids)
    if chat := screen.chats.by_name.get(event.chat):
        chat.expire(event.ids)
    return None


def _muted(screen: ScreenState, event: Muted) -> Told:
    screen.chats.chat(event.chat).muted = event.muted
    return None


def _closing(screen: ScreenState, event: Closing) -> Told:
    told = _in_words(screen, screen.chats.open_name, event)
    if event.code == "kicked":
        return told
    screen.tell("info", told[1])
    return None


_HANDLERS: dict[type[Event], Callable[[ScreenState, Any], Told]] = {
    ReadMarker: _read_marker,
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
    TopicChanged: _topic_changed,
    Expired: _expired,
    Muted: _muted,
    Closing: _closing,
}


# ---- the connection


def _connection(screen: ScreenState, event: Connecting | Connected | Lost | Ended | Forgotten) -> None:
    session, chats = screen.session, screen.chats
    if isinstance(event, Forgotten):
        for chat in chats.by_name.values():
            chat.forget()
        screen.quotes.clear()
        screen.view = screen.composer.target = None
        screen.tell("info", wording.state(event, screen.elapsed), 30.0)
        return
    session.connection = event
    if isinstance(event, Connecting):
        session.server = event.server
        session.catching_up = True
    elif isinstance(event, Connected):
        _connected(screen, event)
    else:
        for chat in chats.by_name.values():
            chat.requested.clear()
    if isinstance(event, Ended) and event.code != "closed":
        # In the chat, where all of it can be read; the bar has room for what to do.
        note_quietly(screen, chats.open_name, wording.state(event, screen.elapsed))
        screen.tell("error", OVER, 3600.0)


def _connected(screen: ScreenState, event: Connected) -> None:
    signed_in, session, chats = event.signed_in, screen.session, screen.chats
    session.user, session.server, session.catching_up = signed_in.user, event.server, False
    session.ban = signed_in.ban
    screen.roster.take_requests(signed_in.invitations, signed_in.join_requests)
    if not event.resumed:
        for chat in chats.by_name.values():
            chat.forget()
    for told in signed_in.chats:
        chats.chat(told.name).sign_in(told)
    chats.chat("main")
    names = {told.name for told in signed_in.chats}
    for name in [name for name in chats.by_name if name.startswith("#") and name not in names]:
        _remove_chat(screen, name, ask=True)
        screen.tell("info", wording.lost_chat(name), 30.0)
    chat = chats.open
    if chat.unread and chat.new_after is None:
        chat.new_after = chat.read
    load(screen, chat)
    screen.ask("status")
