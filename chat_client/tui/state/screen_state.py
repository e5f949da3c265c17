"""The state of the screen as plain data: chats, dialogs, the input, what is on its way. It knows no rows.

Events and keys change it, and what they want done outside is in `effects`. Drawing changes nothing in it.
"""

from typing import Any, Literal

from msgspec import Struct

from chat_client.common.cells import safe
from chat_client.common.keys import keymap
from chat_client.common.listening import Listening
from chat_client.common.mentions import Attention
from chat_client.common.transfers import Transfer
from chat_client.common.typed_lines import AskServer
from chat_client.sdk.events import Outgoing
from chat_client.tui.state.changes import PendingChanges
from chat_client.tui.state.chat_list import ChatList
from chat_client.tui.state.chat_state import ChatState
from chat_client.tui.state.composer import Composer
from chat_client.tui.state.dialogs import Dialogs
from chat_client.tui.state.effects import Ask, Effect, Run, SetText
from chat_client.tui.state.feed import Feed
from chat_client.tui.state.items import NoteKind
from chat_client.tui.state.quotes import Quote, Quotes, quote_of
from chat_client.tui.state.read_tracking import ReadTracking
from chat_client.tui.state.requests import (
    BackgroundRequest,
    ChangeRequest,
    Opening,
    Purpose,
    QuoteRequest,
    ThreadRequest,
    TypedRequest,
)
from chat_client.tui.state.roster import Roster
from chat_client.tui.state.session import Session
from chat_client.tui.state.typists import Typists
from chat_server.protocol.messages import Message

# A server that has too much to do for pages is asked again after this time, as it advises.
PAGES_AGAIN_SECONDS = 10.0
OPENING = frozenset(("create_chat", "join", "get_chat_with", "messages"))  # verbs whose answers open a chat
LISTING = frozenset(("history",))  # those whose answers open it where they list any of its messages
Sides = Literal["both", "left", "none"]  # what is shown beside the middle, where there is room


class View(Struct):
    """What stands in the middle instead of the open chat."""

    kind: Literal["thread", "results"]
    title: str
    feed: Feed
    root: int | None = None  # of a thread
    query: str = ""  # of a search
    more: str | None = None  # the command that goes on, as the server tells it

    @property
    def answered(self) -> int | None:
        """What a text that is typed in the thread answers: its root, or where that has expired or was deleted, the
        first message that is left. None: there is nothing to answer."""
        left = [item.message.id for item in self.feed.messages.values() if not item.message.deleted]
        return self.root if self.root in left else min(left, default=None)


class Flash(Struct, frozen=True):
    """Told over the input until this time of `elapsed`; what is about a `line`, only as long as that stands there.

    `is_of_loss`: it tells why the connection ends, and says nothing any more once there is another one.
    """

    kind: NoteKind
    text: str
    until: float
    line: str | None = None
    is_of_loss: bool = False


class Unsent(Struct, frozen=True):
    """A sending command on its way, and the chat in which it is shown."""

    chat: str
    command: Outgoing


class ScreenState:
    """`now` is the time of the last event or tick, in Unix seconds, for what is shown; pauses and rates go by
    `elapsed`, which never goes back. Whoever carries out `effects` empties the list."""

    def __init__(self) -> None:
        self.now = 0.0
        self.elapsed = 0.0
        self.effects: list[Effect] = []
        self.session = Session()
        self.chats = ChatList()
        self.listening = Listening()
        self.attention = Attention(self.listening)
        self.roster = Roster()
        self.typists = Typists()
        self.view: View | None = None
        self.dialogs = Dialogs()
        self.composer = Composer()
        # The last one that opens something once it is answered, unless a key or a command has led elsewhere since.
        self.opening: Opening | None = None
        self.behind: list[tuple[Opening, str]] = []  # the commands that wait for what each of them opens
        # Why a text may be meant for something else than what is open. It outlives an opening whose answer found the
        # user typing.
        self.doubt = ""
        self.moves = 0  # how often a key or a command has led to a chat; answers, which come late, are not counted
        self.chosen_in: Feed | None = None  # keys act on its selected message, as long as it is the one that is shown
        self.reading = ReadTracking()
        self.unsent: dict[str, Unsent] = {}  # by their keys
        self.changes = PendingChanges()
        self.quotes = Quotes()
        self.transfers: dict[int, Transfer] = {}  # files whose bytes are on their way
        self.flash: Flash | None = None
        self.mouse = True
        self.bare = False  # the middle has all of the screen and shows the text alone; the mouse is the terminal's
        self.side_panels: Sides = "both"
        self._pages_from = 0.0  # of `elapsed`: from then on pages of history may be asked for
        self.keymap = keymap()

    # ---- what is in sight

    @property
    def feed(self) -> Feed:
        """What the middle shows."""
        return self.view.feed if self.view else self.chats.open.feed

    @property
    def shows_results(self) -> bool:
        return self.view is not None and self.view.kind == "results"

    @property
    def is_scrolled(self) -> bool:
        """Whether the end of the open chat is out of sight."""
        chat = self.chats.open
        return self.view is None and chat.loaded and chat.feed.is_scrolled

    @property
    def shows_chat(self) -> bool:
        """Whether the open chat is in the middle, and no view nor the page of keys."""
        return self.view is None and self.dialogs.keys_page is None

    def shows_end_of(self, chat: ChatState) -> bool:
        return self.shows_chat and chat is self.chats.open and chat.feed.anchor is None

    # ---- who has the keys

    @property
    def is_choosing(self) -> bool:
        """Whether keys act on the selected message. It is entered on purpose, and ends with what one does to it."""
        return self.chosen_in is self.feed and self.feed.selected is not None and not self.dialogs.is_open

    @property
    def thread(self) -> View | None:
        """The thread that is open: a text answers what is in it."""
        return self.view if self.view is not None and self.view.kind == "thread" else None

    @property
    def is_typing(self) -> bool:
        """Whether keys go into the line."""
        return not self.dialogs.is_open and not self.is_choosing

    def end_choosing(self) -> None:
        self.chosen_in = self.flash = None  # the message of the bar ends with it
        if not self.shows_results:
            self.feed.selected = None

    def hindrance(self, why: Opening) -> str | None:
        """Why a late answer may not take another chat or view into sight: the user types on, or has gone to another
        chat. The answers to what was typed before it have led on the way to it."""
        composer, typed = self.composer, why.typed if isinstance(why, ThreadRequest) else ""
        if composer.text != typed or composer.target is not None or composer.is_in_editor or self.dialogs.is_open:
            return "you are typing"
        if self.is_choosing:
            return "you have chosen a message"
        return None if self.chats.open_name == why.chat or self.moves == why.moves else "you are elsewhere"

    # ---- messages

    def message(self, id: int) -> Message | None:
        """The message, if it is kept anywhere."""
        for feed in (self.feed, *(chat.feed for chat in self.chats.by_name.values())):
            if (item := feed.messages.get(id)) is not None:
                return item.message
        return None

    @property
    def selected(self) -> Message | None:
        feed = self.feed
        item = feed.messages.get(feed.selected) if feed.selected is not None else None
        return item.message if item else None

    def put_into_view(self, message: Message) -> None:
        """Take a message into the view that is shown, if it belongs there."""
        view = self.view
        if view is None:
            return
        view.feed.count_answer(message)
        if message.id in view.feed.messages:
            view.feed.put(message)
        elif view.kind == "thread" and message.reply_to in view.feed.messages:
            view.feed.extend([message])

    def quote(self, id: int) -> Quote | None:
        message = self.message(id)
        return quote_of(message) if message else self.quotes.get(id)

    def may_delete(self, message: Message) -> bool:
        return message.from_ == self.session.user or self.session.is_operator

    def has_reacted(self, id: int, emoji: str) -> bool:
        return self.changes.has_reacted(self.message(id), id, emoji, self.session.user)

    # ---- what everything does

    def do(self, effect: Effect) -> None:
        self.effects.append(effect)

    def ask(self, verb: str, why: Purpose | None = None, /, **arguments: Any) -> None:
        """Ask the server, for the client itself; nothing is asked while there is no connection."""
        if self.session.is_online:
            known = {name: value for name, value in arguments.items() if value is not None}
            self.do(Ask(verb, known, why or BackgroundRequest()))

    def run(self, command: AskServer) -> None:
        """Have the server execute what was typed in the open chat."""
        request = TypedRequest(self.chats.open_name, safe(command.line), self.moves)
        stays = self.opening is None and (command.arguments or {}).get("chat") == self.chats.open_name
        if command.verb in OPENING | LISTING and not stays:
            self.expect(request)
        self.do(Run(command, request))

    def expect(self, opening: Opening) -> None:
        """What is typed from now on may be meant for what this opens."""
        self.opening = opening
        self.doubt = f"{opening.line} opens {'a thread' if isinstance(opening, ThreadRequest) else 'another chat'}"

    @property
    def may_ask_pages(self) -> bool:
        return self.session.is_online and self.elapsed >= self._pages_from

    def put_off_pages(self) -> None:
        """The server has too much to do for pages: none is asked for during a while."""
        self._pages_from = self.elapsed + PAGES_AGAIN_SECONDS

    def ask_quotes(self, ids: frozenset[int]) -> None:
        """Have these messages, which others on the screen answer."""
        if self.may_ask_pages:
            for id in self.quotes.ask(ids):
                self.ask("history", QuoteRequest(id), chat=self.chats.open_name, around=id, limit=1)

    def tell(
        self, kind: NoteKind, text: str, seconds: float = 5.0, line: str | None = None, *, is_of_loss: bool = False
    ) -> None:
        """For a moment, over the input; about a `line`, as long as that stands there."""
        self.flash = Flash(kind, text, self.elapsed + seconds, line, is_of_loss)

    @property
    def told(self) -> Flash | None:
        """What is told just now."""
        flash = self.flash
        return flash if flash is not None and flash.line in (None, self.composer.text) else None

    def change(self, chat: str, verb: str, id: int, value: str = "") -> None:
        """Do this to a message."""
        why = ChangeRequest(chat, verb, id, value)  # type: ignore[arg-type]
        self.changes.add(why)
        name = {"edit": "text", "react": "emoji", "unreact": "emoji"}.get(verb)
        self.do(Ask(verb, {"id": id, name: value} if name else {"id": id}, why))

    def bring_back(self) -> None:
        """Have the text in the line again that a search took the place of."""
        self.set_text(self.composer.aside)
        self.composer.aside = ""

    def set_text(self, text: str) -> None:
        self.do(SetText(text))
