"""The quota of texts: what counts, what frees room again, and that the count always equals what is stored."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from chat_server.errors import Refusal
from chat_server.log.entries import MACHINE, CloseAccount
from chat_server.protocol.arguments import Username
from chat_server.protocol.base import Reply
from chat_server.protocol.operators import Ban
from chat_server.protocol.table import TABLE
from chat_server.rules.outcomes import Opened
from tests.unit.chat import Chat, events_to, refusal_of
from tests.unit.fakes import HOUR_MS

TEXT = "xü" * 10  # 30 bytes in UTF-8


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    chat = Chat(tmp_path, message_ttl_ms=HOUR_MS)
    chat.sign_in("alice", "bob")
    chat.say("alice", "/create_chat #team")
    return chat


def counted_bytes(chat: Chat, name: str = "alice") -> int:
    """Return the count of the tables, after checking it against what they hold."""
    user = chat.ids[name]
    counted = chat.db.value("SELECT bytes FROM text_bytes WHERE user_id = ?", (user,)) or 0
    held = chat.db.value(
        """SELECT sum(octet_length(text)) FROM (
            SELECT user_id, text FROM messages UNION ALL SELECT user_id, text FROM delayed
            UNION ALL SELECT reporter, reason FROM reports UNION ALL SELECT id, away FROM users
            UNION ALL SELECT owner, topic FROM chats) WHERE user_id = ?""",
        (user,),
    )
    assert counted == (held or 0)
    return int(counted)


STORING = (
    f"/send_all {TEXT}", f"/send bob {TEXT}", f"/send #team {TEXT}", f"/reply 1 {TEXT}", f"/send_delayed bob 5m {TEXT}",
    f"/report bob {TEXT}", f"/away {TEXT}", f"/topic #team {TEXT}",
)  # fmt: skip


@pytest.mark.parametrize("line", STORING)
def test_a_text_over_the_quota_is_refused_with_a_remedy(chat: Chat, line: str) -> None:
    chat.say("bob", "/send_all hi")
    before = counted_bytes(chat)
    chat.configure(text_quota_bytes=before + 29)
    refusal = refusal_of(chat, "alice", line)
    assert refusal.code == "too_large" and "/delete" in refusal.text
    chat.configure(text_quota_bytes=before + 30)
    chat.say("alice", line)
    assert counted_bytes(chat) == before + 30


def test_a_file_counts_with_its_name(chat: Chat) -> None:
    chat.configure(text_quota_bytes=3)
    assert refusal_of(chat, "alice", "/send_file main name 5").code == "too_large"


def test_an_edit_that_is_no_longer_is_always_taken(chat: Chat) -> None:
    sent = chat.say("alice", f"/send_all {TEXT}").reply.id
    chat.configure(text_quota_bytes=1)
    assert refusal_of(chat, "alice", f"/edit {sent} {TEXT}x").code == "too_large"
    chat.say("alice", f"/edit {sent} {TEXT[1:]}x")
    chat.say("alice", f"/edit {sent} x")
    assert counted_bytes(chat) == 1


def test_a_delayed_message_is_sent_over_the_quota(chat: Chat) -> None:
    chat.say("alice", f"/send_delayed bob 5m {TEXT}")
    chat.configure(text_quota_bytes=1)
    chat.clock.advance(5 * 60_000)
    assert len(events_to(chat.due(), chat.ids["bob"])) == 1
    assert counted_bytes(chat) == 30


def expire(chat: Chat) -> None:
    chat.say("bob", "/read main 999")
    chat.clock.advance(2 * HOUR_MS)
    chat.due()


FREEING: dict[str, Callable[[Chat], object]] = {
    "delete": lambda chat: chat.say("alice", "/delete 1"),
    "cancel": lambda chat: chat.say("alice", "/cancel_delayed 1"),
    "back": lambda chat: chat.say("alice", "/back"),
    "topic": lambda chat: chat.say("alice", '/topic #team ""'),
    "leave": lambda chat: chat.say("alice", "/leave #team"),
    "expiry": expire,
}


@pytest.mark.parametrize("how", FREEING)
def test_removed_texts_count_no_more(chat: Chat, how: str) -> None:
    for line in (f"/send_all {TEXT}", f"/send_delayed bob 5d {TEXT}", f"/away {TEXT}", f"/topic #team {TEXT}"):
        chat.say("alice", line)
    assert counted_bytes(chat) == 120
    FREEING[how](chat)
    assert counted_bytes(chat) == 90


def test_a_topic_counts_for_the_owner(chat: Chat) -> None:
    chat.say("alice", "/invite #team bob")
    chat.say("bob", "/join #team")
    chat.say("bob", f"/topic #team {TEXT}")
    assert (counted_bytes(chat), counted_bytes(chat, "bob")) == (30, 0)
    chat.say("alice", "/give #team bob")
    assert (counted_bytes(chat), counted_bytes(chat, "bob")) == (0, 30)


def test_a_deleted_account_has_nothing(chat: Chat) -> None:
    for line in STORING:
        chat.say("bob", "/send_all hi") if line.startswith("/reply") else None
        chat.say("alice", line)
    assert counted_bytes(chat) == 30 * len(STORING)
    chat.do(CloseAccount(0), "alice")
    assert counted_bytes(chat) == 0


@pytest.mark.parametrize("line", ["/edit 1 longer", "/away longer", "/topic #team longer"])
def test_a_full_disk_takes_only_texts_that_are_no_longer(chat: Chat, line: str) -> None:
    chat.say("alice", "/send_all short")
    chat.say("alice", "/away short")
    chat.say("alice", "/topic #team short")
    for text, taken in ((line, False), (line.replace("longer", "other"), True)):
        (outcome,) = chat.batch(replace(chat.entry("alice", text), has_room=False)).outcomes
        if taken:
            assert not isinstance(outcome.result, Refusal)
        else:
            assert isinstance(outcome.result, Refusal)
            assert (outcome.result.code, outcome.result.fields) == ("unavailable", {"done": False})


KEYED = {
    "send_all": '"text":"hi"', "send": '"target":"bob","text":"hi"', "reply": '"id":1,"text":"hi"',
    "send_delayed": '"target":"bob","delay":"5m","text":"hi"', "send_file": '"target":"main","name":"a","size":5',
}  # fmt: skip


@pytest.mark.parametrize(
    "verb", [spec.verb for spec in TABLE.values() if any(each.name == "key" for each in spec.arguments)]
)
def test_a_full_disk_still_answers_a_used_key(chat: Chat, verb: str) -> None:
    """A client that lost the first answer would believe "nothing was done" and send the message once more."""
    chat.say("bob", "/send_all hi")

    def said(key: str, has_room: bool) -> object:
        entry = chat.entry("alice", f'{{"cmd":"{verb}",{KEYED[verb]},"key":"{key}"}}')
        assert not entry.command.adds, "its rule looks the key up first"
        (outcome,) = chat.batch(replace(entry, has_room=has_room)).outcomes
        return outcome.result

    first = said("k1", has_room=True)
    assert isinstance(first, Reply | Opened)
    if isinstance(first, Reply):
        assert said("k1", has_room=False) == first
    refusal = said("k2", has_room=False)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.fields) == ("unavailable", {"done": False})
    chat.do(Ban(Username("alice", "alice")), user_id=MACHINE)
    refusal = said("k2", has_room=False)
    assert isinstance(refusal, Refusal) and refusal.code == "banned"
