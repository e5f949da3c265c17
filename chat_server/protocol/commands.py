"""All commands: the grammar, the help, the sign-in check, what a client completes by; also `room_commands` and others.

To add one: a class here, a rule in `rules/` (or a function of `local`), a test. `table` says what a class is made of.
"""

from msgspec import field

from chat_server.protocol.arguments import (
    Count,
    Delay,
    Emoji,
    Format,
    Id,
    Key,
    Names,
    OnOff,
    Reason,
    Secret,
    Sessions,
    Target,
    Text,
    Token,
    User,
    Word,
)
from chat_server.protocol.names import Name
from chat_server.protocol.room_commands import *  # noqa: F403
from chat_server.protocol.table import Command, command

# ---- Start


@command(
    "sign_in",
    "connect",
    group="Start",
    before_sign_in=True,
    json_only=("register",),
    help="signs in; the first time, registers the name, where the server asks for it with a code that invites",
    example="/sign_in anna",
)
class SignIn(Command, frozen=True, tag="sign_in"):
    """With `register` off a new name is refused, so that a script with a typing error makes no account."""

    username: Name
    password: Secret | None = None
    register: OnOff = OnOff(True)
    code: Secret | None = None


@command(
    "resume",
    group="Start",
    before_sign_in=True,
    help="signs in with the token of an earlier sign-in; with a position, brings all that changed after it",
    example="/resume 6Yw1Yk3o 120",
)
class Resume(Command, frozen=True, tag="resume"):
    token: Token
    position: Id | None = None


@command(
    "sign_out",
    group="Start",
    usage={"session": "[all|session]"},
    help="signs out here; with all or a number (see /sessions) there, and ends those tokens",
    example="/sign_out all",
)
class SignOut(Command, frozen=True, tag="sign_out"):
    session: Sessions | None = None


@command(
    "password",
    group="Start",
    order=("old", "new"),
    help="sets or changes the password; all other connections of the account close, and their tokens end",
    example="/password old-secret new-secret",
)
class Password(Command, frozen=True, tag="password"):
    new: Secret
    old: Secret | None = None


@command(
    "delete_account",
    group="Start",
    help="removes the account and all that it wrote, for ever; without a password, repeat the name instead",
    example="/delete_account my-password",
)
class DeleteAccount(Command, frozen=True, tag="delete_account"):
    password: Secret


# ---- Write


@command(
    "send_all",
    group="Write",
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
    seen_by_others=True,
    adds=True,
    json_only=("key",),
    derived=("mentions",),
    help="comments on a message, in its chat",
    example="/reply 42 I think so too",
)
class Reply(Command, frozen=True, tag="reply"):
    id: Id
    text: Text
    key: Key | None = None
    mentions: Names = ()


@command(
    "edit",
    group="Write",
    seen_by_others=True,
    derived=("mentions",),
    help="changes the text of a message of one's own",
    example="/edit 42 what I meant",
)
class Edit(Command, frozen=True, tag="edit"):
    id: Id
    text: Text
    mentions: Names = ()


@command("delete", group="Write", help="takes a message of one's own away; for an operator, any", example="/delete 42")
class Delete(Command, frozen=True, tag="delete"):
    id: Id


@command(
    "react",
    group="Write",
    seen_by_others=True,
    adds=True,
    help="reacts to a message with an emoji",
    example="/react 42 👍",
)
class React(Command, frozen=True, tag="react"):
    id: Id
    emoji: Emoji


@command(
    "unreact", group="Write", seen_by_others=True, help="takes a reaction of one's own back", example="/unreact 42 👍"
)
class Unreact(Command, frozen=True, tag="unreact"):
    id: Id
    emoji: Emoji


@command(
    "talk",
    group="Write",
    help="lines without a slash go there from now on; alone, ends that",
    example="/talk main",
)
class Talk(Command, frozen=True, tag="talk"):
    target: Target | None = None


@command(
    "send_delayed",
    group="Write",
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


@command("cancel_delayed", group="Write", help="cancels a delayed message of one's own", example="/cancel_delayed 3")
class CancelDelayed(Command, frozen=True, tag="cancel_delayed"):
    delayed_id: Id


@command("delayed", group="Write", help="lists one's own delayed messages that wait", example="/delayed")
class ListDelayed(Command, frozen=True, tag="delayed"):
    pass


# ---- Read


@command(
    "get_chat_with",
    group="Read",
    help="the last messages with a user, or all the unread ones if they are more; marks them read",
    example="/get_chat_with bob",
)
class GetChatWith(Command, frozen=True, tag="get_chat_with"):
    username: User


@command(
    "messages",
    group="Read",
    help="the next unread messages of a chat, and marks them read; again for more",
    example="/messages main",
)
class Messages(Command, frozen=True, tag="messages"):
    chat: Target


@command(
    "history",
    group="Read",
    usage={"before": "[before|after|around <id>]", "after": "", "around": "", "limit": "[limit <n>]"},
    pairs=("before", "after", "around", "limit"),
    help="a page of a chat, old or new; marks nothing",
    example="/history main before 120 limit 50",
)
class History(Command, frozen=True, tag="history"):
    chat: Target
    before: Id | None = None
    after: Id | None = None
    around: Id | None = None
    limit: Count | None = None


@command("thread", group="Read", help="a message and the comments on it, nested ones too", example="/thread 42")
class Thread(Command, frozen=True, tag="thread"):
    id: Id


@command(
    "search",
    group="Read",
    usage={"in": "[in:<chat>]", "from": "[from:<user>]", "before": "[before:<id>]"},
    marked=("in", "from", "before"),
    help='finds messages, the newest first: words, "phrases", beginnings like wor*; in a chat, from a user',
    example='/search lunch "the old mill" in:main from:bob',
)
class Search(Command, frozen=True, tag="search"):
    words: Text
    in_: Target | None = field(default=None, name="in")
    from_: User | None = field(default=None, name="from")
    before: Id | None = None


@command("read", group="Read", help="marks a chat read up to a message", example="/read main 42")
class Read(Command, frozen=True, tag="read"):
    chat: Target
    id: Id


@command("mute", group="Read", help="marks a chat as one that does not call, on all your devices", example="/mute main")
class Mute(Command, frozen=True, tag="mute"):
    chat: Target


@command("unmute", group="Read", help="ends /mute", example="/unmute main")
class Unmute(Command, frozen=True, tag="unmute"):
    chat: Target


# ---- People


@command(
    "status",
    group="People",
    help="who is here, which chats you are in, your limits; after a user, the next users",
    example="/status",
)
class Status(Command, frozen=True, tag="status"):
    after: User | None = None


@command("who", "whois", group="People", help="whether a user is online, or when last seen", example="/who bob")
class Who(Command, frozen=True, tag="who"):
    username: User


@command(
    "away",
    "back",
    group="People",
    seen_by_others=True,
    help="says why you are away, until /back; without a text it ends that",
    example="/away having lunch",
)
class Away(Command, frozen=True, tag="away"):
    text: Reason | None = None


@command(
    "block",
    "ignore",
    group="People",
    help="nothing goes between the two of you any more, and the other's mentions do not call you",
    example="/block mallory",
)
class Block(Command, frozen=True, tag="block"):
    username: User


@command("unblock", group="People", help="ends /block", example="/unblock mallory")
class Unblock(Command, frozen=True, tag="unblock"):
    username: User


@command("blocked", group="People", help="lists whom you have blocked", example="/blocked")
class ListBlocked(Command, frozen=True, tag="blocked"):
    pass


@command(
    "report",
    group="People",
    adds=True,
    help="reports a user who misbehaves; reports by several users ban for a while",
    example="/report mallory floods main",
)
class Report(Command, frozen=True, tag="report"):
    username: User
    reason: Reason | None = None


@command(
    "presence",
    group="People",
    usage={"presence": "<on|off>"},
    help="whether this connection is told who comes and goes",
    example="/presence off",
)
class Presence(Command, frozen=True, tag="presence"):
    presence: OnOff


# ---- Connection


@command(
    "help",
    group="Connection",
    before_sign_in=True,
    help="this list, or one command with an example",
    example="/help send_delayed",
)
class Help(Command, frozen=True, tag="help"):
    command: Word | None = None


@command(
    "format",
    group="Connection",
    before_sign_in=True,
    usage={"format": "<text|json>"},
    help="what this connection receives: text for people, JSON lines for programs",
    example="/format json",
)
class SetFormat(Command, frozen=True, tag="format"):
    format: Format
    client: Word | None = None


@command("ping", group="Connection", before_sign_in=True, help="answers; a barrier for scripts", example="/ping here")
class Ping(Command, frozen=True, tag="ping"):
    word: Word | None = None


@command("sessions", group="Connection", help="lists your connections", example="/sessions")
class ListSessions(Command, frozen=True, tag="sessions"):
    pass


@command("quit", "close", "exit", group="Connection", before_sign_in=True, help="says goodbye", example="/quit")
class Quit(Command, frozen=True, tag="quit"):
    reason: Reason | None = None


from chat_server.protocol.file_commands import *  # noqa: E402, F403
