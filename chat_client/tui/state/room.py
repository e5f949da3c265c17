"""One chat as the client knows it: its feed, what is unread in it, who is in it, and the draft of what is typed."""

from chat_client.common.mentions import mentions
from chat_client.tui.render.items import Said
from chat_client.tui.state.feed import Feed
from chat_server.protocol.messages import Message
from chat_server.protocol.rooms import ChatInfo

CALLS_MAX = 999  # remembered mentions that are unread, of one chat


class Room:
    def __init__(self, name: str) -> None:
        self.name = name
        self.feed = Feed()
        self.read = 0  # the read marker, an id
        self.unread = 0
        self.calls: set[int] = set()  # unread messages that mention the user
        self.muted = False
        self.owner: str | None = None
        self.topic: str | None = None
        self.members: list[str] | None = None
        self.draft = ""
        self.newest = 0  # the highest id; 0: not known
        self.loaded = False  # the feed was filled since the connection brought no continuation
        self.asked: set[str] = set()  # sides of which a page is under way
        self.new_after: int | None = None  # what comes behind this message is marked as new
        self.listed = False  # the server knows of it; of a chat of two: something was said there once
        self.speakers: dict[str, None] = {}  # who spoke here, the last one last

    @property
    def direct(self) -> bool:
        return self.name.startswith("@")

    def new_from(self, me: str) -> int | None:
        """The message over which the line `new from here` stands."""
        return None if self.new_after is None else self.feed.first_of_others(self.new_after, me)

    @property
    def was_used(self) -> bool:
        """Whether something was said here once, though it may have expired."""
        return self.read > 0 or self.newest > 0 or (self.direct and self.listed)

    def told(self, chat: ChatInfo) -> None:
        """What a sign-in says of it."""
        self.described(chat)
        self.read, self.unread = chat.read, chat.unread
        self.calls = {id for id in self.calls if id > chat.read} if chat.unread else set()

    def described(self, chat: ChatInfo) -> None:
        self.listed = True
        self.muted, self.owner, self.topic = chat.muted, chat.owner, chat.topic
        if chat.members is not None:
            self.members = list(chat.members)

    def heard(self, message: Message, me: str) -> bool:
        """A message that was pushed; whether it is a new one of somebody else's."""
        put = self.feed.put(message)
        if message.from_ != me and not message.deleted:
            self.speakers.pop(message.from_, None)
            self.speakers[message.from_] = None
            if len(self.speakers) > 200:
                self.speakers.pop(next(iter(self.speakers)))
        # Of a chat of which nothing is kept, an old message that changes (`seq` past `id`) must not count as a new one.
        is_news = message.id > self.newest and (self.newest > 0 or message.seq == message.id)
        is_new = put == "new" or (put == "outside" and is_news)
        self.newest = max(self.newest, message.id)
        if not mentions(message, me):
            self.calls.discard(message.id)
        elif message.id > self.read and len(self.calls) < CALLS_MAX:
            self.calls.add(message.id)
        if not is_new or message.from_ == me or message.id <= self.read:
            return False
        self.unread += 1
        return True

    def unload(self) -> None:
        """Forget what was said; it comes from the server when the chat is opened again."""
        self.feed.restart([])
        self.loaded = False
        self.new_after = None
        self.asked.clear()

    def forget(self) -> None:
        """Nothing that is known of what was said holds any more."""
        self.unload()
        self.newest = 0

    def marked(self, id: int, me: str) -> None:
        """The read marker has moved here."""
        if id <= self.read:
            return
        passed = sum(1 for item in self.feed.items if isinstance(item, Said)
                     and self.read < item.message.id <= id and item.message.from_ != me)  # fmt: skip
        self.read = id
        # How many are unread behind it is not known where nothing of the chat is: none, until the server says it.
        is_last = id >= self.newest if self.newest else not self.loaded
        self.unread = 0 if is_last else max(0, self.unread - passed)
        self.calls = {called for called in self.calls if called > id}
