"""Delayed messages: setting, cancelling, and what is done when something is due."""

from chat_server.entries import Due, Told
from chat_server.errors import Refusal
from chat_server.protocol import commands as c
from chat_server.protocol.arguments import Delay, Target
from chat_server.protocol.events import (
    DelayedCancelled,
    DelayedFailed,
    DelayedList,
    DelayedSent,
    DelayedSet,
    Event,
    Waiting,
)
from chat_server.protocol.times import TIME_MS_MAX, duration, iso
from chat_server.rules import erasure, registration, search
from chat_server.rules.accounts import end_old_tokens
from chat_server.rules.blocks import refuse_blocked
from chat_server.rules.files import end_uploads
from chat_server.rules.messages import KEY_LIFE_MS, direct_place, main_limit_ends_ms, once, post
from chat_server.rules.moderation import end_bans, refuse_banned
from chat_server.rules.retention import expire, find_absent
from chat_server.rules.texts import refuse_more
from chat_server.rules.turn import MAIN_PLACE, Place, Turn, View, find_room, find_user, place_of, reading, rule
from chat_server.store import accounts, blocks, delayed, keys, notices, rooms
from chat_server.store.accounts import User
from chat_server.store.chats import MAIN
from chat_server.store.delayed import Delayed, When

SENT_AT_ONCE_MAX = 1000
EXPIRED_AT_ONCE_MAX = 10_000
TOKENS_AT_ONCE_MAX = 2000
# Messages of private chats that have ended: a batch of them takes a few milliseconds.
CLEARED_AT_ONCE_MAX = 1000


@rule(c.SendDelayed)
def send_delayed(turn: Turn, command: c.SendDelayed) -> DelayedSet:
    asked = (command.target.folded, command.target.kind, command.delay, command.text)
    return once(turn, command.key, asked, DelayedSet, lambda: _set(turn, command))


def _set(turn: Turn, command: c.SendDelayed) -> DelayedSet:
    author, limits = turn.user(), turn.limits
    refuse_banned(turn, author)
    receiver, room = _receiver(turn, author, command.target)
    when = _when(turn, command.delay)
    refuse_more(turn, author.id, command.text)
    if delayed.count_of(turn.db, author.id) >= limits.delayed_max:
        raise Refusal("too_many", f"you have {limits.delayed_max} delayed messages waiting; cancel one or wait for one")
    delayed_id = delayed.insert(turn.db, author.id, receiver, room, when, command.text, command.mentions)
    due_ms, earliest_ms = _shown_ms(turn, when), _earliest_ms(turn, author, command.target.kind == "main", when)
    note = None
    if earliest_ms > due_ms:
        note = f"you have sent as many messages to main as one may until then ({limits.main_rate_count})"
    return DelayedSet(delayed_id, iso(earliest_ms), note)


def _earliest_ms(asked: Turn | View, author: User, to_main: bool, when: When) -> int:
    """Not before the end of a ban, or in main of the limit there."""
    free_ms = main_limit_ends_ms(asked, author) if to_main else None
    return max(_shown_ms(asked, when), *(asked.wall_ms(each) for each in (author.ban_until_ms, free_ms or 0)))


def _receiver(turn: Turn, author: User, target: Target) -> tuple[int | None, tuple[int, str] | None]:
    """The user or the private chat that it goes to, neither for main."""
    if target.kind == "main":
        return None, None
    if target.kind == "room":
        room = find_room(turn.db, author.id, target)
        return None, (room.id, room.name)
    receiver = find_user(turn.db, target.name, target.folded, author.id)
    refuse_blocked(turn, author, receiver)
    return receiver.id, None


def _when(turn: Turn, delay: Delay) -> When:
    after_ms = delay.after_ms if delay.after_ms is not None else (delay.at_ms or 0) - turn.at_ms
    if after_ms < 0:
        raise Refusal(
            "bad_argument", f"{iso(turn.at_ms + after_ms)} is past, it is {iso(turn.at_ms)} now; usage: {_USAGE}"
        )
    if after_ms > min(turn.limits.delayed_ahead_ms, TIME_MS_MAX - turn.at_ms):
        raise Refusal(
            "bad_argument",
            f"a message may be delayed by at most {duration(turn.limits.delayed_ahead_ms)}; usage: {_USAGE}",
        )
    if delay.at_ms is not None:
        return When(delay.at_ms, by_clock=True)
    return When(turn.elapsed_ms + after_ms)


def _shown_ms(asked: Turn | View, when: When) -> int:
    return when.due_ms if when.by_clock else asked.wall_ms(when.due_ms)


_USAGE = c.SendDelayed.spec.usage


@rule(c.CancelDelayed)
def cancel_delayed(turn: Turn, command: c.CancelDelayed) -> DelayedCancelled:
    if not delayed.delete_own(turn.db, command.delayed_id, turn.user_id):
        raise Refusal(
            "unknown_delayed", f"no delayed message {command.delayed_id} of yours waits; /delayed lists those that do"
        )
    return DelayedCancelled(command.delayed_id)


@reading(c.ListDelayed)
def list_delayed(view: View, command: c.ListDelayed) -> DelayedList:
    author = accounts.by_id(view.db, view.user_id)
    if author is None:
        return DelayedList([])
    waiting = [
        (_earliest_ms(view, author, each.target_user is None and each.room_id is None, each.when), each)
        for each in delayed.of_user(view.db, view.user_id)
    ]
    waiting.sort(key=lambda shown: (shown[0], shown[1].id))
    return DelayedList([Waiting(each.id, each.target_name, iso(at_ms), each.text) for at_ms, each in waiting])


@rule(Due)
def due(turn: Turn, command: Due) -> None:
    sent = delayed.due(turn.db, turn.at_ms, turn.elapsed_ms, SENT_AT_ONCE_MAX)
    for each in sorted(sent, key=lambda each: (_shown_ms(turn, each.when), each.id)):
        _send(turn, each)
    end_bans(turn)
    find_absent(turn)
    expire(turn)
    end_uploads(turn)
    keys.delete_old(turn.db, turn.elapsed_ms - KEY_LIFE_MS, EXPIRED_AT_ONCE_MAX)
    rooms.delete_old_links(turn.db, turn.elapsed_ms, EXPIRED_AT_ONCE_MAX)
    rooms.clear_ended(turn.db, CLEARED_AT_ONCE_MAX)
    end_old_tokens(turn, TOKENS_AT_ONCE_MAX)
    registration.end_old(turn, EXPIRED_AT_ONCE_MAX)
    # A step of either is as much as others should wait for.
    if not erasure.go_on(turn):
        search.go_on(turn)


def _send(turn: Turn, each: Delayed) -> None:
    """Everything is checked again: much may have happened since it was set."""
    author = accounts.by_id(turn.db, each.user_id)
    assert author is not None, "an account's delayed messages go with it"
    if author.ban_until_ms > turn.elapsed_ms:
        delayed.postpone(turn.db, each.id, author.ban_until_ms)
        return
    place = _place(turn, author, each)
    if isinstance(place, str):
        _settle(turn, each, DelayedFailed(each.id, place))
        return
    free_ms = main_limit_ends_ms(turn, author) if place.chat_id == MAIN else None
    if free_ms is not None:
        delayed.postpone(turn.db, each.id, free_ms)
        return
    sent = post(turn, author, place, each.text, each.named, delayed=True)
    _settle(turn, each, DelayedSent(each.id, sent.id))


def _place(turn: Turn, author: User, each: Delayed) -> Place | str:
    """Where it goes now, or the code that says why it cannot."""
    if each.room_id is not None:
        return place_of(turn.db, author.id, each.room_id) or "unknown_chat"
    if each.target_user is None:
        return MAIN_PLACE
    receiver = accounts.by_id(turn.db, each.target_user)
    if receiver is None:
        return "unknown_user"
    return "blocked" if blocks.between(turn.db, author.id, receiver.id) else direct_place(turn, author, receiver)


def _settle(turn: Turn, each: Delayed, event: Event) -> None:
    delayed.delete(turn.db, each.id)
    turn.push_kept(event, each.user_id)


@rule(Told)
def told(turn: Turn, command: Told) -> None:
    for notice in command.notices:
        notices.delete(turn.db, turn.user_id, notice)
