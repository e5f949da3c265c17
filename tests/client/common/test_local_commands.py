"""The table of local commands, and each of them in both front ends."""

import pytest

from chat_client.common.local_commands import HIDDEN, LOCAL, find_local, with_local
from chat_client.sdk.typed_line import read
from chat_server.protocol.help import command_forms


def test_they_take_the_place_of_those_of_the_same_name() -> None:
    verbs = [form.verb for form in with_local(command_forms())]
    assert len(verbs) == len(set(verbs))
    assert LOCAL.keys() <= set(verbs)
    assert not HIDDEN & set(verbs)


def test_no_other_commands_of_the_server_are_hidden_and_no_word_stands_for_two() -> None:
    """A local command that took the name of one of the server's would make it one that nobody can give."""
    of_the_server = {word for form in command_forms() for word in (form.verb, *form.aliases)}
    local = [word for command in LOCAL.values() for word in (command.form.verb, *command.form.aliases)]
    assert len(local) == len(set(local))
    replaced = {"ignore", "send_file", "get_file", "help", "talk", "quit", "close", "exit"}
    assert of_the_server & set(local) == replaced


def test_usage_and_example_begin_with_the_verb() -> None:
    for verb, command in LOCAL.items():
        form = command.form
        assert form.usage.split()[0] == form.example.split()[0] == f"/{form.verb}" == f"/{verb}"
        assert form.help


def test_they_are_found_by_verb_and_alias() -> None:
    assert find_local("/QUIT") is find_local("exit") is LOCAL["quit"]
    assert find_local("/who") is None


@pytest.mark.parametrize(
    ("line", "chat", "level"),
    [("/level", "#ops", None), ("/level all", "#ops", "all"), ("/level NONE", "#ops", "NONE"),
     ("/level bob", "bob", None), ("/level @all", "@all", None), ("/level all none", "all", "none")],
)  # fmt: skip
def test_a_level_is_asked_for_or_set_of_the_open_chat_or_another(line: str, chat: str, level: str | None) -> None:
    typed = read(line, with_local([]), "#ops")
    assert typed is not None
    assert typed.arguments == {"chat": chat} | ({"level": level} if level else {})
