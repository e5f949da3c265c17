"""The kinds of arguments: what each is in Python, on a line and in JSON.

A command's fields are annotated with these types; `KINDS` says how a word of a line or a JSON value becomes one. To
add a kind, add a type and its row in `KINDS`.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NewType

from msgspec import Struct

from chat_server.addresses import parse_network
from chat_server.errors import Refusal
from chat_server.protocol.characters import is_signs
from chat_server.protocol.file_names import chunk_data, file_name, sha256_hex
from chat_server.protocol.names import RAW_CHARS_MAX, Name, check, fold
from chat_server.protocol.sanitize import clean, is_blank, visible
from chat_server.protocol.times import DAY_MS, TIME_MS_MAX, parse_duration, parse_iso

ID_MAX = (1 << 63) - 1
KEY_CHARS_MAX = 64
DURATION_MS_MAX = 36_500 * DAY_MS
INTERVAL_MS_MAX = DAY_MS
EMOJI_CHARS_MAX = 16
NOTHING_SHOWS = "the text is empty, or nothing of it can be seen"
TOPIC_CHARS_MAX = 300
# Enough to tell the tokens of one user apart.
TOKEN_ID_DIGITS = 8
# Targets that are known by how they were written.
KNOWN_TARGETS_MAX = 4096

Word = NewType("Word", str)
Text = NewType("Text", str)  # cleaned, not empty
Reason = NewType("Reason", str)  # cleaned, one line, may be empty
Secret = NewType("Secret", str)
Token = NewType("Token", str)
TokenId = NewType("TokenId", str)  # hexadecimal, in small letters
Id = NewType("Id", int)
Count = NewType("Count", int)
Key = NewType("Key", str)
OnOff = NewType("OnOff", bool)
Emoji = NewType("Emoji", str)
Topic = NewType("Topic", str)  # cleaned, one line; empty: none
Duration = NewType("Duration", int)  # milliseconds
Interval = NewType("Interval", int)  # milliseconds, whole seconds; 0: none
Moment = NewType("Moment", int)  # milliseconds of the wall clock
FileName = NewType("FileName", str)  # one component of a path
Size = NewType("Size", int)  # bytes
Sha256 = NewType("Sha256", str)  # hexadecimal, in small letters
Data = NewType("Data", bytes)  # base64 on the wire
FormatName = Literal["text", "json"]
Network = NewType("Network", str)  # in CIDR notation
Names = tuple[str, ...]  # folded; whom a text names after an @


class Username(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A user by name, `bob` or `@bob`. Names are compared by `folded`."""

    name: str
    folded: str


class Target(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A chat by name: `main`, `#team`, or a user (`@bob`, `bob`) for the one-to-one chat."""

    kind: Literal["main", "room", "user"]
    name: str
    folded: str

    def __str__(self) -> str:
        return {"main": "", "room": "#", "user": "@"}[self.kind] + self.name


class RoomTarget(Target, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A target that is a private chat."""


class SharedTarget(Target, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A target that is no chat of two: main or a private chat."""


class RoomName(Name, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The name of a new private chat, without its #."""


class Entrance(Struct, frozen=True, forbid_unknown_fields=True):
    """The way into a private chat: its name, for an invited user, or the code of a link, which is a secret."""

    room: Target | None
    code: str | None

    def __repr__(self) -> str:
        return f"Entrance({self.room or '...'})"


class Delay(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """When a delayed message is due: some time after its entry, or at a time. Exactly one is given, in milliseconds."""

    after_ms: int | None
    at_ms: int | None


class SessionChoice(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One session of the user, or all of them if `number` is None."""

    number: int | None


class Kind(Struct, frozen=True):
    """How one kind of argument is read, and its `name` for programs that complete it.

    With `takes_rest` it takes the rest of a line as it is. `starts` has the characters that such an argument begins
    with: if it may be left out, a word that begins otherwise is taken for the next argument. `of_chat` makes one of the
    open chat; None if that is no such thing.
    """

    name: str
    parse: Callable[[Any], Any]
    json_types: tuple[type, ...] = (str,)
    takes_rest: bool = False
    starts: str | None = None
    of_chat: Callable[[Target], Any] | None = None


def _text(raw: str) -> str:
    text = visible(raw)
    if not text:
        raise Refusal("bad_argument", NOTHING_SHOWS)
    return text


def _reason(raw: str) -> Reason:
    reason = " ".join(clean(raw).split())
    return Reason("" if is_blank(reason) else reason)


def _word(raw: str) -> Word:
    return Word(clean(raw).replace("\n", " "))


def _secret(raw: str) -> Secret:
    if not raw or not is_one_line(raw):
        raise Refusal("bad_argument", "a password is not empty and has no control characters")
    return Secret(raw)


def is_one_line(raw: str) -> bool:
    return clean(raw) == raw and "\n" not in raw


def _token(raw: str) -> Token:
    return Token(raw)


def _token_id(raw: str) -> TokenId:
    if not re.fullmatch(f"[0-9a-fA-F]{{{TOKEN_ID_DIGITS}}}", raw):
        raise Refusal("bad_argument", f"a token is named by {TOKEN_ID_DIGITS} of 0-9 and a-f, as /tokens lists it")
    return TokenId(raw.lower())


def _user(raw: str) -> Username:
    name = raw.removeprefix("@")
    if not name:
        raise Refusal("bad_argument", "a username is missing")
    return Username(_short(name), fold(name))


def _name(raw: str) -> Name:
    return check(raw.removeprefix("@"))


def _target(raw: str) -> Target:
    return _known_target(raw) if len(raw) <= RAW_CHARS_MAX else _read_target(raw)


def _read_target(raw: str) -> Target:
    first = raw[:1]
    kind: Literal["room", "user"] = "room" if first == "#" else "user"
    bare = raw[1:] if first == "#" or first == "@" else raw
    if not bare:
        raise Refusal("bad_argument", "a target is a username, @username, #chat or main")
    folded = fold(bare)
    if folded == "main" and raw == bare:
        return Target("main", "main", "main")
    return Target(kind, _short(bare), folded)


# People write to the same few chats all the time. Reading their names took a fifth of reading such a line.
_known_target = lru_cache(KNOWN_TARGETS_MAX)(_read_target)


def _room(raw: str) -> RoomTarget:
    if not raw.startswith("#"):
        raise Refusal("bad_argument", f"a private chat is written with its #, like #team, not {_short(raw)}")
    target = _target(raw)
    return RoomTarget(target.kind, target.name, target.folded)


def _shared(raw: str) -> SharedTarget:
    target = _target(raw)
    if target.kind == "user":
        raise Refusal("bad_argument", f"it is main, or a private chat like #team, not {_short(raw)}")
    return SharedTarget(target.kind, target.name, target.folded)


def _room_name(raw: str) -> RoomName:
    _room(raw)
    name = check(raw[1:])
    return RoomName(name.name, name.folded, name.lookalike, name.shape)


def _entrance(raw: str) -> Entrance:
    return Entrance(_room(raw), None) if raw.startswith("#") else Entrance(None, raw)


def _topic(raw: str) -> Topic:
    topic = " ".join(clean(raw).split())
    if len(topic) > TOPIC_CHARS_MAX:
        raise Refusal(
            "too_large", f"a topic has at most {TOPIC_CHARS_MAX} characters, this one has {len(topic)}; shorten it"
        )
    if raw in ("", '""'):
        return Topic("")
    if is_blank(topic):
        raise Refusal("bad_argument", 'the topic is empty, or nothing of it can be seen; "" takes it away')
    return Topic(topic)


def _room_of(chat: Target) -> RoomTarget | None:
    return RoomTarget(chat.kind, chat.name, chat.folded) if chat.kind == "room" else None


def _shared_of(chat: Target) -> SharedTarget | None:
    return None if chat.kind == "user" else SharedTarget(chat.kind, chat.name, chat.folded)


def _user_of(chat: Target) -> Username | None:
    return Username(chat.name, chat.folded) if chat.kind == "user" else None


def _number(what: str, least: int) -> Callable[[Any], int]:
    def parse(raw: str | float) -> int:
        if isinstance(raw, float) and raw.is_integer() and abs(raw) < ID_MAX:
            # Some languages write a whole number in JSON this way.
            raw = int(raw)
        digits = raw.removeprefix("#") if isinstance(raw, str) else str(raw)
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 19 and least <= int(digits) <= ID_MAX):
            raise Refusal("bad_argument", f"{what} is a whole number like 42, not {_short(raw)}")
        return int(digits)

    return parse


def _delay(raw: str | float) -> Delay:
    text = f"{raw:.9f}" if isinstance(raw, float) else raw.strip() if isinstance(raw, str) else str(raw)
    after_ms = parse_duration(text)
    at_ms = parse_iso(text) if after_ms is None else None
    if not any(ms is not None and 0 <= ms <= TIME_MS_MAX for ms in (after_ms, at_ms)):
        raise Refusal(
            "bad_argument",
            f"a delay is 90s, 5m, 2h, 1d, seconds, or a UTC time like 2026-12-24T18:00, not {_short(raw)}",
        )
    return Delay(after_ms, at_ms)


def _length(raw: str | float) -> Duration:
    text = f"{raw:.9f}" if isinstance(raw, float) else str(raw)
    ms = parse_duration(text)
    if ms is None or not 0 < ms <= DURATION_MS_MAX:
        raise Refusal("bad_argument", f"a duration is 90s, 5m, 2h, 1d or seconds, up to 36500d, not {_short(raw)}")
    return Duration(ms)


def _interval(raw: str | float) -> Interval:
    text = f"{raw:.9f}" if isinstance(raw, float) else str(raw)
    ms = 0 if text.lower() == "off" else parse_duration(text)
    if ms is None or ms % 1000 or not 0 <= ms <= INTERVAL_MS_MAX:
        raise Refusal("bad_argument", f"it is 30s, 5m, 1h or seconds, up to 24h, or off, not {_short(raw)}")
    return Interval(ms)


def _moment(raw: str) -> Moment:
    ms = parse_iso(raw)
    if ms is None or not 0 <= ms <= TIME_MS_MAX:
        raise Refusal(
            "bad_argument", f"a time is a UTC date or time like 2026-11-01 or 2026-11-01T18:00, not {_short(raw)}"
        )
    return Moment(ms)


def _network(raw: str) -> Network:
    network = parse_network(raw)
    if network is None:
        raise Refusal("bad_argument", f"an address is like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/48, not {_short(raw)}")
    least = 16 if ":" in network else 8
    if int(network.partition("/")[2]) < least:
        raise Refusal("bad_argument", f"{network} is too much at once: a network has at least /{least} here")
    return Network(network)


def _format(raw: str) -> FormatName:
    match raw.lower():
        case "text":
            return "text"
        case "json":
            return "json"
    raise Refusal("bad_argument", f"the format is text or json, not {_short(raw)}")


def _on_off(raw: str | bool) -> OnOff:
    if isinstance(raw, bool):
        return OnOff(raw)
    if raw.lower() not in ("on", "off"):
        raise Refusal("bad_argument", f"it is on or off, not {_short(raw)}")
    return OnOff(raw.lower() == "on")


def _key(raw: str) -> Key:
    if not 1 <= len(raw) <= KEY_CHARS_MAX or not is_one_line(raw):
        raise Refusal("bad_argument", f"a key has 1 to {KEY_CHARS_MAX} characters and no control characters")
    return Key(raw)


def _emoji(raw: str) -> Emoji:
    # Letters and marks of any script would make a second, unlimited channel of text, and invisible characters a hidden
    # one.
    if len(raw) > EMOJI_CHARS_MAX or not is_signs(raw):
        raise Refusal("bad_argument", f"a reaction is one emoji, like 👍, or a sign, like +1, not {_short(raw)}")
    return Emoji(raw)


def _sessions(raw: str | int) -> SessionChoice:
    if isinstance(raw, str) and raw.lower() == "all":
        return SessionChoice(None)
    return SessionChoice(_number("a session", 1)(raw))


def _short(raw: object) -> str:
    shown = clean(str(raw)).replace("\n", " ")
    return shown if len(shown) <= 40 else shown[:39] + "…"


KINDS: dict[Any, Kind] = {
    Word: Kind("word", _word),
    Text: Kind("text", _text, takes_rest=True),
    Reason: Kind("reason", _reason, takes_rest=True),
    Secret: Kind("secret", _secret),
    Token: Kind("token", _token),
    TokenId: Kind("token_id", _token_id),
    Name: Kind("name", _name),
    Username: Kind("user", _user, of_chat=_user_of),
    Target: Kind("target", _target, of_chat=lambda chat: chat),
    RoomTarget: Kind("room", _room, starts="#", of_chat=_room_of),
    SharedTarget: Kind("shared", _shared, starts="#mM", of_chat=_shared_of),
    RoomName: Kind("room_name", _room_name),
    Entrance: Kind("entrance", _entrance),
    Topic: Kind("topic", _topic, takes_rest=True),
    Id: Kind("id", _number("an id", 0), (str, int, float)),
    Count: Kind("count", _number("a number", 1), (str, int, float)),
    Delay: Kind("delay", _delay, (str, int, float)),
    Network: Kind("address", _network),
    Duration: Kind("duration", _length, (str, int, float), starts="0123456789"),
    Interval: Kind("interval", _interval, (str, int, float)),
    Moment: Kind("time", _moment),
    Key: Kind("key", _key),
    FormatName: Kind("format", _format),
    OnOff: Kind("on_off", _on_off, (str, bool)),
    Emoji: Kind("emoji", _emoji),
    SessionChoice: Kind("sessions", _sessions, (str, int)),
    FileName: Kind("file_name", lambda raw: FileName(file_name(raw))),
    Size: Kind("size", _number("a size", 0), (str, int, float)),
    Sha256: Kind("sha256", lambda raw: Sha256(sha256_hex(raw))),
    Data: Kind("base64", lambda raw: Data(chunk_data(raw))),
}
