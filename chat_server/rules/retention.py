"""Retention: messages that all members have read are removed, without waiting for absent ones.

A message has been read by all when every other member who is not absent has a marker at it or above. So all messages up
to a chat's lowest marker have been read by all, and up to the second lowest those that the holder of the lowest wrote.
When markers move, at most two ranges of a chat's messages have just been read by all. Noting them with the time costs
the same for ranges of any size, and for any number of markers that a batch moves: with 400 people who talk each line
moves one. Each `Due` removes a portion of those whose time has come.
"""

from functools import partial

from chat_server.protocol.messages import EXPIRED_IDS_MAX, Expired
from chat_server.rules.context import Context
from chat_server.rules.lookup import place_anywhere
from chat_server.store import messages, retention
from chat_server.store.retention import ReadRange

EVERYBODY = 0
# The time of reading is rounded up to this, so that messages read within it are removed together.
READ_STEP_MS = 1000
# The bounds of one `Due`, so that nobody waits long for it.
LOOKED_AT_MAX = 200
RANGES_MAX = 200
MEMBERS_MAX = 100


def note_moved(context: Context, chat_id: int, user_id: int, marker: int) -> None:
    """Note that a member's marker has left `marker`, or that the member has left or is absent.

    MUST be called after each such change. `note_read_ranges` follows at the end of the batch.
    """
    context.moved.setdefault(chat_id, {}).setdefault(user_id, marker)


def note_read_ranges(context: Context) -> None:
    """Note the messages that all have read now, at the end of a batch, since members' markers left where they stood.

    A message that somebody's move made read by all has an id above where that marker stood before the batch.
    """
    newest = context.state.seq
    for chat_id, moved in context.moved.items():
        lowest = [*retention.lowest_markers(context.db, chat_id), (0, newest), (0, newest)]
        (slowest, by_all), (_, by_others) = lowest[:2]
        above = min(moved.values())
        if by_all > above:
            _note(context, chat_id, EVERYBODY, above, by_all)
        above = max(by_all, min((marker for user_id, marker in moved.items() if user_id != slowest), default=newest))
        if by_others > above:
            _note(context, chat_id, slowest, above, by_others)


def _note(context: Context, chat_id: int, author: int, above: int, up_to: int) -> None:
    read_ms = -(-context.elapsed_ms // READ_STEP_MS) * READ_STEP_MS
    retention.insert(context.db, ReadRange(read_ms, chat_id, author, above, up_to))


def mark_absent_members(context: Context) -> None:
    """Mark members as absent who have had unread messages for long and whose markers have not moved."""
    after_ms = context.limits.absent_after_ms
    if after_ms is None:
        return
    long_ago_ms = context.elapsed_ms - after_ms
    if long_ago_ms < (context.state.spared_ms or 0):
        return
    for user_id, chat_id, marker in retention.find_unmoved_markers(context.db, long_ago_ms, MEMBERS_MAX):
        since_ms = retention.unread_since_ms(context.db, user_id, chat_id, marker, context.elapsed_ms)
        if since_ms is None:
            retention.set_moved(context.db, user_id, chat_id, context.elapsed_ms)
        elif since_ms > long_ago_ms:
            retention.set_moved(context.db, user_id, chat_id, since_ms)
        else:
            retention.set_absent(context.db, user_id, chat_id)
            note_moved(context, chat_id, user_id, marker)


def expire_messages(context: Context) -> None:
    """Remove a portion of the messages that all have read long enough ago, and tell the members of their chats."""
    ttl_ms = context.limits.message_ttl_ms
    if ttl_ms is None:
        return
    long_ago_ms, left = context.elapsed_ms - ttl_ms, LOOKED_AT_MAX
    if long_ago_ms < (context.state.spared_ms or 0):
        return
    gone: dict[int, set[int]] = {}
    for each in retention.find_ranges(context.db, long_ago_ms, RANGES_MAX):
        found = retention.find_messages(context.db, each, left)
        left -= len(found)
        if left:
            retention.delete(context.db, each)
        else:
            retention.shorten(context.db, each, found[-1][0])
        read = (message_id for message_id, author in found if each.user_id in (EVERYBODY, author))
        gone.setdefault(each.chat_id, set()).update(read)
        if not left:
            break
    for message_id, chat_id in retention.find_unshared_messages(context.db, long_ago_ms, left):
        gone.setdefault(chat_id, set()).add(message_id)
    for chat_id, ids in gone.items():
        _remove(context, chat_id, sorted(ids))


def _remove(context: Context, chat_id: int, ids: list[int]) -> None:
    messages.remove(context.db, ids)
    context.counts["messages_expired"] += len(ids)
    where = place_anywhere(context.db, chat_id)
    for start in range(0, len(ids), EXPIRED_IDS_MAX):
        if where is not None:
            where.push(context, partial(Expired, ids=ids[start : start + EXPIRED_IDS_MAX]))
