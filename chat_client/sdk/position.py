"""The position of a client: how far it has come, so that no message is missed or shown twice. Pure.

The *position* is the protocol's: the `seq` of the last sign-in's `ok`, then the highest one pushed. `/resume` goes on
from it, so what came of a resume that broke off comes again, and so do one's own messages, which a connection that
sends them is not pushed. Those are known here and dropped.
"""

from collections import OrderedDict

from chat_server.protocol.messages import Message

REMEMBERED_MAX = 20_000


class Position:
    def __init__(self, seq: int | None = None, history: str = "") -> None:
        self.seq = seq
        self.history = history
        # Everything up to here has come: by pushes, and by resumes, which go by `seq` too.
        self._complete_to = seq or 0
        # The newest state that has come of the last messages, by id.
        self._newest: OrderedDict[int, int] = OrderedDict()

    def take_pushed(self, message: Message) -> bool:
        """Whether a pushed message is news."""
        self.seq = max(self.seq or 0, message.seq)
        return self._take_in_order(message)

    def take_missed(self, message: Message, *, in_order: bool) -> bool:
        """Whether one that a sign-in showed is news. `in_order`: by `seq`, after a position."""
        return self._take_in_order(message) if in_order else self._remember(message.id, message.seq)

    def _take_in_order(self, message: Message) -> bool:
        if message.seq <= self._complete_to:
            return False
        self._complete_to = message.seq
        return self._remember(message.id, message.seq)

    def _remember(self, id_: int, seq: int) -> bool:
        if self._newest.get(id_, 0) >= seq:
            return False
        self._newest[id_] = seq
        self._newest.move_to_end(id_)
        if len(self._newest) > REMEMBERED_MAX:
            self._newest.popitem(last=False)
        return True

    def take_confirmed(self, message: Message) -> bool:
        """Whether one that a reply brought is news. It moves no position: what was pushed before it may still be on its
        way, where this connection is behind."""
        return self._remember(message.id, message.seq)

    def note_sent(self, id_: int) -> bool:
        """A message of one's own has this id: whether it is news, which as it was sent it is no more after this."""
        return self._remember(id_, id_)

    def take_sign_in(self, seq: int, history: str) -> bool:
        """All up to `seq` has come. True if the server has another history: then nothing is known, and what has come
        by what was known before must be asked for again."""
        forgotten = self.history not in ("", history)
        self.history = history
        if forgotten:
            self._newest.clear()
            self.seq, self._complete_to = None, 0
        else:
            self.seq, self._complete_to = seq, max(self._complete_to, seq)
        return forgotten
