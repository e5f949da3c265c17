"""Outgoing commands, as they are shown until the server has taken or refused them."""

from typing import Any

from msgspec import structs

from chat_client.common import wording
from chat_client.sdk.events import Outgoing
from chat_client.tui.state.chat_state import ChatState
from chat_client.tui.state.items import UnsentItem
from chat_client.tui.state.notes import note_quietly
from chat_client.tui.state.screen_state import ScreenState, Unsent
from chat_server.protocol.files import Upload
from chat_server.protocol.messages import Message, Sent
from chat_server.protocol.times import iso

_BEHIND_ALL = 1 << 62  # the place of messages on their way


def take_outgoing(screen: ScreenState, command: Outgoing) -> None:
    """A command that sends has changed its state."""
    reply_to = _id(command.arguments.get("id")) if command.verb == "reply" else None
    known = screen.unsent.get(command.key)
    chat = screen.chats.chat(known.chat if known else _chat_name(screen, command, reply_to))
    if command.state in ("waiting", "held"):
        _show_waiting(screen, chat, command, reply_to)
        return
    screen.unsent.pop(command.key, None)
    chat.feed.unsent.pop(command.key, None)
    if command.state == "discarded" and command.verb == "send_file":
        note_quietly(screen, screen.chats.open_name, wording.outgoing(command, screen.now)[1])
    elif command.state == "failed":
        _show_refused(screen, chat, command, reply_to)
    elif command.state == "sent" and command.reply is not None:
        _show_sent(screen, chat, command, reply_to)


def _show_waiting(screen: ScreenState, chat: ChatState, command: Outgoing, reply_to: int | None) -> None:
    screen.unsent[command.key] = Unsent(chat.name, command)
    if command.error is not None:
        screen.tell("error", wording.outgoing(command, screen.now)[1])
    unsent = chat.feed.unsent
    known = unsent.get(command.key)
    state: Any = command.state
    if known is not None:
        unsent[command.key] = structs.replace(known, state=state)
    else:
        unsent[command.key] = UnsentItem(
            place=(_BEHIND_ALL, len(unsent)), at=_time(command), key=command.key, text=command.summary, state=state,
            reply_to=reply_to,
        )  # fmt: skip


def _show_refused(screen: ScreenState, chat: ChatState, command: Outgoing, reply_to: int | None) -> None:
    why = wording.reason(command.error).removeprefix("nothing was sent: ")
    if _may_go_later(screen, chat, command):
        screen.set_text(command.text)
        screen.tell("error", why, 8.0)
        screen.ask("status")
        return
    chat.feed.add_refused(command.key, command.summary, _time(command), why, reply_to)
    if not screen.shows_end_of(chat):
        screen.tell("error", why)
    if getattr(command.error, "code", "") in ("rate_limited", "banned"):
        screen.ask("status")


def _may_go_later(screen: ScreenState, chat: ChatState, command: Outgoing) -> bool:
    """Whether a message that came too soon goes back into the line, where Enter sends it again: nothing else may
    stand there."""
    is_plain = command.verb in ("send", "send_all") and chat is screen.chats.open and screen.view is None
    composer, dialogs = screen.composer, screen.dialogs
    is_free = (
        not composer.text and composer.target is None and not dialogs.is_open and screen.chats.removed_from is None
    )
    return is_plain and is_free and getattr(command.error, "code", "") == "rate_limited"


def _show_sent(screen: ScreenState, chat: ChatState, command: Outgoing, reply_to: int | None) -> None:
    user = screen.session.user
    message = _message(user, chat.name, command, reply_to)
    if message is None:
        assert command.reply is not None
        note_quietly(screen, screen.chats.open_name, wording.outgoing(command, screen.now)[1])
        return
    if isinstance(command.reply, Sent) and command.reply.note is not None:
        screen.tell("info", command.reply.note, 8.0)
    screen.session.is_new = False
    chat.add(message, user)
    screen.put_into_view(message)
    chat.mark_read(message.id if chat.unread == 0 else 0, user)
    _count(screen, chat.name)
    if message.file is not None and not screen.shows_end_of(chat):
        screen.tell("done", wording.outgoing(command, screen.now)[1])


def _message(user: str, chat_name: str, command: Outgoing, reply_to: int | None) -> Message | None:
    """The message that came of it: one's own is not pushed to where it was sent from."""
    reply = command.reply
    if not isinstance(reply, Sent | Upload) or reply.id is None:
        return None
    return Message(
        id=reply.id, seq=reply.id, chat=chat_name, from_=user, at=reply.at or "", text=command.text, reply_to=reply_to,
        file=reply.file if isinstance(reply, Upload) else None,
    )  # fmt: skip


def _time(command: Outgoing) -> str:
    return iso(int(command.since * 1000))


def _id(value: Any) -> int | None:
    digits = str(value).removeprefix("#")
    return int(digits) if digits.isdigit() else None


def _chat_name(screen: ScreenState, command: Outgoing, reply_to: int | None) -> str:
    if reply_to is not None:
        answered = screen.message(reply_to)
        return answered.chat if answered else screen.chats.open_name
    return command.target or screen.chats.open_name


def _count(screen: ScreenState, chat_name: str) -> None:
    """Count a message towards the limit in main, until the server says how much is left."""
    limits = screen.session.limits
    limit = limits.get("main_messages")
    if chat_name == "main" and limit is not None:
        if limit.used == 0:
            screen.ask("status")  # when it ends, only the server knows
        limits["main_messages"] = structs.replace(limit, used=limit.used + 1)
