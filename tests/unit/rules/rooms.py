"""Helpers for the tests of private chats."""

from chat_server.protocol.base import Event
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import Message
from tests.unit.chat import Chat, refusal_of


def refusal_codes(chat: Chat, *said: tuple[str, str]) -> list[str]:
    return [refusal_of(chat, name, line).code for name, line in said]


def take_notices(chat: Chat, name: str) -> list[Event]:
    """Return the notices that a returning user is shown, which are forgotten then."""
    return [event for event in chat.come_back(name).events if not isinstance(event, Notice | Message)]


def chats_of(chat: Chat, name: str) -> list[str]:
    return [each.name for each in chat.say(name, "/status").reply.chats]


def bring_in(chat: Chat, room: str, *names: str) -> None:
    """Have Alice invite users, who accept."""
    for name in names:
        chat.say("alice", f"/invite {room} {name}")
        chat.say(name, f"/join {room}")
