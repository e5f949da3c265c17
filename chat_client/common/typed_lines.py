"""The intention of a typed line, for both front ends: a text, a local command, a server's command.

A front end carries the intention out. The words of a command are read by the server's own table (`sdk.typed_line`), and
those of a local command by the same rules.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from chat_client.common import wording
from chat_client.common.emoji import emoji_of
from chat_client.common.local_commands import LocalCommand, find_local
from chat_client.sdk.chat import Chat, Returned
from chat_client.sdk.errors import Refused
from chat_client.sdk.typed_line import Argument, asked_for, find, has_open_chat_first, has_secret, read, secrets_to_ask
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.sanitize import clean

PASTED_LINES_MAX, PASTED_CHARS_MAX = 8, 1500  # more is asked about first


class Context(Struct, frozen=True):
    """`commands`: all that there are here; `open_chat`: the chat that a command means if it names none;
    `asks_secrets`: whether a password can be asked for."""

    commands: Sequence[CommandForm] = ()
    open_chat: str = ""
    text_max: int | None = None
    asks_secrets: bool = False


class Say(Struct, frozen=True):
    """A text for the open chat."""

    text: str


class OverlongText(Struct, frozen=True):
    """A text that no message can hold. It may go as a file."""

    text: str
    length: int
    most: int


class RunLocal(Struct, frozen=True):
    """A command that the client itself executes."""

    command: LocalCommand
    arguments: dict[str, str]


class Post(Struct, frozen=True):
    """A command that sends something: it waits in line while there is no connection, and never goes out twice."""

    verb: str
    arguments: dict[str, Any]


class AskServer(Struct, frozen=True):
    """Any other command. `arguments` is None where the table cannot read the line: the server says what is wrong."""

    line: str
    verb: str
    arguments: dict[str, Any] | None


class AskSecrets(Struct, frozen=True):
    """A command that stands alone and takes nothing but passwords, which are asked for first."""

    verb: str
    asked: tuple[Argument, ...]


class AskTarget(Struct, frozen=True):
    """A command that takes something away and does not say from whom or what: `line` is the one for the open chat."""

    line: str
    usage: str


class Refuse(Struct, frozen=True):
    """A line that cannot be carried out, whatever the server would say."""

    error: Refused


Intention = Say | OverlongText | RunLocal | Post | AskServer | AskSecrets | AskTarget | Refuse


def intention(line: str, context: Context) -> Intention | None:
    """What the line asks for; None: nothing, it is blank."""
    if not line.strip():
        return None
    if not is_command(line):
        return _text(line.removeprefix("/"), context)
    if (local := local_command(line)) is not None:
        return _local(local, line, context)
    if context.asks_secrets and (asked := secrets_to_ask(line, context.commands)):
        form = find(line.strip(), context.commands)
        assert form is not None
        return AskSecrets(form.verb, tuple(asked))
    if (form := asked_for(line, context.commands, context.open_chat)) is not None:
        return AskTarget(f"/{form.verb} {context.open_chat}", wording.usage(form))
    return server_command(line, context.commands, context.open_chat)


def server_command(line: str, commands: Sequence[CommandForm], open_chat: str = "") -> Post | AskServer:
    """A line for the server. Line breaks outside of a text count as spaces."""
    typed = read(line, commands, open_chat)
    if typed is None:
        word = line[1:].split(" ", 1)[0]
        form = find(word, commands)
        if form is not None and has_open_chat_first(form, line, open_chat):
            # The server knows no open chat here: it is to say what is missing besides.
            line = f"/{form.verb} {open_chat}{line[1 + len(word) :]}"
        return AskServer(line.replace("\n", " "), form.verb if form else word, None)
    if typed.sends:
        return Post(typed.verb, typed.arguments)
    return AskServer(line, typed.verb, _with_emojis(typed.arguments, find(typed.verb, commands)))


def _with_emojis(arguments: dict[str, Any], form: CommandForm | None) -> dict[str, Any]:
    """The arguments with emojis in place of their names, which the server does not know: `/react 42 :tada:`."""
    emojis = {each["name"] for each in form.arguments if each["kind"] == "emoji"} if form else ()
    return {name: emoji_of(value) if name in emojis else value for name, value in arguments.items()}


def whole_line(line: str) -> AskServer:
    """A command that goes to the server as the line that it is, for the server to read."""
    return AskServer(line.replace("\n", " "), line[1:].split(" ", 1)[0], None)


async def ask(chat: Chat, command: AskServer) -> Returned:
    """Have the server execute it. Raises as `Chat.command`."""
    if command.arguments is not None:
        return await chat.command(command.verb, **command.arguments)
    return await chat.line(command.line)


def is_command(line: str) -> bool:
    """Whether it begins with one slash; `//` begins a text with a slash."""
    return line.startswith("/") and not line.startswith("//")


def local_command(line: str) -> LocalCommand | None:
    """The local command with which the line begins."""
    return find_local(line.split(None, 1)[0]) if is_command(line) else None


def _text(text: str, context: Context) -> Say | OverlongText:
    length = len(clean(text))
    if context.text_max is not None and length > context.text_max:
        return OverlongText(text, length, context.text_max)
    return Say(text)


def _local(command: LocalCommand, line: str, context: Context) -> RunLocal | Say | OverlongText | Refuse:
    typed = read(line.rstrip(), (command.form,), context.open_chat)
    if typed is None:
        return Refuse(Refused("bad_argument", wording.usage(command.form)))
    if command.says is not None:
        return _text(command.says(**typed.arguments), context)
    return RunLocal(command, typed.arguments)


def may_be_kept(line: str, commands: Sequence[CommandForm]) -> bool:
    """Whether the line may be kept for the next run: nothing that may carry a password or a token is."""
    return local_command(line) is not None or not has_secret(line, commands)


# ---- a block that is pasted


class Insert(Struct, frozen=True):
    """Put it into the line: it stays one message."""

    text: str


class ConfirmPaste(Struct, frozen=True):
    """Ask first: it is big."""

    text: str
    question: str


def pasted(text: str, text_max: int | None) -> Insert | ConfirmPaste | OverlongText:
    """What is done with a block from the clipboard."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.count("\n") + 1
    if lines <= PASTED_LINES_MAX and len(text) <= PASTED_CHARS_MAX:
        return Insert(text)
    if text_max is not None and len(text) > text_max:
        return OverlongText(text, len(text), text_max)
    return ConfirmPaste(text, f"paste {wording.text_size(text, text_max)}?")
