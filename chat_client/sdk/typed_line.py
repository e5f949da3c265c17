"""The parser of typed command lines, by the table that the server sends. Pure.

It reads what the server would read from the line, so that a sending command can go out as JSON, with line breaks in its
text and a key. What it cannot read it leaves to the server, which says why.
"""

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from chat_server.protocol.connection import CommandForm
from chat_server.protocol.left_out import leaves_out, leaves_out_chat

Argument = dict[str, Any]
SECRETS = ("secret", "token")  # kinds of arguments
_WORD = re.compile(r' *("[^"]*"?|[^ ]*)')


class Typed(Struct, frozen=True):
    """A line that a person typed, read by the server's own table of commands.

    `sends`: it takes a `key`, so it goes through `Chat.post` (waits while there is no connection, is never sent
    twice); anything else through `Chat.command` or `Chat.line`.
    """

    verb: str
    arguments: dict[str, Any]
    sends: bool


def find(word: str, commands: Sequence[CommandForm]) -> CommandForm | None:
    """The command of this verb or alias, with or without its slash."""
    verb = word.removeprefix("/").lower()
    return next((form for form in commands if verb == form.verb or verb in form.aliases), None)


def has_secret(line: str, commands: Sequence[CommandForm]) -> bool:
    """Whether it may carry a password or a token, so that it MUST NOT be kept; any command that is not known may."""
    form = _form(line, commands)
    return _is_command(line) and (form is None or any(_is_secret(argument) for argument in form.arguments))


def secret_from(line: str, commands: Sequence[CommandForm]) -> int | None:
    """Where the words begin that may be a password or a token, so that they MUST NOT be shown; None: there are none."""
    form = _form(line, commands)
    at = len(line.split(" ", 1)[0])
    for argument in positional(form) if form else ():
        word = _WORD.match(line, at)
        assert word is not None
        if _is_secret(argument):
            return word.start(1) if word[1] else None
        at = word.end()
    return None


def secrets_to_ask(line: str, commands: Sequence[CommandForm]) -> list[Argument]:
    """What to ask for where a command stands alone that takes nothing but passwords."""
    form = _form(line, commands) if " " not in line.strip() else None
    places = positional(form) if form else []
    return places if all(map(_is_secret, places)) else []


def _is_command(line: str) -> bool:
    return line.startswith("/") and not line.startswith("//")


def _form(line: str, commands: Sequence[CommandForm]) -> CommandForm | None:
    return find(line.split(" ", 1)[0].strip(), commands) if _is_command(line) else None


def _is_secret(argument: Argument) -> bool:
    return argument["kind"] in SECRETS


def read(line: str, commands: Sequence[CommandForm], open_chat: str = "") -> Typed | None:
    """None if it is no command of the table, or its arguments are not as the table says.

    `open_chat` stands in for the chat that a line leaves out, where the table says so.
    """
    word, _, rest = line.partition(" ")
    form = find(word, commands) if word.startswith("/") else None
    if form is None or any(each.get("marked") for each in form.arguments):
        return None  # words that stand anywhere in the line are for the server to find
    arguments = _arguments(form, rest, open_chat)
    if arguments is None:
        return None
    return Typed(form.verb, arguments, any(argument["name"] == "key" for argument in form.arguments))


def asked_for(line: str, commands: Sequence[CommandForm], open_chat: str) -> CommandForm | None:
    """The command that stands alone and takes something away, so that the open chat is not meant unless it is named."""
    form = _form(line, commands) if " " not in line.strip() else None
    places = positional(form) if form else []
    asks = places and places[0].get("open_chat") == "asks" and is_chat_for(places[0], open_chat)
    return form if asks else None


def is_chat_for(argument: Argument, chat: str) -> bool:
    """Whether the chat may stand for this argument."""
    return bool(chat) and {"room": chat[:1] == "#", "user": chat[:1] == "@"}.get(argument["kind"], True)


def has_open_chat_first(form: CommandForm, line: str, open_chat: str) -> bool:
    """Whether the line leaves out the chat that its command begins with, for which the open one stands in."""
    places = [] if any(each.get("marked") for each in form.arguments) else positional(form)
    return bool(places) and is_left_out(form, 0, line.partition(" ")[2].lstrip(" "), open_chat)


def is_left_out(form: CommandForm, place: int, rest: str, open_chat: str) -> bool:
    """Whether the line leaves out the argument at this place, for which the open chat stands in."""
    places = positional(form)
    argument, following = places[place], places[place + 1 :]
    if argument.get("open_chat") != "fills" or not is_chat_for(argument, open_chat):
        return False
    if following and following[0]["kind"] == "path" and is_path(rest.split(" ", 1)[0]):
        return True
    if following and rest.strip().lower() in following[0].get("words", ()):
        return True
    return leaves_out_chat(rest, _required(following), argument.get("starts"), pairs_of(form))


def is_path(word: str) -> bool:
    """Whether it can only be a path: no name of a chat has a slash in it, or begins so."""
    return "/" in word or word.startswith(("~", "."))


def pairs_of(form: CommandForm) -> list[str]:
    """The names that stand before a value, as `limit 50`."""
    return [each["name"] for each in form.arguments if each.get("pair")]


def _required(arguments: Sequence[Argument]) -> int:
    return sum(bool(each["required"]) for each in arguments)


def positional(form: CommandForm) -> list[Argument]:
    """The arguments that stand on a line in their place."""
    return [each for each in form.arguments if not (each.get("pair") or each.get("json_only"))]


def _arguments(form: CommandForm, rest: str, open_chat: str) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    places = positional(form)
    for place, argument in enumerate(places):
        rest = rest.lstrip(" ")
        if is_left_out(form, place, rest, open_chat):
            found[argument["name"]] = open_chat
            continue
        if not argument["required"] and leaves_out(rest, _required(places[place + 1 :]), argument.get("starts")):
            continue
        if not rest:
            if argument["required"]:
                return None
            break
        if argument.get("rest"):
            word, rest = rest, ""
        elif rest.startswith('"'):
            word, quote, rest = rest[1:].partition('"')
            if not quote:
                return None
        else:
            word, _, rest = rest.partition(" ")
        if "\n" in word and not argument.get("rest"):
            return None
        found[argument["name"]] = word
    return _with_pairs(form, rest.split(), found)


def _with_pairs(form: CommandForm, words: list[str], found: dict[str, Any]) -> dict[str, Any] | None:
    names = {argument["name"] for argument in form.arguments if argument.get("pair")}
    for name, value in zip(words[::2], (*words[1::2], None), strict=False):
        if name.lower() not in names or name.lower() in found or value is None:
            return None
        found[name.lower()] = value
    return found
