"""Erasing what a deleted account leaves behind, a bounded portion at a time.

From the deletion on, nobody is shown the account's texts and reactions, since every reading of a message looks at its
author. This module removes what the disk still holds. Deleting an account with 20,000 messages in one transaction held
everybody up for 0.7 s.
"""

from functools import partial

from msgspec.structs import astuple, replace

from chat_server.log.entries import Erase
from chat_server.protocol.messages import Message, QuietMessage
from chat_server.rules.context import Context
from chat_server.rules.lookup import Place, place_anywhere
from chat_server.rules.registry import rule
from chat_server.rules.retention import note_moved
from chat_server.store import erasures, messages
from chat_server.store.erasures import Erasure

# The rows of one portion, which takes a few milliseconds. 200,000 messages are gone within 10 s.
ROWS_MAX = 500


def begin(context: Context, user_id: int) -> None:
    """Begin to erase an account that was just deleted. Most accounts are gone with this first portion."""
    erasures.insert(context.db, user_id, context.state.seq)
    erase_portion(context)


@rule(Erase)
def erase(context: Context, command: Erase) -> None:
    erase_portion(context)


def erase_portion(context: Context) -> None:
    """Erase the next portion of the first account in line, if there is one."""
    each = erasures.first(context.db)
    if each is None:
        return
    left = ROWS_MAX
    for erase_some in (_erase_reactions, _erase_messages, _erase_memberships):
        left -= erase_some(context, each, left)
        if left <= 0:
            return
    if erasures.erase_rows(context.db, each.user_id, left) < left:
        erasures.delete(context.db, each.user_id)


def _erase_reactions(context: Context, each: Erasure, limit: int) -> int:
    ids = erasures.erase_reactions(context.db, each.user_id, context.state.seq, limit)
    _tell_programs(context, ids)
    return len(ids)


def _erase_messages(context: Context, each: Erasure, limit: int) -> int:
    """Return how much of `limit` was used: all of it while there are ids left to look at."""
    ids, after = erasures.find_messages(context.db, each, limit)
    erasures.erase_messages(context.db, ids, context.state.seq, context.at_ms)
    erasures.advance(context.db, each.user_id, after)
    _tell_programs(context, ids)
    return len(ids) if after == each.up_to else limit


def _erase_memberships(context: Context, each: Erasure, limit: int) -> int:
    """Delete memberships, so that no message waits for the account's read markers any more."""
    left = erasures.find_memberships(context.db, each.user_id, limit)
    for chat_id, marker in left:
        erasures.delete_membership(context.db, each.user_id, chat_id)
        note_moved(context, chat_id, each.user_id, marker)
    return len(left)


def _tell_programs(context: Context, ids: list[int]) -> None:
    """Push the changed messages to programs; each has got the next seq. People were told of the account in one line."""
    context.state.seq += len(ids)
    places: dict[int, Place | None] = {}
    for chat_id, message in messages.load_several(context.db, ids):
        if chat_id not in places:
            places[chat_id] = place_anywhere(context.db, chat_id)
        if (place := places[chat_id]) is not None:
            place.push(context, partial(_as_quiet, message))


def _as_quiet(message: Message, chat: str) -> QuietMessage:
    return replace(QuietMessage(*astuple(message)), chat=chat)
