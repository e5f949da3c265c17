"""Delayed messages: setting, cancelling, and what is done when something is due."""

import msgspec

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
from chat_server.rules.messages import KEY_LIFE_MS, direct_place, main_limit_ends_ms, once, post
from chat_server.rules.moderation import end_bans, refuse_banned
from chat_server.rules.turn import MAIN_PLACE, Turn, View, find_chat, find_user, reading, rule
from chat_server.store import accounts, delayed, keys, notices
from chat_server.store.delayed import Delayed

SENT_AT_ONCE_MAX = 1000
EXPIRED_AT_ONCE_MAX = 10_000


@rule(c.SendDelayed)
def send_delayed(turn: Turn, command: c.SendDelayed) -> DelayedSet:
    asked = (command.target.folded, command.target.kind, command.delay, command.text)
    return once(turn, command.key, asked, DelayedSet, lambda: _set(turn, command))


def _set(turn: Turn, command: c.SendDelayed) -> DelayedSet:
    author, limits = turn.user(), turn.limits
    refuse_banned(turn, author)
    receiver = _receiver(turn, author.id, command.target)
    due_ms = _due_ms(turn, command.delay)
    if delayed.count_of(turn.db, author.id) >= limits.delayed_max:
        raise Refusal("too_many", f"you have {limits.delayed_max} delayed messages waiting; cancel one or wait for one")
    return DelayedSet(delayed.insert(turn.db, author.id, receiver, due_ms, command.text), iso(due_ms))


def _receiver(turn: Turn, author: int, target: Target) -> int | None:
    if target.kind == "main":
        return None
    if target.kind == "room":
        find_chat(turn.db, author, target)
    return find_user(turn.db, target.name, target.folded, author).id


def _due_ms(turn: Turn, delay: Delay) -> int:
    due_ms = turn.at_ms + delay.after_ms if delay.after_ms is not None else delay.at_ms or 0
    if due_ms < turn.at_ms:
        raise Refusal("bad_argument", f"{iso(due_ms)} is past, it is {iso(turn.at_ms)} now; usage: {_USAGE}")
    if due_ms > min(turn.at_ms + turn.limits.delayed_ahead_ms, TIME_MS_MAX):
        raise Refusal(
            "bad_argument",
            f"a message may be delayed by at most {duration(turn.limits.delayed_ahead_ms)}; usage: {_USAGE}",
        )
    return due_ms


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
    waiting = delayed.of_user(view.db, view.user_id)
    return DelayedList([Waiting(each.id, each.target_name, iso(each.due_ms), each.text) for each in waiting])


@rule(Due)
def due(turn: Turn, command: Due) -> None:
    for each in delayed.due(turn.db, turn.at_ms, SENT_AT_ONCE_MAX):
        _send(turn, each)
    end_bans(turn)
    keys.delete_old(turn.db, turn.at_ms - KEY_LIFE_MS, EXPIRED_AT_ONCE_MAX)
    accounts.delete_old_tokens(turn.db, turn.at_ms - turn.limits.token_ttl_ms, EXPIRED_AT_ONCE_MAX)


def _send(turn: Turn, each: Delayed) -> None:
    """Everything is checked again: much may have happened since it was set."""
    author = accounts.by_id(turn.db, each.user_id)
    assert author is not None, "an account's delayed messages go with it"
    if author.ban_until_ms > turn.at_ms:
        delayed.postpone(turn.db, each.id, author.ban_until_ms)
        return
    receiver = None
    if each.target_user is None:
        free_ms = main_limit_ends_ms(turn, author)
        if free_ms is not None:
            delayed.postpone(turn.db, each.id, free_ms)
            return
    else:
        receiver = accounts.by_id(turn.db, each.target_user)
        if receiver is None:
            _settle(turn, each, DelayedFailed(each.id, "unknown_user"))
            return
    place = direct_place(turn, author, receiver) if receiver else MAIN_PLACE
    sent = post(turn, author, place, each.text, delayed=True)
    _settle(turn, each, DelayedSent(each.id, sent.id))


def _settle(turn: Turn, each: Delayed, event: Event) -> None:
    delayed.delete(turn.db, each.id)
    notice = notices.insert(turn.db, each.user_id, msgspec.json.encode(event))
    turn.push(event, each.user_id, notice=notice)


@rule(Told)
def told(turn: Turn, command: Told) -> None:
    for notice in command.notices:
        notices.delete(turn.db, turn.user_id, notice)
