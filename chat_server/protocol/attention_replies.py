"""Replies to the commands about who may call a user, and when: away, muted chats, blocks."""

from chat_server.protocol.events import Reply


class AwaySet(Reply, frozen=True, omit_defaults=True):
    away: str | None = None


class MuteSet(Reply, frozen=True, omit_defaults=True):
    chat: str
    muted: bool


class BlockSet(Reply, frozen=True, omit_defaults=True):
    user: str
    blocked: bool


class BlockList(Reply, frozen=True, omit_defaults=True):
    blocked: list[str]
