import pytest

from chat_server.protocol.arguments import Id, Key, Reason, Text
from chat_server.protocol.base import Command
from chat_server.protocol.connection import Pong
from chat_server.protocol.table import TABLE, VERBS, command


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
