from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.chat import Chat
from tests.unit.rules.rooms import bring_in, take_notices


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    """A fresh chat with alice, bob and carol, at noon."""
    chat = Chat(tmp_path)
    chat.sign_in("alice", "bob", "carol")
    yield chat
    chat.close()


@pytest.fixture
def team(chat: Chat) -> Iterator[Chat]:
    """#Team is alice's, and bob is in it; carol and dave are not."""
    chat.sign_in("dave")
    chat.say("alice", "/create_chat #Team")
    bring_in(chat, "#team", "bob")
    take_notices(chat, "bob")
    yield chat
