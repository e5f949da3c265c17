"""One chat as the client knows it: its feed, unread messages, members and draft."""

from chat_client.common.mentions import is_new, mentions
from chat_client.tui.state.feed import Feed
from chat_client.tui.state.items import MessageItem
from chat_client.tui.state.requests import HistoryRequest
from chat_server.protocol.messages import Message
from chat_server.protocol.rooms import ChatInfo

MENTIONS_MAX = 999  # unread mentions that are remembered of one chat
SPEAKERS_MAX = 200


class ChatState:
    def __init__(self, name: str) -> None:
        self.name = name
        self.feed = Feed()
        self.read = 0  # the read marker, an id
        self.unread = 0
        self.mentions: set[int] = set()  # unread messages that mention the user
        self.muted = False
        self.owner: str | None = None
        self.topic: str | None = None
        self.slow_mode = 0  # seconds; 0: none
        self.members: list[str] | None = None
        self.draft = ""
        self.newest = 0  # the highest id; 0: not known
        self.loaded = False  # the feed was filled since the connection brought no continuation
        self.requested: set[str] = set()  # the sides of the feed of which the page next to it is on its way
        self.jump: HistoryRequest | None = None  # the page on its way that takes the feed's place; the last one wanted
        self.page_error = ""  # why the last page did not come, where only a key asks for it again
        self.new_after: int | None = None  # what comes behind this message is marked as new
        self.listed = False  # the server knows it; of a chat of two: something was said there once
        self.speakers: dict[str, None] = {}  # who spoke here, the last one last

    @property
    def is_direct(self) -> bool:
        return self.name.startswith("@")

    @property
    def had_messages(self) -> bool:
        """Whether something was said here once, though it may have expired."""
        return self.read > 0 or self.newest > 0 or (self.is_direct and self.listed)

    def first_new(self, me: str) -> int | None:
        """The message over which the line `new from here` stands."""
        return None if self.new_after is None else self.feed.first_of_others(self.new_after, me)

    def sign_in(self, chat: ChatInfo) -> None:
        """Take over what a sign-in says of the chat."""
        self.describe(chat)
        self.read, self.unread = chat.read, chat.unread
        self.mentions = {id for id in self.mentions if id > chat.read} if chat.unread else set()

    def describe(self, chat: ChatInfo) -> None:
        self.listed = True
        self.muted, self.owner, self.topic, self.slow_mode = chat.muted, chat.owner, chat.topic, chat.slow_mode
        if chat.members is not None:
            self.members = list(chat.members)

    def add(self, message: Message, me: str) -> bool:
        """Take in a message that was sent or has changed; whether it is a new one of somebody else's."""
        placement = self.feed.put(message)
        if message.from_ != me and not message.deleted:
            self._note_speaker(message.from_)
        is_news = placement == "new" or (placement == "outside" and is_new(message, self.newest))
        self.newest = max(self.newest, message.id)
        if not mentions(message, me):
            self.mentions.discard(message.id)
        elif message.id > self.read and len(self.mentions) < MENTIONS_MAX:
            self.mentions.add(message.id)
        if not is_news or message.from_ == me or message.id <= self.read:
            return False
        self.unread += 1
        return True

    def _note_speaker(self, name: str) -> None:
        self.speakers.pop(name, None)
        self.speakers[name] = None
        if len(self.speakers) > SPEAKERS_MAX:
            self.speakers.pop(next(iter(self.speakers)))

    def unload(self) -> None:
        """Drop the messages; they come from the server when the chat is opened again."""
        self.feed.restart([])
        self.loaded = False
        self.new_after = None
        self.expect_no_page()

    def expect_no_page(self) -> None:
        """None of those that were asked for is wanted, or will come."""
        self.requested.clear()
        self.jump = None

    def forget(self) -> None:
        """Nothing that is known of the messages holds any more."""
        self.unload()
        self.newest = 0

    def mark_read(self, id: int, me: str) -> None:
        """Move the read marker here, if that is forwards."""
        if id <= self.read:
            return
        passed = sum(1 for item in self.feed.items if isinstance(item, MessageItem)
                     and self.read < item.message.id <= id and item.message.from_ != me)  # fmt: skip
        self.read = id
        # How many are unread behind it is not known where nothing of the chat is: none, until the server says it.
        is_last = id >= self.newest if self.newest else not self.loaded
        self.unread = 0 if is_last else max(0, self.unread - passed)
        self.mentions = {mention for mention in self.mentions if mention > id}

    def expire(self, ids: list[int]) -> None:
        self.mentions -= set(ids)
        self.unread = max(0, self.unread - sum(id > self.read for id in ids))
        self.feed.remove(ids)
