"""Slow mode of a chat: the least time between two messages of one user there.

The owner of a chat and operators set it, and are exempt; in main these are the operators. Where it is off, a message
costs one comparison.
"""

from chat_server.errors import Refusal
from chat_server.protocol.arguments import Target
from chat_server.protocol.rooms import SetSlowMode, SlowModeChanged, SlowModeShown
from chat_server.protocol.times import duration, iso, until
from chat_server.rules.authorization import is_operator
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import MAIN_PLACE, Place, find_room
from chat_server.rules.moderation import refuse_banned
from chat_server.rules.operators import record
from chat_server.rules.registry import rule
from chat_server.store import rooms, slow_mode
from chat_server.store.chats import MAIN
from chat_server.store.database import Database


@rule(SetSlowMode)
def set_slow_mode(context: Context, command: SetSlowMode) -> SlowModeShown:
    user = context.user()
    if command.interval is not None:
        refuse_banned(context, user)
    place = _find_place(context, user.id, command.chat)
    slow_ms = slow_mode.interval_ms(context.db, place.chat_id)
    if command.interval is None:
        return SlowModeShown(place.name, slow_ms // 1000)
    if not is_exempt(context.db, user.id, place.chat_id):
        may = "operators" if place.chat_id == MAIN else "its owner and operators"
        raise Refusal(
            "forbidden", f"only {may} may set the slow mode of {place.name}; /slow_mode {place.name} shows it"
        )
    if command.interval != slow_ms:
        _set(context, user.name, place, command.interval)
    return SlowModeShown(place.name, command.interval // 1000)


def _find_place(context: Context, user_id: int, target: Target) -> Place:
    if target.kind == "main":
        return MAIN_PLACE
    room = find_room(context.db, user_id, target)
    return Place(room.id, room.name)


def _set(context: Context, by: str, place: Place, slow_ms: int) -> None:
    slow_mode.set_interval(context.db, place.chat_id, slow_ms)
    if is_operator(context.db, context.user_id):
        record(context, "slow_mode", why=f"{place.name} {duration(slow_ms)}")
    event = SlowModeChanged(place.name, slow_ms // 1000, by)
    place.push(context, lambda _: event)


def is_exempt(db: Database, user_id: int, chat_id: int) -> bool:
    """Tell whether the user is not held up there, and may set it."""
    return is_operator(db, user_id) or (chat_id != MAIN and rooms.by_id(db, chat_id).owner == user_id)


def free_ms(asked: Context | View, user_id: int, chat_id: int) -> int:
    """Return the elapsed time from which on the user may write there again; 0 if nothing holds the user up."""
    slow_ms = slow_mode.interval_ms(asked.db, chat_id)
    if not slow_ms or is_exempt(asked.db, user_id, chat_id):
        return 0
    return _free_ms(asked, user_id, chat_id, slow_ms)


def _free_ms(asked: Context | View, user_id: int, chat_id: int, slow_ms: int) -> int:
    sent_ms = slow_mode.last_sent_ms(asked.db, chat_id, user_id)
    return 0 if sent_ms is None or sent_ms + slow_ms <= asked.elapsed_ms else sent_ms + slow_ms


def refuse_too_soon(asked: Context | View, user_id: int, chat_id: int, name: str, slow_ms: int) -> None:
    """Refuse a message of a user who is not exempt, while the chat's slow mode holds the user up."""
    ends_ms = _free_ms(asked, user_id, chat_id, slow_ms)
    if ends_ms:
        ends_at_ms = asked.now.wall_ms(ends_ms)
        raise Refusal(
            "rate_limited",
            f"nothing was sent: {name} is in slow mode, which lets each send one message in {duration(slow_ms)}; you"
            f" have to wait {until(ends_at_ms, asked.at_ms)}",
            retry_at=iso(ends_at_ms),
        )


def refuse_held_up(asked: Context | View, user_id: int, chat_id: int, name: str) -> None:
    """Refuse what would be refused as a message there."""
    slow_ms = slow_mode.interval_ms(asked.db, chat_id)
    if slow_ms and not is_exempt(asked.db, user_id, chat_id):
        refuse_too_soon(asked, user_id, chat_id, name, slow_ms)
