"""A screen without a terminal: events go in, rows come out."""

import pickle
from datetime import UTC
from typing import Any

from chat_client.sdk.events import Connected, Connecting
from chat_client.tui.render.bar import hint
from chat_client.tui.render.frame import Frame, frame, settle
from chat_client.tui.render.row import Display
from chat_client.tui.state.effects import Ask, Effect
from chat_client.tui.state.feed import Feed
from chat_client.tui.state.incoming import handle
from chat_client.tui.state.replies import take_answer
from chat_client.tui.state.screen_state import ScreenState
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.messages import Message, MessagesShown
from chat_server.protocol.people import Limit, StatusReport
from chat_server.protocol.rooms import ChatInfo

START = 1_795_000_000.0  # 18 November 2026


def at(id: int) -> str:
    """Message `id` was said `id` seconds after eight in the morning."""
    return f"2026-11-18T{8 + id // 3600:02d}:{id // 60 % 60:02d}:{id % 60:02d}.000Z"


def said(id: int, text: str = "", who: str = "bob", chat: str = "main", **fields: Any) -> Message:
    """As the server tells it: `mentions` has alice where the text names her, unless it is given."""
    if "mentions" not in fields and "@alice" in text:
        fields["mentions"] = ["alice"]
    return Message(
        id=id, seq=fields.pop("seq", id), chat=chat, from_=who, at=at(id), text=text or f"text {id}", **fields
    )


class Me:
    """The screen of alice, and what it wants of the outside."""

    def __init__(self, *chats: ChatInfo, columns: int = 110, rows: int = 34, connect: bool = True) -> None:
        self.screen = ScreenState()
        self.display = Display(columns, rows, zone=UTC)
        self.screen.session.user = "alice"
        self._now = START
        if connect:
            self.hear(Connecting("localhost:8000", 1))
            self.connect(*chats)

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, now: float) -> None:
        """Time passes: by both clocks."""
        self.screen.elapsed += now - self._now
        self._now = now

    def set_clock(self, seconds: float) -> None:
        """The time of day is set to another one; no time passes."""
        self._now += seconds

    def connect(self, *chats: ChatInfo, resumed: bool = False) -> None:
        known = chats or (ChatInfo(name="main", read=0, unread=0, muted=False),)
        signed_in = SignedIn(
            user="alice", new=False, seq=0, history="h", chats=list(known), invitations=[], join_requests=[]
        )
        self.hear(Connected("localhost:8000", signed_in, resumed))

    def hear(self, *events: Any) -> None:
        for event in events:
            handle(self.screen, event, self.now)

    def resize(self, columns: int, rows: int, input_rows: int = 1) -> None:
        self.display = Display(columns, rows, input_rows, UTC)

    def settle(self) -> None:
        """As the terminal does after each key and before each frame."""
        settle(self.screen, self.display)

    def wanted(self, *kinds: type[Effect]) -> list[Any]:
        """What it has asked for since the last call."""
        self.settle()
        effects, self.screen.effects = self.screen.effects, []
        return [effect for effect in effects if not kinds or isinstance(effect, kinds)]

    def asked(self, verb: str) -> list[Ask]:
        return [effect for effect in self.wanted(Ask) if effect.verb == verb]

    def answer(self, ask: Ask, lines: list[Any], reply: Reply) -> None:
        take_answer(self.screen, ask.why, ask.verb, lines, reply, self.now)

    def load(self, *messages: Event, chat: str = "main", more: bool = False) -> None:
        """The page that the open chat has asked for."""
        (ask,) = [ask for ask in self.asked("history") if ask.arguments["chat"] == chat]
        self.answer(ask, list(messages), MessagesShown(chat, len(messages), more="/history more" if more else None))

    def status(self, active: list[str], *chats: ChatInfo, limit: Limit | None = None) -> None:
        limits = {"main_messages": limit} if limit else {}
        report = StatusReport("alice", active, ["zoe"], list(chats), [], [], limits, at(1))
        take_answer(self.screen, Ask("status", {}, None).why, "status", [], report, self.now)  # type: ignore[arg-type]

    def frame(self) -> Frame:
        """A frame. Whatever a test draws is drawn twice: nothing in the state may change by it."""
        self.settle()
        before = pickle.dumps(self.screen)
        drawn = frame(self.screen, self.display)
        assert frame(self.screen, self.display) == drawn
        assert pickle.dumps(self.screen) == before, "drawing has changed the state"
        return drawn

    @property
    def hint(self) -> str:
        return hint(self.screen)

    def rows(self, region: str = "feed") -> list[str]:
        """The region's rows as text, without the spaces behind them."""
        found = next((each for each in self.frame().regions if each.name == region), None)
        assert found is not None, region
        return ["".join(text for _, text in row.fragments).rstrip() for row in found.rows]

    def text(self, region: str = "feed") -> str:
        return "\n".join(self.rows(region))


def feed(count: int) -> Feed:
    feed = Feed(at_end=True)
    feed.at_start = True
    feed.extend(said(id) for id in range(1, count + 1))
    return feed
