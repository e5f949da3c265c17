"""What came of a command: pages and threads into their feeds, everything else in words where it was typed."""

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from chat_client.common.cells import safe
from chat_client.sdk.errors import ChatError, Refused
from chat_client.sdk.events import OtherReply
from chat_client.tui.render.message_rows import quote_of
from chat_client.tui.state import words
from chat_client.tui.state.effects import Changing, Page, Quiet, Quoted, Results, Run, Shown, ThreadOf, Why
from chat_client.tui.state.feed import Feed
from chat_client.tui.state.incoming import load_limits, why_not
from chat_client.tui.state.navigation import open_chat, show_unread
from chat_client.tui.state.room import Room
from chat_client.tui.state.screen import Screen, View
from chat_server.protocol.accounts import SignedOut
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.messages import Message
from chat_server.protocol.people import StatusReport
from chat_server.protocol.rooms import ChatCreated, ChatLeft, Entering
from chat_server.protocol.times import iso

SIDE_MESSAGES_MAX = 1000  # of which the client's own commands never list more


def answered(screen: Screen, why: Why, verb: str, lines: Sequence[Event], reply: Reply, now: float) -> None:
    screen.now = now
    messages = [line for line in lines if isinstance(line, Message)]
    _learn(screen, verb, reply)
    if isinstance(why, Page):
        _page(screen, why, messages, reply)
    elif isinstance(why, ThreadOf):
        _thread(screen, why, messages, reply)
    elif isinstance(why, Quoted):
        found = next((message for message in messages if message.id == why.id), None)
        screen.quotes[why.id] = quote_of(found) if found else None
    elif isinstance(why, Results):
        _results(screen, why, messages, reply)
    elif isinstance(why, Changing):
        screen.changing.remove(why)
        screen.tell("done", words.of_reply(verb, reply, screen.now))
    elif isinstance(why, Shown):
        _shown(screen, why, verb, messages, reply)


def refused(screen: Screen, why: Why, error: ChatError, now: float) -> None:
    screen.now = now
    if isinstance(why, Changing):
        screen.changing.remove(why)
    if isinstance(why, Page):
        room = screen.rooms.get(why.chat)
        if room is not None:
            room.asked.discard(why.side)
            if isinstance(error, Refused):
                room.loaded, room.feed.at_end, room.feed.at_start = True, True, True
        return
    if isinstance(why, Quiet | Quoted):
        return
    chat = why.chat if isinstance(why, Shown | Changing) else screen.open_name
    note(screen, chat, "error", _what(why, error) + why_not(error), answer=isinstance(why, Shown | Changing))


def _what(why: Why, error: ChatError) -> str:
    """What came to nothing, where the words do not tell it. Of a command that was typed no more than its verb is
    repeated: the rest may be a password."""
    if isinstance(error, Refused):
        return ""
    if isinstance(why, Changing):
        return f"{why.verb} #{why.id}: "
    return f"{why.line.split(' ', 1)[0]}: " if isinstance(why, Shown) and why.line.startswith("/") else ""


def note(screen: Screen, chat: str, kind: Any, text: str, answer: bool = False) -> None:
    """Said in the chat, and for a moment over the input where that is not in sight. An answer to what was just typed
    comes into sight, from its beginning on."""
    room = screen.rooms.get(chat) or screen.open  # what was left meanwhile must not come back by this
    place = room.feed.note(kind, text, iso(int(screen.now * 1000)))
    if screen.view is None and room is screen.open and (answer or room.feed.anchor is None):
        screen.bring_up(place)
    else:
        screen.tell(kind, text.split("\n", 1)[0])


# ---- pages


def _page(screen: Screen, why: Page, messages: list[Message], reply: Reply) -> None:
    room = screen.rooms.get(why.chat)
    if room is None:
        return
    room.asked.discard(why.side)
    feed = room.feed
    more = structs.asdict(reply).get("more") is not None
    if why.side in ("newest", "unread") and why.id is None:
        feed.restart(messages)
        feed.at_start, room.loaded = not more, True
        _ends(screen, why.chat)
    elif why.side in ("around", "unread"):
        feed.restart(messages)
        room.loaded = True
        if why.side == "around" and why.id in feed.said:
            feed.selected = why.id
            feed.show(why.id, screen.context, screen.geometry.feed_rows, "middle")
        if feed.anchor is None and feed.items:
            feed.anchor = (feed.items[-1].place, 0)
    elif why.side == "before" and feed.first_id == why.id:
        feed.extend(messages)
        feed.at_start = not more
        while len(feed.items) > 2 * SIDE_MESSAGES_MAX and feed.anchor is not None:
            feed.drop_newest()
    elif why.side == "after" and feed.last_id == why.id:
        feed.extend(messages)
        while len(feed.items) > 2 * SIDE_MESSAGES_MAX and feed.anchor is not None:
            feed.drop_oldest()
        if not more:
            _ends(screen, why.chat)
    if why.side == "unread" and room is screen.open:
        _show_unread(screen, room, why.id)


def _show_unread(screen: Screen, room: Room, id: int | None) -> None:
    first = room.feed.first_of_others(room.read if id is None else id - 1, screen.me)
    if first is None:
        return
    if id is None:
        show_unread(screen, room.read)
    else:
        screen.bring_up((first, 0))


def _ends(screen: Screen, name: str) -> None:
    """The feed has come to the chat's end, unless something was said while the page was on its way."""
    room = screen.rooms[name]
    last = room.feed.last_id or 0
    if room.newest > last and room.newest > 0 and last:
        screen.fetch(room, "after", last)
        return
    room.newest = max(room.newest, last)
    room.feed.at_end = True
    if room.feed.anchor is not None and room.feed.items and room.feed.anchor == (room.feed.items[-1].place, 0):
        room.feed.anchor = None


# ---- views


def _thread(screen: Screen, why: ThreadOf, messages: list[Message], reply: Reply) -> None:
    """Its chat is opened with it, so that all of the screen says where an answer goes."""
    if not screen.is_moved_by_answer(why.typed):
        screen.tell("info", f"you are typing: /thread {why.id} opens the thread when you are done")
        return
    feed = Feed(at_end=True)
    feed.extend(messages)
    feed.at_start = True
    chat = str(structs.asdict(reply)["chat"])
    if chat != screen.open_name:
        open_chat(screen, chat, screen.typed)
    about = f" · {quote_of(messages[0])[1]}" if messages else ""
    screen.view = View(kind="thread", title=f"{chat} · thread{about}", feed=feed, root=why.id)


def _results(screen: Screen, why: Results, messages: list[Message], reply: Reply) -> None:
    more = structs.asdict(reply).get("more")
    view = screen.view if screen.view is not None and screen.view.title == why.title else None
    if why.more and view is None:
        return  # it was left meanwhile
    if not messages and more is not None:
        # The server looks through so much at a time.
        screen.tell("info", "searching …")
        screen.do(Run(more, why))
    elif not messages and view is not None:
        screen.tell("info", "no more results")
    elif not messages:
        note(screen, screen.open_name, "info", f"nothing was found: {why.title}")
    elif view is not None and why.more:
        view.feed.extend(messages)
        view.more = more
    else:
        feed = Feed(at_end=True)
        feed.extend(messages)
        feed.selected = feed.last_id
        older = more is None or " after " not in more
        screen.view = view = View(kind="results", title=why.title, feed=feed, more=more if older else None)
    if view is not None:
        view.feed.at_start = view.more is None


def _shown(screen: Screen, why: Shown, verb: str, messages: list[Message], reply: Reply) -> None:
    chat = structs.asdict(reply).get("chat")
    opens = isinstance(reply, ChatCreated) or (isinstance(reply, Entering) and not reply.asked)
    if chat is not None and (opens or verb in ("get_chat_with", "messages")):
        if screen.is_moved_by_answer():
            open_chat(screen, str(chat))
        else:
            screen.tell("info", f"you are typing: /open {safe(str(chat))} opens it when you are done", 10.0)
        return
    if messages and not screen.is_moved_by_answer():
        screen.tell("info", f"you are typing: ask {why.line} again when you are done", 10.0)
        return
    if messages:
        if chat is not None and chat != screen.open_name:
            open_chat(screen, chat, screen.typed)  # what is typed below a chat's messages goes there
        _results(screen, Results(why.line), messages, reply)
        return
    if isinstance(reply, SignedOut):
        screen.tell("done", "signed out")
        return
    # A chat that is left is gone before or after this: the answer must not go with it.
    where = "main" if isinstance(reply, ChatLeft) and reply.chat == why.chat else why.chat
    note(screen, where, "done", words.of_reply(verb, reply, screen.now), answer=True)


# ---- what an answer tells besides: the changes that it confirms come as events


def _learn(screen: Screen, verb: str, reply: Reply) -> None:
    if isinstance(reply, StatusReport):
        screen.users = {**dict.fromkeys(reply.active, True), **dict.fromkeys(reply.inactive, False)}
        screen.ban, screen.operator = reply.ban, reply.operator
        screen.invitations = [each.chat for each in reply.invitations]
        screen.requests = [(each.chat, each.user) for each in reply.join_requests]
        screen.away = dict(getattr(reply, "away", None) or {})
        load_limits(screen, reply.limits)
        for each in reply.chats:
            room = screen.room(each.name)
            room.described(each)
            if each.read == room.read:
                room.unread = each.unread
        return
    fields = reply.fields if isinstance(reply, OtherReply) else structs.asdict(reply)
    chat = fields.get("chat")
    if not isinstance(chat, str):
        return
    if verb == "decline":
        screen.invitations = [name for name in screen.invitations if name != chat]
    elif verb == "deny":
        screen.requests = [request for request in screen.requests if request != (chat, fields.get("user"))]
    elif verb == "members" and isinstance(fields.get("members"), list):
        screen.room(chat).members = [_name(member) for member in fields["members"]]
    elif verb == "topic" and "topic" in fields:
        screen.room(chat).topic = fields["topic"]


def _name(member: Any) -> str:
    if isinstance(member, str):
        return member
    fields = member if isinstance(member, dict) else structs.asdict(member)
    return str(fields.get("name") or fields.get("user"))
