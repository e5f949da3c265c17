"""What stands in the log, in snapshots and on the bus, in the encoding of each version: files that guard it.

python -m tests.golden            writes the file of a new version
python -m tests.golden --replace  writes it anew, which is right only before the version was released
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields, replace

from chat_server.cluster import heartbeats, verification
from chat_server.cluster.snapshots import Description
from chat_server.log.codec import encode, encode_entry
from chat_server.log.entries import LOGGED, Batch, Entry
from chat_server.log.versions import VERSION, default_of
from chat_server.store.schema import MIGRATIONS

FOLDER = Path(__file__).parent / "data" / "log"
ON_THE_BUS: tuple[type[Struct], ...] = (
    *(heartbeats.Heartbeat, heartbeats.Changes, heartbeats.UsersPage, heartbeats.Farewell, heartbeats.Question),
    *(heartbeats._SessionsQuestion, heartbeats._SessionsAnswer, heartbeats._TypingElsewhere),
    *(verification._Question, verification.Answer),
)

Golden = dict[str, Any]


def path_of(version: int) -> Path:
    return FOLDER / f"v{version}.json"


def load(version: int) -> Golden:
    golden: Golden = json.loads(path_of(version).read_text())
    return golden


def versions() -> list[int]:
    return sorted(int(path.stem[1:]) for path in FOLDER.glob("v*.json"))


def build() -> Golden:
    """What the program at hand does."""
    tops = [*LOGGED, Entry, Batch]
    entries = {each.__name__: [_hex_of_entry(made) for made in samples(each)] for each in LOGGED}
    batches = [encode(replace(batch, version=VERSION)).hex() for batch in samples(Batch)]
    said = {each.__name__: [msgspec.msgpack.encode(made).hex() for made in samples(each)] for each in ON_THE_BUS}
    described = [msgspec.json.encode(made).decode() for made in samples(Description)]
    return {
        "types": {each.__name__: described_type(each) for each in sorted(_reached(tops), key=lambda it: it.__name__)},
        "entries": entries,
        "batches": batches,
        "said": said,
        "descriptions": described,
        "schema": len(MIGRATIONS),
    }


def _hex_of_entry(command: Any) -> str:
    return encode_entry(Entry(command)).hex()


# ---- types


def described_type(cls: type[Struct]) -> dict[str, str]:
    """The fields of a type: what each holds, and its default."""
    hints = get_type_hints(cls)
    return {field.name: _words(hints[field.name]) + _default_words(cls, field) for field in fields(cls)}


def _default_words(cls: type[Struct], field: FieldInfo) -> str:
    default = default_of(field)
    is_version = cls is Batch and field.name == "version"
    return "" if default is NODEFAULT or is_version else f" = {default!r}"


def _words(hint: Any) -> str:
    hint = _plain(hint)
    if isinstance(hint, tuple):
        return "command"
    if (origin := get_origin(hint)) is Literal:
        return "one of " + " ".join(map(str, get_args(hint)))
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in get_args(hint))
    if origin is not None:
        return f"{origin.__name__} of {' '.join(_words(part) for part in get_args(hint) if part is not ...)}"
    return str(hint.__name__)


def _plain(hint: Any) -> Any:
    """The type beneath a NewType; the tuple LOGGED for the union of all that may be logged."""
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    return LOGGED if get_args(hint) == LOGGED else hint


def _reached(tops: Sequence[type[Struct]]) -> set[type[Struct]]:
    found: set[type[Struct]] = set()
    left: list[Any] = list(tops)
    while left:
        hint = _plain(left.pop())
        if isinstance(hint, type) and issubclass(hint, Struct) and hint not in found:
            found.add(hint)
            hints = get_type_hints(hint)
            left += [hints[field.name] for field in fields(hint)]
        elif not isinstance(hint, tuple):
            left += get_args(hint)
    return found


def logged_types() -> set[type[Struct]]:
    """All that may stand in a batch, however deep."""
    return _reached([*LOGGED, Entry, Batch])


# ---- samples


def samples(cls: type[Struct]) -> Iterator[Any]:
    """One with all fields, none of which has its default, and one with those alone that have none."""
    yield _sample(cls, is_full=True)
    yield _sample(cls, is_full=False)


def _sample(cls: type[Struct], *, is_full: bool) -> Any:
    hints = get_type_hints(cls)
    wanted = [field for field in fields(cls) if is_full or default_of(field) is NODEFAULT]
    return cls(**{field.name: _value(hints[field.name], default_of(field), is_full=is_full) for field in wanted})


def _value(hint: Any, default: Any, *, is_full: bool) -> Any:
    hint = _plain(hint)
    if isinstance(hint, tuple):
        return _sample(hint[-1], is_full=is_full)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return next(each for each in arguments if each != default)
    if origin in (Union, UnionType):
        (inner,) = (part for part in arguments if part is not NoneType)
        return _value(inner, default, is_full=is_full)
    if origin is list:
        return [_value(arguments[0], NODEFAULT, is_full=is_full)]
    if origin is tuple:
        return (_value(arguments[0], NODEFAULT, is_full=is_full),)
    if origin is dict:
        return {"k": _value(arguments[1], NODEFAULT, is_full=is_full)}
    if issubclass(hint, Struct):
        return _sample(hint, is_full=is_full)
    if issubclass(hint, tuple):
        parts = get_type_hints(hint).values()
        return hint(*(_value(part, NODEFAULT, is_full=is_full) for part in parts))
    if hint is bool:
        return default is not True
    return {int: 7, str: "text", bytes: b"\1"}[hint]


# ---- what has changed


def additions(before: Golden, after: Golden) -> set[str]:
    """What the later one has beyond the earlier one, as `versions.ADDED` names it. All else MUST be as it was."""
    old, new = before["types"], after["types"]
    assert set(old) <= set(new), f"gone: {set(old) - set(new)}; old batches could not be read"
    added = set(new) - set(old)
    for name, was in old.items():
        now = new[name]
        assert list(now)[: len(was)] == list(was), f"the fields of {name} were {list(was)}: new ones come behind them"
        for field, words in was.items():
            more = _more_values(words, now[field])
            assert more is not None, f"{name}.{field} was {words!r} and is {now[field]!r}: a new field takes its place"
            added |= {f"{name}.{field}={value}" for value in more}
        for field in list(now)[len(was) :]:
            assert " = " in now[field], f"{name}.{field} needs a default, which stands for what was before it"
            added.add(f"{name}.{field}")
    return added


def _more_values(was: str, now: str) -> set[str] | None:
    """The values of a Literal that are new; None if something else has changed."""
    if was == now:
        return set()
    (old, *old_default), (new, *new_default) = was.split(" = "), now.split(" = ")
    is_literal = old.startswith("one of ") and new.startswith(old + " ")
    return set(new.removeprefix(old).split()) if is_literal and old_default == new_default else None


def main(arguments: list[str]) -> None:
    path = path_of(VERSION)
    if path.exists() and arguments != ["--replace"]:
        sys.exit(f"{path} is there: raise VERSION in chat_server/log/versions.py, unless it was never released")
    path.write_text(json.dumps(build(), indent=1, sort_keys=False) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
