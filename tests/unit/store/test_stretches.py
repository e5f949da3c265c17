"""What many read is loaded and rendered once, and nobody can tell by what is shown."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_server.errors import Refusal
from chat_server.log.entries import CloseAccount
from chat_server.log.stream import Position
from chat_server.protocol.formats import FORMATS
from chat_server.protocol.formats.format import Format
from chat_server.rules import erasure
from chat_server.rules.outcomes import Stale
from chat_server.store import chats, message_pages, stretches
from chat_server.store.chats import MAIN
from chat_server.store.database import Database, open_reader
from chat_server.store.message_pages import Range
from chat_server.store.stretches import ChangedMessages, Part, Stretches
from tests.unit.chat import Chat
from tests.unit.fakes import HOUR_MS

TODAY, TOMORROW = "2026-11-21T23:00:00Z", "2026-11-22T01:00:00Z"
USERS = ("alice", "bob", "carol", "dave")


def shown(db: Database, user_id: int, after: int, up_to: int, format: Format, now: str) -> bytes:
    """What a user is shown who has come as far as `after`: by id as people are, by seq as programs are."""
    ranges = [Range(each.chat_id, each.name, after, up_to) for each in chats.of_user(db, user_id)]
    if format.catch_up_order == "id":
        pages = message_pages.load_new(db, ranges, not_by=user_id)
    else:
        pages = message_pages.load_new_and_changed(db, ranges)
    return b"".join(part.render(format, now) for page in pages for part in page)


class Reader:
    """It keeps stretches; beside it is one on the same snapshot that keeps none."""

    def __init__(self, chat: Chat, bytes_max: int) -> None:
        self.chat = chat
        self.keeping, self.plain = open_reader(chat.path), open_reader(chat.path)
        self.keeping.stretches = self.stretches = Stretches(chat.executor.changed_messages, bytes_max)
        self.bytes_max = bytes_max

    def take_snapshot(self) -> None:
        for db in (self.keeping, self.plain):
            db.run("BEGIN")
            self.seq: int = db.value("SELECT seq FROM state")
        self.stretches.is_current = False

    def compare(self, user: str, after: int, now: str) -> None:
        for format in FORMATS.values():
            asked = self.chat.ids[user], min(after, self.seq), self.seq, format, now
            assert shown(self.keeping, *asked) == shown(self.plain, *asked)
        assert self.stretches.bytes <= self.bytes_max
        assert self.stretches.bytes == sum(taken for _, _, taken in self.stretches._kept.values())

    def end_snapshot(self) -> None:
        for db in (self.keeping, self.plain):
            db.run("END")

    def close(self) -> None:
        self.keeping.close()
        self.plain.close()


ids = st.integers(1, 60)
acts = st.one_of(
    st.tuples(st.sampled_from(("/send_all {}", "/send #room {}", "/send bob {}", "/send_all two\nlines {}")), ids),
    st.tuples(st.sampled_from(("/edit {} new", "/delete {}", "/react {} +1", "/unreact {} +1", "/reply {} so")), ids),
    st.tuples(st.sampled_from(("/read main {}", "/read #room {}")), ids),
    st.just(("/leave #room", 0)),
    st.tuples(st.just("all read"), ids),
    st.just(("hours", 0)),
    st.just(("close", 0)),
)
steps = st.lists(
    st.tuples(st.sampled_from(USERS), acts, st.integers(0, 70), st.sampled_from((TODAY, TOMORROW))),
    min_size=20,
    max_size=40,
)


def act(chat: Chat, user: str, what: str, id_: int) -> None:
    with suppress(Refusal, Stale):
        if what == "hours":
            chat.clock.advance(2 * HOUR_MS)
            chat.due()
        elif what == "all read":
            for each in USERS:
                chat.say(each, f"/read main {id_}")
        elif what == "close" and user == "dave":
            chat.do(CloseAccount(0), user)
        elif what != "close":
            chat.say(user, what.format(id_))


@settings(max_examples=settings().max_examples // 4)
@given(steps, st.sampled_from((2500, 6000, 1 << 20)), st.booleans())
def test_nobody_sees_a_difference(story: list[tuple[str, tuple[str, int], int, str]], kept: int, many: bool) -> None:
    with (
        TemporaryDirectory() as directory,
        patch.multiple(stretches, STRETCH_MESSAGES_MAX=4, STRETCH_CHARS_MAX=60, CHANGES_KEPT=40 if many else 3),
        patch.object(message_pages, "PAGE_MESSAGES_MAX", 7),
    ):
        chat = Chat(Path(directory) / "chat", message_ttl_ms=HOUR_MS)
        # The disk has nothing to do with it.
        chat.executor._db.run("PRAGMA synchronous = OFF")
        chat.sign_in(*USERS)
        chat.say("alice", "/create #room")
        for user in USERS[1:]:
            chat.say("alice", f"/invite #room {user}")
            chat.say(user, "/join #room")
        for number in range(12):
            chat.say(USERS[number % 4], f"/send_all {number}" if number % 3 else f"/send #room {number}")
        readers = [Reader(chat, kept), Reader(chat, kept)]
        for at, (user, (what, id_), after, now) in enumerate(story):
            # One has its snapshot from before the batch, and reads after it, when its changes are known.
            early, late = readers if at % 3 else readers[::-1]
            early.take_snapshot()
            act(chat, user, what, id_)
            early.compare(user, after, now)
            early.end_snapshot()
            late.take_snapshot()
            late.compare(USERS[after % 4], after // 2, now)
            late.end_snapshot()
        for reader in readers:
            reader.close()
        chat.close()


# ---- that they are shared at all


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    """300 messages in main, and a reader of them."""
    chat = Chat(tmp_path)
    chat.sign_in("alice", "bob", "carol")
    chat.batch(*(chat.entry("alice", f"/send_all {number}") for number in range(300)))
    chat.db.stretches = Stretches(chat.executor.changed_messages)
    yield chat
    chat.close()


def read(chat: Chat, after: int = 0, up_to: int = 300, name: str = "main") -> list[Part]:
    assert chat.db.stretches is not None
    chat.db.stretches.is_current = False
    pages = message_pages.load_new(chat.db, [Range(MAIN, name, after, up_to)], not_by=chat.ids["bob"])
    return [part for page in pages for part in page]


def test_all_are_given_the_same_stretches_and_the_same_bytes(chat: Chat) -> None:
    one, other = read(chat), read(chat)
    assert [len(each) for each in one] == [50] * 6
    assert all(mine.stretch is yours.stretch for mine, yours in zip(one, other, strict=True))
    for format in FORMATS.values():
        assert one[0].render(format, TODAY) is other[0].render(format, TODAY)


def test_who_begins_elsewhere_gets_parts_of_the_same(chat: Chat) -> None:
    whole = read(chat)
    with patch.object(message_pages, "to_messages") as loading:
        parts = read(chat, 70, 270)
    assert loading.call_count == 0
    assert [message.id for part in parts for message in part] == list(range(71, 271))
    assert next(iter(parts[0])) is whole[1].stretch.messages[20]


def test_many_chats_in_turn_are_cut_into_parts_of_what_was_loaded_once(chat: Chat) -> None:
    chat.say("alice", "/create #room")
    chat.batch(*(chat.entry("alice", f"{'/send #room' if at % 2 else '/send_all'} {at}") for at in range(100)))
    room = next(each.chat_id for each in chats.of_user(chat.db, chat.ids["alice"]) if each.name == "#room")
    ranges = [Range(MAIN, "main", 300, 500), Range(room, "#room", 300, 500)]
    with patch.object(message_pages, "Stretch", wraps=stretches.Stretch) as making:
        parts = [part for page in message_pages.load_new(chat.db, ranges) for part in page]
    ids = [message.id for part in parts for message in part]
    assert ids == sorted(ids) and len(ids) == len(parts) == 100
    assert making.call_count == len({id(part.stretch) for part in parts}) == 2


def test_a_change_costs_no_more_than_its_stretch(chat: Chat) -> None:
    before = read(chat)
    chat.say("alice", "/edit 120 changed")
    after = read(chat)
    assert [mine.stretch is yours.stretch for mine, yours in zip(before, after, strict=True)] == [
        True, True, False, True, True, True
    ]  # fmt: skip
    assert after[2].stretch.messages[19].text == "changed"


def test_a_deleted_account_is_deleted_everywhere_at_once(chat: Chat) -> None:
    before = read(chat)
    assert not any(message.deleted for stretch in before for message in stretch)
    # The texts go in portions, and nobody is shown the others meanwhile.
    with patch.object(erasure, "ROWS_MAX", 10):
        chat.do(CloseAccount(0), "alice")
    assert all(message.deleted for stretch in read(chat) for message in stretch)


def test_what_was_removed_is_gone(chat: Chat) -> None:
    read(chat)
    chat.configure(message_ttl_ms=HOUR_MS)
    for name in ("alice", "bob", "carol"):
        chat.say(name, "/read main 120")
    chat.clock.advance(2 * HOUR_MS)
    chat.due()
    assert [message.id for stretch in read(chat) for message in stretch] == list(range(121, 301))


def test_a_snapshot_from_before_a_change_shows_and_leaves_behind_nothing_newer_or_older(chat: Chat) -> None:
    read(chat)
    chat.db.run("BEGIN")
    chat.db.value("SELECT seq FROM state")
    chat.say("alice", "/edit 120 changed")
    assert read(chat)[2].stretch.messages[19].text == "119"
    chat.db.run("END")
    assert read(chat)[2].stretch.messages[19].text == "changed"


def test_times_are_those_of_the_day_on_which_they_are_read(chat: Chat) -> None:
    today = str(read(chat)[0].stretch.messages[0].at)
    first, later = (read(chat)[0].render(FORMATS["text"], now) for now in (today, "2030" + today[4:]))
    assert first.startswith(b"[" + today[11:19].encode()) and later.startswith(b"[" + today[:10].encode())


def test_a_chat_of_two_is_not_kept(chat: Chat) -> None:
    read(chat, name="@alice")
    assert chat.db.stretches is not None and chat.db.stretches.bytes == 0


def test_new_messages_do_not_make_ever_shorter_stretches(chat: Chat) -> None:
    read(chat)
    for number in range(30):
        chat.say("alice", f"/send_all more {number}")
        read(chat, 290, 301 + number)
    assert [len(each) for each in read(chat, 300, 400)] == [25, 5]


def test_who_missed_too_many_changes_drops_everything() -> None:
    changes = ChangedMessages()
    for number in range(stretches.CHANGES_KEPT + 1):
        changes.position = Position(0, number + 1)
        changes._note(MAIN, number)
    assert changes.between(Position(0, 2), Position(0, 10)) == [(MAIN, number) for number in range(2, 10)]
    assert changes.between(Position(0, 0), Position(0, 10)) is None
