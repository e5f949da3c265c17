"""Comments on messages and their threads; edits, deletions and reactions.

A change gives the message a new seq, so that users who were away find it. Its event is the whole message as it is now.
"""

from msgspec.structs import replace

from chat_server.errors import Refusal
from chat_server.protocol.messages import Changed, Comment, Delete, Edit, React, Sent, ShowThread, ThreadShown, Unreact
from chat_server.rules.authorization import is_operator
from chat_server.rules.blocks import find_mentioned, refuse_blocked_at
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import Place, find_message, place_anywhere, place_of
from chat_server.rules.messages import post, run_once
from chat_server.rules.moderation import refuse_banned
from chat_server.rules.outcomes import Answer
from chat_server.rules.registry import reading, rule
from chat_server.rules.text_quota import refuse_without_room
from chat_server.store import accounts, messages, operators
from chat_server.store.accounts import User
from chat_server.store.messages import StoredMessage

# One message has so many different emojis.
EMOJIS_MAX = 20


@rule(Comment)
def comment(context: Context, command: Comment) -> Sent:
    return run_once(context, command.key, (command.id, command.text), Sent, lambda: _comment(context, command))


def _comment(context: Context, command: Comment) -> Sent:
    author = context.user()
    refuse_banned(context, author)
    on, place = _find_undeleted(context, author, command.id)
    _refuse_lonely(context, author, place)
    refuse_blocked_at(context, author, place)
    refuse_without_room(context, author.id, command.text)
    return post(context, author, place, command.text, command.mentions, reply_to=on.id)


def _refuse_lonely(context: Context, author: User, place: Place) -> None:
    """Refuse a comment in a one-to-one chat whose other user has deleted the account."""
    if any(accounts.by_id(context.db, user_id) is None for user_id, _ in place.readers):
        raise Refusal("unknown_user", "the other one has deleted the account; nobody would read this")


@rule(Edit)
def edit(context: Context, command: Edit) -> Changed:
    author = context.user()
    refuse_banned(context, author)
    message, place = _find_own(context, author, command.id)
    refuse_blocked_at(context, author, place)
    refuse_without_room(context, author.id, command.text, messages.text_of(context.db, message.id))
    mentions = find_mentioned(context, author, place.chat_id, command.mentions)
    messages.edit(context.db, message.id, context.next_seq(), command.text, context.at_ms, mentions)
    return _push_change(context, message, place)


@rule(Delete)
def delete(context: Context, command: Delete) -> Changed:
    user = context.user()
    if is_operator(context.db, user.id):
        message, place = _find_any(context, user, command.id)
    else:
        message, place = _find_own(context, user, command.id)
    messages.delete(context.db, message.id, context.next_seq(), context.at_ms)
    return _push_change(context, message, place)


@rule(React)
def react(context: Context, command: React) -> Changed:
    user = context.user()
    refuse_banned(context, user)
    message, place = _find_undeleted(context, user, command.id)
    refuse_blocked_at(context, user, place)
    if messages.has_reacted(context.db, message.id, command.emoji, user.id):
        return _unchanged_reply(
            context, message, place, f"you have reacted to #{message.id} with {command.emoji} already"
        )
    emojis = messages.emojis(context.db, message.id)
    if command.emoji not in emojis and len(emojis) >= EMOJIS_MAX:
        raise Refusal("too_many", f"a message has at most {EMOJIS_MAX} different reactions; join one that is there")
    messages.react(context.db, message.id, command.emoji, user.id, context.next_seq())
    return _push_change(context, message, place)


@rule(Unreact)
def unreact(context: Context, command: Unreact) -> Changed:
    user = context.user()
    refuse_banned(context, user)
    message, place = _find_undeleted(context, user, command.id)
    if not messages.has_reacted(context.db, message.id, command.emoji, user.id):
        return _unchanged_reply(context, message, place, f"you have not reacted to #{message.id} with {command.emoji}")
    messages.unreact(context.db, message.id, command.emoji, user.id, context.next_seq())
    return _push_change(context, message, place)


def _find_undeleted(context: Context, user: User, message_id: int) -> tuple[StoredMessage, Place]:
    message, place = find_message(context.db, user.id, message_id)
    if message.deleted:
        raise Refusal("unknown_message", f"message #{message_id} was deleted")
    return message, place


def _find_own(context: Context, user: User, message_id: int) -> tuple[StoredMessage, Place]:
    message, place = _find_undeleted(context, user, message_id)
    if message.user_id != user.id:
        raise Refusal("forbidden", f"message #{message_id} is not yours; /reply {message_id} <text> comments on it")
    return message, place


def _find_any(context: Context, operator: User, message_id: int) -> tuple[StoredMessage, Place]:
    """Find a message in any chat for an operator to delete, and record that. The operator is not told what it says."""
    message = messages.find(context.db, message_id)
    place = place_anywhere(context.db, message.chat_id) if message else None
    if message is None or place is None or message.deleted:
        raise Refusal("unknown_message", f"there is no message #{message_id}, or it was deleted")
    if message.user_id != operator.id:
        author = accounts.name_of(context.db, message.user_id)
        operators.record(context.db, context.at_ms, operator.name, "delete", author, f"#{message_id}")
    return message, place


def _push_change(context: Context, message: StoredMessage, place: Place) -> Changed:
    now = messages.load_one(context.db, message.id, "")
    place.push(context, lambda chat: replace(now, chat=chat), before=message.seq)
    if place_of(context.db, context.user_id, place.chat_id) is None:
        return Changed(message.id, now.seq)
    return Changed(message.id, now.seq, replace(now, chat=place.name_for(context.user_id)))


def _unchanged_reply(context: Context, message: StoredMessage, place: Place, why: str) -> Changed:
    now = messages.load_one(context.db, message.id, place.name_for(context.user_id))
    return Changed(message.id, now.seq, now, f"nothing changed: {why}")


# ---- reading


@reading(ShowThread)
def thread(view: View, command: ShowThread) -> Answer:
    message, place = find_message(view.db, view.user_id, command.id)
    name, count = place.name_for(view.user_id), 0
    for page in messages.load_thread(view.db, message.id, name):
        count += len(page)
        yield page
    return ThreadShown(message.id, name, count - 1)
