"""The table of local commands: the form and the function of each, for both front ends.

The forms are those of the server's table, so that one list completes all. A function acts on a `FrontEnd`, which the
full screen and --plain implement; it may raise ChatError, which is shown there. ARCHITECTURE.md shows how to add one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from msgspec import Struct, structs

from chat_client.common import wording
from chat_client.common.listening import LEVELS, Listening, level_in_words, line_to_ignore
from chat_client.common.wording import Answer
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import Outgoing, chat_name
from chat_client.sdk.typed_line import Argument, find
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.names import fold

Task = Coroutine[Any, Any, None] | None  # what takes its time; None: it is done


class FrontEnd(ABC):
    """What a local command may ask of where it was typed. What a front end lacks it refuses in one line."""

    @property
    @abstractmethod
    def commands(self) -> Sequence[CommandForm]:
        """The commands that there are here, once the server has told its own."""

    @property
    @abstractmethod
    def user(self) -> str:
        """Who is signed in."""

    @property
    @abstractmethod
    def unsent(self) -> Sequence[tuple[str, Outgoing]]:
        """What waits to be sent, each with its chat."""

    @property
    @abstractmethod
    def listening(self) -> Listening:
        """What the user listens to; changes of it are kept."""

    @abstractmethod
    def answer(self, answer: Answer) -> None:
        """Show what a command has done, and what it lists."""

    @abstractmethod
    def ask_server(self, *lines: str) -> Task:
        """Have the server execute these lines, one after the other."""

    @abstractmethod
    def open_chat(self, name: str) -> Task: ...

    @abstractmethod
    def pick_chat(self) -> Task:
        """Let the user choose the chat to open."""

    @abstractmethod
    def open_next_chat(self, by: int) -> Task:
        """Open the chat that stands so many places further in the list of chats."""

    @abstractmethod
    def open_last_chat(self) -> Task:
        """Open the chat that was open before this one."""

    @abstractmethod
    def open_unread_chat(self) -> Task: ...

    @abstractmethod
    def pin(self, name: str | None, number: int | None) -> Task:
        """Pin a chat, or the open one, or take that back."""

    @abstractmethod
    def mark_all_read(self) -> Task:
        """Mark all chats as read."""

    @abstractmethod
    def show_first_unread(self) -> Task:
        """Scroll the open chat to its first unread message."""

    @abstractmethod
    def go_to_time(self, when: str) -> Task:
        """Show the open chat from this day or time on, as it was typed (see `days`)."""

    @abstractmethod
    def show_keys(self) -> Task: ...

    @abstractmethod
    def open_editor(self) -> Task:
        """Open an editor for the next line."""

    @abstractmethod
    def quote(self, message_id: int) -> Task:
        """Put the text of a message into the line, as a quote."""

    @abstractmethod
    def copy(self, message_id: int) -> Task:
        """Put the text of a message into the clipboard."""

    @abstractmethod
    def open_link(self, message_id: int, number: int) -> Task:
        """Open the link of this number in a message, from 1 on, or copy it."""

    @abstractmethod
    def toggle_bare(self) -> Task:
        """Show the text alone, so that the terminal's own mouse can select it, or all again."""

    @abstractmethod
    def toggle_sides(self) -> Task: ...

    @abstractmethod
    def clear(self) -> Task:
        """Remove the answers and other notes from the open chat."""

    @abstractmethod
    def redraw(self) -> Task: ...

    @abstractmethod
    def reconnect(self) -> Task: ...

    @abstractmethod
    def confirm(self) -> Task:
        """Send what is held."""

    @abstractmethod
    def discard(self) -> Task:
        """Throw away what is held."""

    @abstractmethod
    def send_file(self, target: str, path: str) -> Task: ...

    @abstractmethod
    def get_file(self, file_id: int, name: str | None, opens: bool) -> Task: ...

    @abstractmethod
    def cancel_transfers(self) -> Task: ...

    @abstractmethod
    def leave(self) -> Task: ...


class LocalCommand(Struct, frozen=True):
    """`run` takes the front end, and the arguments of the form by their names. With `says` it is a text for the open
    chat, which that makes of the arguments. One that is done `at_once` does the same whatever is open; the others wait
    for a chat or thread that is about to be opened, since they act on what is open, or are answered there."""

    form: CommandForm
    run: Callable[..., Task]
    says: Callable[..., str] | None = None
    at_once: bool = False


LOCAL: dict[str, LocalCommand] = {}  # by their verbs
# What the client does by itself, and what would be confusing to do by hand.
HIDDEN = frozenset(("format", "resume", "sign_in", "talk", "chunk", "cancel_upload"))
Function = TypeVar("Function", bound=Callable[..., Task])


def argument(name: str, kind: str, *, required: bool = True, rest: bool = False, fills: bool = False) -> Argument:
    """`kind` says what completes it, as in the server's table; with `rest` it takes all that is left of the line; with
    `fills` the open chat stands in for it."""
    argument = {"name": name, "kind": kind, "required": required, "rest": rest}
    return argument | {"open_chat": "fills"} if fills else argument


def local_command(
    usage: str, help: str, example: str, *arguments: Argument, aliases: tuple[str, ...] = (), at_once: bool = False
) -> Callable[[Function], Function]:
    """Put a function into the table."""
    form = CommandForm(usage[1:].split(" ")[0], aliases, usage, help, "Client", example, list(arguments))

    def register(function: Function) -> Function:
        assert find(form.verb, forms()) is None, f"/{form.verb} is there twice"
        LOCAL[form.verb] = LocalCommand(form, function, at_once=at_once)
        return function

    return register


def forms() -> list[CommandForm]:
    return [command.form for command in LOCAL.values()]


def find_local(word: str) -> LocalCommand | None:
    """The local command of this verb or alias, with or without its slash."""
    form = find(word, forms())
    return LOCAL[form.verb] if form is not None else None


def with_local(commands: Sequence[CommandForm]) -> list[CommandForm]:
    """The server's commands with the client's, which take the place of those of the same name."""
    words = {word for form in forms() for word in (form.verb, *form.aliases)}
    others = LOCAL.keys() | HIDDEN
    kept = (form for form in commands if form.verb not in others)
    return [
        structs.replace(form, aliases=tuple(alias for alias in form.aliases if alias not in words)) for form in kept
    ] + forms()


# ---- chats


@local_command(
    "/open <chat>",
    "opens a chat, where your text then goes; alone it asks which one",
    "/open @bob",
    argument("chat", "target", required=False),
    aliases=("talk",),
    at_once=True,
)
def _open(front_end: FrontEnd, chat: str | None = None) -> Task:
    return front_end.pick_chat() if chat is None else front_end.open_chat(chat)


@local_command("/next", "opens the next chat of the list", "/next")
def _next(front_end: FrontEnd) -> Task:
    return front_end.open_next_chat(1)


@local_command("/previous", "opens the chat before this one in the list", "/previous")
def _previous(front_end: FrontEnd) -> Task:
    return front_end.open_next_chat(-1)


@local_command("/last", "opens the chat that was open before this one", "/last")
def _last(front_end: FrontEnd) -> Task:
    return front_end.open_last_chat()


@local_command("/unread", "opens the next unread chat, mentions first", "/unread")
def _unread(front_end: FrontEnd) -> Task:
    return front_end.open_unread_chat()


@local_command("/first_unread", "shows the first unread message of this chat", "/first_unread")
def _first_unread(front_end: FrontEnd) -> Task:
    return front_end.show_first_unread()


@local_command(
    "/goto <day>",
    "goes to a day or a time: yesterday, monday 9:30, 14:30, 2h",
    "/goto yesterday",
    argument("day", "day", rest=True),
)
def _goto(front_end: FrontEnd, day: str) -> Task:
    return front_end.go_to_time(day)


@local_command(
    "/pin [chat] [number]",
    "pins a chat, so that it keeps its number, or unpins it",
    "/pin #ops 3",
    argument("chat", "target", required=False),
    argument("number", "word", required=False),
)
def _pin(front_end: FrontEnd, chat: str | None = None, number: str | None = None) -> Task:
    if chat is not None and number is None and chat.isascii() and chat.isdigit() and len(chat) == 1:
        chat, number = None, chat
    if number is not None and number not in tuple("23456789"):
        raise Refused("bad_argument", "the number of a pinned chat is one of 2 to 9")
    return front_end.pin(chat, None if number is None else int(number))


@local_command("/read_all", "marks all chats as read", "/read_all", at_once=True)
def _read_all(front_end: FrontEnd) -> Task:
    return front_end.mark_all_read()


# ---- what calls


@local_command(
    "/level <chat> [all|mentions|none]",
    "sets how much of a chat calls you: all of it, mentions, or none; without a level it says which",
    "/level #ops all",
    argument("chat", "target", fills=True),
    argument("level", "level", required=False) | {"words": LEVELS},
)
def _level(front_end: FrontEnd, chat: str, level: str | None = None) -> Task:
    name = chat_name(chat)
    if level is None:
        front_end.answer(Answer(level_in_words(name, front_end.listening.level_now(name))))
        return None
    wanted = next((each for each in LEVELS if each == level.lower()), None)
    if wanted is None:
        raise Refused("bad_argument", wording.usage(LOCAL["level"].form))
    return front_end.ask_server(*front_end.listening.lines_for_level(name, wanted))


@local_command(
    "/ignore [username]",
    "hides from you what a user says in main; alone it lists whom you ignore",
    "/ignore mallory",
    argument("username", "user", required=False),
)
def _ignore(front_end: FrontEnd, username: str | None = None) -> Task:
    if username is not None and not chat_name(username).startswith("@"):
        raise Refused("bad_argument", wording.usage(LOCAL["ignore"].form))
    if username is not None and fold(username.removeprefix("@")) == fold(front_end.user):
        raise Refused("not_yourself", "you cannot ignore yourself")
    if username is not None:
        return front_end.ask_server(line_to_ignore(username, is_ignored=True))
    ignored = front_end.listening.ignored
    front_end.answer(Answer(f"{len(ignored)} ignored in main; /unignore <username> ends it", tuple(ignored.values())))
    return None


@local_command(
    "/unignore <username>", "shows what the user says in main again", "/unignore mallory", argument("username", "user")
)
def _unignore(front_end: FrontEnd, username: str) -> Task:
    if fold(username.removeprefix("@")) not in front_end.listening.ignored:
        raise Refused("unknown_user", f"you do not ignore {username}; /ignore lists whom you ignore")
    return front_end.ask_server(line_to_ignore(username, is_ignored=False))


# ---- what is sent


def _me(text: str) -> str:
    """Between stars, as people write it everywhere: it reads well in any client, and at `nc`."""
    return f"*{text.strip()}*"


LOCAL["me"] = LocalCommand(
    CommandForm("me", (), "/me <text>", "says what you do: *waves*", "Client", "/me waves",
                [argument("text", "text", rest=True)]),
    lambda front_end, text: None,
    _me,
)  # fmt: skip


@local_command("/editor", "opens the line in your editor, for a long text", "/editor", at_once=True)
def _editor(front_end: FrontEnd) -> Task:
    return front_end.open_editor()


@local_command("/waiting", "lists what waits to be sent", "/waiting")
def _waiting(front_end: FrontEnd) -> None:
    front_end.answer(wording.waiting(front_end.unsent))


@local_command("/confirm", "sends the messages that are held because they are old", "/confirm", at_once=True)
def _confirm(front_end: FrontEnd) -> Task:
    return front_end.confirm()


@local_command("/discard", "drops the messages that are held because they are old", "/discard", at_once=True)
def _discard(front_end: FrontEnd) -> Task:
    return front_end.discard()


# ---- files


@local_command(
    "/send_file <target> <path>",
    "sends a file",
    "/send_file @bob ~/photo.png",
    argument("target", "target", fills=True),
    argument("path", "path", rest=True),
)
def _send_file(front_end: FrontEnd, target: str, path: str) -> Task:
    return front_end.send_file(target, path)


@local_command(
    "/get_file <id> [name]",
    "fetches a file into the downloads folder",
    "/get_file 7",
    argument("id", "file"),
    argument("name", "word", required=False, rest=True),
)
def _get_file(front_end: FrontEnd, id: str, name: str | None = None) -> Task:
    return front_end.get_file(_number(id, "get_file"), name, opens=False)


@local_command("/open_file <id>", "fetches a file and opens it on the desktop", "/open_file 7", argument("id", "file"))
def _open_file(front_end: FrontEnd, id: str) -> Task:
    return front_end.get_file(_number(id, "open_file"), None, opens=True)


@local_command("/cancel", "cancels the files on their way", "/cancel", at_once=True)
def _cancel(front_end: FrontEnd) -> Task:
    return front_end.cancel_transfers()


# ---- the terminal and the connection


@local_command("/copy <id>", "copies the text of a message", "/copy 42", argument("id", "id"), at_once=True)
def _copy(front_end: FrontEnd, id: str) -> Task:
    return front_end.copy(_number(id, "copy"))


@local_command("/quote <id>", "quotes a message in the line", "/quote 42", argument("id", "id"), at_once=True)
def _quote(front_end: FrontEnd, id: str) -> Task:
    return front_end.quote(_number(id, "quote"))


@local_command(
    "/open_link <id> [number]",
    "opens the link of a message, or copies it where there is no desktop",
    "/open_link 42",
    argument("id", "id"),
    argument("number", "word", required=False),
    at_once=True,
)
def _open_link(front_end: FrontEnd, id: str, number: str = "1") -> Task:
    if not (number.isascii() and number.isdigit() and 0 < int(number[:5]) < 10_000):
        raise Refused("bad_argument", f"the number of a link is 1 or more, not {number}")
    return front_end.open_link(_number(id, "open_link"), int(number))


@local_command("/keys", "shows all keys", "/keys")
def _keys(front_end: FrontEnd) -> Task:
    return front_end.show_keys()


@local_command("/sides", "shows both sides, the left one, none", "/sides", at_once=True)
def _sides(front_end: FrontEnd) -> Task:
    return front_end.toggle_sides()


@local_command("/bare", "shows only the text, to select it with the mouse; again: everything", "/bare", at_once=True)
def _bare(front_end: FrontEnd) -> Task:
    return front_end.toggle_bare()


@local_command("/clear", "removes answers, errors and notes from the open chat", "/clear")
def _clear(front_end: FrontEnd) -> Task:
    return front_end.clear()


@local_command("/redraw", "redraws the screen", "/redraw", at_once=True)
def _redraw(front_end: FrontEnd) -> Task:
    return front_end.redraw()


@local_command("/reconnect", "tries to connect now", "/reconnect", at_once=True)
def _reconnect(front_end: FrontEnd) -> Task:
    return front_end.reconnect()


@local_command(
    "/help [command]",
    "lists the commands, or explains one",
    "/help open",
    argument("command", "word", required=False),
)
def _help(front_end: FrontEnd, command: str | None = None) -> Task:
    form = find(command, front_end.commands) if command else None
    if form is not None:
        front_end.answer(wording.help(form))
    elif command or not front_end.commands:
        return front_end.ask_server(f"/help {command or ''}".rstrip())
    else:
        front_end.answer(wording.overview(front_end.commands))
    return None


@local_command("/quit", "leaves", "/quit", aliases=("close", "exit"), at_once=True)
def _quit(front_end: FrontEnd) -> Task:
    return front_end.leave()


def _number(typed: str, verb: str) -> int:
    """Raises Refused."""
    digits = typed.removeprefix("#")
    if not (digits.isascii() and digits.isdigit()):
        raise Refused("bad_argument", wording.usage(LOCAL[verb].form))
    return int(digits)
