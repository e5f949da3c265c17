"""Quoted messages that no feed has: requested from the server once, and remembered."""

from collections import OrderedDict

from chat_client.tui.state.items import excerpt
from chat_server.protocol.messages import Message

QUOTES_MAX = 500
QUOTES_ASKED_AT_ONCE_MAX = 3

Quote = tuple[str, str]  # who said it, and how it begins


def quote_of(message: Message) -> Quote:
    if message.deleted:
        return message.from_, "(deleted)"
    if message.text:
        return message.from_, excerpt(message.text)
    return message.from_, message.file.name if message.file else ""


class Quotes:
    """None stands for a message that was asked for, or that is not there any more."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[int, Quote | None] = OrderedDict()

    def get(self, id: int) -> Quote | None:
        return self._by_id.get(id)

    def put(self, id: int, message: Message | None) -> None:
        self._by_id[id] = quote_of(message) if message else None

    def forget(self, id: int) -> None:
        self._by_id.pop(id, None)

    def clear(self) -> None:
        self._by_id.clear()

    def ask(self, ids: frozenset[int]) -> list[int]:
        """Those of these that are to be asked for now; the newest first, a few at a time."""
        asked = sorted(ids - self._by_id.keys(), reverse=True)[:QUOTES_ASKED_AT_ONCE_MAX]
        for id in asked:
            self._by_id[id] = None
            if len(self._by_id) > QUOTES_MAX:
                self._by_id.popitem(last=False)
        return asked
