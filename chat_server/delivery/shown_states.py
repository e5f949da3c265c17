"""The states of messages that a connection has been shown while it reads from the store.

A page shows a message in its newest state alone, and leaves out one whose newest state is later than the page goes. So
a connection may lack a state from before its position. Nobody is harmed where a later state is pushed, but the reply to
a change of one's own stands only for that change: it tells nothing of a state that the change replaced. Such a message
has to be shown together with the reply, also to a connection that has gone live since the page was read.
"""

from collections.abc import Iterable
from typing import NamedTuple

from chat_server.protocol.messages import Message

# One who is behind for long may change much meanwhile. Of more, those that are told already are forgotten.
OWN_STATES_MAX = 1000


class OwnState(NamedTuple):
    """The state that a command of the connection gave to a message; `before` is the one it replaced, 0 if it is new."""

    id: int
    seq: int
    before: int


class ShownStates:
    """States are named by their seqs."""

    __slots__ = ("_ahead", "_new_up_to", "_own", "_store_seq", "_up_to")

    def __init__(self, position: int) -> None:
        # Of every message, each state up to this was shown, or a newer one.
        self._up_to = position
        # Every new message up to this was shown in some state.
        self._new_up_to = position
        # How far the store had come when the last page was read: it may have left out what changed up to there.
        self._store_seq = position
        # The states that are told by the replies to one's own commands: what each replaced.
        self._own: dict[int, int] = {}
        # Messages that were shown in a state that is newer than the position, by their ids.
        self._ahead: dict[int, int] = {}

    @property
    def newest_ahead(self) -> int:
        return max(self._ahead.values(), default=0)

    def is_certain(self, seq: int) -> bool:
        """Whether no page was read of a store that had come further than `seq`."""
        return seq >= self._store_seq

    def note_ahead(self, message: Message) -> None:
        self._ahead[message.id] = message.seq

    def add_own(self, states: Iterable[OwnState]) -> bool:
        """Take what commands of the connection did; whether their replies alone tell all of it."""
        all_known = True
        for id_, seq, before in states:
            all_known = all_known and self._knows(id_, before)
            self._own[seq] = before
        return all_known

    def must_show(self, message: Message, stop: int) -> bool:
        """Whether a page that goes up to `stop` must show this message, which then counts as shown."""
        if self._ahead.get(message.id, 0) >= message.seq:
            return False
        if message.seq > stop:
            if message.id in self._own:
                # One's own, which the reply tells. A later page knows whose the change is.
                return False
            self.note_ahead(message)
            return True
        return message.seq not in self._own or not self._knows(message.id, message.seq)

    def must_show_all(self, newest: int, stop: int) -> bool:
        """Whether `must_show` says so of all messages of a page with no newer seq than this, without a look at each."""
        return newest <= stop and not self._ahead and not self._own

    def finish_pages(self, stop: int, store_seq: int, *, by_id: bool) -> None:
        """All pages up to `stop` were shown; by their end the store had come to `store_seq`."""
        self._store_seq = store_seq
        if by_id:
            # People are shown a new message in its newest state, however late that is.
            self._new_up_to = stop
        if store_seq <= stop:
            self._up_to = self._new_up_to = stop
        self._ahead = {id_: seq for id_, seq in self._ahead.items() if seq > stop}
        forgotten = stop if len(self._own) > OWN_STATES_MAX else self._up_to
        self._own = {seq: before for seq, before in self._own.items() if seq > forgotten}

    def _knows(self, id_: int, seq: int) -> bool:
        """Whether a state was shown, or is told by replies that follow one that was."""
        while seq in self._own:
            seq = self._own[seq]
        return seq <= self._up_to or seq == id_ <= self._new_up_to
