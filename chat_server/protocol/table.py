"""The table of commands, and the decorator that enters a class into it.

The type of a field says how it is read (`arguments.KINDS`); a field with a default is optional. On a line the fields
come in their order. Those in `pairs` come after the others as `word value`, those in `marked` stand anywhere as
`word:value`, those in `json_only` exist only in the JSON form, and those in `derived` are never said: the parser makes
them from the other fields. A class whose row has no help, group or example does not import.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar, get_args

from msgspec import NODEFAULT

from chat_server.protocol.arguments import KINDS
from chat_server.protocol.base import Argument, Command, OpenChat, Reply, Role, Runs, Spec

TABLE: dict[str, Spec] = {}
VERBS: dict[str, Spec] = {}  # the aliases too
GROUPS = ("Start", "Write", "Read", "Chats", "People", "Connection", "Operators")
# The commands of the administrator alone, over the control socket.
CONTROL: dict[str, Spec] = {}

# How much alike a verb and what was written must be, from 0 to 1; and what verbs consist of.
_CLOSE = 0.65
_LETTERS = frozenset("_abcdefghijklmnopqrstuvwxyz")

_C = TypeVar("_C", bound=type[Command])


def command(
    verb: str,
    *aliases: str,
    group: str,
    reply: type[Reply],
    runs: Runs,
    help: str,
    example: str,
    who: Role = "users",
    seen_by_others: bool = False,
    adds: bool = False,
    costly: bool = False,
    hangs_up: bool = False,
    unlisted: bool = False,
    usage: dict[str, str] | None = None,
    order: tuple[str, ...] = (),
    pairs: tuple[str, ...] = (),
    marked: tuple[str, ...] = (),
    fills: str = "",
    asks: str = "",
    json_only: tuple[str, ...] = (),
    also: dict[str, str] | None = None,
    derived: tuple[str, ...] = (),
) -> Callable[[_C], _C]:
    """Enter a class into the table, or into `CONTROL` if only the administrator may say it.

    `usage` words an argument otherwise than as `<name>` ("" leaves it to another's); `order` is the order on a line, if
    it is not that of the fields; `also` is a second name in the JSON form. The open chat `fills` or `asks` for one.
    """

    def enter(cls: _C) -> _C:
        ways = {"pair": pairs, "marked": marked, "json_only": json_only}
        arguments = _arguments(cls, order, usage or {}, ways, {fills: "fills", asks: "asks"}, derived, also or {})
        cls.spec = Spec(
            verb=verb,
            aliases=aliases,
            group=group,
            help=help,
            example=example,
            reply=reply,
            who=who,
            runs=runs,
            seen_by_others=seen_by_others,
            adds=adds,
            costly=costly,
            hangs_up=hangs_up,
            unlisted=unlisted,
            usage=" ".join((f"/{verb}", *(argument.usage for argument in arguments if argument.usage))),
            arguments=arguments,
            positional=_positional(arguments),
            pairs={argument.name: argument for argument in arguments if argument.pair},
            marked={argument.name: argument for argument in arguments if argument.marked},
            names=frozenset(name for argument in arguments for name in (argument.name, argument.also) if name),
            derived=derived,
            build=cls,
        )
        _enter(cls.spec)
        return cls

    return enter


def _enter(spec: Spec) -> None:
    assert spec.group in GROUPS and spec.help and spec.example, spec.verb
    assert _LETTERS.issuperset("".join((spec.verb, *spec.aliases))), spec.verb
    if spec.who == "machine":
        CONTROL[spec.verb] = spec
        return
    TABLE[spec.verb] = spec
    for name in (spec.verb, *spec.aliases):
        assert name not in VERBS, name
        VERBS[name] = spec


def _positional(arguments: tuple[Argument, ...]) -> tuple[tuple[Argument, int], ...]:
    places = [each for each in arguments if not (each.pair or each.marked or each.json_only)]
    return tuple((each, sum(later.required for later in places[place:])) for place, each in enumerate(places, 1))


def _arguments(
    cls: type[Command],
    order: tuple[str, ...],
    usage: dict[str, str],
    ways: dict[str, tuple[str, ...]],
    open_chat: dict[str, OpenChat],
    derived: tuple[str, ...],
    also: dict[str, str],
) -> tuple[Argument, ...]:
    arguments = []
    fields, names, defaults = cls.__struct_fields__, cls.__struct_encode_fields__, cls.__struct_defaults__
    defaults = (NODEFAULT,) * (len(fields) - len(defaults)) + defaults
    # As `msgspec.structs.fields`, which also looks for the types of base classes, and took 1.5 ms of each start.
    for field, name, default in zip(fields, names, defaults, strict=True):
        if field in derived:
            continue
        hint = cls.__annotations__[field]
        if hint not in KINDS:
            (hint,) = (part for part in get_args(hint) if part is not type(None))
        required = default is NODEFAULT
        shown = f"<{name}>" if required else f"[{name}]"
        if name in ways["json_only"]:
            shown = ""
        arguments.append(
            Argument(
                name=name,
                field=field,
                kind=KINDS[hint],
                required=required,
                usage=usage.get(name, shown),
                open_chat=open_chat.get(name),
                also=also.get(name),
                **{way: name in those for way, those in ways.items()},
            )
        )
    place = {name: number for number, name in enumerate(order)}
    return tuple(sorted(arguments, key=lambda argument: place.get(argument.name, len(order))))


def nearest(verb: str, verbs: Mapping[str, Spec] = VERBS) -> str | None:
    """Return the verb that was probably meant, but never one that hangs up, or that no list has.

    It is the one that `difflib.get_close_matches` finds. That compares far more verbs letter by letter than can be it:
    140 to 490 µs of the loop for each line, and the lines are a stranger's. Few have enough letters in common.
    """
    from difflib import SequenceMatcher  # 1 ms of a start that makes no typing error

    verb = verb[:64]
    letters, length = _letters(verb), len(verb)
    likely = []
    for name, spec in verbs.items():
        at_most = 2 * (letters & _letters_of(name)).bit_count() / (length + len(name))
        if at_most >= _CLOSE and not (spec.hangs_up or spec.unlisted):
            likely.append((at_most, name))
    best = _CLOSE, ""
    for at_most, name in sorted(likely, reverse=True):
        if at_most < best[0]:
            break
        best = max(best, (SequenceMatcher(None, name, verb).ratio(), name))
    return best[1] or None


def _letters(word: str) -> int:
    """How often a word has each letter, in bits: eight for each letter, of which the first so many are set."""
    letters = 0
    for char in _LETTERS.intersection(word):
        letters |= ((1 << min(word.count(char), 8)) - 1) << 8 * (ord(char) - ord("_"))
    return letters


_letters_of = cache(_letters)  # of the verbs of the table
