from pathlib import Path

import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import CloseAccount, Erase
from chat_server.protocol.messages import Message, QuietMessage
from chat_server.rules import erasure
from tests.unit.chat import Chat

PORTION = 5
COUNT = 23


@pytest.fixture
def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """Bob has written much in every place, and one portion is a small part of it."""
    monkeypatch.setattr(erasure, "ROWS_MAX", PORTION)
    chat = Chat(tmp_path / "chat")
    chat.sign_in("alice", "bob", "carol")
    chat.say("alice", "/create_chat #team")
    chat.say("alice", "/invite #team bob")
    chat.say("bob", "/join #team")
    for number in range(COUNT):
        place = ("/send_all", "/send alice", "/send #team", "/reply 1")[number % 4]
        his = chat.say("bob", f"{place} secret {number}").reply.id
        hers = chat.say("alice", f"/send_all from alice {number}").reply.id
        chat.say("bob", f"/react {hers} +1")
        chat.say("alice", f"/react {his} +1")
    return chat


def ids_of(chat: Chat, name: str) -> set[int]:
    return {row[0] for row in chat.db.all("SELECT id FROM messages WHERE user_id = ?", (chat.ids[name],))}


def all_visible(chat: Chat) -> list[Message]:
    """Return everything that alice can see, by every command that shows messages."""
    lines = ("/history main limit 200", "/history bob limit 200", "/history #team limit 200", "/thread 1")
    said = [chat.say("alice", line) for line in (*lines, "/get_chat_with bob", "/search secret")]
    return [event for each in said for event in each.events if isinstance(event, Message)]


def test_nobody_is_shown_anything_of_a_deleted_account(chat: Chat) -> None:
    assert any(message.text and "secret" in message.text for message in all_visible(chat))
    chat.do(CloseAccount(0), "bob")
    left = chat.db.value("SELECT count(*) FROM messages WHERE text LIKE 'secret%'")
    assert left > PORTION, "most of it is still on the disk"
    for message in all_visible(chat):
        assert message.deleted == (message.from_ == "bob")
        assert (message.text is None) == message.deleted
        assert not message.reactions or "bob" not in str(message.reactions)
    assert chat.say("alice", "/search secret").events == []
    number = chat.db.value("SELECT max(id) FROM messages WHERE text LIKE 'secret%'")
    for line in (f"/reply {number} hi", f"/react {number} +1", f"/edit {number} hi", f"/delete {number}"):
        with pytest.raises(Refusal, match="was deleted"):
            chat.say("alice", line)


def test_nothing_is_left_behind_where_a_portion_looks_at_few_ids(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the messages that one portion looks at are others': what is left then is not forgotten."""
    monkeypatch.setattr("chat_server.store.erasures.IDS_SCANNED_MAX", 3)
    chat.do(CloseAccount(0), "bob")
    while chat.executor.is_erasing:
        chat.do(Erase())
    assert chat.db.value("SELECT count(*) FROM messages WHERE text LIKE 'secret%'") == 0


def test_an_account_is_erased_in_portions_until_nothing_is_left(chat: Chat) -> None:
    said = chat.do(CloseAccount(0), "bob")
    told, portions = [push.event for push in said.pushes if isinstance(push.event, QuietMessage)], 0
    while chat.executor.is_erasing:
        pushed = [push.event for push in chat.do(Erase()).pushes]
        assert len({event.id for event in pushed if isinstance(event, Message)}) <= PORTION
        told += [event for event in pushed if isinstance(event, QuietMessage)]
        portions += 1
    assert portions >= 2 * COUNT // PORTION
    assert chat.db.value("SELECT count(*) FROM messages WHERE text LIKE 'secret%'") == 0
    for table, column in (
        ("reactions", "user_id"),
        ("keys", "user_id"),
        ("members", "user_id"),
        ("erasures", "user_id"),
    ):
        assert not chat.db.value(f"SELECT count(*) FROM {table} WHERE {column} = ?", (chat.ids["bob"],)), table
    # Programs were told of each message that changed, with a seq of its own, and of nothing else.
    to_alice = {event.id: event for event in told if event.chat != "@alice"}
    assert {id_ for id_, event in to_alice.items() if event.deleted} == ids_of(chat, "bob")
    assert {id_ for id_, event in to_alice.items() if not event.deleted} == ids_of(chat, "alice")
    assert len({event.seq for event in told}) == len(to_alice)


def test_two_accounts_deleted_together_are_both_erased(chat: Chat) -> None:
    chat.say("carol", "/send_all secret of carol")
    chat.do(CloseAccount(0), "bob")
    chat.do(CloseAccount(0), "carol")
    chat.due()
    while chat.executor.is_erasing:
        chat.due()
    assert chat.db.value("SELECT count(*) FROM messages WHERE text LIKE 'secret%'") == 0


def test_an_unfinished_erasure_is_due_at_once(chat: Chat) -> None:
    assert chat.batch().next_due_ms != 0
    chat.do(CloseAccount(0), "bob")
    assert chat.batch().next_due_ms == 0
