"""The life of messages: what all have read goes some time later; who is absent for long holds nothing back.

A message is read by all when every other member who is not absent has a marker at it or above. So with the two lowest
markers of a chat, all up to the lowest are read by all, and of those up to the second lowest the ones that the holder
of the lowest wrote. A marker that moves gives at most two ranges of messages that have just been read by all; they are
noted with the time, in so many steps whatever their size, and removed when it is time, a portion for each `Due`.
"""

from functools import partial

from chat_server.protocol.messages import EXPIRED_IDS_MAX, Expired
from chat_server.rules.context import Context
from chat_server.rules.lookup import place_anywhere
from chat_server.store import messages, retention
from chat_server.store.retention import ReadRange

EVERYBODY = 0
# The time of reading is rounded up to this, so that what is read within it goes together.
READ_STEP_MS = 1000
# Of one `Due`: nobody waits long for it.
LOOKED_AT_MAX = 2000
RANGES_MAX = 500
MEMBERS_MAX = 500


def note_read_ranges(context: Context, chat_id: int, user_id: int, marker: int) -> None:
    """The member's marker has moved on from `marker`, or the member is gone or absent: nothing waits there any more.

    MUST be called after each such change, and after it is in the store.
    """
    newest = context.state.seq
    (slowest, by_all), (_, by_others) = [*retention.lowest_markers(context.db, chat_id), (0, newest), (0, newest)][:2]
    if by_all > marker:
        _note(context, chat_id, EVERYBODY, marker, by_all)
    above = max(marker, by_all)
    if slowest != user_id and by_others > above:
        _note(context, chat_id, slowest, above, by_others)


def _note(context: Context, chat_id: int, author: int, above: int, up_to: int) -> None:
    read_ms = -(-context.elapsed_ms // READ_STEP_MS) * READ_STEP_MS
    retention.insert(context.db, ReadRange(read_ms, chat_id, author, above, up_to))


def mark_absent_members(context: Context) -> None:
    """Those who have had something unread for long, and whose markers have not moved."""
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
            note_read_ranges(context, chat_id, user_id, marker)


def expire_messages(context: Context) -> None:
    """Remove a portion of what has been read by all long enough ago, and tell who is in the chats."""
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
