"""What the user must see, whatever comes and in whichever order: events, pages, losses and keys against a model.

The model is a server with all messages of two chats. Answers come late and in any order, as do losses; after each step
a frame is drawn. Then each feed is a stretch of its chat without a gap, with the messages as they are now; the numbers
are those of the model; nothing was marked as read that was never on the screen; who reads further up stays there.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from chat_client.sdk.errors import Disconnected
from chat_client.sdk.events import Connected, Connecting, Lost, Outgoing
from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.chat_state import ChatState
from chat_client.tui.state.effects import Ask, SetText
from chat_client.tui.state.replies import take_answer, take_refusal
from chat_client.tui.state.terminal_events import focus, take_frame, tick
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.messages import Expired, Message, MessagesShown, ReadMarker, Sent
from chat_server.protocol.people import StatusReport
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import START, Me, at, said

ME = "alice"
CHATS = ("main", "#team")
PAGE = 12  # the model's pages are smaller than those that are asked for, so that a chat has several

chat_names = st.sampled_from(CHATS)
picks = st.integers(0, 1 << 16)


class ServerModel:
    """All that the server has: messages by chat and id, and the user's read markers."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[int, Message]] = {name: {} for name in CHATS}
        self.read = dict.fromkeys(CHATS, 0)
        self.seq = 0

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def say(self, chat: str, who: str, text: str) -> Message:
        message = said(self.next_seq(), text, who, chat)
        self.messages[chat][message.id] = message
        return message

    def change(self, chat: str, pick: int, **fields: Any) -> Message | None:
        ids = list(self.messages[chat])
        if not ids:
            return None
        id = ids[pick % len(ids)]
        self.messages[chat][id] = replace(self.messages[chat][id], seq=self.next_seq(), **fields)
        return self.messages[chat][id]

    def unread(self, chat: str) -> int:
        return sum(id > self.read[chat] and each.from_ != ME for id, each in self.messages[chat].items())

    def info(self, chat: str) -> ChatInfo:
        return ChatInfo(chat, self.read[chat], self.unread(chat), muted=False, members=[ME] if chat != "main" else None)

    def page(self, chat: str, arguments: dict[str, Any]) -> tuple[list[Message], bool]:
        """The messages, and whether there are more on that side."""
        ids = sorted(self.messages[chat])
        size = min(PAGE, arguments["limit"])
        if "after" in arguments:
            ids = [id for id in ids if id > arguments["after"]]
            chosen = ids[:size]
        elif "around" in arguments:
            place = sum(id < arguments["around"] for id in ids)
            chosen = ids[max(0, place - size // 2) : place + size // 2]
        else:
            ids = [id for id in ids if id < arguments.get("before", 1 << 40)]
            chosen = ids[-size:]
        return [self.messages[chat][id] for id in chosen], len(ids) > len(chosen)


class Client(RuleBasedStateMachine):
    @initialize(stored=st.integers(0, 40), read=st.integers(0, 40))
    def start(self, stored: int, read: int) -> None:
        self.server = ServerModel()
        for number in range(stored):
            self.server.say(CHATS[number % 2], "bob", "@alice, look" if number % 5 == 0 else "")
        self.server.read = dict.fromkeys(CHATS, min(read, stored))
        self.me = Me(rows=20, connect=False)
        self.asks: list[Ask] = []
        self.seen: set[int] = set()  # ids that a frame has shown while the terminal had the focus
        self.online = False
        self.is_marker_exact = dict.fromkeys(CHATS, True)
        self.drafts = dict.fromkeys(CHATS, "")
        self.line = ""
        self.last_seq = self.server.seq
        self.connect(resumed=False)

    # ---- the connection

    @precondition(lambda self: not self.online)
    @rule(resumed=st.booleans())
    def connect(self, resumed: bool) -> None:
        self.me.hear(Connecting("localhost:8000", 1))
        changed = [each for chat in CHATS for each in self.server.messages[chat].values() if each.seq > self.last_seq]
        if resumed:
            self.me.hear(*sorted(changed, key=lambda each: each.seq))
        chats = [self.server.info(chat) for chat in CHATS]
        signed_in = SignedIn(ME, False, self.server.seq, "h", chats, [], [])
        self.online = True
        self.me.hear(Connected("localhost:8000", signed_in, resumed))
        self.is_marker_exact = dict.fromkeys(CHATS, True)
        self.look()

    @precondition(lambda self: self.online)
    @rule()
    def lose(self) -> None:
        self.online, self.last_seq = False, self.server.seq
        self.me.hear(Lost("gone", self.me.screen.elapsed + 5))
        for ask in self.asks:
            take_refusal(self.me.screen, ask.why, Disconnected("gone"), self.me.now)
        self.asks.clear()
        self.look()

    @precondition(lambda self: self.online)
    @rule(resumed=st.booleans(), chats=st.lists(chat_names, min_size=1, max_size=4))
    def miss_messages(self, resumed: bool, chats: list[str]) -> None:
        self.lose()
        for chat in chats:
            self.server.say(chat, "bob", "missed")
        self.connect(resumed)

    @precondition(lambda self: self.asks)
    @rule(pick=picks)
    def answer(self, pick: int) -> None:
        ask = self.asks.pop(pick % len(self.asks))
        lines: list[Event] = []
        reply: Reply
        if ask.verb == "history":
            chat = ask.arguments["chat"]
            page, more = self.server.page(chat, ask.arguments)
            lines, reply = list(page), MessagesShown(chat, len(page), more="/history …" if more else None)
        elif ask.verb == "status":
            reply = StatusReport(ME, [ME, "bob"], [], [self.server.info(chat) for chat in CHATS], [], [], {}, at(1))
        else:
            return
        take_answer(self.me.screen, ask.why, ask.verb, lines, reply, self.me.now)
        self.look()

    # ---- what others do

    def push(self, event: Event | None) -> None:
        if self.online and event is not None:
            self.me.hear(event)
            self.look()

    @rule(chat=chat_names, who=st.sampled_from(["bob", "carol", ME]), text=st.sampled_from(["", "@alice, look"]))
    def say(self, chat: str, who: str, text: str) -> None:
        scrolled = self.me.screen.feed.anchor is not None and self.rows()
        self.push(self.server.say(chat, who, text))
        if scrolled and self.me.screen.chats.open.new_after is None:
            assert self.rows() == scrolled, "who reads further up stays there"

    @rule(chat=chat_names, pick=picks, text=st.sampled_from(["changed", "@alice, see"]))
    def edit(self, chat: str, pick: int, text: str) -> None:
        mentions = [ME] if "@alice" in text else []
        self.push(self.server.change(chat, pick, text=text, mentions=mentions, edited=at(2)))

    @rule(chat=chat_names, pick=picks)
    def delete(self, chat: str, pick: int) -> None:
        self.push(self.server.change(chat, pick, text=None, mentions=None, deleted=True))

    @rule(chat=chat_names, pick=picks)
    def react(self, chat: str, pick: int) -> None:
        self.push(self.server.change(chat, pick, reactions={"👍": ["bob"]}))

    @precondition(lambda self: self.online)
    @rule(chat=chat_names, pick=picks)
    def expire(self, chat: str, pick: int) -> None:
        messages = self.server.messages[chat]
        if messages:
            id = list(messages)[pick % len(messages)]
            del messages[id]
            self.push(Expired(chat, [id]))

    @precondition(lambda self: self.online)
    @rule(chat=chat_names, pick=picks)
    def read_elsewhere(self, chat: str, pick: int) -> None:
        ids = [id for id in self.server.messages[chat] if id > self.server.read[chat]]
        if ids:
            self.server.read[chat] = ids[pick % len(ids)]
            state = self.me.screen.chats.by_name[chat]
            self.is_marker_exact[chat] = self.holds_unread(state)
            self.seen.update(id for id in ids if id <= self.server.read[chat])
            self.push(ReadMarker(chat, self.server.read[chat]))

    # ---- what the user does

    @precondition(lambda self: self.online)
    @rule(chat=chat_names)
    def send(self, chat: str) -> None:
        command = Outgoing("k", "send", {"target": chat, "text": "mine"}, START)
        self.me.hear(command)
        own = self.server.say(chat, ME, "mine")
        self.me.hear(replace(command, state="sent", reply=Sent(own.id, own.at)))
        state = self.me.screen.chats.by_name[chat]
        assert not state.feed.unsent and not self.me.screen.unsent
        self.server.read[chat] = max(self.server.read[chat], state.read)
        self.look()

    @rule(chat=chat_names, line=st.sampled_from(["", "half a line"]))
    def open_chat(self, chat: str, line: str) -> None:
        before = self.me.screen.chats.open_name
        if chat != before:
            self.drafts[before] = self.line
        self.me.wanted(SetText)
        navigation.open_chat(self.me.screen, chat, self.line)
        texts = [effect.text for effect in self.look() if isinstance(effect, SetText)]
        assert self.me.screen.chats.open_name == chat
        if chat != before:
            assert texts == [self.drafts[chat]] or (not texts and not self.drafts[chat] and not self.line)
            self.line = self.drafts[chat]
        self.line = line or self.line

    @rule(pages=st.sampled_from([-3, -1, 1, 2]))
    def scroll(self, pages: int) -> None:
        navigation.scroll(self.me.screen, pages=pages)
        self.look()

    @rule(by=st.sampled_from([-1, -1, 1]))
    def choose(self, by: int) -> None:
        message_actions.choose(self.me.screen, by)
        self.look()

    @rule()
    def first_unread(self) -> None:
        navigation.show_first_unread(self.me.screen)
        self.look()

    @rule()
    def escape(self) -> None:
        above = self.me.screen.reading.unread_above
        chat = self.me.screen.chats.open
        if above and not chat.feed.is_scrolled and self.me.screen.feed.selected is None:
            self.seen.update(self.server.messages[chat.name])  # a second Esc marks all of it as read
        navigation.escape(self.me.screen)
        self.look()

    @rule(focused=st.booleans())
    def change_focus(self, focused: bool) -> None:
        focus(self.me.screen, focused, self.me.now)
        self.look()

    @rule(seconds=st.sampled_from([0.3, 1.5, 130.0]))
    def wait(self, seconds: float) -> None:
        self.me.now += seconds
        tick(self.me.screen, self.me.now)
        self.look()

    # ---- what must be so

    def rows(self) -> list[str]:
        return self.me.rows()

    def look(self) -> list[Any]:
        """A frame is drawn, and what the state wants is carried out."""
        screen = self.me.screen
        frame = self.me.frame()
        if screen.reading.focused:
            self.seen |= {row.id for region in frame.regions for row in region.rows if row.id is not None}
        take_frame(screen, frame.drawn, self.me.now)
        effects = self.me.wanted()
        for ask in (effect for effect in effects if isinstance(effect, Ask)):
            assert self.online, "nothing is asked while there is no connection"
            if ask.verb == "read":
                self.mark(ask.arguments["chat"], ask.arguments["id"])
            else:
                self.asks.append(ask)
        return effects

    def mark(self, chat: str, id: int) -> None:
        passed = [each for each in self.server.messages[chat].values()
                  if self.server.read[chat] < each.id <= id and each.from_ != ME]  # fmt: skip
        assert {each.id for each in passed} <= self.seen, "marked as read, and never on the screen"
        self.server.read[chat] = max(self.server.read[chat], id)

    def holds_unread(self, chat: ChatState) -> bool:
        """Whether all that is unread is in the feed, so that the number can be known exactly."""
        feed = chat.feed
        return chat.loaded and feed.at_end and (feed.at_start or (feed.first_id or 1 << 40) <= chat.read + 1)

    @invariant()
    def feeds_are_stretches_without_a_gap(self) -> None:
        for name, chat in self.me.screen.chats.by_name.items():
            feed, stored = chat.feed, self.server.messages[name]
            ids = [item.place[0] for item in feed.items]
            assert ids == sorted(set(ids)) == sorted(feed.messages)
            assert feed.selected is None or feed.selected in feed.messages
            if not self.online or not ids:
                continue
            first = 0 if feed.at_start else ids[0]
            last = 1 << 40 if feed.at_end else ids[-1]
            assert ids == [id for id in stored if first <= id <= last]
            assert all(feed.messages[id].message == stored[id] for id in ids), "the messages are as they are now"

    @invariant()
    def numbers_are_those_of_the_server(self) -> None:
        if not self.online:
            return
        for name, chat in self.me.screen.chats.by_name.items():
            assert chat.read == self.server.read[name] and chat.unread >= 0
            if self.holds_unread(chat) and self.is_marker_exact[name]:
                assert chat.unread == self.server.unread(name)
                stored = self.server.messages[name]
                mentions = {id for id, each in stored.items() if id > chat.read and ME in (each.mentions or ())}
                assert chat.mentions <= mentions


Client.TestCase.settings = settings(max_examples=2 * settings().max_examples, stateful_step_count=30)
TestClient = Client.TestCase
