"""Comments on messages, and threads of them; edits, deletions and reactions.

A change gives the message a new seq, so that who was away finds it; the event is the message itself, as it is now.
"""

from msgspec.structs import replace

from chat_server.errors import Refusal
from chat_server.protocol import commands as c
from chat_server.protocol.events import Changed, Sent, Thread
from chat_server.rules.blocks import called, refuse_blocked_at
from chat_server.rules.messages import once, post
from chat_server.rules.moderation import refuse_banned
from chat_server.rules.texts import refuse_more
from chat_server.rules.turn import (
    Answer,
    Place,
    Turn,
    View,
    find_message,
    is_operator,
    place_anywhere,
    place_of,
    reading,
    rule,
)
from chat_server.store import accounts, messages, operators
from chat_server.store.accounts import User
from chat_server.store.messages import Stored

# Different ones on one message.
EMOJIS_MAX = 20


@rule(c.Reply)
def reply(turn: Turn, command: c.Reply) -> Sent:
    return once(turn, command.key, (command.id, command.text), Sent, lambda: _comment(turn, command))


def _comment(turn: Turn, command: c.Reply) -> Sent:
    author = turn.user()
    refuse_banned(turn, author)
    on, place = _undeleted(turn, author, command.id)
    _refuse_lonely(turn, author, place)
    refuse_blocked_at(turn, author, place)
    refuse_more(turn, author.id, command.text)
    return post(turn, author, place, command.text, command.mentions, reply_to=on.id)


def _refuse_lonely(turn: Turn, author: User, place: Place) -> None:
    """In a one-to-one chat."""
    if any(accounts.by_id(turn.db, user_id) is None for user_id, _ in place.readers):
        raise Refusal("unknown_user", "the other one has deleted the account; nobody would read this")


@rule(c.Edit)
def edit(turn: Turn, command: c.Edit) -> Changed:
    author = turn.user()
    refuse_banned(turn, author)
    message, place = _own(turn, author, command.id)
    refuse_blocked_at(turn, author, place)
    refuse_more(turn, author.id, command.text, messages.text_of(turn.db, message.id))
    mentions = called(turn, author, place.chat_id, command.mentions)
    messages.edit(turn.db, message.id, turn.next_seq(), command.text, turn.at_ms, mentions)
    return _changed(turn, message, place)


@rule(c.Delete)
def delete(turn: Turn, command: c.Delete) -> Changed:
    user = turn.user()
    if is_operator(turn.db, user.id):
        message, place = _anyones(turn, user, command.id)
    else:
        message, place = _own(turn, user, command.id)
    messages.delete(turn.db, message.id, turn.next_seq(), turn.at_ms)
    return _changed(turn, message, place)


@rule(c.React)
def react(turn: Turn, command: c.React) -> Changed:
    user = turn.user()
    refuse_banned(turn, user)
    message, place = _undeleted(turn, user, command.id)
    refuse_blocked_at(turn, user, place)
    if messages.reacted(turn.db, message.id, command.emoji, user.id):
        return _unchanged(turn, message, place, f"you have reacted to #{message.id} with {command.emoji} already")
    emojis = messages.emojis(turn.db, message.id)
    if command.emoji not in emojis and len(emojis) >= EMOJIS_MAX:
        raise Refusal("too_many", f"a message has at most {EMOJIS_MAX} different reactions; join one that is there")
    messages.react(turn.db, message.id, command.emoji, user.id, turn.next_seq())
    return _changed(turn, message, place)


@rule(c.Unreact)
def unreact(turn: Turn, command: c.Unreact) -> Changed:
    user = turn.user()
    refuse_banned(turn, user)
    message, place = _undeleted(turn, user, command.id)
    if not messages.reacted(turn.db, message.id, command.emoji, user.id):
        return _unchanged(turn, message, place, f"you have not reacted to #{message.id} with {command.emoji}")
    messages.unreact(turn.db, message.id, command.emoji, user.id, turn.next_seq())
    return _changed(turn, message, place)


def _undeleted(turn: Turn, user: User, message_id: int) -> tuple[Stored, Place]:
    message, place = find_message(turn.db, user.id, message_id)
    if message.deleted:
        raise Refusal("unknown_message", f"message #{message_id} was deleted")
    return message, place


def _own(turn: Turn, user: User, message_id: int) -> tuple[Stored, Place]:
    message, place = _undeleted(turn, user, message_id)
    if message.user_id != user.id:
        raise Refusal("forbidden", f"message #{message_id} is not yours; /reply {message_id} <text> comments on it")
    return message, place


def _anyones(turn: Turn, operator: User, message_id: int) -> tuple[Stored, Place]:
    """A message in whatever chat, for an operator to take away. Of what it says the operator is told nothing."""
    message = messages.find(turn.db, message_id)
    place = place_anywhere(turn.db, message.chat_id) if message else None
    if message is None or place is None or message.deleted:
        raise Refusal("unknown_message", f"there is no message #{message_id}, or it was deleted")
    if message.user_id != operator.id:
        author = accounts.name_of(turn.db, message.user_id)
        operators.record(turn.db, turn.at_ms, operator.name, "delete", author, f"#{message_id}")
    return message, place


def _changed(turn: Turn, message: Stored, place: Place) -> Changed:
    now = messages.one(turn.db, message.id, "")
    place.push(turn, lambda chat: replace(now, chat=chat))
    if place_of(turn.db, turn.user_id, place.chat_id) is None:
        return Changed(message.id, now.seq)
    return Changed(message.id, now.seq, replace(now, chat=place.name_for(turn.user_id)))


def _unchanged(turn: Turn, message: Stored, place: Place, why: str) -> Changed:
    now = messages.one(turn.db, message.id, place.name_for(turn.user_id))
    return Changed(message.id, now.seq, now, f"nothing changed: {why}")


# ---- reading


@reading(c.Thread)
def thread(view: View, command: c.Thread) -> Answer:
    message, place = find_message(view.db, view.user_id, command.id)
    name, count = place.name_for(view.user_id), 0
    for page in messages.thread(view.db, message.id, name):
        count += len(page)
        yield page
    return Thread(message.id, name, count - 1)
