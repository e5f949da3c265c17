"""What calls a user and what does not: muted chats; and who is away."""

from chat_server.errors import Refusal
from chat_server.protocol import commands as c
from chat_server.protocol.arguments import Target
from chat_server.protocol.attention_replies import AwaySet, MuteSet
from chat_server.protocol.events import Muted, Presence
from chat_server.rules.moderation import refuse_banned
from chat_server.rules.texts import refuse_more
from chat_server.rules.turn import Turn, find_chat, rule
from chat_server.store import accounts, chats

AWAY_CHARS_MAX = 200


@rule(c.Mute)
def mute(turn: Turn, command: c.Mute) -> MuteSet:
    return _set_muted(turn, command.chat, True)


@rule(c.Unmute)
def unmute(turn: Turn, command: c.Unmute) -> MuteSet:
    return _set_muted(turn, command.chat, False)


def _set_muted(turn: Turn, chat: Target, muted: bool) -> MuteSet:
    chat_id, name = find_chat(turn.db, turn.user().id, chat)
    if chat_id is None:
        raise Refusal("unknown_chat", f"nothing was said between you and {name[1:]} yet; /status lists your chats")
    if chats.set_muted(turn.db, turn.user_id, chat_id, muted):
        turn.push(Muted(name, muted), turn.user_id)
    return MuteSet(name, muted)


@rule(c.Away)
def away(turn: Turn, command: c.Away) -> AwaySet:
    user, text = turn.user(), command.text or None
    if text is not None:
        refuse_banned(turn, user)
        if len(text) > AWAY_CHARS_MAX:
            raise Refusal("too_large", f"it has at most {AWAY_CHARS_MAX} characters, this one {len(text)}; shorten it")
        refuse_more(turn, user.id, text, accounts.away(turn.db, user.id))
    if accounts.away(turn.db, user.id) != text:
        accounts.set_away(turn.db, user.id, text)
        turn.push(Presence(user.name, True, text))
    return AwaySet(text)
