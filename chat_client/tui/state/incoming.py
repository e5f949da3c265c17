"""Incoming events: how each event of the server or the connection changes the state."""

from collections.abc import Callable
from typing import Any

from chat_client.common import wording
from chat_client.common.mentions import mentions
from chat_client.sdk.events import AnyEvent, Connected, Connecting, Ended, Forgotten, Lost, Outgoing, TokenNotKept
from chat_client.tui.state.effects import Ring
from chat_client.tui.state.history import load
from chat_client.tui.state.notes import note_quietly, withdraw_notes
from chat_client.tui.state.outgoing import take_outgoing
from chat_client.tui.state.roster import offer_of
from chat_client.tui.state.screen_state import ScreenState
from chat_server.protocol.accounts import ActiveBan, Banned, Unbanned
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Closing, Notice
from chat_server.protocol.messages import DelayedSent, Expired, Message, ReadMarker
from chat_server.protocol.people import Muted, PresenceChanged, Typing
from chat_server.protocol.rooms import Approved, Invited, Joined, JoinRequest, Left, SlowModeChanged, TopicChanged

OVER = "the connection has ended: Ctrl-D leaves; start again to sign in"

ChatNote = tuple[str, str] | None  # the chat in which it is noted, and the words


def handle(screen: ScreenState, event: AnyEvent, now: float, is_own: bool = False) -> None:
    """`is_own`: the user's own command has caused it here, and its answer tells it in words."""
    screen.now = now
    watched = isinstance(event, Message) and _is_watched(screen, event)
    if call := screen.attention.call(event, screen.session.user, screen.elapsed, watched):
        screen.do(Ring(call.title, call.text))
    if isinstance(event, Message):
        _take_message(screen, event)
    elif isinstance(event, Outgoing):
        take_outgoing(screen, event)
    elif isinstance(event, TokenNotKept):
        # Told over the line, since the first page of the chat, which comes now, takes away all notes but answers.
        screen.tell("error", wording.state(event, screen.elapsed), 30.0)
    elif isinstance(event, Event):
        noted = _HANDLERS.get(type(event), _take_other)(screen, event)
        withdraw_notes(screen)
        if noted is not None and noted[1] and not is_own:
            note_quietly(screen, *noted, offer_of(event))
    else:
        _take_connection(screen, event)
        withdraw_notes(screen)


def _in_words(screen: ScreenState, chat: str, event: Event) -> tuple[str, str]:
    return chat, wording.event(event, screen.session.user, screen.now)


def _take_other(screen: ScreenState, event: Event) -> ChatNote:
    return _in_words(screen, screen.chats.open_name, event)


# ---- messages


def _take_message(screen: ScreenState, message: Message) -> None:
    chat, user = screen.chats.chat(message.chat), screen.session.user
    screen.typists.end(message.chat, message.from_)
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


def _take_read_marker(screen: ScreenState, event: ReadMarker) -> ChatNote:
    if chat := screen.chats.by_name.get(event.chat):
        if chat.unread and not chat.newest:
            screen.ask("status")
        chat.mark_read(event.id, screen.session.user)
    return None


def _take_presence(screen: ScreenState, event: PresenceChanged) -> ChatNote:
    screen.roster.take_presence(event)
    return None


def _take_typing(screen: ScreenState, event: Typing) -> ChatNote:
    screen.typists.take(event, screen.elapsed)
    return None


def _take_banned(screen: ScreenState, event: Banned) -> ChatNote:
    screen.session.ban = ActiveBan(until=event.until, reason=event.reason)
    return _take_other(screen, event)


def _take_unbanned(screen: ScreenState, event: Unbanned) -> ChatNote:
    screen.session.ban = None
    return _take_other(screen, event)


def _take_delayed_sent(screen: ScreenState, event: DelayedSent) -> ChatNote:
    screen.tell("done", wording.event(event, screen.session.user, screen.now))
    return None


def _take_notice(screen: ScreenState, event: Notice) -> ChatNote:
    chats = screen.chats
    if event.stale is not None:
        screen.session.old_since = event.as_of if event.stale else None
    if event.owner and (chat := chats.by_name.get(event.chat or "")):
        chat.owner = event.owner
    if screen.session.catching_up and event.chat is None and event.unread is None:
        # On this screen the messages of main stand above the notice, and not below it.
        screen.session.welcome.append(event.text.removesuffix("; the last messages of main:"))
    name = event.chat if event.chat in chats.by_name else chats.open_name
    return None if screen.session.catching_up else _in_words(screen, name or "main", event)


def _take_invited(screen: ScreenState, event: Invited) -> ChatNote:
    if event.chat not in screen.roster.invitations:
        screen.roster.invitations.append(event.chat)
    return _take_other(screen, event)


def _take_join_request(screen: ScreenState, event: JoinRequest) -> ChatNote:
    if (event.chat, event.user) not in screen.roster.join_requests:
        screen.roster.join_requests.append((event.chat, event.user))
    return _in_words(screen, event.chat, event)


def _take_joined(screen: ScreenState, event: Joined) -> ChatNote:
    chat = screen.chats.chat(event.chat)
    if chat.members is not None and event.user not in chat.members:
        chat.members.append(event.user)
    screen.roster.drop_join_request(event.chat, event.user)
    screen.roster.drop_invitation(event.chat)
    if event.user == screen.session.user:
        screen.ask("status")
    return _in_words(screen, event.chat, event)


def _take_left(screen: ScreenState, event: Left) -> ChatNote:
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


def _take_approved(screen: ScreenState, event: Approved) -> ChatNote:
    screen.chats.chat(event.chat)
    screen.ask("status")
    return _in_words(screen, screen.chats.open_name, event)


def _take_topic_changed(screen: ScreenState, event: TopicChanged) -> ChatNote:
    screen.chats.chat(event.chat).topic = event.topic or None
    return _in_words(screen, event.chat, event)


def _take_slow_mode_changed(screen: ScreenState, event: SlowModeChanged) -> ChatNote:
    screen.chats.chat(event.chat).slow_mode = event.seconds
    return _in_words(screen, event.chat, event)


def _take_expired(screen: ScreenState, event: Expired) -> ChatNote:
    target = screen.composer.target
    if target is not None and target.id in event.ids:
        screen.tell("error", f"#{target.id} has expired; Esc gives it up", 30.0)
    elif screen.is_choosing and screen.feed.selected in event.ids:
        screen.tell("info", f"#{screen.feed.selected} has expired; what you type is text")
    if screen.view:
        screen.view.feed.remove(event.ids)
    if chat := screen.chats.by_name.get(event.chat):
        chat.expire(event.ids)
    return None


def _take_muted(screen: ScreenState, event: Muted) -> ChatNote:
    screen.chats.chat(event.chat).muted = event.muted
    return None


def _take_closing(screen: ScreenState, event: Closing) -> ChatNote:
    noted = _in_words(screen, screen.chats.open_name, event)
    if event.code == "kicked":
        return noted
    screen.tell("info", noted[1], is_of_loss=True)
    return None


_HANDLERS: dict[type[Event], Callable[[ScreenState, Any], ChatNote]] = {
    ReadMarker: _take_read_marker,
    PresenceChanged: _take_presence,
    Typing: _take_typing,
    Banned: _take_banned,
    Unbanned: _take_unbanned,
    DelayedSent: _take_delayed_sent,
    Notice: _take_notice,
    Invited: _take_invited,
    JoinRequest: _take_join_request,
    Joined: _take_joined,
    Left: _take_left,
    Approved: _take_approved,
    TopicChanged: _take_topic_changed,
    SlowModeChanged: _take_slow_mode_changed,
    Expired: _take_expired,
    Muted: _take_muted,
    Closing: _take_closing,
}


# ---- the connection


def _take_connection(screen: ScreenState, event: Connecting | Connected | Lost | Ended | Forgotten) -> None:
    session, chats = screen.session, screen.chats
    if isinstance(event, Forgotten):
        for chat in chats.by_name.values():
            chat.forget()
        screen.quotes.clear()
        screen.view = screen.composer.target = None
        screen.tell("info", wording.state(event, screen.elapsed), 30.0)
        return
    session.connection, session.old_since = event, None
    screen.typists.disconnect()
    if isinstance(event, Connecting):
        session.server = event.server
        session.catching_up, session.welcome = True, []
    elif isinstance(event, Connected):
        _take_connected(screen, event)
    else:
        for chat in chats.by_name.values():
            chat.expect_no_page()
    if isinstance(event, Lost) and event.going_to is not None:
        note_quietly(screen, chats.open_name, wording.state(event, screen.elapsed))
    if isinstance(event, Ended) and event.code != "closed":
        # The reason is noted in the chat, where all of it can be read. The bar has room for what to do.
        note_quietly(screen, chats.open_name, wording.state(event, screen.elapsed))
        screen.tell("error", OVER, 3600.0)


def _take_connected(screen: ScreenState, event: Connected) -> None:
    signed_in, session, chats = event.signed_in, screen.session, screen.chats
    session.user, session.server, session.catching_up = signed_in.user, event.server, False
    if screen.flash is not None and screen.flash.is_of_loss:
        screen.flash = None
    session.ban = signed_in.ban
    session.is_new = session.is_new or signed_in.new
    if not signed_in.new:
        session.welcome = []  # the numbers of what is unread stand beside the chats
    screen.roster.take_requests(signed_in.invitations, signed_in.join_requests)
    if screen.typists.is_wanted:
        screen.ask("watch_typing", watch=True)
    if not event.resumed:
        for chat in chats.by_name.values():
            chat.forget()
    for info in signed_in.chats:
        chats.chat(info.name).sign_in(info)
    chats.chat("main")
    names = {info.name for info in signed_in.chats}
    for name in [name for name in chats.by_name if name.startswith("#") and name not in names]:
        _remove_chat(screen, name, ask=True)
        screen.tell("info", wording.lost_chat(name), 30.0)
    chat = chats.open
    if chat.unread and chat.new_after is None:
        chat.new_after = chat.read
    load(screen, chat)
    screen.ask("status")
