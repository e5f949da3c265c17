from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_server.metrics import GAUGES
from chat_server.store.statistics import read_gauges
from tests.unit.chat import Chat
from tests.unit.fakes import HOUR_MS


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    chat = Chat(tmp_path)
    chat.sign_in("alice", "bob")
    yield chat
    chat.close()


def gauges_of(chat: Chat, directory: Path) -> dict[str, float]:
    return read_gauges(directory, chat.clock.now_ms(), chat.limits.message_ttl_ms)


def test_the_gauges_of_the_store(chat: Chat, tmp_path: Path) -> None:
    empty = gauges_of(chat, tmp_path)
    assert empty.keys() <= GAUGES.keys()
    for text in "ab":
        chat.say("alice", f"/send bob {text}")
    chat.say("alice", "/send_file bob a 1000")
    now = gauges_of(chat, tmp_path)
    assert (now["messages_stored"], now["uploads_open"], now["files_stored_bytes"]) == (2, 1, 1000)
    assert now["wal_bytes"] > empty["wal_bytes"] > 0 and now["database_bytes"] > 0


@pytest.mark.parametrize(("ttl_ms", "lag"), [(HOUR_MS, 60), (None, 0)])
def test_the_lag_is_that_of_the_first_overdue_message(
    chat: Chat, tmp_path: Path, ttl_ms: int | None, lag: float
) -> None:
    chat.configure(message_ttl_ms=ttl_ms)
    chat.say("bob", f"/read alice {chat.say('alice', '/send bob hi').reply.id}")
    assert gauges_of(chat, tmp_path)["retention_lag_seconds"] == 0
    chat.clock.advance(HOUR_MS + 60_000)
    assert gauges_of(chat, tmp_path)["retention_lag_seconds"] == lag
    chat.due()
    assert gauges_of(chat, tmp_path)["retention_lag_seconds"] == 0
