"""The rules that hold for every command, each tried over the whole table: who may ask, what may be an argument, and
what is not there. The files of the commands hold what is theirs alone.

A new command is tried here as soon as it has its row; where it names something that has no rule yet, the test says so.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from chat_server.protocol.base import Argument, Spec
from chat_server.protocol.table import TABLE
from tests.conformance.conftest import Start
from tests.conformance.operating import json_operator
from tests.harness import Chat, JsonClient
from tests.unit.strategies import line_word

SHA256 = "0" * 64
# What each kind of argument may be.
RIGHT: dict[str, Any] = {
    "target": "main", "user": "nobody", "name": "nobody", "room": "#nowhere", "room_name": "#nowhere",
    "entrance": "#nowhere", "id": 1, "count": 5, "size": 5, "delay": "5m", "duration": "5m", "text": "hi",
    "reason": "rude", "topic": "tea", "word": "one", "secret": "pass", "token": "t0ken", "key": "k1", "format": "json",
    "on_off": "off", "emoji": "👍", "file_name": "a.png", "sha256": SHA256, "base64": "aGVsbG8=", "sessions": 99,
    "time": "2026-11-01", "token_id": "0123abcd", "shared": "#nowhere", "interval": "30s",
    "address": "192.0.2.7",
}  # fmt: skip
# What it may not, as it stands on a line and as a string in JSON. The kinds that are not here may be anything.
WRONG: dict[str, tuple[str, ...]] = {
    "target": ("@", "#"),
    "user": ("@",),
    "time": ("yesterday",),
    "room": ("team", "@team", "#", "main"),
    "room_name": ("team", "@team", "#"),
    "entrance": ("#",),
    "id": ("x", "-1", "1.5", "9223372036854775808", "9" * 30),
    "count": ("x", "0", "-1"),
    "size": ("x", "-1", "1.5"),
    "delay": ("soon", "-1", "1.", "5x", "366d", "999999999999d", "2001-01-01T00:00", "9999-12-31"),
    "duration": ("0", "-5", "99999d"),
    "secret": ("", "a\x1bb"),
    "text": ("\u202e",),
    "key": ("", "k" * 65, "a\x07b"),
    "topic": ("\u202e",),
    "format": ("xml",),
    "on_off": ("maybe", "1"),
    "emoji": ("", "ok", "да", "é", "\u200b", "\ufe0f", "👍" * 17, "👍\u202e", "👍 👍"),
    "file_name": ("..",),
    "sha256": ("abc", "g" * 64),
    "base64": ("aGVsbG8", "!!!!"),
    "sessions": ("x", "-1"),
    "shared": ("team", "@team", "#"),
    "interval": ("x", "-5", "1.5", "25h", "86401"),
    "address": ("", "x", "192.0.2.7/33", "0.0.0.0/0"),
    "token_id": ("", "0123abc", "0123abcde", "0123abcg", "0123-abc"),
}
BY_WORDS_ALONE = {"sha256", "duration"}  # on a line another word is taken for the next argument
# Of JSON, beside its own kinds.
OTHER_TYPES: tuple[Any, ...] = ([], {}, ["main"])

# What each kind is refused with where there is no such thing.
UNKNOWN = {
    "target": "unknown_user", "user": "unknown_user", "room": "unknown_chat", "entrance": "unknown_chat",
    "shared": "unknown_chat",
    "token_id": "bad_token",
}  # fmt: skip
UNKNOWN_IDS = {
    "id": "unknown_message", "delayed_id": "unknown_delayed", "file_id": "unknown_file", "upload": "unknown_upload",
}  # fmt: skip
PLACES = {"after", "before", "around"}  # from where on: they need not be there
# Those that one may ask about oneself; and nobody asks to be let into a chat of their own.
MAY_BE_ONESELF = {"who", "reports", "approve", "deny"}
# What a ban forbids.
SEEN_BY_OTHERS = {
    "create_chat", "invite", "invite_link", "join", "approve", "topic", "send_all", "send", "reply", "edit", "react",
    "unreact", "send_delayed", "away", "send_file", "chunk", "slow_mode",
}  # fmt: skip
# What may be left out, and then changes nothing that others see.
SETS = {"text": "tea", "interval": "30s"}
# Commands that end or change the connection that says them.
ABOUT_THE_CONNECTION = {"sign_in", "resume", "sign_out", "password", "delete_account", "quit", "format"}

Fields = dict[str, Any]


def fields_of(spec: Spec, **others: Any) -> Fields:
    """The arguments that the command needs, and these."""
    return {each.name: RIGHT[each.kind.name] for each in spec.arguments if each.required} | others


def about(spec: Spec, user: str) -> Fields:
    return fields_of(spec) | ({"username": user} if "username" in spec.names else {})


def in_chat(spec: Spec, room: str) -> Fields:
    """For what names somebody of a private chat: a chat that is there."""
    return fields_of(spec) | ({"chat": room} if {"username", "chat"} <= spec.names else {})


def as_line(spec: Spec, fields: Fields) -> str:
    words = [f"/{spec.verb}"]
    words += [line_word(each, fields[each.name]) for each, _ in spec.positional if each.name in fields]
    words += [f"{name} {fields[name]}" for name in spec.pairs if name in fields]
    words += [f"{name}:{fields[name]}" for name in spec.marked if name in fields]
    return " ".join(words)


def as_json(spec: Spec, fields: Fields) -> str:
    return json.dumps({"cmd": spec.verb, **fields})


def both(spec: Spec, fields: Fields) -> list[str]:
    return [as_line(spec, fields), as_json(spec, fields)]


async def told(client: JsonClient, lines: Iterable[str]) -> dict[str, str]:
    """The code with which each of them is refused; `ok` where it is done."""
    lines = list(lines)
    replies = await client.pipeline(lines)
    return {line: reply.get("code", "ok") for line, reply in zip(lines, replies, strict=True)}


def others_than(expected: dict[str, str], found: dict[str, str]) -> dict[str, str]:
    return {line: code for line, code in found.items() if code != expected[line]}


def wrong_forms() -> Iterator[tuple[Spec, str | None, str]]:
    """Each with its line form, if it has one."""
    for spec in TABLE.values():
        right = fields_of(spec)
        yield spec, None, as_json(spec, right | {"nonsense": 1})
        for argument in spec.arguments:
            for value in OTHER_TYPES:
                yield spec, None, as_json(spec, right | {argument.name: value})
            for wrong in WRONG.get(argument.kind.name, ()):
                fields = right | {argument.name: wrong}
                yield spec, as_line(spec, fields) if on_a_line(argument) else None, as_json(spec, fields)
        for name in right:
            yield spec, None, as_json(spec, {each: value for each, value in right.items() if each != name})
        if right:
            yield spec, f"/{spec.verb}", as_json(spec, {})
        if not any(argument.kind.takes_rest for argument in spec.arguments):
            full = {each.name: RIGHT[each.kind.name] for each, _ in spec.positional}
            yield spec, as_line(spec, full) + " one more", as_json(spec, right | {"more": 1})


def wrong_lines(specs: list[Spec]) -> list[str]:
    return [line for spec, *forms in wrong_forms() if spec in specs for line in forms if line]


def on_a_line(argument: Argument) -> bool:
    return argument.required and argument.kind.name not in BY_WORDS_ALONE


async def test_a_bad_argument_is_answered_with_the_usage_in_both_forms(chat: Chat) -> None:
    before, after = (await chat.json_stranger(), await chat.text_stranger()), (await chat.json(), await chat.text())
    for verbs, (client, person) in (({"sign_in", "resume"}, before), (TABLE.keys() - {"sign_in", "resume"}, after)):
        forms = [form for form in wrong_forms() if form[0].verb in verbs]
        replies = await client.pipeline(obj for _, _, obj in forms)
        for (spec, _, obj), reply in zip(forms, replies, strict=True):
            assert (reply["type"], reply.get("code"), reply.get("re")) == ("error", "bad_argument", spec.verb), obj
            assert reply["text"].endswith(f"; usage: {spec.usage}"), obj
        await person.send(*(line for _, line, _ in forms if line))
        for spec, line, _ in forms:
            if line:
                answer = await person.line()
                assert answer.startswith("- bad_argument: ") and answer.endswith(f"; usage: {spec.usage}"), line


async def test_who_is_not_signed_in_gets_nothing(chat: Chat) -> None:
    """Not even what is wrong with the line."""
    specs = [spec for spec in TABLE.values() if not spec.before_sign_in]
    lines = [line for spec in specs for line in both(spec, fields_of(spec))] + wrong_lines(specs)
    assert await told(await chat.json_stranger(), lines) == dict.fromkeys(lines, "not_signed_in")
    person = await chat.text_stranger()
    await person.send(*(as_line(spec, fields_of(spec)) for spec in specs))
    assert {(await person.line()).partition(":")[0] for _ in specs} == {"- not_signed_in"}


async def test_a_label_comes_back_with_the_reply(chat: Chat) -> None:
    client, person = await chat.json(), await chat.text()
    wrong = {spec.verb: as_json(spec, {"nonsense": 1}) for spec in TABLE.values()}
    replies = await client.pipeline({**json.loads(line), "label": f"l-{verb}"} for verb, line in wrong.items())
    assert [(reply["re"], reply["label"]) for reply in replies] == [(verb, f"l-{verb}") for verb in wrong]
    await person.send(*(f"@l-{verb} {line}" for verb, line in ((verb, f"/{verb}x9") for verb in wrong)))
    assert [(await person.line()).split()[:2] for _ in wrong] == [["-", f"@l-{verb}"] for verb in wrong]


async def test_what_is_for_operators_is_for_nobody_else(start: Start) -> None:
    chat = start("--operator", "boss,weak")
    boss, weak, alice = await json_operator(chat), await chat.json("weak"), await chat.json("alice")
    specs = [spec for spec in TABLE.values() if spec.who == "operators"]
    lines = [line for spec in specs for user in ("nobody", "boss") for line in both(spec, about(spec, user))]
    assert lines and await told(alice, lines) == dict.fromkeys(lines, "forbidden")
    assert await told(weak, lines) == dict.fromkeys(lines, "password_required")
    assert not {"forbidden", "password_required"} & set((await told(boss, lines)).values())


async def test_a_ban_forbids_what_others_would_see_and_nothing_else(start: Start) -> None:
    """Whatever it names: a ban comes before what is not there, and before what is wrong with the line."""
    chat = start("--report-limit", "1")
    mallory = await chat.json("mallory")
    await (await chat.json("alice")).ok("/report mallory")
    expected = {}
    for spec in TABLE.values():
        if spec.verb not in ABOUT_THE_CONNECTION:
            fields = fields_of(spec) | {name: value for name, value in SETS.items() if name in spec.names}
            expected.update(dict.fromkeys(both(spec, fields), "banned" if spec.verb in SEEN_BY_OTHERS else ""))
    specs = [TABLE[verb] for verb in SEEN_BY_OTHERS]
    expected |= dict.fromkeys(wrong_lines(specs), "banned")
    found = await told(mallory, expected)
    assert {line: "banned" if code == "banned" else "" for line, code in found.items()} == expected


def naming() -> Iterator[tuple[Spec, Argument]]:
    """The arguments that name somebody or something."""
    for spec in TABLE.values():
        for argument in spec.arguments:
            names = argument.kind.name in UNKNOWN or argument.name in UNKNOWN_IDS
            if names and argument.name not in PLACES and (spec.verb, argument.name) != ("read", "id"):
                yield spec, argument


async def room_operator(start: Start) -> tuple[JsonClient, str]:
    """An operator who owns a private chat."""
    client = await json_operator(start("--operator", "boss"))
    await client.ok("/create_chat #room")
    return client, "#room"


async def test_what_is_not_there_is_refused_by_its_kind(start: Start) -> None:
    boss, own = await room_operator(start)
    expected: dict[str, str] = {}
    for spec, argument in naming():
        given = in_chat(spec, own)
        code = UNKNOWN_IDS.get(argument.name) or UNKNOWN[argument.kind.name]
        names = {"unknown_user": ("nobody", "@nobody"), "unknown_chat": ("#nowhere",), "bad_token": ("0123abcd",)}
        there_are_none = names.get(code, (10**8,))
        if argument.kind.name == "target":
            there_are_none = ("nobody", "@nobody", "@main")
            for room in ("#nowhere", "#main"):
                expected.update(dict.fromkeys(both(spec, given | {argument.name: room}), "unknown_chat"))
        for value in there_are_none:
            expected.update(dict.fromkeys(both(spec, given | {argument.name: value}), code))
    assert len(expected) > 100
    assert others_than(expected, await told(boss, expected)) == {}


async def test_nobody_does_it_to_oneself(start: Start) -> None:
    boss, own = await room_operator(start)
    expected: dict[str, str] = {}
    for spec, argument in naming():
        if argument.kind.name in ("user", "target") and spec.verb not in MAY_BE_ONESELF and argument.name != "from":
            given = in_chat(spec, own)
            for name in ("boss", "@BOSS"):
                expected.update(dict.fromkeys(both(spec, given | {argument.name: name}), "not_yourself"))
    assert len(expected) > 40
    assert others_than(expected, await told(boss, expected)) == {}
