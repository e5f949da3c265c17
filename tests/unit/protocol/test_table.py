import difflib
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.protocol.arguments import Id, Key, Reason, Text
from chat_server.protocol.base import Command
from chat_server.protocol.connection import Pong
from chat_server.protocol.table import TABLE, VERBS, command, nearest


@pytest.mark.parametrize(("group", "help", "example"), [("Start", "", "/x"), ("Start", "x", ""), ("None", "x", "/x")])
def test_a_command_without_help_example_or_group_does_not_import(group: str, help: str, example: str) -> None:
    class Nameless(Command, frozen=True, tag="x"):
        pass

    with pytest.raises(AssertionError):
        command("x", group=group, reply=Pong, runs="connection", help=help, example=example)(Nameless)
    assert "x" not in TABLE


def test_a_verb_is_given_once() -> None:
    class Again(Command, frozen=True, tag="again"):
        pass

    try:
        with pytest.raises(AssertionError):
            command("again", "ping", group="Start", reply=Pong, runs="connection", help="x", example="/x")(Again)
    finally:
        TABLE.pop("again", None)
        VERBS.pop("again", None)
    assert VERBS["ping"].verb == "ping"


def test_a_row_is_made_of_the_fields_of_its_class() -> None:
    class Sample(Command, frozen=True, tag="sample"):
        id: Id
        text: Text
        reason: Reason | None = None
        after: Id | None = None
        key: Key | None = None

    enter = command(
        "sample", "s", group="Write", reply=Pong, runs="reading", help="x", example="/sample 1 x", order=("text",),
        pairs=("after",), json_only=("key",), usage={"after": "[after <id>]"},
    )  # fmt: skip
    try:
        spec = enter(Sample).spec
    finally:
        for name in ("sample", "s"):
            VERBS.pop(name, None)
        TABLE.pop("sample", None)
    assert spec.usage == "/sample <text> <id> [reason] [after <id>]"
    assert [(argument.name, later) for argument, later in spec.positional] == [("text", 1), ("id", 0), ("reason", 0)]
    assert list(spec.pairs) == ["after"]
    assert [argument.name for argument in spec.arguments if argument.json_only] == ["key"]
    assert [argument.required for argument in spec.arguments] == [True, True, False, False, False]


parts = st.sampled_from(sorted(VERBS)).flatmap(lambda verb: st.tuples(st.integers(0, 8), st.integers(0, 14)).map(
    lambda cut: verb[cut[0] : cut[1]]))  # fmt: skip
mistyped = st.lists(parts | st.text("eaist_-é", max_size=3), max_size=4).map("".join)


@given(mistyped | st.text(max_size=80))
def test_the_nearest_verb_is_the_one_that_difflib_finds(verb: str) -> None:
    offered = [name for name, spec in VERBS.items() if not (spec.hangs_up or spec.unlisted)]
    close = difflib.get_close_matches(verb[:64], offered, n=1, cutoff=0.65)
    assert nearest(verb) == (close[0] if close else None)


@pytest.mark.parametrize(
    ("verb", "meant", "compared"), [("foo", None, 0), ("sendall", "send_all", 1), ("x" * 99, None, 0)]
)
def test_few_verbs_are_compared_with_what_was_written(verb: str, meant: str | None, compared: int) -> None:
    with patch("difflib.SequenceMatcher", wraps=difflib.SequenceMatcher) as comparing:
        assert nearest(verb) == meant
    assert comparing.call_count == compared
