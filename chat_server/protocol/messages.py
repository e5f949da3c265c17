"""Messages: sending them, now or later, and changing, reading and searching them."""

from msgspec import Struct, field

from chat_server.protocol.arguments import Count, Delay, Emoji, Id, Key, Moment, Names, Target, Text, Username
from chat_server.protocol.base import Command, Event, Reply
from chat_server.protocol.table import command

# Of one `expired` event.
EXPIRED_IDS_MAX = 500


class File(Struct, frozen=True):
    id: int
    name: str
    size: int
    sha256: str


class Message(Event, frozen=True, tag="message"):
    """A message as one reader sees it: `chat` is named from the reader's side. Times are in ISO 8601, UTC.

    `replies` is how many messages answered it, and `last_reply` the newest of these, when it was read from the store.
    """

    id: int
    seq: int
    chat: str
    from_: str = field(name="from")
    at: str
    text: str | None = None
    reply_to: int | None = None
    replies: int = 0
    last_reply: int | None = None
    edited: str | None = None
    deleted: bool = False
    reactions: dict[str, list[str]] | None = None
    file: File | None = None
    delayed: bool = False
    mentions: list[str] | None = None


class QuietMessage(Message, frozen=True, tag="message"):
    """A message whose change only programs are told. People get one line for all such changes together."""


class ReadMarker(Event, frozen=True, tag="read"):
    chat: str
    id: int


class Expired(Event, frozen=True, tag="expired"):
    """These messages have expired and are gone."""

    chat: str
    ids: list[int]


class Sent(Reply, frozen=True, omit_defaults=True):
    """`note` says how much of the limit in `main` is left, before it is used up."""

    id: int
    at: str
    note: str | None = None


class Changed(Reply, frozen=True, omit_defaults=True):
    """A message was edited, deleted or reacted to; `seq` is that of the change.

    `message` is what the others are pushed, from the asker's side; an operator is not told it of a chat of others.
    `note` says why nothing changed.
    """

    id: int
    seq: int
    message: Message | None = None
    note: str | None = None


class ThreadShown(Reply, frozen=True, omit_defaults=True):
    """The end of a thread that was shown: `id` is the message that it is about."""

    id: int
    chat: str
    comments: int


class Talking(Reply, frozen=True, omit_defaults=True):
    target: str | None = None


class MessagesShown(Reply, frozen=True, omit_defaults=True):
    """The end of a page of messages. `more` is the command for the next one; `unread` what is still unread."""

    chat: str
    count: int
    unread: int | None = None
    more: str | None = None


class Found(Reply, frozen=True, omit_defaults=True):
    """The end of a page of search results. `more` goes on where this page ends, which may be before it is full.

    `note` says why pages end sooner than they will.
    """

    count: int
    more: str | None = None
    note: str | None = None


class MarkedRead(Reply, frozen=True, omit_defaults=True):
    chat: str
    id: int


class DelayedSent(Event, frozen=True, tag="delayed_sent"):
    id: int
    message_id: int


class DelayedFailed(Event, frozen=True, tag="delayed_failed"):
    id: int
    code: str


class DelayedSet(Reply, frozen=True, omit_defaults=True):
    """`due` is when the message goes out at the earliest; `note` says why that differs from what was asked for."""

    delayed_id: int
    due: str
    note: str | None = None


class DelayedCancelled(Reply, frozen=True, omit_defaults=True):
    delayed_id: int


class DelayedMessage(Struct, frozen=True):
    """A delayed message that waits."""

    delayed_id: int
    target: str
    due: str
    text: str


class DelayedList(Reply, frozen=True, omit_defaults=True):
    delayed: list[DelayedMessage]


# ---- commands


@command(
    "send_all",
    group="Write",
    reply=Sent,
    runs="logged",
    seen_by_others=True,
    adds=True,
    json_only=("key",),
    derived=("mentions",),
    help="sends to everyone, in main",
    example="/send_all hello everybody",
)
class SendAll(Command, frozen=True, tag="send_all"):
    text: Text
    key: Key | None = None
    mentions: Names = ()


@command(
    "send",
    "send_to",
    "msg",
    "w",
    group="Write",
    reply=Sent,
    runs="logged",
    seen_by_others=True,
    adds=True,
    json_only=("key",),
    derived=("mentions",),
    help="sends to a user, online or not, or to a chat",
    example="/send bob are you there?",
)
class Send(Command, frozen=True, tag="send"):
    target: Target
    text: Text
    key: Key | None = None
    mentions: Names = ()


@command(
    "reply",
    "comment",
    group="Write",
    reply=Sent,
    runs="logged",
    seen_by_others=True,
    adds=True,
    json_only=("key",),
    derived=("mentions",),
    help="comments on a message, in its chat",
    example="/reply 42 I think so too",
)
class Comment(Command, frozen=True, tag="reply"):
    id: Id
    text: Text
    key: Key | None = None
    mentions: Names = ()


@command(
    "edit",
    group="Write",
    reply=Changed,
    runs="logged",
    seen_by_others=True,
    derived=("mentions",),
    help="changes the text of a message of one's own",
    example="/edit 42 what I meant",
)
class Edit(Command, frozen=True, tag="edit"):
    id: Id
    text: Text
    mentions: Names = ()


@command(
    "delete",
    group="Write",
    reply=Changed,
    runs="logged",
    help="takes a message of one's own away; for an operator, any",
    example="/delete 42",
)
class Delete(Command, frozen=True, tag="delete"):
    id: Id


@command(
    "react",
    group="Write",
    reply=Changed,
    runs="logged",
    seen_by_others=True,
    adds=True,
    help="reacts to a message with an emoji",
    example="/react 42 👍",
)
class React(Command, frozen=True, tag="react"):
    id: Id
    emoji: Emoji


@command(
    "unreact",
    group="Write",
    reply=Changed,
    runs="logged",
    seen_by_others=True,
    help="takes a reaction of one's own back",
    example="/unreact 42 👍",
)
class Unreact(Command, frozen=True, tag="unreact"):
    id: Id
    emoji: Emoji


@command(
    "talk",
    group="Write",
    reply=Talking,
    runs="reading",
    help="lines without a slash go there from now on; alone, ends that",
    example="/talk main",
)
class Talk(Command, frozen=True, tag="talk"):
    target: Target | None = None


@command(
    "send_delayed",
    group="Write",
    reply=DelayedSet,
    runs="logged",
    seen_by_others=True,
    adds=True,
    json_only=("key",),
    derived=("mentions",),
    help="sends later: after seconds, 90s, 5m, 2h, 1d, or at a UTC time",
    example="/send_delayed bob 5m the tea is ready",
)
class SendDelayed(Command, frozen=True, tag="send_delayed"):
    target: Target
    delay: Delay
    text: Text
    key: Key | None = None
    mentions: Names = ()


@command(
    "cancel_delayed",
    group="Write",
    reply=DelayedCancelled,
    runs="logged",
    help="cancels a delayed message of one's own",
    example="/cancel_delayed 3",
)
class CancelDelayed(Command, frozen=True, tag="cancel_delayed"):
    delayed_id: Id


@command(
    "delayed",
    group="Write",
    reply=DelayedList,
    runs="reading",
    help="lists one's own delayed messages that wait",
    example="/delayed",
)
class ListDelayed(Command, frozen=True, tag="delayed"):
    pass


@command(
    "get_chat_with",
    group="Read",
    reply=MessagesShown,
    runs="reading",
    fills="username",
    help="the last messages with a user, or all the unread ones if they are more; marks them read",
    example="/get_chat_with bob",
    costly=True,
)
class GetChatWith(Command, frozen=True, tag="get_chat_with"):
    username: Username


@command(
    "messages",
    group="Read",
    reply=MessagesShown,
    runs="reading",
    fills="chat",
    help="the next unread messages of a chat, and marks them read; again for more",
    example="/messages main",
    costly=True,
)
class Messages(Command, frozen=True, tag="messages"):
    chat: Target


@command(
    "history",
    group="Read",
    reply=MessagesShown,
    runs="reading",
    usage={
        "before": "[before|after|around <id>|since <time>]",
        **dict.fromkeys(("after", "around", "since"), ""),
        "limit": "[limit <n>]",
    },
    pairs=("before", "after", "around", "since", "limit"),
    fills="chat",
    help="a page of a chat, old or new; marks nothing",
    example="/history main before 120 limit 50",
    costly=True,
)
class History(Command, frozen=True, tag="history"):
    chat: Target
    before: Id | None = None
    after: Id | None = None
    around: Id | None = None
    since: Moment | None = None
    limit: Count | None = None


@command(
    "thread",
    group="Read",
    reply=ThreadShown,
    runs="reading",
    help="a message and the comments on it, nested ones too",
    example="/thread 42",
    costly=True,
)
class ShowThread(Command, frozen=True, tag="thread"):
    id: Id


@command(
    "search",
    group="Read",
    reply=Found,
    runs="reading",
    usage={"in": "[in:<chat>]", "from": "[from:<user>]", "before": "[before:<id>]"},
    marked=("in", "from", "before"),
    help='finds messages, the newest first: words, "phrases", beginnings like wor*; in a chat, from a user',
    example='/search lunch "the old mill" in:main from:bob',
    costly=True,
)
class Search(Command, frozen=True, tag="search"):
    words: Text
    in_: Target | None = field(default=None, name="in")
    from_: Username | None = field(default=None, name="from")
    before: Id | None = None


@command(
    "read",
    group="Read",
    reply=MarkedRead,
    runs="logged",
    fills="chat",
    help="marks a chat read up to a message",
    example="/read main 42",
)
class Read(Command, frozen=True, tag="read"):
    chat: Target
    id: Id
