"""Removing what a deleted account leaves behind, a portion at a time, so that nobody waits for a large one.

From the deletion on nobody is shown the account's texts and reactions, since every reading of a message looks at its
author. This module removes what the disk still holds. /delete_account of 20,000 messages in one transaction held
everybody up for 0.7 s.
"""

from functools import partial

from msgspec.structs import astuple, replace

from chat_server.entries import Erase
from chat_server.protocol.events import Message, QuietMessage
from chat_server.rules.retention import passed
from chat_server.rules.turn import Place, Turn, place_anywhere, rule
from chat_server.store import erasures, messages
from chat_server.store.erasures import Erasure

# Of one portion, which takes a few milliseconds: 200,000 messages are gone within 10 s.
ROWS_MAX = 500


def begin(turn: Turn, user_id: int) -> None:
    """The account has just been deleted. The first portion goes at once, which is all of most accounts."""
    erasures.insert(turn.db, user_id, turn.state.seq)
    go_on(turn)


@rule(Erase)
def erase(turn: Turn, command: Erase) -> None:
    go_on(turn)


def go_on(turn: Turn) -> bool:
    """Remove the next portion of the first account in line. Return whether there was one."""
    each = erasures.first(turn.db)
    if each is None:
        return False
    left = ROWS_MAX
    for erase_some in (_erase_reactions, _erase_messages, _erase_memberships):
        left -= erase_some(turn, each, left)
        if left <= 0:
            return True
    if erasures.erase_rows(turn.db, each.user_id, left) < left:
        erasures.delete(turn.db, each.user_id)
    return True


def _erase_reactions(turn: Turn, each: Erasure, limit: int) -> int:
    ids = erasures.erase_reactions(turn.db, each.user_id, turn.state.seq, limit)
    _tell_programs(turn, ids)
    return len(ids)


def _erase_messages(turn: Turn, each: Erasure, limit: int) -> int:
    """Return how much of `limit` it took: all of it while there are ids left to look at."""
    ids, after = erasures.messages(turn.db, each, limit)
    erasures.erase_messages(turn.db, ids, turn.state.seq, turn.at_ms)
    erasures.advance(turn.db, each.user_id, after)
    _tell_programs(turn, ids)
    return len(ids) if after == each.up_to else limit


def _erase_memberships(turn: Turn, each: Erasure, limit: int) -> int:
    """Nothing waits for the account's read markers any more."""
    left = erasures.memberships(turn.db, each.user_id, limit)
    for chat_id, marker in left:
        erasures.delete_membership(turn.db, each.user_id, chat_id)
        passed(turn, chat_id, each.user_id, marker)
    return len(left)


def _tell_programs(turn: Turn, ids: list[int]) -> None:
    """Each of these messages has got the next seq. People were told of the account in one line."""
    turn.state.seq += len(ids)
    places: dict[int, Place | None] = {}
    for chat_id, message in messages.several(turn.db, ids):
        if chat_id not in places:
            places[chat_id] = place_anywhere(turn.db, chat_id)
        if (place := places[chat_id]) is not None:
            place.push(turn, partial(_quietly, message))


def _quietly(message: Message, chat: str) -> QuietMessage:
    return replace(QuietMessage(*astuple(message)), chat=chat)
