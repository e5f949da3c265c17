import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.protocol import arguments as a
from chat_server.protocol.accounts import Password
from chat_server.protocol.arguments import Target
from chat_server.protocol.base import Spec
from chat_server.protocol.connection import Ping
from chat_server.protocol.messages import Read, Send, SendAll
from chat_server.protocol.parse import Parsed, parse
from chat_server.protocol.table import TABLE, VERBS
from tests.unit.strategies import HOSTILE, both_forms, few

TALK = Target("user", "bob", "bob")
MAIN = Target("main", "main", "main")


def read(text: str, talk: Target | None = None) -> Parsed:
    return parse(text, text_chars_max=100, talk=talk)


def code(text: str, talk: Target | None = None) -> str:
    parsed = read(text, talk)
    assert parsed.command is None and parsed.error is not None
    return parsed.error.code


# ---- whatever comes, it is a command or a refusal

_pieces = st.sampled_from(
    (
        *(f"/{verb}" for verb in VERBS), *(f"/{verb} " for verb in VERBS), *HOSTILE,
        " ", '"', "{", "}", "[", ":", ",", "@7f ", "#", "-1", "42", "1e99", "9" * 30, "null", "true", "before", "limit",
        '{"cmd":', '"label":', '"text":', '"key":', '"\\ud800"', '"\\u0000"', "main", "@bob", "2026-12-24T18:00", "90s",
        "[" * 2000, '{"a":' * 200,
    )
)  # fmt: skip
_verb_fields = st.dictionaries(
    st.sampled_from(sorted({argument.name for spec in TABLE.values() for argument in spec.arguments})) | st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("9" * 30),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=3,
    ),
    max_size=4,
)
_lines = st.one_of(
    st.text(),
    st.lists(_pieces | st.text(max_size=4), max_size=8).map("".join),
    st.builds(lambda verb, fields: json.dumps({"cmd": verb, **fields}), st.sampled_from(sorted(VERBS)), _verb_fields),
)


@given(_lines.filter(lambda line: bool(line) and "\ud800" not in line), st.sampled_from((None, TALK, MAIN)))
def test_it_never_raises(line: str, talk: Target | None) -> None:
    parsed = read(line, talk)
    assert (parsed.command is None) != (parsed.error is None)
    assert parsed.verb == "" or parsed.verb in TABLE
    if parsed.command is not None:
        assert type(parsed.command).spec.verb == parsed.verb
    if parsed.error is not None and parsed.error.code == "bad_argument" and parsed.verb:
        known = ("usage: /", "the text is empty")
        assert any(words in parsed.error.text for words in known), parsed.error.text


@pytest.mark.parametrize("digits", [20, 5000, 60_000])
def test_a_number_of_any_length_is_refused(digits: int) -> None:
    number = "9" * digits
    assert code(f"/cancel_delayed {number}") == "bad_argument"
    assert code(f'{{"cmd":"cancel_delayed","delayed_id":{number}}}') == "bad_argument"
    assert code(f'{{"cmd":"send_delayed","target":"main","text":"x","delay":{number}}}') == "bad_argument"


@pytest.mark.parametrize("depth", [10, 30_000])
def test_json_nested_too_deeply_is_refused(depth: int) -> None:
    assert code('{"cmd":' + "[" * depth + "]" * depth + "}") == "bad_argument"


# ---- both forms say the same


OPS = Target("room", "ops", "ops")


@pytest.mark.parametrize("spec", TABLE.values(), ids=lambda spec: spec.verb)
@few
@given(
    data=st.data(), label=st.from_regex(r"[A-Za-z0-9_.-]{1,32}", fullmatch=True),
    talk=st.sampled_from((TALK, MAIN, OPS)),
)  # fmt: skip
def test_a_line_and_a_json_object_give_the_same_command(
    spec: Spec, data: st.DataObject, label: str, talk: Target
) -> None:
    """Both with a label, too. The open chat stands in for nothing that is said, and never in JSON."""
    line, obj, sound = data.draw(both_forms(spec))
    by_line, by_json = read(line), read(obj)
    assert by_line.verb == by_json.verb == spec.verb
    assert by_line.command == by_json.command, (line, obj, by_line.error, by_json.error)
    if by_line.error or by_json.error:
        assert str(by_line.error) == str(by_json.error)
        assert not sound
    else:
        assert type(by_line.command) is spec.build
    fields = json.loads(obj)
    for labelled in (f"@{label} {line}", json.dumps({**fields, "label": label})):
        parsed = read(labelled)
        assert parsed.label == label and parsed.command == by_line.command
    assert by_line.command in (None, read(line, talk).command)
    assert read(obj, talk).command == by_json.command
    for argument in spec.arguments:
        fields.pop(argument.name, None)
        assert read(json.dumps(fields), talk).command == read(json.dumps(fields)).command


# ---- the open chat


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("/invite erin", "/invite #ops erin"),
        ("/topic", "/topic #ops"),
        ("/topic a new one", "/topic #ops a new one"),
        ('/topic ""', '/topic #ops ""'),
        ("/names", "/names #ops"),
        ("/members erin", "/members #ops erin"),
        ("/give erin", "/give #ops erin"),
        ("/mute", "/mute #ops"),
        ("/files", "/files #ops"),
        ("/files before 7", "/files #ops before 7"),
        ("/history", "/history #ops"),
        ("/history before #7 limit 5", "/history #ops before 7 limit 5"),
        ("/history limit", "/history @limit"),  # a user may be called so
        ("/read 42", "/read #ops 42"),
        ('/send_file "my photo.png" 12', '/send_file #ops "my photo.png" 12'),
    ],
)
def test_the_open_chat_stands_in_for_one_that_is_left_out(line: str, whole: str) -> None:
    meant = read(whole).command
    assert meant is not None and read(line, OPS).command == meant
    assert read(f"@7f {line}", OPS).label == "7f"
    if line != "/history limit":
        assert code(line) == "bad_argument"


def test_a_chat_of_two_is_its_user() -> None:
    assert read("/who", TALK).command == read("/who bob").command
    assert read("/send_file a.png 1", TALK).command == read("/send_file bob a.png 1").command
    for line in ("/members", "/invite erin", "/topic x"):
        assert code(line, TALK) == code(line, MAIN) == "bad_argument"
    assert code("/who", MAIN) == code("/who", OPS) == "bad_argument"


@pytest.mark.parametrize(
    ("line", "talk", "whole"),
    [
        ("/leave", OPS, "/leave #ops"), ("/part", OPS, "/leave #ops"), ("/report", TALK, "/report @bob"),
        ("/block", TALK, "/block @bob"), ("/unblock", TALK, "/unblock @bob"),
    ],
)  # fmt: skip
def test_what_takes_something_away_asks(line: str, talk: Target, whole: str) -> None:
    parsed = read(line, talk)
    assert parsed.command is None and parsed.error is not None and parsed.error.code == "bad_argument"
    assert f"say {whole};" in parsed.error.text and read(whole).command is not None


def test_a_text_to_somebody_is_never_for_the_open_chat() -> None:
    for line in ("/send bob", "/send_delayed 5m tea", "/reply 7", "/join", "/search in:main"):
        assert code(line, OPS) == "bad_argument"


# ---- refusals


@pytest.mark.parametrize("spec", TABLE.values(), ids=lambda spec: spec.verb)
def test_every_wrong_argument_is_answered_with_the_usage(spec: Spec) -> None:
    wrong = [f'{{"cmd":"{spec.verb}","nonsense":1}}', *(f'{{"cmd":"{spec.verb}","{argument.name}":[]}}'
             for argument in spec.arguments)]  # fmt: skip
    if not any(argument.kind.takes_rest for argument in spec.arguments):
        wrong.append(f"/{spec.verb} " + "a " * (len(spec.arguments) + 3))
    if any(argument.required for argument in spec.arguments):
        wrong += [f"/{spec.verb}", f'{{"cmd":"{spec.verb}"}}']
    for line in wrong:
        parsed = read(line)
        assert parsed.error is not None, line
        assert parsed.error.code in ("bad_argument", "bad_name"), line
        if parsed.error.code == "bad_argument":
            assert f"usage: {spec.usage}" in parsed.error.text, line


@pytest.mark.parametrize(
    "line",
    [
        "/send", "/send bob", '/send "bob', "/send_all", "/send_all  ", "/send_all \x07\u202e", "/read main",
        "/read main x", "/read main -1", "/cancel_delayed 1.5", "/format xml", "/presence maybe", "/sign_out x",
        "/history main before", "/history main before x", "/history main sideways 3", "/history main before 1 before 2",
        "/history main before 1 after 2", "/history main limit 0", "/send_delayed bob soon hi", "/who", "/who @",
        "/send # hi", "/delayed now", "/password", "/ping one two",
        '{"cmd":"send_all"}', '{"cmd":"send_all","text":5}', '{"cmd":"send_all","text":" "}',
        '{"cmd":"send_all","text":"x","key":""}', '{"cmd":"send_all","text":"x","key":"a\\nb"}',
        '{"cmd":"read","chat":"main","id":1.5}', '{"cmd":"read","chat":"main","id":true}',
    ],
)  # fmt: skip
def test_bad_arguments_name_the_usage(line: str) -> None:
    parsed = read(line)
    assert parsed.error is not None and parsed.error.code == "bad_argument"
    assert f"usage: /{parsed.verb}" in parsed.error.text


@pytest.mark.parametrize("text", ["   ", "\x07", "\u202e \u2066"])
def test_an_empty_text_to_whom_one_talks_is_a_bad_argument(text: str) -> None:
    assert code(text, TALK) == "bad_argument"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("/sendall hi", "did you mean /send_all?"), ("/hlep", "did you mean /help?"), ("/", "/help lists"),
        ("/xyzzyplugh", "/help lists"), ('{"cmd":"sing_in"}', "did you mean /sign_in?"),
    ],
)  # fmt: skip
def test_an_unknown_verb_names_the_nearest(line: str, hint: str) -> None:
    parsed = read(line)
    assert parsed.error is not None and parsed.error.code == "unknown_command"
    assert hint in parsed.error.text and parsed.verb == ""


@pytest.mark.parametrize("line", ["{", "{}", "{]", '{"cmd":1}', '{"cmd":"ping"} x', '{"cmd":"ping","label":"a b"}'])
def test_malformed_json_is_a_bad_argument(line: str) -> None:
    assert code(line) == "bad_argument"


@pytest.mark.parametrize("line", ["hello", "@7f hello", " /ping", "@bad! /ping", f"@{'x' * 33} /ping"])
def test_what_is_no_command_says_how_to_talk(line: str) -> None:
    parsed = read(line)
    assert parsed.error is not None and parsed.error.code == "not_a_command"
    assert parsed.error.text.startswith(
        "commands start with /; to talk to everyone: /send_all <text>, or /talk main and just type"
    )


def test_a_refused_command_keeps_its_label() -> None:
    for line in ("@7f /send", "@7f /nothing", '{"cmd":"nothing","label":"7f"}', '{"cmd":"send","label":"7f"}'):
        assert read(line).label == "7f"


def test_a_text_over_the_limit_is_too_large() -> None:
    assert code("/send_all " + "x" * 101) == "too_large"
    assert code("/report bob " + "x" * 101) == "too_large"
    assert code("x" * 101, MAIN) == "too_large"
    assert read("/send_all " + "x" * 100).command == SendAll(a.Text("x" * 100))


# ---- the shape of a line


def test_quotes_hold_spaces_and_the_last_argument_is_as_it_is() -> None:
    bob = Target("user", "bob smith", "bob smith")
    assert read('/send "bob smith" "hi"  there ').command == Send(bob, a.Text('"hi"  there '))
    assert read('/ping "two words"').command == Ping(a.Word("two words"))
    assert read('/ping ""').command == Ping(a.Word(""))
    assert read("/ping   x   ").command == Ping(a.Word("x"))


def test_ids_may_have_a_number_sign_and_verbs_any_case() -> None:
    assert read("/READ main #42").command == read("/read main 42").command == Read(MAIN, a.Id(42))


def test_a_line_break_comes_only_by_json() -> None:
    assert read('{"cmd":"send_all","text":"two\\nlines"}').command == SendAll(a.Text("two\nlines"))


def test_the_old_password_stands_before_the_new_one() -> None:
    assert read("/password new").command == Password(a.Secret("new"))
    assert read("/password old new").command == Password(a.Secret("new"), a.Secret("old"))


def test_talk_sends_what_is_no_command() -> None:
    assert read("hello", MAIN).command == SendAll(a.Text("hello"))
    assert read("@7f hi \x1b", TALK).command == Send(TALK, a.Text("@7f hi "), mentions=("7f",))
    assert read("/ping", TALK).command == Ping()


def test_absent_and_null_fields_are_the_same() -> None:
    assert read('{"cmd":"ping","word":null,"label":null}').command == Ping()


def test_an_argument_that_has_two_names_is_said_by_one_of_them() -> None:
    for name in ("chat", "code"):
        assert (
            parse(f'{{"cmd":"join","{name}":"#team"}}', text_chars_max=100).command
            == parse("/join #team", text_chars_max=100).command
        )
    error = parse('{"cmd":"join","chat":"#team","code":"secret"}', text_chars_max=100).error
    assert error is not None and (error.code, "is said twice" in error.text) == ("bad_argument", True)
