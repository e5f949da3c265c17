from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.chat import Chat


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    """A fresh chat with alice, bob and carol, at noon."""
    chat = Chat(tmp_path)
    chat.sign_in("alice", "bob", "carol")
    yield chat
    chat.close()
