"""The command line of the subcommands."""

import pytest

from chat_server.admin.command_line import parse
from chat_server.errors import StartError

LINES = [
    "cluster settings", "cluster settings page 30 replay 5", "cluster import DIR", "cluster snapshot", "verify",
    "operator add anna", "operator list", "invite", "invite revoke 3", "backup FILE", "restore FILE --force",
    "forget anna --yes", "export anna", "stats",
    "reload", "trace #42", "trace @anna - one.log",
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_options_stand_before_between_and_behind_the_other_words(line: str) -> None:
    words, options = line.split(), ["--data", "there", "--page", "7"]
    word, given = parse(words)
    assert word == words[0]
    wanted = given | {"data_dir": "there", "page_messages": "7"}
    for place in range(len(words) + 1):
        assert parse([*words[:place], *options, *words[place:]]) == (word, wanted), place


@pytest.mark.parametrize(
    ("word", "missing"),
    [
        ("operator", "{add,remove,list}"),
        ("cluster", "{settings,import,snapshot,restore}"),
        ("backup", "FILE"),
        ("export", "USER"),
    ],
)
def test_what_is_missing_is_named_as_the_help_names_it(word: str, missing: str) -> None:
    with pytest.raises(StartError) as caught:
        parse([word])
    assert str(caught.value) == f"the following arguments are required: {missing}; see chat-server --help"
