"""Each emoji is one that the server takes as a reaction."""

import pytest

from chat_client.common.emoji import EMOJIS, emoji_of
from chat_server.protocol.parse import parse


@pytest.mark.parametrize("name", EMOJIS)
def test_the_server_takes_it(name: str) -> None:
    assert parse(f"/react 1 {EMOJIS[name]}", text_chars_max=100).error is None
    assert name == name.lower() and " " not in name


@pytest.mark.parametrize(
    ("word", "emoji"),
    [(":tada:", "🎉"), ("tada", "🎉"), (":heart_eyes", "😍"), (":+1:", "👍"), ("+1", "+1"), ("100", "100"),
     (":)", ":)"), ("🎉", "🎉"), (":nothing:", ":nothing:"), ("", "")],
)  # fmt: skip
def test_a_name_is_as_good_as_its_emoji_and_a_sign_stays_one(word: str, emoji: str) -> None:
    assert emoji_of(word) == emoji
