"""The commands that the client itself executes, in the form of the server's table, so that one list completes all."""

from collections.abc import Sequence
from typing import Any

from chat_server.protocol.connection import CommandForm


def _form(
    usage: str, help: str, example: str, *arguments: dict[str, Any], aliases: tuple[str, ...] = ()
) -> CommandForm:
    return CommandForm(usage[1:].split(" ")[0], aliases, usage, help, "Client", example, list(arguments))


def _argument(name: str, kind: str, required: bool = True, rest: bool = False) -> dict[str, Any]:
    return {"name": name, "kind": kind, "required": required, "rest": rest}


OWN = (
    _form(
        "/open <chat>",
        "opens a chat: what you type goes there",
        "/open @bob",
        _argument("chat", "target"),
    ),
    _form("/reconnect", "tries to connect at once", "/reconnect"),
    _form("/waiting", "lists what waits to be sent", "/waiting"),
    _form("/confirm", "sends what is held because it is old", "/confirm"),
    _form("/discard", "throws away what is held because it is old", "/discard"),
    _form(
        "/send_file <target> <path>",
        "sends a file",
        "/send_file @bob ~/photo.png",
        _argument("target", "target"),
        _argument("path", "path", rest=True),
    ),
    _form(
        "/get_file <id> [name]",
        "fetches a file into the downloads folder",
        "/get_file 7",
        _argument("id", "file"),
        _argument("name", "word", required=False, rest=True),
    ),
    _form(
        "/open_file <id>",
        "fetches a file, and the desktop opens it",
        "/open_file 7",
        _argument("id", "file"),
    ),
    _form("/cancel", "cancels the files on their way", "/cancel"),
    _form("/quit", "leaves", "/quit", aliases=("close", "exit")),
)
# What the client does of itself, and would be confusing to do by hand.
HIDDEN = frozenset(("format", "resume", "sign_in", "talk", "chunk", "cancel_upload"))


def with_own(commands: Sequence[CommandForm], own: Sequence[CommandForm] = OWN) -> list[CommandForm]:
    """The server's commands with the client's, which take the place of those of the same name."""
    names = {form.verb for form in own}
    return [form for form in commands if form.verb not in names | HIDDEN] + list(own)
