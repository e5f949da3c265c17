"""Pages of history: requested from the server as they are needed, and put into the feeds."""

from collections.abc import Sequence
from typing import Any

from chat_client.common import wording
from chat_client.common.typed_lines import whole_line
from chat_client.sdk.errors import ChatError, Refused
from chat_client.tui.state.chat_state import ChatState
from chat_client.tui.state.effects import Run
from chat_client.tui.state.feed import ITEMS_MAX, Anchor
from chat_client.tui.state.requests import HistoryRequest, ResultsRequest, Side
from chat_client.tui.state.screen_state import ScreenState, View
from chat_server.protocol.messages import Message

PAGE_MESSAGES = 100
BESIDE: tuple[Side, ...] = ("before", "after")  # the pages next to a feed; all others take its place
STEPS_AHEAD = 10  # from the oldest result, when more of them are asked for


def load(screen: ScreenState, chat: ChatState) -> None:
    """Have the chat's first unread messages, or else its newest ones, if they are not there."""
    if not chat.loaded and chat.jump is None:
        first = chat.read + 1 if chat.unread >= PAGE_MESSAGES else None
        fetch(screen, chat, "unread" if chat.unread else "newest", first)


def fetch(screen: ScreenState, chat: ChatState, side: Side, id: int | None = None) -> None:
    request = HistoryRequest(chat.name, side, id)
    if side in chat.requested or request == chat.jump or not screen.may_ask_pages:
        return
    if side in BESIDE:
        chat.requested.add(side)
    else:
        chat.jump = request
    chat.page_error = ""
    where: dict[str, Any] = {"after": 0} if side == "oldest" else {}
    if id is not None:
        where = {"around" if side == "unread" else side: id}
    screen.ask("history", request, chat=chat.name, limit=PAGE_MESSAGES, **where)


def fetch_around(screen: ScreenState, id: int) -> None:
    """Show this place of the open chat."""
    fetch(screen, screen.chats.open, "around", id)


def fetch_oldest(screen: ScreenState) -> None:
    fetch(screen, screen.chats.open, "oldest")


def _go_on(screen: ScreenState, view: View) -> None:
    """Ask for the next page of what a command has found."""
    assert view.more is not None
    more, view.more = view.more, None  # asked once; the answer says whether there is more
    screen.do(Run(whole_line(more), ResultsRequest(view.title, more=True)))


def fetch_more(screen: ScreenState) -> None:
    """Ask for the next page where one comes near to a side of what is kept."""
    if screen.view is not None:
        view = screen.view
        if view.more is not None and (view.feed.is_near_start or view.feed.steps_left < STEPS_AHEAD):
            _go_on(screen, view)
        return
    chat = screen.chats.open
    feed = chat.feed
    load(screen, chat)
    if not feed.at_start and feed.is_near_start and feed.first_id is not None:
        fetch(screen, chat, "before", feed.first_id)
    if not feed.at_end and chat.loaded and feed.is_near_end and feed.last_id is not None:
        fetch(screen, chat, "after", feed.last_id)


def fetch_older(screen: ScreenState) -> bool:
    """Ask for what is before what is kept; whether there may be any."""
    view, feed = screen.view, screen.feed
    if view is not None:
        if view.more is None:
            return False
        _go_on(screen, view)
    elif feed.at_start or feed.first_id is None:
        return False
    else:
        fetch(screen, screen.chats.open, "before", feed.first_id)
    return True


def show_newest(screen: ScreenState) -> None:
    """Bring the end of the open chat into sight."""
    chat = screen.chats.open
    chat.feed.selected = None
    if chat.feed.at_end:
        chat.jump = None
        chat.feed.follow_end()
    else:
        fetch(screen, chat, "newest")


def show_unread(screen: ScreenState, after: int) -> None:
    """Scroll the open chat to the first message behind this one, if not all of them fit."""
    chat = screen.chats.open
    feed = chat.feed
    first = feed.first_of_others(after, screen.session.user)
    if first is not None and ((feed.first_id or 0) <= after or feed.at_start):
        feed.reveal(first, "top")
    else:
        fetch(screen, chat, "unread", after + 1)


# ---- what comes


def _settle(chat: ChatState, request: HistoryRequest) -> bool:
    """It is no longer on its way; whether it is still wanted: a key may have led elsewhere since."""
    if request.side in BESIDE:
        chat.requested.discard(request.side)
    elif chat.jump == request:
        chat.jump = None
    else:
        return False
    return True


def take_page(screen: ScreenState, request: HistoryRequest, messages: Sequence[Message], more: bool) -> None:
    """`more`: on the side that was asked for there are further messages."""
    chat = screen.chats.by_name.get(request.chat)
    if chat is None:
        return
    if not _settle(chat, request):
        return
    feed = chat.feed
    hold = feed.restart if chat.loaded else feed.begin
    if request.side in ("newest", "unread") and request.id is None:
        hold(messages)
        feed.at_start, chat.loaded = not more, True
        _reach_end(screen, chat)
    elif request.side in ("around", "unread"):
        hold(messages)
        _settle_in_middle(chat, request)
    elif request.side == "oldest":
        hold(messages)
        feed.at_start = chat.loaded = True
        if messages:
            feed.reveal(messages[0].id, "top")
        if not more:
            _reach_end(screen, chat)
    elif request.side == "before" and feed.first_id == request.id:
        feed.extend(messages)
        feed.at_start = not more
        while len(feed.items) > ITEMS_MAX and feed.anchor is not None:
            feed.drop_newest()
    elif request.side == "after" and feed.last_id == request.id:
        feed.extend(messages)
        while len(feed.items) > ITEMS_MAX and feed.anchor is not None:
            feed.drop_oldest()
        if not more:
            _reach_end(screen, chat)
    if request.side == "unread" and chat is screen.chats.open and not feed.ends_with_answer:
        _show_first_unread(screen, chat, request.id)


def _settle_in_middle(chat: ChatState, request: HistoryRequest) -> None:
    feed = chat.feed
    chat.loaded = True
    if feed.items:
        feed.anchor = Anchor(feed.items[-1].place)
    if request.side == "around" and request.id is not None and request.id in feed.messages:
        feed.selected = request.id
        feed.reveal(request.id, "middle")


def _show_first_unread(screen: ScreenState, chat: ChatState, id: int | None) -> None:
    first = chat.feed.first_of_others(chat.read if id is None else id - 1, screen.session.user)
    if first is None:
        return
    if id is None:
        show_unread(screen, chat.read)
    else:
        chat.feed.reveal(first, "top")


def _reach_end(screen: ScreenState, chat: ChatState) -> None:
    """The feed has come to the chat's end, unless something was said while the page was on its way."""
    feed = chat.feed
    last = feed.last_id or 0
    if chat.newest > last and chat.newest > 0 and last:
        fetch(screen, chat, "after", last)
        return
    chat.newest = max(chat.newest, last)
    feed.at_end = True
    if feed.anchor is not None and feed.items and feed.anchor == Anchor(feed.items[-1].place):
        feed.follow_end()


def go_on_loading(screen: ScreenState) -> None:
    """Ask for what is shown and lacks something, such as a page that the server could not give before."""
    chat, feed = screen.chats.open, screen.feed
    if screen.view is None and chat.page_error:
        return
    if screen.view is None and not chat.loaded:
        load(screen, chat)
    elif not feed.at_end or (feed.anchor is not None and not feed.at_start):
        fetch_more(screen)


def give_up_page(screen: ScreenState, request: HistoryRequest, error: ChatError) -> None:
    """It did not come. A server that is overloaded is asked again later, after a fault of it only by a key; after
    another refusal there is no more."""
    chat = screen.chats.by_name.get(request.chat)
    if chat is None or not _settle(chat, request) or not isinstance(error, Refused):
        return
    why = wording.reason(error)
    if error.is_of_overload:
        # Behind the last semicolon stands the advice to try again, which the client follows by itself.
        why = f"{why.rpartition('; ')[0] or why}; it is asked for again"
    elif error.is_passing:
        chat.page_error = why
    elif not chat.loaded:
        chat.loaded = chat.feed.at_end = chat.feed.at_start = True
        return
    if chat is screen.chats.open:
        screen.tell("error", why)
