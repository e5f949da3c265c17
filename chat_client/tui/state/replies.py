"""Replies: pages and threads go into their feeds, all others become words where one typed."""

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from chat_client.common import wording
from chat_client.common.cells import safe
from chat_client.common.typed_lines import whole_line
from chat_client.sdk.errors import ChatError, Refused
from chat_client.sdk.events import OtherReply
from chat_client.tui.state.effects import Run
from chat_client.tui.state.feed import Feed
from chat_client.tui.state.history import give_up_page, take_page
from chat_client.tui.state.navigation import mark_chat_read, show_chat, show_in_place
from chat_client.tui.state.notes import note, note_answer, note_quietly, withdraw_notes
from chat_client.tui.state.quotes import quote_of
from chat_client.tui.state.requests import (
    ChangeRequest,
    HistoryRequest,
    NewestRequest,
    Opening,
    Purpose,
    QuoteRequest,
    ResultsRequest,
    ThreadRequest,
    TimeRequest,
    TypedRequest,
)
from chat_client.tui.state.screen_state import OPENING, ScreenState, View
from chat_client.tui.state.typing import go_on, settle_doubt
from chat_server.protocol.accounts import SignedOut
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.messages import Message
from chat_server.protocol.people import BlockSet, StatusReport, TypingWatched
from chat_server.protocol.rooms import ChatLeft, Entering

WELCOME = ("welcome",)  # what the server tells a newcomer


def take_answer(screen: ScreenState, why: Purpose, verb: str, lines: Sequence[Event], reply: Reply, now: float) -> None:
    screen.now = now
    messages = [line for line in lines if isinstance(line, Message)]
    _learn(screen, verb, reply)
    withdraw_notes(screen)
    outcome = ""  # of what was to open something, where it has not
    match why:
        case HistoryRequest():
            take_page(screen, why, messages, _more(reply) is not None)
            _note_welcome(screen)
        case NewestRequest():
            if messages and (chat := screen.chats.by_name.get(why.chat)):
                mark_chat_read(screen, chat, messages[-1].id)
        case TimeRequest():
            _show_time(screen, why, messages)
        case ThreadRequest():
            outcome = _show_thread(screen, why, messages, reply)
        case QuoteRequest():
            screen.quotes.put(why.id, next((message for message in messages if message.id == why.id), None))
        case ResultsRequest():
            _show_results(screen, why, messages, reply)
        case ChangeRequest():
            screen.changes.remove(why)
            screen.tell("done", wording.reply(reply, verb, screen.now).done)
        case TypedRequest():
            outcome = _show_typed(screen, why, verb, messages, reply)
    _settle(screen, why, outcome)


def take_refusal(screen: ScreenState, why: Purpose, error: ChatError, now: float) -> None:
    screen.now = now
    if isinstance(why, HistoryRequest | QuoteRequest) and isinstance(error, Refused) and error.is_of_overload:
        screen.put_off_pages()
    match why:
        case HistoryRequest():
            give_up_page(screen, why, error)
        case QuoteRequest() if not screen.may_ask_pages:
            screen.quotes.forget(why.id)
        case ChangeRequest():
            screen.changes.remove(why)
            failed = "" if isinstance(error, Refused) else f"{why.verb} #{why.id}: "
            note(screen, why.chat, "error", failed + wording.reason(error), answer=True)
        case TypedRequest():
            note(screen, why.chat, "error", _failed(why, error) + wording.reason(error), answer=True)
            if isinstance(error, Refused) and error.code == "unknown_chat":
                screen.ask("status")  # an invitation may have ended by a block, and no event says so
        case ThreadRequest() | ResultsRequest() | TimeRequest():
            note(screen, screen.chats.open_name, "error", wording.reason(error))
    _settle(screen, why, _opened_nothing(why))


def _failed(why: TypedRequest, error: ChatError) -> str:
    """What came to nothing, where the reason does not tell it: no more than the verb, the rest may be a password."""
    if isinstance(error, Refused) or not why.line.startswith("/"):
        return ""
    return f"{why.line.split(' ', 1)[0]}: "


def _more(reply: Reply) -> str | None:
    """The command that goes on, where the server tells one."""
    more: str | None = structs.asdict(reply).get("more")
    return more


def _note_welcome(screen: ScreenState) -> None:
    """Note what the server tells a newcomer, once the first page of main is there: that would take it away."""
    if screen.session.welcome and screen.chats.chat("main").loaded:
        note_quietly(screen, "main", "\n".join(screen.session.welcome), WELCOME)
        screen.session.welcome = []


# ---- views


def _show_time(screen: ScreenState, why: TimeRequest, messages: list[Message]) -> None:
    if not messages:
        screen.tell("info", f"nothing was said in {safe(why.chat)} since then")
    elif why.chat == screen.chats.open_name and not screen.is_choosing:
        show_in_place(screen, messages[0])
    else:
        hindrance = "you have chosen a message" if screen.is_choosing else "you are elsewhere"
        later = f"/goto {safe(why.day)} in {safe(why.chat)} goes there"
        screen.tell("info", f"{hindrance}: {later} when you are done", 10.0)


def _show_thread(screen: ScreenState, why: ThreadRequest, messages: list[Message], reply: Reply) -> str:
    """Its chat is opened with it, so that all of the screen says where an answer goes. Returns why it is not opened;
    empty: it is."""
    if (hindrance := screen.hindrance(why)) is not None:
        screen.tell("info", f"{hindrance}: {why.line} opens the thread when you are done")
        return f"{why.line} has not opened the thread"
    feed = Feed(at_end=True)
    feed.extend(messages)
    feed.at_start = True
    chat = str(structs.asdict(reply)["chat"])
    if chat != screen.chats.open_name:
        show_chat(screen, chat, screen.composer.text)
    about = f" · {quote_of(messages[0])[1]}" if messages else ""
    screen.view = View(kind="thread", title=f"{chat} · thread{about}", feed=feed, root=why.id)
    return ""


def _show_results(screen: ScreenState, why: ResultsRequest, messages: list[Message], reply: Reply) -> None:
    more = _more(reply)
    view = screen.view if screen.view is not None and screen.view.title == why.title else None
    if why.more and view is None:
        return  # it was left meanwhile
    if not messages and more is not None:
        # The server looks through so much at a time.
        screen.tell("info", "searching …")
        screen.do(Run(whole_line(more), why))
    elif not messages and view is not None:
        screen.tell("info", "no more results")
    elif not messages:
        note(screen, screen.chats.open_name, "info", f"nothing found: {why.title}")
    elif view is not None and why.more:
        view.feed.extend(messages)
        view.more = more
    else:
        feed = Feed(at_end=True)
        feed.extend(messages)
        feed.selected = feed.last_id
        goes_back = more is None or " after " not in more
        screen.view = view = View(
            kind="results", title=why.title, feed=feed, query=why.query, more=more if goes_back else None
        )
    if view is not None:
        view.feed.at_start = view.more is None


def _show_typed(screen: ScreenState, why: TypedRequest, verb: str, messages: list[Message], reply: Reply) -> str:
    """Returns why no chat is opened; empty: one is."""
    chat = structs.asdict(reply).get("chat")
    only_asked = isinstance(reply, Entering) and reply.asked
    opens = chat is not None and verb in OPENING and not only_asked
    if (opens or messages) and (hindrance := screen.hindrance(why)) is not None:
        later = f"/open {safe(str(chat))} opens it" if opens else f"ask {why.line} again"
        screen.tell("info", f"{hindrance}: {later} when you are done", 10.0)
        return f"{why.line} has not opened {safe(str(chat))}"
    if opens:
        show_chat(screen, str(chat))
        return ""
    if messages:
        if chat is not None and chat != screen.chats.open_name:
            show_chat(screen, chat, screen.composer.text)  # what is typed below a chat's messages goes there
        _show_results(screen, ResultsRequest(why.line), messages, reply)
        return ""
    if isinstance(reply, SignedOut):
        screen.tell("done", "signed out")
        return _opened_nothing(why)
    # A chat that is left is gone before or after this: the answer must not go with it.
    where = "main" if isinstance(reply, ChatLeft) and reply.chat == why.chat else why.chat
    note_answer(screen, where, wording.reply(reply, verb, screen.now))
    return _opened_nothing(why)


def _opened_nothing(why: Purpose) -> str:
    if isinstance(why, ThreadRequest):
        return f"{why.line} opened no thread"
    return f"{why.line} opened no chat" if isinstance(why, TypedRequest) else ""


def _settle(screen: ScreenState, why: Purpose, outcome: str) -> None:
    """Wait no longer for what opens something. Where its answer has found the user typing, that text may be meant for
    what it was to open, also if it opens nothing."""
    if not isinstance(why, Opening):
        return
    if screen.opening is why:
        screen.opening = None
        settle_doubt(screen, outcome if screen.hindrance(why) is not None else "")
    go_on(screen, why, outcome)


# ---- what an answer tells besides: the changes that it confirms come as events


def _learn(screen: ScreenState, verb: str, reply: Reply) -> None:
    if isinstance(reply, StatusReport):
        _learn_status(screen, reply)
        return
    if isinstance(reply, TypingWatched):
        screen.typists.is_shared = reply.watch
        return
    if isinstance(reply, BlockSet):  # invitations and requests between the two end with a block, and no event says so
        screen.ask("status")
        return
    if verb == "password":
        screen.roster.withdrawn.append(WELCOME)  # it asks for one
        return
    fields = reply.fields if isinstance(reply, OtherReply) else structs.asdict(reply)
    chat = fields.get("chat")
    if not isinstance(chat, str):
        return
    if verb == "decline":
        screen.roster.drop_invitation(chat)
    elif verb == "deny":
        screen.roster.drop_join_request(chat, str(fields.get("user")))
    elif verb == "members" and isinstance(fields.get("members"), list):
        screen.chats.chat(chat).members = [_name(member) for member in fields["members"]]
    elif verb == "topic" and "topic" in fields:
        screen.chats.chat(chat).topic = fields["topic"]
    elif verb == "slow_mode" and isinstance(fields.get("seconds"), int):
        screen.chats.chat(chat).slow_mode = fields["seconds"]


def _learn_status(screen: ScreenState, report: StatusReport) -> None:
    session = screen.session
    session.ban, session.is_operator, session.limits = report.ban, report.operator, dict(report.limits)
    screen.roster.take_status(report)
    for info in report.chats:
        chat = screen.chats.chat(info.name)
        chat.describe(info)
        if info.read == chat.read:
            chat.unread = info.unread


def _name(member: Any) -> str:
    if isinstance(member, str):
        return member
    fields = member if isinstance(member, dict) else structs.asdict(member)
    return str(fields.get("name") or fields.get("user"))
