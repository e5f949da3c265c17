"""Delayed messages: setting and cancelling them, and the `Due` command, which does all that is due."""

from chat_server.errors import Refusal
from chat_server.log.entries import Due, ForgetNotices
from chat_server.protocol.arguments import Delay, Target
from chat_server.protocol.base import Event
from chat_server.protocol.messages import (
    CancelDelayed,
    DelayedCancelled,
    DelayedFailed,
    DelayedList,
    DelayedMessage,
    DelayedSent,
    DelayedSet,
    ListDelayed,
    SendDelayed,
)
from chat_server.protocol.times import TIME_MS_MAX, duration, iso
from chat_server.rules import erasure, registration, wrong_passwords
from chat_server.rules.accounts import end_old_tokens
from chat_server.rules.blocks import refuse_blocked
from chat_server.rules.context import Context, View
from chat_server.rules.files import end_uploads
from chat_server.rules.lookup import MAIN_PLACE, Place, find_room, find_user, place_of
from chat_server.rules.messages import KEY_LIFE_MS, direct_place, main_limit_ends_ms, post, run_once
from chat_server.rules.moderation import end_bans, refuse_banned
from chat_server.rules.registry import reading, rule
from chat_server.rules.retention import expire_messages, mark_absent_members
from chat_server.rules.slow_mode import free_ms
from chat_server.rules.text_quota import refuse_without_room
from chat_server.store import accounts, blocks, delayed, files, idempotency_keys, notices, rooms
from chat_server.store.accounts import User
from chat_server.store.chats import MAIN
from chat_server.store.delayed import Delayed, DueTime

SENT_AT_ONCE_MAX = 1000
EXPIRED_AT_ONCE_MAX = 10_000
TOKENS_AT_ONCE_MAX = 2000
# Messages of private chats that have ended. Removing so many takes a few milliseconds.
CLEARED_AT_ONCE_MAX = 1000


@rule(SendDelayed)
def send_delayed(context: Context, command: SendDelayed) -> DelayedSet:
    asked = (command.target.folded, command.target.kind, command.delay, command.text)
    return run_once(context, command.key, asked, DelayedSet, lambda: _set_delayed(context, command))


def _set_delayed(context: Context, command: SendDelayed) -> DelayedSet:
    author, limits = context.user(), context.limits
    refuse_banned(context, author)
    receiver, room = _receiver(context, author, command.target)
    when = _due_time(context, command.delay)
    refuse_without_room(context, author.id, command.text)
    if delayed.count_of(context.db, author.id) >= limits.delayed_max:
        raise Refusal("too_many", f"you have {limits.delayed_max} delayed messages waiting; cancel one or wait for one")
    delayed_id = delayed.insert(context.db, author.id, receiver, room, when, command.text, command.mentions)
    chat_id = MAIN if command.target.kind == "main" else room[0] if room else None
    due_ms, earliest_ms = _shown_ms(context, when), _earliest_ms(context, author, chat_id, when)
    note = None
    if earliest_ms > due_ms:
        limit_ms = main_limit_ends_ms(context, author) if chat_id == MAIN else None
        if limit_ms is not None and context.now.wall_ms(limit_ms) == earliest_ms:
            note = f"you have sent as many messages to main as one may until then ({limits.main_rate_count})"
        else:
            note = "the chat is in slow mode, and you have written just now"
    return DelayedSet(delayed_id, iso(earliest_ms), note)


def _earliest_ms(asked: Context | View, author: User, chat_id: int | None, when: DueTime) -> int:
    """Return when a message can be sent at the earliest: not before a ban ends, or what `_free_ms` says."""
    ends_ms = (author.ban_until_ms, _free_ms(asked, author, chat_id))
    return max(_shown_ms(asked, when), *(asked.now.wall_ms(each) for each in ends_ms))


def _free_ms(asked: Context | View, author: User, chat_id: int | None) -> int:
    """Return the elapsed time from which the author may write in main or a private chat; 0 if now.

    These are the limits that count messages. A chat of two, which is None, has none.
    """
    if chat_id is None:
        return 0
    limit_ms = main_limit_ends_ms(asked, author) if chat_id == MAIN else None
    return max(limit_ms or 0, free_ms(asked, author.id, chat_id))


def _receiver(context: Context, author: User, target: Target) -> tuple[int | None, tuple[int, str] | None]:
    """Find the user or the private chat that a message goes to; both are None for main."""
    if target.kind == "main":
        return None, None
    if target.kind == "room":
        room = find_room(context.db, author.id, target)
        return None, (room.id, room.name)
    receiver = find_user(context.db, target.name, target.folded, author.id)
    refuse_blocked(context, author, receiver)
    return receiver.id, None


def _due_time(context: Context, delay: Delay) -> DueTime:
    after_ms = delay.after_ms if delay.after_ms is not None else (delay.at_ms or 0) - context.at_ms
    if after_ms < 0:
        raise Refusal(
            "bad_argument", f"{iso(context.at_ms + after_ms)} is past, it is {iso(context.at_ms)} now; usage: {_USAGE}"
        )
    if after_ms > min(context.limits.delayed_ahead_ms, TIME_MS_MAX - context.at_ms):
        raise Refusal(
            "bad_argument",
            f"a message may be delayed by at most {duration(context.limits.delayed_ahead_ms)}; usage: {_USAGE}",
        )
    if delay.at_ms is not None:
        return DueTime(delay.at_ms, by_clock=True)
    return DueTime(context.elapsed_ms + after_ms)


def _shown_ms(asked: Context | View, when: DueTime) -> int:
    return when.due_ms if when.by_clock else asked.now.wall_ms(when.due_ms)


_USAGE = SendDelayed.spec.usage


@rule(CancelDelayed)
def cancel_delayed(context: Context, command: CancelDelayed) -> DelayedCancelled:
    if not delayed.delete_own(context.db, command.delayed_id, context.user_id):
        raise Refusal(
            "unknown_delayed", f"no delayed message {command.delayed_id} of yours waits; /delayed lists those that do"
        )
    return DelayedCancelled(command.delayed_id)


@reading(ListDelayed)
def list_delayed(view: View, command: ListDelayed) -> DelayedList:
    author = accounts.by_id(view.db, view.user_id)
    if author is None:
        return DelayedList([])
    waiting = [
        (_earliest_ms(view, author, None if each.target_user else each.room_id or MAIN, each.when), each)
        for each in delayed.of_user(view.db, view.user_id)
    ]
    waiting.sort(key=lambda shown: (shown[0], shown[1].id))
    return DelayedList([DelayedMessage(each.id, each.target_name, iso(at_ms), each.text) for at_ms, each in waiting])


@rule(Due)
def run_due(context: Context, command: Due) -> None:
    context.counts["dues"] += 1
    sent = delayed.find_due(context.db, context.at_ms, context.elapsed_ms, SENT_AT_ONCE_MAX)
    for each in sorted(sent, key=lambda each: (_shown_ms(context, each.when), each.id)):
        _send(context, each)
    end_bans(context)
    mark_absent_members(context)
    expire_messages(context)
    end_uploads(context)
    idempotency_keys.delete_old(context.db, context.elapsed_ms - KEY_LIFE_MS, EXPIRED_AT_ONCE_MAX)
    rooms.delete_old_links(context.db, context.elapsed_ms, EXPIRED_AT_ONCE_MAX)
    rooms.clear_ended(context.db, CLEARED_AT_ONCE_MAX)
    end_old_tokens(context, TOKENS_AT_ONCE_MAX)
    registration.delete_expired(context, EXPIRED_AT_ONCE_MAX)
    wrong_passwords.forget_old(context, EXPIRED_AT_ONCE_MAX)
    files.prune_dropped(context.db, EXPIRED_AT_ONCE_MAX)
    erasure.erase_portion(context)


def _send(context: Context, each: Delayed) -> None:
    """Send a message that is due. Everything is checked again, since much may have happened since it was set."""
    author = accounts.by_id(context.db, each.user_id)
    assert author is not None, "an account's delayed messages go with it"
    if author.ban_until_ms > context.elapsed_ms:
        delayed.postpone(context.db, each.id, author.ban_until_ms)
        return
    place = _find_place_now(context, author, each)
    if isinstance(place, str):
        _settle(context, each, DelayedFailed(each.id, place))
        return
    held_ms = _free_ms(context, author, place.chat_id)
    if held_ms:
        delayed.postpone(context.db, each.id, held_ms)
        return
    sent = post(context, author, place, each.text, each.named, delayed=True)
    _settle(context, each, DelayedSent(each.id, sent.id))


def _find_place_now(context: Context, author: User, each: Delayed) -> Place | str:
    """Find the place where a message goes now, or the code of the refusal if it can go nowhere."""
    if each.room_id is not None:
        return place_of(context.db, author.id, each.room_id) or "unknown_chat"
    if each.target_user is None:
        return MAIN_PLACE
    receiver = accounts.by_id(context.db, each.target_user)
    if receiver is None:
        return "unknown_user"
    if blocks.is_blocked_between(context.db, author.id, receiver.id):
        return "blocked"
    return direct_place(context, author, receiver)


def _settle(context: Context, each: Delayed, event: Event) -> None:
    delayed.delete(context.db, each.id, is_sent=isinstance(event, DelayedSent))
    context.push_kept(event, each.user_id)


@rule(ForgetNotices)
def forget_notices(context: Context, command: ForgetNotices) -> None:
    for notice in command.notices:
        notices.delete(context.db, context.user_id, notice)
