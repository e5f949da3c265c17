import re

import pytest

from chat_server.protocol.times import iso
from chat_server.store.export import _MESSAGES, RECORDS, UNTOLD, of_user
from tests.unit.chat import Chat
from tests.unit.fakes import NOON_MS
from tests.unit.rules.rooms import bring_in


@pytest.fixture
def chat(tmp_path_factory: pytest.TempPathFactory) -> Chat:
    chat = Chat(tmp_path_factory.mktemp("chat"))
    chat.sign_in("alice", "bob")
    return chat


def test_every_column_that_names_a_user_is_exported_or_left_out_on_purpose(chat: Chat) -> None:
    queries = [*RECORDS.values(), _MESSAGES]
    for (table,) in chat.db.all("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        for row in chat.db.all(f"PRAGMA foreign_key_list({table})"):
            if row[2] == "users":
                column = row[3]
                told = any(re.search(rf"FROM {table}\b.*\b{column} = \?1", sql, re.DOTALL) for sql in queries)
                assert told != (f"{table}.{column}" in UNTOLD), f"{table}.{column}"


def test_slow_mode_is_exported(chat: Chat) -> None:
    """What the owner of a chat set, and when a member wrote there."""
    for line in ("/create_chat #team", "/create_chat #free", "/slow_mode #team 90s"):
        chat.say("alice", line)
    bring_in(chat, "#team", "bob")
    chat.say("bob", "/send #team one")

    def records(name: str, kind: str) -> list[dict[str, object]]:
        pages = of_user(chat.db, chat.ids[name], lambda ms: NOON_MS)
        return [fields for page in pages for found, fields in page if found == kind]

    assert records("alice", "owned_chat") == [{"name": "#team", "slow_mode": 90}, {"name": "#free"}]
    assert records("bob", "slow_post") == [{"chat": "#team", "sent": iso(NOON_MS)}]
    assert records("alice", "slow_post") == []


def test_an_export_finds_messages_far_apart(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_server.store.export.WINDOW_IDS", 3)
    monkeypatch.setattr("chat_server.store.export.PAGE_RECORDS_MAX", 2)
    wanted = []
    for number in range(20):
        name = "alice" if number in (0, 1, 2, 3, 9, 19) else "bob"
        id_ = chat.say(name, f"/send_all {number}").reply.id
        if name == "alice":
            wanted.append(id_)
    pages = list(of_user(chat.db, chat.ids["alice"], lambda ms: ms))
    assert all(len(page) <= 2 for page in pages)
    assert [fields["id"] for page in pages for kind, fields in page if kind == "message"] == wanted
