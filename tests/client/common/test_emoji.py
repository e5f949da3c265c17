"""Each emoji is one that the server takes as a reaction."""

import subprocess
import sys

import pytest

from chat_client.common.emoji import emoji_of, emojis
from chat_server.protocol.parse import parse


def test_the_server_takes_each_and_a_name_is_one_word() -> None:
    assert len(emojis()) > 2000
    for name, emoji in emojis().items():
        assert parse(f"/react 1 {emoji}", text_chars_max=100).error is None, name
        assert name == name.lower() and not set(name) & set(": ")


def test_what_people_use_most_stands_first() -> None:
    assert list(emojis())[:4] == ["thumbsup", "heart", "joy", "tada"]
    assert [emojis()[name] for name in ("+1", "cat", "laughing", "jp")] == ["👍", "🐱", "😆", "🇯🇵"]


def test_the_start_does_not_load_them() -> None:
    loaded = "import sys, chat_client.tui.app, chat_client.plain.app; print('emoji' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("word", "emoji"),
    [(":tada:", "🎉"), ("tada", "🎉"), (":heart_eyes", "😍"), (":+1:", "👍"), ("+1", "+1"), ("100", "100"),
     (":)", ":)"), ("🎉", "🎉"), (":nothing:", ":nothing:"), ("", "")],
)  # fmt: skip
def test_a_name_is_as_good_as_its_emoji_and_a_sign_stays_one(word: str, emoji: str) -> None:
    assert emoji_of(word) == emoji
