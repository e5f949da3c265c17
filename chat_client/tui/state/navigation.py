"""Navigation: between chats, through history, and into views and dialogs and out of them."""

from collections.abc import Sequence

from chat_client.common.cells import safe
from chat_client.common.mentions import mentions
from chat_client.common.typed_lines import whole_line
from chat_client.sdk.errors import Refused
from chat_client.tui.state.chat_state import ChatState
from chat_client.tui.state.dialogs import Finder, KeysPage, Question, find, find_lines
from chat_client.tui.state.effects import CancelTransfers, Exit, Run
from chat_client.tui.state.feed import Anchor, Scroll
from chat_client.tui.state.history import (
    fetch_around,
    fetch_more,
    fetch_older,
    fetch_oldest,
    load,
    show_newest,
    show_unread,
)
from chat_client.tui.state.requests import NewestRequest, ResultsRequest, ThreadRequest, TimeRequest
from chat_client.tui.state.screen_state import ScreenState, Sides
from chat_server.protocol.messages import Message

FINDER_PAGE_ROWS = 10
DIALOG_ROWS_MAX = 10_000  # in none are more
SIDES_IN_WORDS: dict[Sides, str] = {
    "both": "both sides, as far as there is room",
    "left": "the left side alone",
    "none": "no sides",
}


def open_chat(screen: ScreenState, name: str, text: str = "") -> None:
    """Go to this chat, by a key or a command. `text` stands in the input, and stays as the draft of the chat that is
    left."""
    screen.opening, screen.doubt = None, ""
    screen.moves += 1
    show_chat(screen, name, text)


def show_chat(screen: ScreenState, name: str, text: str = "") -> None:
    """Show this chat, and stay on the way to what was typed last."""
    chats, composer = screen.chats, screen.composer
    left = chats.open
    screen.view = chats.removed_from = None
    screen.dialogs.close()
    if name == chats.open_name:
        return
    left.draft = composer.target.draft if composer.target else composer.aside or text
    left.feed.selected = None
    composer.target, composer.aside = None, ""
    chats.switch_to(name)
    chat = chats.open
    chat.new_after = chat.read if chat.unread else None
    screen.reading.candidate, screen.reading.unread_above = None, 0
    load(screen, chat)
    if chat.loaded and chat.unread:
        show_unread(screen, chat.read)
    if name.startswith("#") and chat.members is None:
        screen.ask("members", None, chat=name)
    if chat.draft or text:
        screen.set_text(chat.draft)


def open_number(screen: ScreenState, number: int, text: str) -> None:
    for each, chat in screen.chats.listed():
        if each == number:
            open_chat(screen, chat.name, text)
            return


def open_next(screen: ScreenState, by: int, text: str) -> None:
    names = [chat.name for _, chat in screen.chats.listed()]
    at = names.index(screen.chats.open_name) if screen.chats.open_name in names else 0
    open_chat(screen, names[(at + by) % len(names)], text)


def open_previous(screen: ScreenState, text: str) -> None:
    """Open the chat that was open before this one."""
    open_chat(screen, screen.chats.previous_name, text)


def open_unread(screen: ScreenState, text: str) -> None:
    chat = screen.chats.next_unread()
    if chat is None:
        screen.tell("info", "nothing unread elsewhere")
    else:
        open_chat(screen, chat.name, text)


def pin(screen: ScreenState, name: str, number: int | None = None) -> None:
    """Pin the chat, or take that back. Raises Refused."""
    try:
        words = screen.chats.pin(name, number)
    except ValueError as error:
        raise Refused("bad_argument", str(error)) from None
    screen.tell("done", words)


def pin_open(screen: ScreenState) -> None:
    try:
        pin(screen, screen.chats.open_name)
    except Refused as error:
        screen.tell("error", error.text)


def mark_all_chats_read(screen: ScreenState) -> None:
    unread = [chat for chat in screen.chats.by_name.values() if chat.unread]
    if not screen.session.is_online:
        screen.tell("error", "there is no connection")
        return
    for chat in unread:
        newest = max(chat.newest, chat.feed.last_id or 0)
        if newest:
            mark_chat_read(screen, chat, newest)
        else:
            screen.ask("history", NewestRequest(chat.name), chat=chat.name, limit=1)
    screen.reading.unread_above = 0
    many = len(unread)
    screen.tell("done", f"marked {many} chat{'' if many == 1 else 's'} as read" if many else "nothing is unread")


# ---- the finder


def open_finder(screen: ScreenState) -> None:
    screen.dialogs.close()
    screen.dialogs.finder = Finder()


def toggle_finder(screen: ScreenState) -> None:
    if screen.dialogs.finder is None:
        open_finder(screen)
    else:
        screen.dialogs.finder = None


def find_typed(screen: ScreenState, lines: Sequence[str], text: str) -> None:
    """Have the user choose from the lines that were typed in this chat, those with the `text` of the line first."""
    if not lines:
        screen.tell("info", f"nothing was typed in {safe(screen.chats.open_name)} yet")
        return
    screen.dialogs.close()
    sought = "" if "\n" in text else text
    screen.dialogs.finder = Finder(sought if find_lines(lines, sought) else "", tuple(lines))


def found(screen: ScreenState) -> list[str]:
    """The chats and users, or the lines, that the finder has found."""
    finder, user = screen.dialogs.finder, screen.session.user
    if finder is None:
        return []
    if finder.lines is not None:
        return find_lines(finder.lines, finder.text)
    chats = {chat.name: chat.topic or "" for _, chat in screen.chats.listed()}
    return find(chats, (each for each in screen.roster.online if each != user), finder.text)


def open_found(screen: ScreenState, text: str) -> None:
    """Open the chat that is chosen in the finder, or have the line again."""
    names, finder = found(screen), screen.dialogs.finder
    if finder is None or not names:
        return  # closed, it would let what is typed next go into the chat that is open
    screen.dialogs.finder = None
    if finder.lines is not None:
        screen.set_text(names[min(finder.at, len(names) - 1)])
    else:
        open_chat(screen, names[min(finder.at, len(names) - 1)], text)


def type_into_finder(screen: ScreenState, text: str) -> None:
    finder = screen.dialogs.finder
    assert finder is not None
    seek(screen, finder.text + "".join(filter(str.isprintable, text)))


def seek(screen: ScreenState, text: str) -> None:
    """Have the finder look for this."""
    finder = screen.dialogs.finder
    assert finder is not None
    finder.text, finder.at = text, 0


# ---- through what was said


def scroll(screen: ScreenState, rows: int = 0, pages: int = 0) -> None:
    """Up by so many rows and screenfuls; down, if negative. What has the keys moves: a dialog with a list, or the
    feed."""
    if screen.dialogs.keys_page is not None:
        screen.dialogs.keys_page.moves.append(Scroll(rows, pages))
    elif screen.dialogs.finder is not None:
        screen.dialogs.finder.step(-rows - pages * FINDER_PAGE_ROWS, max(0, len(found(screen)) - 1))
    else:
        screen.feed.scroll(rows, pages)


def settle_feed(screen: ScreenState, anchor: Anchor | None) -> None:
    """The renderer has followed the moves of the feed that is shown, and has come here. Where the user goes on step by
    step, pages are asked for as one comes near to a side; elsewhere the clock asks for them."""
    feed = screen.feed
    is_step = any(isinstance(move, Scroll) or move.where == "nearest" for move in feed.moves)
    feed.settle(anchor)
    if is_step:
        fetch_more(screen)


def settle_keys_page(screen: ScreenState, top: int) -> None:
    screen.dialogs.keys_page = KeysPage(top)


def escape(screen: ScreenState) -> bool:
    """Go one step back from wherever one is; whether there was any."""
    dialogs, composer, feed = screen.dialogs, screen.composer, screen.feed
    if dialogs.is_open:
        _close_top_dialog(screen)
    elif screen.bare:
        screen.bare = False
    elif composer.target is not None:
        screen.set_text(composer.target.draft)
        composer.target = None
    elif composer.aside:
        screen.bring_back()
    elif screen.is_choosing:
        screen.end_choosing()
    elif feed.selected is not None and not screen.shows_results:
        feed.selected = None
    elif screen.view is not None:
        screen.view = None
    elif feed.is_scrolled:
        show_newest(screen)
    elif feed.dismiss_answers():
        pass
    elif screen.reading.unread_above:
        mark_all_read(screen)
    else:
        return False
    return True


def _close_top_dialog(screen: ScreenState) -> None:
    dialogs = screen.dialogs
    if dialogs.keys_page is not None:
        dialogs.keys_page = None
    elif dialogs.finder is not None:
        dialogs.finder = None
    else:
        dialogs.question = None


def mark_all_read(screen: ScreenState) -> None:
    """Mark the open chat as read, with what was never on the screen."""
    chat = screen.chats.open
    screen.reading.unread_above = 0
    mark_chat_read(screen, chat, max(chat.newest, chat.feed.last_id or 0))


def mark_chat_read(screen: ScreenState, chat: ChatState, id: int) -> None:
    chat.mark_read(id, screen.session.user)
    screen.ask("read", None, chat=chat.name, id=id)


def show_oldest(screen: ScreenState) -> None:
    """Scroll to the beginning of what is shown; of a chat the pages before come from the server."""
    feed = screen.feed
    if screen.dialogs.is_list:
        scroll(screen, rows=DIALOG_ROWS_MAX)
    elif screen.view is None and not feed.at_start:
        fetch_oldest(screen)
    elif feed.first_id is not None:
        feed.reveal(feed.first_id, "top")


def show_end(screen: ScreenState) -> None:
    if screen.dialogs.is_list:
        scroll(screen, rows=-DIALOG_ROWS_MAX)
    elif screen.view is None:
        show_newest(screen)
    else:
        screen.feed.follow_end()


def show_mention(screen: ScreenState, by: int) -> None:
    """Select the mention before (-1) or behind (1) the selected message, or else of what is lowest on the screen."""
    feed, user = screen.feed, screen.session.user
    at = feed.selected if feed.selected is not None else feed.lowest_id
    known = {id for id, item in feed.messages.items() if mentions(item.message, user)}
    if screen.view is None:
        known |= screen.chats.open.mentions
    found = [id for id in known if at is None or (id - at) * by > 0]
    if not found and at in known and feed.selected is None:
        found = [at]
    if found:
        id = min(found, key=lambda id: id * by)
        if id in feed.messages:
            feed.selected = id
            feed.reveal(id, "middle")
        else:
            fetch_around(screen, id)
    elif by < 0 and fetch_older(screen):
        screen.tell("info", "no mention in the messages here; older ones are on their way")
    else:
        screen.tell("info", f"no mention {'above' if by < 0 else 'below'} this")


def begin_command(screen: ScreenState, command: str, text: str) -> None:
    """Have the command in the line, for what belongs to it. What stood there comes back when it is done or given up."""
    if screen.composer.target is None and not text.startswith("/"):
        screen.composer.aside = text
        screen.set_text(f"{command} ")
    else:
        screen.tell("info", "Esc first: the line holds a command, a reply or an edit")


def show_first_unread(screen: ScreenState) -> None:
    chat = screen.chats.open
    screen.view = None
    after = chat.new_after if chat.new_after is not None else chat.read if chat.unread else None
    if after is None:
        screen.tell("info", "nothing unread here")
        return
    show_unread(screen, after)


# ---- views


def open_thread(screen: ScreenState, id: int, typed: str = "") -> None:
    """`typed` stands in the line, and stays there."""
    if not screen.session.is_online:
        screen.tell("error", "there is no connection")
        return
    opening = ThreadRequest(id, screen.chats.open_name, typed, screen.moves)
    screen.expect(opening)
    screen.ask("thread", opening, id=id)


def search(screen: ScreenState, query: str) -> None:
    screen.do(Run(whole_line(f"/search {query}"), ResultsRequest(f"search · {query}", query)))


def open_in_place(screen: ScreenState, message: Message) -> None:
    """Leave the view for the place in its chat where this was said."""
    open_chat(screen, message.chat, screen.composer.text)
    show_in_place(screen, message)


def go_to_time(screen: ScreenState, at: str, day: str) -> None:
    """Show the open chat from this time on, as the protocol writes it; `day` is how the user called it."""
    name = screen.chats.open_name
    screen.ask("history", TimeRequest(name, day), chat=name, since=at, limit=1)
    if not screen.session.is_online:
        screen.tell("error", "there is no connection")


def show_in_place(screen: ScreenState, message: Message) -> None:
    """Show the place of the open chat where this was said."""
    screen.view = None
    feed = screen.chats.open.feed
    if message.id in feed.messages:
        feed.selected = message.id
        feed.reveal(message.id, "middle")
    else:
        fetch_around(screen, message.id)


# ---- the rest


def toggle_keys_page(screen: ScreenState) -> None:
    screen.dialogs.keys_page = KeysPage() if screen.dialogs.keys_page is None else None


def cycle_sides(screen: ScreenState) -> None:
    """Both sides, the left one alone, none."""
    following: dict[Sides, Sides] = {"both": "left", "left": "none", "none": "both"}
    if screen.bare:
        screen.tell("info", "the sides are hidden")
        return
    screen.side_panels = following[screen.side_panels]
    screen.tell("info", SIDES_IN_WORDS[screen.side_panels])


def toggle_bare(screen: ScreenState) -> None:
    """Show the text alone, so that the terminal's own mouse can select it, or all again."""
    screen.bare = not screen.bare
    screen.flash = None


def cancel_transfers(screen: ScreenState) -> None:
    screen.do(CancelTransfers())


def offer_command(screen: ScreenState, command: str, text: str) -> None:
    """Put a command into the line, if there is nothing in it, and what is typed is not an answer or an edit."""
    screen.end_choosing()
    if text or screen.composer.target is not None:
        screen.tell("info", command)
    else:
        screen.set_text(command)


def leave(screen: ScreenState) -> None:
    """Leave at once, unless something would be lost."""
    unsent, waiting = len(screen.unsent), len(screen.behind)
    lost = [f"{unsent} not sent yet"] if unsent else []
    if waiting:
        lost.append(f"{waiting} command{'' if waiting == 1 else 's'} not done yet")
    if screen.transfers:
        lost.append("a file is on its way")
    if lost:
        screen.dialogs.question = Question(f"{' and '.join(lost)}: leave anyway?", "leave")
    else:
        screen.do(Exit())
