"""Completion of the word at the cursor: commands, users, chats, ids, paths, emojis. Pure, but for `paths`.

The grammar is the server's own table (`Chat.commands`, with the client's own: `local_commands.with_local`), so that an
old client completes a new command.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter

from msgspec import Struct

from chat_client.common.cells import width
from chat_client.common.days import NAMED
from chat_client.common.emoji import emojis
from chat_client.common.listening import LEVELS
from chat_client.common.names import fold_typed
from chat_client.sdk.typed_line import Argument, find, is_chat_for, is_path, pairs_of, positional
from chat_server.protocol.connection import CommandForm

CANDIDATES_MAX = 120
HINT_CELLS_MAX = 60  # of what a command does, so that a list has room for it in 80 columns
# What one does most stands first in the list of all commands.
_GROUPS = ("Write", "Read", "Chats", "People", "Client", "Connection", "Start", "Operators")


class Candidate(Struct, frozen=True):
    """`text` replaces the last `replaces` characters before the cursor. A list shows `shows`, and `hint` beside it:
    what a command does, the beginning of a message."""

    text: str
    replaces: int
    shows: str
    hint: str = ""


class Known(Struct, frozen=True):
    """The names and numbers that candidates are made of.

    `users`: recent speakers first; `chats`: `main`, `#team`, `@bob`, the open one first; `messages`: newest first, each
    with the beginning of its text; `files`: ids with names; `tokens`: ids with what uses them; `networks`: the
    banned ones, with why; `paths`: the entries that begin with what was typed (directories end with `/`); `open_chat`:
    what may be left out of a command.
    """

    commands: Sequence[CommandForm] = ()
    users: Sequence[str] = ()
    chats: Sequence[str] = ()
    messages: Sequence[tuple[int, str]] = ()
    files: Sequence[tuple[int, str]] = ()
    tokens: Sequence[tuple[str, str]] = ()
    networks: Sequence[tuple[str, str]] = ()
    paths: Callable[[str], Iterable[str]] | None = None
    open_chat: str = ""


Found = Iterator[Candidate]
_EMOJI = r"(?:^|[^\w:/])(::?[\w+-]*:?)$"  # the second colon: of who types one where a reaction has it


def complete(before: str, known: Known) -> list[Candidate]:
    """The candidates for the text before the cursor, the likeliest first; at most CANDIDATES_MAX."""
    return list(islice(_candidates(before, known), CANDIDATES_MAX))


def opens_list(before: str, reacts: bool = False) -> bool:
    """Whether the candidates are listed without Tab: those of a command's name, and of an emoji from its second letter
    on, or from the first sign on where the line is a reaction."""
    if _is_command(before) and " " not in before:
        return True
    begun = re.search(_EMOJI, before)
    return begun is not None and (reacts or len(begun[1]) > 2)


def usage(before: str, commands: Sequence[CommandForm]) -> str | None:
    """How the command that is being typed is used, and what it does; None if it is none."""
    form = find(before.split(" ", 1)[0], commands) if _is_command(before) else None
    return f"{form.usage} · {form.help}" if form else None


def _is_command(before: str) -> bool:
    return before.startswith("/") and not before.startswith("//")


def _candidates(before: str, known: Known) -> Found:
    if not _is_command(before):
        return _in_text(before, known)
    verb, space, rest = before.partition(" ")
    if not space:
        return _verbs(verb, known, slash=True)
    form = find(verb, known.commands)
    return iter(()) if form is None else _argument(form, rest, known)


def _argument(form: CommandForm, rest: str, known: Known) -> Found:
    """The cursor is at the end of `rest`: find the argument that it is in, and what of it stands there."""
    places = positional(form)
    for place, argument in enumerate(places):
        rest = rest.lstrip(" ")
        if argument.get("rest"):
            return chain(_marked(form, rest, known), _in_rest(argument, rest, known))
        word, space, after = rest.partition(" ")
        if not space:
            return _of_place(form, place, word, known)
        if not (_may_be_left_out(argument, known) and _is_after_chat(form, place, word)):
            rest = after
    return _pairs(form, rest, known)


def _marked(form: CommandForm, rest: str, known: Known) -> Found:
    """What stands anywhere in the line behind its name, as `in:main`: the name, and then the chat or the user."""
    word = rest[rest.rfind(" ") + 1 :]
    for argument in form.arguments:
        mark = f"{argument['name']}:"
        if argument.get("marked") and word.lower().startswith(mark):
            yield from _of_kind(argument, word[len(mark) :], known)
        elif argument.get("marked") and word and mark.startswith(word.lower()):
            yield Candidate(mark, len(word), mark)


def _of_place(form: CommandForm, place: int, word: str, known: Known) -> Found:
    """The cursor is in the word at this place; where the open chat may be left out, it may also be what follows."""
    places = positional(form)
    argument, following = places[place], places[place + 1 :]
    found = _of_kind(argument, word, known)
    if not _may_be_left_out(argument, known):
        return found
    if not following:
        return chain(found, _pairs(form, word, known))
    after = following[0]
    others = _in_rest(after, word, known) if after.get("rest") else _of_kind(after, word, known)
    return chain(others, found) if after["required"] else chain(found, others)


def _may_be_left_out(argument: Argument, known: Known) -> bool:
    return argument.get("open_chat") == "fills" and is_chat_for(argument, known.open_chat)


def _is_after_chat(form: CommandForm, place: int, word: str) -> bool:
    """Whether a word that is whole can only be what follows the chat, so that this is left out."""
    starts = positional(form)[place].get("starts")
    if starts is not None and word[0] not in starts:
        return True
    following = positional(form)[place + 1 :]
    return is_path(word) if following and following[0]["kind"] == "path" else word.lower() in pairs_of(form)


def _pairs(form: CommandForm, rest: str, known: Known) -> Found:
    pairs = [argument for argument in form.arguments if argument.get("pair")]
    *words, last = rest.split(" ")
    words = [word for word in words if word]
    if len(words) % 2 == 0:
        given = {word.lower() for word in words[::2]}
        return _matching(last, ((f"{each['name']} ", "") for each in pairs if each["name"] not in given))
    for argument in pairs:
        if argument["name"] == words[-1].lower():
            return _of_kind(argument, last, known)
    return iter(())


def _in_rest(argument: Argument, rest: str, known: Known) -> Found:
    if argument["kind"] == "path":
        entries = known.paths(rest) if known.paths else ()
        return (
            Candidate(entry, len(rest), entry.rstrip("/").rpartition("/")[2] + ("/" if entry.endswith("/") else ""))
            for entry in entries
        )
    if argument["kind"] == "day":
        return _of_kind(argument, rest, known)
    return _in_text(rest, known)


def _in_text(before: str, known: Known) -> Found:
    """An emoji behind a `:`, anywhere but within a word; or a name where a word begins, which gets its `@`, so that it
    calls."""
    if begun := re.search(_EMOJI, before):
        return _emojis(begun[1])
    word = before[max(before.rfind(" "), before.rfind("\n"), before.rfind("\t")) + 1 :]
    folded = fold_typed(word.removeprefix("@"))
    names = (user for user in known.users if word and fold_typed(user).startswith(folded))
    return (Candidate(f"@{user} ", len(word), f"@{user}") for user in names)


def _of_kind(argument: Argument, word: str, known: Known) -> Found:
    match argument["kind"]:
        case "user":
            at = "@" if word.startswith("@") else ""
            return _matching(word, ((f"{at}{user} ", "") for user in known.users))
        case "target" | "room" | "shared" | "entrance":
            return _matching(word, _targets(argument, word, known))
        case "id":
            return _numbered(word, known.messages)
        case "file":
            return _numbered(word, known.files)
        case "token_id":
            return _matching(word, ((f"{token} ", hint) for token, hint in known.tokens))
        case "address":
            return _matching(word, ((f"{network} ", reason) for network, reason in known.networks))
        case "emoji":
            return _emojis(word)
        case "day":
            return _matching(word, ((f"{day} ", "") for day in NAMED))
        case "level":
            return _matching(word, ((f"{level} ", "") for level in LEVELS))
        case "interval":
            return _matching(word, ((f"{interval} ", "") for interval in ("off", "10s", "30s", "1m", "5m", "1h")))
        case "on_off":
            return _matching(word, (("on ", ""), ("off ", "")))
        case "sessions":
            return _matching(word, (("all ", ""),))
    if argument["name"] == "command":
        return _verbs(word, known, slash=word.startswith("/"))
    return iter(())


def _targets(argument: Argument, word: str, known: Known) -> Iterator[tuple[str, str]]:
    """Chats as they are named, then users: with `@` only if it was typed, since both forms mean the same."""
    kind = argument["kind"]
    chats = [
        chat for chat in known.chats if kind == "target" or chat.startswith("#") or (kind, chat) == ("shared", "main")
    ]
    bare = {} if word.startswith("@") else {chat: chat.removeprefix("@") for chat in chats}
    yield from ((f"{bare.get(chat, chat)} ", "") for chat in chats)
    if kind == "target":
        at = "@" if word.startswith("@") else ""
        yield from ((f"{at}{user} ", "") for user in known.users if f"@{user}" not in chats)


def _numbered(word: str, numbered: Sequence[tuple[int, str]]) -> Found:
    digits = word.removeprefix("#")
    for number, text in numbered:
        if str(number).startswith(digits):
            yield Candidate(f"{number} ", len(word), f"#{number}", text)


def _emojis(word: str) -> Found:
    name, named = word.strip(":").lower(), emojis()
    begin = [known for known in named if known.startswith(name)]
    within = [known for known in named if name in known[1:] and not known.startswith(name)]
    for known in (*begin, *within):
        yield Candidate(f"{named[known]} ", len(word), named[known], f":{known}:")


def _verbs(word: str, known: Known, slash: bool) -> Found:
    typed, mark = word.removeprefix("/").lower(), "/" if slash else ""
    found: list[tuple[int, Candidate]] = []
    for form in known.commands:
        name = next((name for name in (form.verb, *form.aliases) if name.startswith(typed)), None)
        if name is not None:
            place = _GROUPS.index(form.group) if form.group in _GROUPS else len(_GROUPS)
            place = -1 if name == typed else place
            found.append((place, Candidate(f"{mark}{name} ", len(word), f"{mark}{name}", _in_short(form.help))))
    found.sort(key=itemgetter(0))
    return (candidate for _, candidate in found)


def _in_short(help: str) -> str:
    """What a command does, without its details: the whole stands over the line as soon as it is chosen."""
    short = re.split("[;:] ", help, maxsplit=1)[0]
    return short if width(short) <= HINT_CELLS_MAX else short.split(", ", 1)[0]


def _matching(word: str, entries: Iterable[tuple[str, str]]) -> Found:
    folded = fold_typed(word)
    for text, hint in entries:
        if fold_typed(text).startswith(folded):
            yield Candidate(text, len(word), text.rstrip(" "), hint)
