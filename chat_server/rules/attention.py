"""Attention: muted chats, preferences of clients, and users who are away."""

from chat_server.errors import Refusal
from chat_server.protocol.arguments import Target
from chat_server.protocol.people import (
    Away,
    AwaySet,
    Mute,
    Muted,
    MuteSet,
    PreferenceChanged,
    PreferenceSet,
    PresenceChanged,
    SetPreference,
    Unmute,
)
from chat_server.rules.context import Context
from chat_server.rules.lookup import find_chat
from chat_server.rules.moderation import refuse_banned
from chat_server.rules.registry import rule
from chat_server.rules.text_quota import refuse_without_room
from chat_server.store import accounts, chats, preferences

AWAY_CHARS_MAX = 200
PREFERENCES_MAX, PREFERENCE_CHARS_MAX = 1000, 200


@rule(Mute)
def mute(context: Context, command: Mute) -> MuteSet:
    return _set_muted(context, command.chat, True)


@rule(Unmute)
def unmute(context: Context, command: Unmute) -> MuteSet:
    return _set_muted(context, command.chat, False)


def _set_muted(context: Context, chat: Target, muted: bool) -> MuteSet:
    chat_id, name = find_chat(context.db, context.user().id, chat)
    if chat_id is None:
        raise Refusal("unknown_chat", f"nothing was said between you and {name[1:]} yet; /status lists your chats")
    if chats.set_muted(context.db, context.user_id, chat_id, muted):
        context.push(Muted(name, muted), context.user_id)
    return MuteSet(name, muted)


@rule(SetPreference)
def set_preference(context: Context, command: SetPreference) -> PreferenceSet:
    user_id, name, value = context.user().id, command.name, command.value or None
    found = preferences.of_user(context.db, user_id)
    if value == found.get(name):
        return PreferenceSet(name, value)
    if value is None:
        preferences.delete(context.db, user_id, name)
    elif len(value) > PREFERENCE_CHARS_MAX:
        raise Refusal("too_large", f"a value has at most {PREFERENCE_CHARS_MAX} characters, this one {len(value)}")
    elif name not in found and len(found) >= PREFERENCES_MAX:
        raise Refusal("too_many", f"{PREFERENCES_MAX} preferences are kept; take one away with /preference <name>")
    else:
        preferences.put(context.db, user_id, name, value)
    context.push(PreferenceChanged(name, value), user_id)
    return PreferenceSet(name, value)


@rule(Away)
def set_away(context: Context, command: Away) -> AwaySet:
    user, text = context.user(), command.text or None
    if text is not None:
        refuse_banned(context, user)
        if len(text) > AWAY_CHARS_MAX:
            raise Refusal("too_large", f"it has at most {AWAY_CHARS_MAX} characters, this one {len(text)}; shorten it")
        refuse_without_room(context, user.id, text, accounts.away_text(context.db, user.id))
    if accounts.away_text(context.db, user.id) != text:
        accounts.set_away(context.db, user.id, text)
        context.push(PresenceChanged(user.name, True, text))
    return AwaySet(text)
