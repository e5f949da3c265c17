"""Each emoji is one that the server takes as a reaction."""

import pytest

from chat_client.common.emoji import EMOJIS
from chat_server.protocol.parse import parse


@pytest.mark.parametrize("name", EMOJIS)
def test_the_server_takes_it(name: str) -> None:
    assert parse(f"/react 1 {EMOJIS[name]}", text_chars_max=100).error is None
    assert name == name.lower() and " " not in name
