"""Messages to deliver, whose text tells their id and their change."""

from chat_server.protocol.messages import Message

AT = "2026-11-21T12:00:00Z"


def message(id_: int, seq: int | None = None, chat: str = "main") -> Message:
    return Message(id=id_, seq=seq or id_, chat=chat, from_="bob", at=AT, text=f"{id_} as of {seq or id_}")
