"""Messages: sending them, reading them, and the read markers of users."""

import hashlib
from collections.abc import Callable
from typing import TypeVar

import msgspec

from chat_server.errors import Refusal
from chat_server.log.entries import MarkRead, MarkSeen
from chat_server.protocol.arguments import Key, Names, Target
from chat_server.protocol.base import Reply
from chat_server.protocol.messages import (
    File,
    GetChatWith,
    History,
    MarkedRead,
    Message,
    Messages,
    MessagesShown,
    Read,
    ReadMarker,
    Send,
    SendAll,
    Sent,
    Talk,
    Talking,
)
from chat_server.protocol.times import DAY_MS, HOUR_MS, iso, until
from chat_server.rules.blocks import blocked_refusal, find_mentioned
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import MAIN_PLACE, Place, find_chat, find_room, find_user, place_between
from chat_server.rules.moderation import refuse_banned
from chat_server.rules.outcomes import Answer, LastPage, Page
from chat_server.rules.registry import reading, rule
from chat_server.rules.retention import note_moved
from chat_server.rules.slow_mode import is_exempt, refuse_too_soon
from chat_server.rules.text_quota import refuse_without_room
from chat_server.store import chats, files, idempotency_keys, message_pages, messages, slow_mode
from chat_server.store.accounts import User, set_rate
from chat_server.store.chats import MAIN
from chat_server.store.message_pages import Range

MAIN_TARGET = Target("main", "main", "main")
KEY_LIFE_MS = DAY_MS
HISTORY_PAGE_MAX = 200

R = TypeVar("R", bound=Reply)


@rule(SendAll)
def send_all(context: Context, command: SendAll) -> Sent:
    return _send(context, MAIN_TARGET, command.text, command.mentions, command.key)


@rule(Send)
def send(context: Context, command: Send) -> Sent:
    return _send(context, command.target, command.text, command.mentions, command.key)


def _send(context: Context, target: Target, text: str, named: Names, key: Key | None) -> Sent:
    if key is None:
        return send_now(context, target, text, named)
    asked = (target.folded, target.kind, text)
    return run_once(context, key, asked, Sent, lambda: send_now(context, target, text, named))


def send_now(context: Context, target: Target, text: str, named: Names) -> Sent:
    author = context.user()
    refuse_banned(context, author)
    refuse_without_room(context, author.id, text)
    return post(context, author, find_place(context, author, target), text, named)


def find_place(context: Context, author: User, target: Target) -> Place:
    """Find a place where the author may write.

    Raises Refusal `unknown_chat`, `unknown_user`, `not_yourself` or `blocked`.
    """
    kind = target.kind
    if kind == "main":
        return MAIN_PLACE
    key = (author.id, kind, target.folded)
    place: Place | None = context.cache.places.get(key)
    if place is None:
        place = context.cache.places[key] = _look_up_place(context, author, target)
    return place


def _look_up_place(context: Context, author: User, target: Target) -> Place:
    if target.kind == "room":
        room = find_room(context.db, author.id, target)
        return Place(room.id, room.name, slow_ms=room.slow_ms)
    return direct_place(context, author, find_user(context.db, target.name, target.folded, author.id))


def post(
    context: Context,
    author: User,
    place: Place,
    text: str,
    named: Names,
    delayed: bool = False,
    reply_to: int | None = None,
    file: File | None = None,
) -> Sent:
    """Store a message and push it. The caller has checked that the author may write it; only the limits that count
    messages are checked: slow mode, and main's limit.

    `named` are the folded names that the text mentions.
    """
    slow_ms = slow_mode.main_interval_ms(context.db) if place.chat_id == MAIN else place.slow_ms
    is_slowed = slow_ms > 0 and not is_exempt(context.db, author.id, place.chat_id)
    if is_slowed:
        refuse_too_soon(context, author.id, place.chat_id, place.name, slow_ms)
    left = _count_in_main(context, author) if place.chat_id == MAIN else None
    if is_slowed:
        slow_mode.note_sent(context.db, place.chat_id, author.id, context.elapsed_ms, slow_ms)
    seq, at = context.next_seq(), context.at
    mentions = find_mentioned(context, author, place.chat_id, named) if named else None
    messages.insert(
        context.db, seq, place.chat_id, author.id, context.at_ms, context.elapsed_ms, text, delayed, reply_to, mentions
    )
    if context.cache.unread:
        for user_id, _ in place.readers:
            chats.note_message(context.cache, place.chat_id, user_id, seq)
    if file is not None:
        files.attach(context.db, file, seq, place.chat_id, author.id)

    def seen_as(chat: str) -> Message:
        return Message(
            seq, seq, chat, author.name, at, text=text, reply_to=reply_to, file=file, delayed=delayed, mentions=mentions
        )

    place.push(context, seen_as)
    return Sent(seq, at, left)


def direct_place(context: Context, one: User, other: User) -> Place:
    """Return the place of the chat between two users, which begins if there is none yet. Raises Refusal `blocked`."""
    chat_id, is_open = chats.find_direct_if_open(context.db, one.id, other.id)
    if not is_open:
        raise blocked_refusal(other.name)
    if chat_id is None:
        chat_id = chats.insert_direct(context.db, one.id, other.id, context.elapsed_ms)
    return place_between(chat_id, (one.id, one.name), (other.id, other.name))


def run_once(context: Context, key: Key | None, asked: object, answer: type[R], do: Callable[[], R]) -> R:
    """Run `do`, unless the user's key has been used for the same already: then return the first reply again."""
    if key is None:
        return do()
    done = find_earlier_reply(context, key, asked, answer)
    if done is not None:
        return done
    if files.is_key_of_upload(context.db, context.user_id, key):
        # A banned user is told of the ban first, as by all that is looked at before it is done.
        refuse_banned(context, context.user())
        raise Refusal("bad_argument", "this key belongs to an upload that is under way; take a new one")
    reply = do()
    # Each new key deletes up to two expired ones, so that they do not pile up however many come.
    idempotency_keys.delete_old(context.db, context.elapsed_ms - KEY_LIFE_MS, 2)
    idempotency_keys.insert(
        context.db, context.user_id, key, _digest(asked, answer), msgspec.json.encode(reply), context.elapsed_ms
    )
    return reply


def find_earlier_reply(context: Context, key: Key | None, asked: object, answer: type[R]) -> R | None:
    """Find the earlier reply under the user's key, if it was used. Raises Refusal if it was used for something else."""
    if key is None:
        return None
    found = idempotency_keys.find(context.db, context.user_id, key, context.elapsed_ms - KEY_LIFE_MS)
    if found is None:
        return None
    if found[0] != _digest(asked, answer):
        raise Refusal("bad_argument", "this key was used for something else in the last 24 hours; take a new one")
    return msgspec.json.decode(found[1], type=answer)


def _digest(asked: object, answer: type[Reply]) -> bytes:
    return hashlib.sha256(msgspec.json.encode((answer.__name__, asked))).digest()


# ---- the rate limit in main


def main_limit_ends_ms(asked: Context | View, user: User) -> int | None:
    """Return the elapsed time at which the user may write in main again, None if the user may now."""
    most, window_ms = asked.limits.main_rate_count, asked.limits.main_rate_window_ms
    if most is None or asked.elapsed_ms >= user.rate_start_ms + window_ms or user.rate_count < most:
        return None
    return user.rate_start_ms + window_ms


def _count_in_main(context: Context, user: User) -> str | None:
    """Count a message; return what is to be said of the limit when a quarter of it is left, and at the last but one."""
    most, window_ms = context.limits.main_rate_count, context.limits.main_rate_window_ms
    if most is None:
        return None
    refuse_rate_limited(context, user)
    start_ms, count = user.rate_start_ms, user.rate_count + 1
    if context.elapsed_ms >= start_ms + window_ms:
        start_ms, count = context.elapsed_ms, 1
    set_rate(context.db, user, start_ms, count)
    left = most - count
    if not left or left not in (most // 4, 1):
        return None
    end = "this hour" if window_ms == HOUR_MS else until(context.now.wall_ms(start_ms + window_ms), context.at_ms)
    return f"{left} of {most} left in main {end}; private chats are free"


def refuse_rate_limited(asked: Context | View, user: User) -> None:
    ends_ms = main_limit_ends_ms(asked, user)
    if ends_ms is not None:
        ends_at_ms = asked.now.wall_ms(ends_ms)
        raise Refusal(
            "rate_limited",
            f"nothing was sent: you have sent as many messages to main as one may ({asked.limits.main_rate_count})"
            f" {until(ends_at_ms, asked.at_ms)}; after that you can go on",
            retry_at=iso(ends_at_ms),
        )


# ---- read markers


@rule(Read)
def read(context: Context, command: Read) -> MarkedRead:
    chat_id, name = find_chat(context.db, context.user().id, command.chat)
    marker = 0 if chat_id is None else _move_marker(context, chat_id, name, command.id)
    return MarkedRead(name, marker)


@rule(MarkRead)
def mark_read(context: Context, command: MarkRead) -> None:
    membership = chats.find_membership(context.db, context.user_id, command.chat_id)
    if membership is not None:
        _move_marker(context, command.chat_id, membership.name, command.up_to)


@rule(MarkSeen)
def mark_seen(context: Context, command: MarkSeen) -> None:
    for chat in chats.find_unread_chats(context.db, context.user_id, command.seq, command.shown_from):
        _set_marker(context, chat.chat_id, chat.name, chat.read_id, chat.newest_id)


def _move_marker(context: Context, chat_id: int, name: str, up_to: int) -> int:
    """Move the marker forwards, at most to the chat's newest message. Return its position then."""
    marker = chats.read_id(context.db, context.user_id, chat_id)
    wanted = min(up_to, messages.newest_id(context.db, chat_id))
    if wanted <= marker:
        return marker
    _set_marker(context, chat_id, name, marker, wanted)
    return wanted


def _set_marker(context: Context, chat_id: int, name: str, before: int, marker: int) -> None:
    chats.move_read_marker(context.db, context.user_id, chat_id, marker, context.elapsed_ms)
    note_moved(context, chat_id, context.user_id, before)
    context.push(ReadMarker(name, marker), context.user_id)


# ---- reading


@reading(Talk)
def talk(view: View, command: Talk) -> Talking:
    """Check that the user may talk there. The session remembers where lines without a slash go."""
    if command.target is None:
        return Talking()
    _, name = find_chat(view.db, view.user_id, command.target)
    return Talking(name)


@reading(GetChatWith)
def get_chat_with(view: View, command: GetChatWith) -> Answer:
    target = Target("user", command.username.name, command.username.folded)
    chat_id, name = find_chat(view.db, view.user_id, target)
    if chat_id is None:
        return MessagesShown(name, 0)
    marker = chats.read_id(view.db, view.user_id, chat_id)
    newest = messages.newest_id(view.db, chat_id)
    last = messages.load_page(view.db, chat_id, name, view.limits.page_messages, newest_first=True)
    unread = messages.load_unread_page(view.db, view.user_id, chat_id, name, marker, 1)
    if unread and last and unread[0].id < last[0].id:
        count = 0
        for page in message_pages.load_new(view.db, [Range(chat_id, name, unread[0].id - 1, newest)]):
            count += sum(map(len, page))
            yield page
        return MarkRead(chat_id, newest), MessagesShown(name, count)
    return Page(last, (MarkRead(chat_id, newest), MessagesShown(name, len(last))))


@reading(Messages)
def unread_messages(view: View, command: Messages) -> LastPage:
    chat_id, name = find_chat(view.db, view.user_id, command.chat)
    more = f"/history {name}"
    if chat_id is None:
        return MessagesShown(name, 0, unread=0, more=more)
    marker = chats.read_id(view.db, view.user_id, chat_id)
    page = messages.load_unread_page(view.db, view.user_id, chat_id, name, marker, view.limits.page_messages)
    if not page:
        return MessagesShown(name, 0, unread=0, more=more)
    left = messages.count_unread(view.db, view.user_id, chat_id, page[-1].id)
    shown = MessagesShown(name, len(page), unread=left, more=f"/messages {name}" if left else None)
    return Page(page, (MarkRead(chat_id, page[-1].id), shown))


@reading(History)
def history(view: View, command: History) -> LastPage:
    chat_id, name = find_chat(view.db, view.user_id, command.chat)
    if chat_id is None:
        return MessagesShown(name, 0)
    limit = command.limit or view.limits.page_messages
    if limit > HISTORY_PAGE_MAX:
        raise Refusal("bad_argument", f"a page has at most {HISTORY_PAGE_MAX} messages; usage: {History.spec.usage}")
    page = _history_page(view, command, chat_id, name, limit)
    if not page:
        return MessagesShown(name, 0)
    if command.after is not None or command.since is not None:
        more = f"/history {name} after {page[-1].id}" if page[-1].id < messages.newest_id(view.db, chat_id) else None
    else:
        older = messages.load_page(view.db, chat_id, name, 1, below=page[0].id, newest_first=True)
        more = f"/history {name} before {page[0].id}" if older else None
    if more and command.limit is not None:
        more += f" limit {command.limit}"
    return Page(page, MessagesShown(name, len(page), more=more))


def _history_page(view: View, command: History, chat_id: int, name: str, limit: int) -> list[Message]:
    if command.after is not None:
        return messages.load_page(view.db, chat_id, name, limit, above=command.after, newest_first=False)
    if command.since is not None:
        first = messages.first_id_since(view.db, chat_id, command.since)
        if first is None:
            return []
        return messages.load_page(view.db, chat_id, name, limit, above=first - 1, newest_first=False)
    if command.around is not None:
        before = messages.load_page(view.db, chat_id, name, limit // 2, below=command.around, newest_first=True)
        after = messages.load_page(
            view.db, chat_id, name, limit - len(before), above=command.around - 1, newest_first=False
        )
        return before + after
    return messages.load_page(view.db, chat_id, name, limit, below=command.before, newest_first=True)
