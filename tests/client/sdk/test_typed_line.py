"""A typed line is read as the server reads it, from the table that it tells."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_client.common.local_commands import LOCAL
from chat_client.sdk.typed_line import Typed, asked_for, find, has_secret, read, secret_from, secrets_to_ask
from chat_server.protocol.arguments import KINDS, Target
from chat_server.protocol.base import Spec
from chat_server.protocol.help import command_forms
from chat_server.protocol.parse import parse
from chat_server.protocol.table import TABLE
from tests.unit.strategies import both_forms

COMMANDS = command_forms()
WORDS = st.lists(
    st.sampled_from(
        ["bob", "main", "#5", "7", "before", "limit", "20", '"a b"', '"', "hi", " ", "on", "5m", "👍", "all", "\t"]
    ),
    max_size=6,
).map(" ".join)


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("/send bob  hello there ", Typed("send", {"target": "bob", "text": "hello there "}, True)),
        ("/W bob two\nlines", Typed("send", {"target": "bob", "text": "two\nlines"}, True)),
        ("/history main before #7 limit 5", Typed("history", {"chat": "main", "before": "#7", "limit": "5"}, False)),
        ('/who "bob"', Typed("who", {"username": "bob"}, False)),
        ("/password new", Typed("password", {"new": "new"}, False)),
        ("/password old new", Typed("password", {"old": "old", "new": "new"}, False)),
        ("/reply 4 ok", Typed("reply", {"id": "4", "text": "ok"}, True)),
        ("/talk", Typed("talk", {}, False)),
    ],
)
def test_read(line: str, typed: Typed) -> None:
    assert read(line, COMMANDS) == typed


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("/send_file ~/my photo.png", {"target": "#ops", "path": "~/my photo.png"}),
        ("/send_file ./a b", {"target": "#ops", "path": "./a b"}),
        ("/send_file bob a b", {"target": "bob", "path": "a b"}),
    ],
)
def test_a_path_is_told_from_a_chat_that_is_left_out(line: str, arguments: dict[str, str]) -> None:
    typed = read(line, [LOCAL["send_file"].form], "#ops")
    assert typed is not None and typed.arguments == arguments


@pytest.mark.parametrize(
    "line", ["hi", "//x", "/bogus", "/send bob", '/who "bob', "/who bob carol", "/send bo\nb hi", "/"]
)
def test_what_it_leaves_to_the_server(line: str) -> None:
    assert read(line, COMMANDS) is None


# Those that a client knows from `/format json`.
LISTED = {verb: spec for verb, spec in TABLE.items() if not spec.unlisted}


@pytest.mark.parametrize("spec", LISTED.values(), ids=LISTED)
def test_the_server_reads_the_same(spec: Spec) -> None:
    """Of each command lines that the server takes, from its own arguments: none of the draws is left out unseen."""
    compared = 0

    @given(both_forms(spec))
    def reads_the_same(forms: tuple[str, str, bool]) -> None:
        nonlocal compared
        line, _, _ = forms
        expected = parse(line, text_chars_max=4096).command
        typed = read(line, COMMANDS)
        if expected is None:
            return  # what it refuses may be read here: the server refuses it then
        compared += 1
        if spec.verb == "search":
            assert typed is None
            return
        assert typed is not None
        as_json: dict[str, Any] = {"cmd": typed.verb, **typed.arguments}
        assert parse(_dumps(as_json), text_chars_max=4096).command == expected

    reads_the_same()
    # Without arguments there are two lines for each name, in small letters and in capitals.
    assert compared >= (5 if spec.arguments else 2), f"{compared} lines were compared"


@given(st.sampled_from(list(LISTED)), WORDS)
def test_what_the_server_takes_of_any_words_is_read_as_it_reads_it(verb: str, rest: str) -> None:
    line = f"/{verb} {rest}".rstrip("\n")
    parsed, typed = parse(line, text_chars_max=4096), read(line, COMMANDS)
    if parsed.command is not None and verb != "search":
        assert typed is not None
        assert parse(_dumps({"cmd": typed.verb, **typed.arguments}), text_chars_max=4096).command == parsed.command


@given(st.sampled_from(list(LISTED)), WORDS, st.sampled_from(["main", "#ops", "@bob"]))
def test_the_open_chat_stands_in_where_the_server_has_it_stand_in(verb: str, rest: str, open_chat: str) -> None:
    line = f"/{verb} {rest}".rstrip("\n")
    talk = KINDS[Target].parse(open_chat)
    alone, parsed = parse(line, text_chars_max=4096), parse(line, text_chars_max=4096, talk=talk)
    assert alone.command in (None, parsed.command), "a line that says it all means the same in any chat"
    typed = read(line, COMMANDS, open_chat)
    if parsed.command is not None and verb != "search":
        assert typed is not None
        assert parse(_dumps({"cmd": typed.verb, **typed.arguments}), text_chars_max=4096).command == parsed.command


@pytest.mark.parametrize("open_chat", ["main", "#ops", "@bob"])
@pytest.mark.parametrize("spec", LISTED.values(), ids=LISTED)
def test_what_is_asked_for_instead(spec: Spec, open_chat: str) -> None:
    """The client asks where the server would ask, and for the same."""
    parsed = parse(f"/{spec.verb}", text_chars_max=4096, talk=KINDS[Target].parse(open_chat))
    asks = parsed.error is not None and "which one?" in parsed.error.text
    assert (asked_for(f"/{spec.verb}", COMMANDS, open_chat) is not None) == asks
    assert not asks or f"say /{spec.verb} {open_chat};" in str(parsed.error)


def _dumps(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False)


def test_find() -> None:
    assert (find("/MSG", COMMANDS) or COMMANDS[0]).verb == "send"
    assert find("nothing", COMMANDS) is None


@pytest.mark.parametrize(
    "line", ["/password a b", "/Sign_in bob x", "/connect bob x", "/resume abc", "/delete_account x", "/pasword x"]
)
def test_secrets(line: str) -> None:
    assert has_secret(line, COMMANDS)


@pytest.mark.parametrize("line", ["my password is x", "/send bob hi", "//password"])
def test_no_secrets(line: str) -> None:
    assert not has_secret(line, COMMANDS)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/password old new", "/password "),
        ("/PASSWORD  x", "/PASSWORD  "),
        ("/sign_in bob pass word", "/sign_in bob "),
        ('/connect "bob" p', '/connect "bob" '),
        ("/delete_account p\nq", "/delete_account "),
        ("/resume token 7", "/resume "),
        ("/password", None),
        ("/password ", None),
        ("/sign_in bob", None),
        ("/send bob /password x", None),
        ("//password x", None),
        ("/bogus x", None),
        ("hi", None),
        ("", None),
    ],
)
def test_what_is_not_to_be_shown(line: str, shown: str | None) -> None:
    start = secret_from(line, COMMANDS)
    assert (None if start is None else line[:start]) == shown


def test_what_is_asked_for() -> None:
    def asked(line: str) -> list[str]:
        return [argument["name"] for argument in secrets_to_ask(line, COMMANDS)]

    assert asked("/password ") == ["old", "new"] and asked("/Delete_Account") == ["password"]
    assert not any(map(asked, ("/password x", "/sign_in", "/ping", "/bogus", "hi", "")))
