"""All that the screen shows, as plain state. What changes it is in the other files of this folder."""

from collections import OrderedDict
from datetime import tzinfo
from typing import Any, Literal

from msgspec import Struct

from chat_client.sdk.events import Connected, Outgoing, State
from chat_client.tui.render.geometry import Geometry, geometry
from chat_client.tui.render.items import NoteKind, Place
from chat_client.tui.render.message_rows import Context, quote_of
from chat_client.tui.state.effects import Ask, Changing, Effect, Page, Quiet, Quoted, SetText, Side, Why
from chat_client.tui.state.feed import Feed
from chat_client.tui.state.room import Room
from chat_server.protocol.accounts import ActiveBan
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.messages import Message
from chat_server.protocol.people import Limit

PAGE_MESSAGES = 100
QUOTES_MAX = 500
USERS_MAX = 2000
BAR_ROWS_MIN = 24  # rows of a terminal from which the bar over the input has its row always


class View(Struct):
    """What stands in the middle instead of the open chat."""

    kind: Literal["thread", "results"]
    title: str
    feed: Feed
    root: int | None = None  # of a thread
    more: str | None = None  # the command that goes on, as the server tells it

    @property
    def answered(self) -> int | None:
        """What a text that is typed in the thread answers: its root, or where that has expired or was deleted, the
        first message that is left. None: there is nothing to answer."""
        left = [said.message.id for said in self.feed.said.values() if not said.message.deleted]
        return self.root if self.root in left else min(left, default=None)


class Composing(Struct, frozen=True):
    """What the next line will be, if not a message to the open chat."""

    kind: Literal["reply", "edit", "react"]
    id: int
    chat: str
    draft: str = ""  # what stood in the line before
    text: str = ""  # what is edited


class Question(Struct, frozen=True):
    """Asked over the input. Enter says yes, which begins no word; anything else says no, and what is text is typed."""

    text: str
    kind: Literal["paste", "delete", "leave", "file", "elsewhere"]
    subject: Any = None


class Jump(Struct):
    """The dialog that finds a chat by a part of its name."""

    text: str = ""
    at: int = 0


class Transfer(Struct):
    """A file on its way."""

    name: str
    sending: bool
    done: int = 0
    size: int = 0
    rate: float = 0.0  # bytes a second
    left: float | None = None  # seconds


class Screen:
    """`now` is the time of the last event or tick, in Unix seconds, for what is shown; pauses and rates go by
    `elapsed`, which never goes back. Whoever carries out `effects` empties the list."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self.zone = zone
        self.now = 0.0
        self.elapsed = 0.0
        self.effects: list[Effect] = []
        self.me = ""
        self.operator = False
        self.server = ""
        self.connection: State | None = None
        self.catching_up = True
        self.commands: list[CommandForm] = []
        self.text_max = 4096
        self.rooms: dict[str, Room] = {}
        self.open_name = "main"
        self.before_name = "main"
        self.put_out: str | None = None  # the chat that was open and is gone, until another one is opened on purpose
        self.rounds: dict[str, int] = {}  # the chats that Alt-A has shown, with their newest messages then
        self.visited = {"main": None}  # the chats whose messages may be kept, the one that is open last
        self.view: View | None = None
        self.help_from: int | None = None  # the first row of the page of keys that is shown
        self.jump: Jump | None = None
        self.chosen_in: Feed | None = None  # whose marked message keys act on, as long as it is the one that is shown
        self.composing: Composing | None = None
        self.changing: list[Changing] = []  # changes by keys that are not answered yet
        self.question: Question | None = None
        self.users: dict[str, bool] = {}  # online?
        self.away: dict[str, str] = {}
        self.invitations: list[str] = []
        self.requests: list[tuple[str, str]] = []  # chat, user
        self.limits: dict[str, Limit] = {}
        self.ban: ActiveBan | None = None
        self.flash: tuple[str, str, float] | None = None  # style, text, until when of `elapsed`
        self.typed = ""  # what stands in the line
        self.usage = ""  # of the command that is being typed
        self.quotes: OrderedDict[int, tuple[str, str] | None] = OrderedDict()
        self.transfers: dict[int, Transfer] = {}
        self.keys: dict[str, str] = {}  # the chat of each message that is on its way
        self.waiting: dict[str, Outgoing] = {}  # all that is not sent yet
        self.looked = float("-inf")  # when the users were last asked for
        self.focused = True
        self.mouse = True
        self.sides = True
        self.attended = float("-inf")
        self.on_screen: tuple[str, int, float] | None = None  # chat, id, since when of `elapsed`
        self.seen: tuple[str, int] | None = None  # chat, id: up to there all was on the screen
        self.at_end = False  # whether the end of the open chat was on the screen last
        self.above = 0  # unread messages of the open chat that are above the screen
        self.columns, self.height, self.input_rows = 80, 24, 1

    # ---- what it is made of

    def room(self, name: str) -> Room:
        """The chat of this name, which is made if need be."""
        room = self.rooms.get(name)
        if room is None:
            room = self.rooms[name] = Room(name)
            order = {"m": 0, "#": 1, "@": 2}
            self.rooms = dict(sorted(self.rooms.items(), key=lambda pair: (order[pair[0][0]], pair[0].casefold())))
        return room

    @property
    def open(self) -> Room:
        return self.room(self.open_name)

    @property
    def feed(self) -> Feed:
        """What the middle shows."""
        return self.view.feed if self.view else self.open.feed

    @property
    def geometry(self) -> Geometry:
        bar = self.has_bar or self.height >= BAR_ROWS_MIN
        sides = self.sides and self.help_from is None  # the page of keys has all of the screen
        return geometry(self.columns, self.height, self.input_rows, bar, sides)

    @property
    def has_bar(self) -> bool:
        """Whether a row over the input says something."""
        return (
            self.scrolled
            or self.above > 0
            or bool(self.composing or self.question or self.flash or self.usage or self.feed.selected or self.transfers)
        )

    @property
    def scrolled(self) -> bool:
        """Whether the end of the open chat is out of sight."""
        feed = self.open.feed
        return self.view is None and self.open.loaded and (feed.anchor is not None or not feed.at_end)

    @property
    def hint(self) -> str:
        """What an empty line may become; nothing where keys act on a message."""
        if self.choosing:
            return ""
        name = self.addressee
        if self.view is not None and self.view.kind == "thread":
            answers = self.view.answered is not None
            return f"answer in this thread, to {name}" if answers else "nothing is left here to answer · Esc"
        return f"message to {name} · / for commands"

    @property
    def addressee(self) -> str:
        """Who reads what is typed."""
        return "everyone" if self.open_name == "main" else self.open_name.removeprefix("@")

    @property
    def context(self) -> Context:
        return Context(
            me=self.me,
            width=self.geometry.feed_columns,
            zone=self.zone,
            quote=self.quote,
            new_from=None if self.view else self.open.new_from(self.me),
            selected=self.feed.selected,
            labels=self.view is not None and self.view.kind == "results",
        )

    @property
    def modal(self) -> bool:
        """Whether a dialog or the page of keys has the keys."""
        return self.jump is not None or self.question is not None or self.help_from is not None

    @property
    def choosing(self) -> bool:
        """Whether keys act on the marked message. It is entered on purpose, and ends with what one does to it."""
        return self.chosen_in is self.feed and self.feed.selected is not None and not self.modal

    @property
    def typing(self) -> bool:
        """Whether keys go into the line."""
        return not self.modal and not self.choosing

    def end_choosing(self) -> None:
        self.chosen_in = self.flash = None  # the message of the bar ends with it
        if self.view is None or self.view.kind == "thread":
            self.feed.selected = None

    def is_moved_by_answer(self, typed: str = "") -> bool:
        """Whether a late answer may take another chat or view into sight: not while the user types on. `typed`:
        the text of the line when it was asked for."""
        return self.typed == typed and self.composing is None and not self.modal

    def may_delete(self, message: Message) -> bool:
        return message.from_ == self.me or self.operator

    @property
    def online(self) -> bool:
        return isinstance(self.connection, Connected)

    def in_sight(self, room: Room) -> bool:
        """Whether the end of this chat is on the screen."""
        return self.view is None and self.help_from is None and room is self.open and room.feed.anchor is None

    def bring_up(self, place: Place) -> None:
        """Scroll the open chat until this is on top, if there is enough below it."""
        for _ in range(2):  # the bar that tells what is below takes a row
            self.open.feed.bring(place, self.context, self.geometry.feed_rows, "top")

    def message(self, id: int) -> Message | None:
        """The message, if it is kept anywhere."""
        for feed in (self.feed, *(room.feed for room in self.rooms.values())):
            if (said := feed.said.get(id)) is not None:
                return said.message
        return None

    @property
    def selected(self) -> Message | None:
        feed = self.feed
        said = feed.said.get(feed.selected) if feed.selected is not None else None
        return said.message if said else None

    def quote(self, id: int) -> tuple[str, str] | None:
        """Who said it and how it begins. What is not kept is asked for when it comes on the screen (`missing`)."""
        message = self.message(id)
        return quote_of(message) if message else self.quotes.get(id)

    # ---- what everything does

    def do(self, effect: Effect) -> None:
        self.effects.append(effect)

    def ask(self, verb: str, why: Why | None = None, /, **arguments: Any) -> None:
        """Ask the server, for the client itself; nothing is asked while there is no connection."""
        if self.online:
            self.do(Ask(verb, {name: value for name, value in arguments.items() if value is not None}, why or Quiet()))

    def tell(self, style: NoteKind, text: str, seconds: float = 5.0) -> None:
        """For a moment, over the input."""
        self.flash = (style, text, self.elapsed + seconds)

    def change(self, chat: str, verb: str, id: int, value: str = "") -> None:
        """Do this to a message; until it is answered, the next change starts from it."""
        why = Changing(chat, verb, id, value)  # type: ignore[arg-type]
        self.changing.append(why)
        name = {"edit": "text", "react": "emoji", "unreact": "emoji"}.get(verb)
        self.do(Ask(verb, {"id": id, name: value} if name else {"id": id}, why))

    def text_of(self, message: Message) -> str:
        """Its text, or the new one while an edit is under way."""
        under_way = [each.value for each in self.changing if (each.verb, each.id) == ("edit", message.id)]
        return under_way[-1] if under_way else message.text or ""

    def has_reacted(self, id: int, emoji: str) -> bool:
        """Whether the user has reacted so, or will have when the change under way is answered."""
        under_way = [
            each.verb for each in self.changing if (each.id, each.value) == (id, emoji) and each.verb != "edit"
        ]
        if under_way:
            return under_way[-1] == "react"
        message = self.message(id)
        return message is not None and self.me in (message.reactions or {}).get(emoji, [])

    def set_text(self, text: str) -> None:
        self.do(SetText(text))

    def load(self, room: Room) -> None:
        """Have its first unread messages, or else its newest ones, if they are not there."""
        if not room.loaded:
            first = room.read + 1 if room.unread >= PAGE_MESSAGES else None
            self.fetch(room, "unread" if room.unread else "newest", first)

    def fetch(self, room: Room, side: Side, id: int | None = None) -> None:
        if side in room.asked or not self.online:
            return
        room.asked.add(side)
        where: dict[str, Any] = {} if id is None else {"around" if side == "unread" else side: id}
        self.ask("history", Page(room.name, side, id), chat=room.name, limit=PAGE_MESSAGES, **where)

    def ask_quotes(self, ids: set[int]) -> None:
        """Have what these, which are on the screen, answer; a few at a time."""
        for id in sorted(ids - self.quotes.keys(), reverse=True)[:3]:
            if self.online:
                self.quotes[id] = None
                if len(self.quotes) > QUOTES_MAX:
                    self.quotes.popitem(last=False)
                self.ask("history", Quoted(id), chat=self.open_name, around=id, limit=1)
