"""The life of messages after all have read them, and members who are not waited for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chat_server.log.entries import Accept, CloseAccount, EnterByToken, MarkSeen
from chat_server.protocol.arguments import Target
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import Expired, MarkedRead, Message, MessagesShown
from chat_server.protocol.times import iso
from chat_server.rules.retention import LOOKED_AT_MAX, MEMBERS_MAX, RANGES_MAX
from chat_server.store import chats, state
from chat_server.store.chats import MAIN
from tests.unit.chat import Chat, events_to, refusal_of
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS

MINUTE_MS = 60_000


@pytest.fixture
def chat(chat: Chat) -> Chat:
    """alice, bob and carol, and messages that live an hour."""
    chat.configure(message_ttl_ms=HOUR_MS, absent_after_ms=30 * DAY_MS)
    return chat


def next_due_ms(chat: Chat) -> int | None:
    """Return when something is due besides the index, which always is soon."""
    return state.look_ahead(chat.db, chat.limits.message_ttl_ms, chat.limits.absent_after_ms).due_ms


def stored_ids(chat: Chat) -> list[int]:
    return [row[0] for row in chat.db.all("SELECT id FROM messages ORDER BY id")]


def read(chat: Chat, *names: str, line: str = "/read main 999999") -> None:
    for name in names:
        chat.say(name, line)


def let_pass(chat: Chat, ms: int) -> list[int]:
    """Let time pass, execute `Due`, and return the messages that are left."""
    chat.clock.advance(ms)
    chat.due()
    return stored_ids(chat)


def test_a_message_lives_an_hour_after_all_have_read_it(chat: Chat) -> None:
    chat.say("alice", "/send_all hi")
    read(chat, "bob")
    assert let_pass(chat, 5 * HOUR_MS) == [1], "carol has not read it"
    read(chat, "carol")
    assert next_due_ms(chat) == NOON_MS + 6 * HOUR_MS
    assert let_pass(chat, HOUR_MS - 1) == [1]
    chat.clock.advance(1)
    (push,) = chat.due()
    assert (push.event, push.users) == (Expired("main", [1]), None)
    assert stored_ids(chat) == [] and chat.due() == []
    assert next_due_ms(chat) is not None, "whoever does not read is looked at in a month"
    assert chat.say("carol", "/history main").reply == MessagesShown("main", 0)
    assert refusal_of(chat, "carol", "/reply 1 late").code == "unknown_message"


def test_authors_have_read_their_messages(chat: Chat) -> None:
    chat.say("bob", "/send_all of bob")
    chat.say("alice", "/send_all of alice")
    read(chat, "bob", "carol")
    assert let_pass(chat, HOUR_MS) == [1], "alice has not read bob's"
    read(chat, "alice")
    assert let_pass(chat, HOUR_MS) == []


def test_an_unread_message_waits_for_all_who_were_members(chat: Chat) -> None:
    for _ in range(3):
        chat.say("alice", "/send_all hi")
    read(chat, "bob")
    read(chat, "carol", line="/read main 2")
    assert let_pass(chat, HOUR_MS) == [3]
    assert chat.say("carol", "/messages main").reply.count == 1
    chat.sign_in("dora")
    assert let_pass(chat, HOUR_MS) == [], "dora came later"
    assert chat.come_back("carol").events[0] == Notice("nothing unread", unread={})


def test_both_users_are_told_with_the_name_each_sees(chat: Chat) -> None:
    chat.say("alice", "/send bob hi")
    chat.do(MarkSeen(1), "bob")
    chat.clock.advance(HOUR_MS)
    pushes = chat.due()
    assert events_to(pushes, chat.ids["alice"]) == [Expired("@bob", [1])]
    assert events_to(pushes, chat.ids["bob"]) == [Expired("@alice", [1])]
    assert events_to(pushes, chat.ids["carol"]) == []
    assert chat.say("alice", "/get_chat_with bob").reply == MessagesShown("@bob", 0)
    assert chat.say("bob", "/read alice 1").reply == MarkedRead("@alice", 1)
    assert chat.say("alice", "/send bob again").reply.id == 2, "an id is not given again"


def test_messages_read_within_a_second_are_removed_together(chat: Chat) -> None:
    chat.clock.advance(1)
    for _ in range(3):
        chat.say("alice", "/send bob hi")
        chat.clock.advance(300)
        chat.do(MarkSeen(chat.executor.state.seq), "bob")
    assert chat.db.all("SELECT read_ms, above, up_to FROM read_ranges WHERE user_id = 0 OR chat_id <> 1") == [
        (NOON_MS + 1000, 0, 3)
    ]
    assert next_due_ms(chat) == NOON_MS + 1000 + HOUR_MS


def test_a_message_sent_alone_counts_as_read_at_once(tmp_path: Path) -> None:
    chat = Chat(tmp_path / "alone", message_ttl_ms=HOUR_MS)
    chat.sign_in("alice")
    chat.say("alice", "/send_all hello?")
    assert next_due_ms(chat) == NOON_MS + HOUR_MS
    chat.sign_in("bob")
    chat.say("alice", "/send_all bob!")
    assert let_pass(chat, HOUR_MS - 1) == [1, 2]
    assert let_pass(chat, 1) == [2]
    chat.close()


def test_a_deleted_account_holds_nothing_back(chat: Chat) -> None:
    for line in ("/send_all one", "/send carol two"):
        chat.say("alice", line)
    chat.say("carol", "/send alice three")
    read(chat, "bob")
    chat.do(CloseAccount(0), "carol")
    assert let_pass(chat, HOUR_MS) == [3], "what carol wrote is marked as deleted, and unread by alice"
    assert let_pass(chat, HOUR_MS) == [3]
    read(chat, "alice", line="/read carol 9")
    assert let_pass(chat, HOUR_MS) == []


def make_room(chat: Chat, *guests: str) -> None:
    chat.say("alice", "/create_chat #team")
    for name in guests:
        chat.say("alice", f"/invite #team {name}")
        chat.do(Accept(Target("room", "team", "team")), name)


@pytest.mark.parametrize("end", ["leaves", "is removed", "ends the account"])
def test_a_former_member_holds_nothing_back(chat: Chat, end: str) -> None:
    make_room(chat, "bob", "carol")
    sent = chat.say("alice", "/send #team hi").reply.id
    read(chat, "bob", line="/read #team 99")
    assert let_pass(chat, HOUR_MS) == [sent]
    if end == "leaves":
        chat.say("carol", "/leave #team")
    elif end == "is removed":
        chat.say("alice", "/remove #team carol")
    else:
        chat.do(CloseAccount(0), "carol")
    chat.clock.advance(HOUR_MS)
    pushes = [push for push in chat.due() if isinstance(push.event, Expired)]
    assert [push.event for push in pushes] == [Expired("#team", [sent])]
    assert stored_ids(chat) == []


def test_members_who_join_later_are_not_waited_for(chat: Chat) -> None:
    make_room(chat)
    first = chat.say("alice", "/send #team first").reply.id
    chat.say("alice", "/invite #team bob")
    chat.do(Accept(Target("room", "team", "team")), "bob")
    second = chat.say("alice", "/send #team second").reply.id
    assert stored_ids(chat) == [first, second]
    assert let_pass(chat, HOUR_MS) == [second]
    chat.say("alice", "/leave #team")
    chat.say("bob", "/leave #team")
    chat.executor._db.unclean = False
    assert let_pass(chat, 0) == [] and chat.executor.unclean, "a chat that has ended is gone with all that it had"
    let_pass(chat, HOUR_MS)
    assert chat.dump()["read_ranges"] == []


def test_a_deleted_message_keeps_its_place_for_its_life(chat: Chat) -> None:
    chat.say("alice", "/send_all hi")
    chat.say("alice", "/delete 1")
    assert let_pass(chat, HOUR_MS) == [1]
    read(chat, "bob", "carol")
    assert let_pass(chat, HOUR_MS - 1) == [1]
    assert let_pass(chat, 1) == []


def test_a_removed_message_takes_its_reactions_along_but_not_its_comments(chat: Chat) -> None:
    chat.say("alice", "/send_all root")
    chat.say("bob", "/react 1 +1")
    chat.say("alice", "/edit 1 root, edited")
    read(chat, "bob", "carol")
    chat.say("bob", "/reply 1 comment")
    comment = chat.executor.state.seq
    chat.say("carol", f"/reply {comment} nested")
    assert let_pass(chat, HOUR_MS) == [comment, comment + 1]
    assert chat.dump()["reactions"] == []
    thread = chat.say("alice", f"/thread {comment}")
    shown = [(event.id, event.reply_to) for event in thread.events if isinstance(event, Message)]
    assert shown == [(comment, 1), (comment + 1, comment)]
    assert refusal_of(chat, "alice", "/thread 1").code == "unknown_message"
    chat.say("alice", f"/edit {chat.say('alice', '/send_all later').reply.id} on")
    assert chat.come_back("alice", 0).texts == ["comment", "nested", "on"]


def test_off_removes_nothing_and_on_again_removes_what_was_read_meanwhile(chat: Chat) -> None:
    chat.configure(message_ttl_ms=None)
    chat.say("alice", "/send_all hi")
    read(chat, "bob", "carol")
    chat.clock.advance(10 * HOUR_MS)
    chat.say("alice", "/send_all unread")
    chat.due()
    assert stored_ids(chat) == [1, 2]
    chat.configure(message_ttl_ms=HOUR_MS)
    assert let_pass(chat, 0) == [2]


def test_a_restart_changes_nothing(chat: Chat) -> None:
    chat.say("alice", "/send_all hi")
    read(chat, "bob", "carol")
    chat.clock.advance(HOUR_MS)
    chat.executor._load()
    assert let_pass(chat, 0) == []


# ---- portions


def test_many_messages_are_removed_in_portions(chat: Chat) -> None:
    entries = [chat.entry("alice", f"/send_all {number}") for number in range(2 * LOOKED_AT_MAX + 100)]
    chat.batch(*entries)
    read(chat, "bob", "carol")
    assert len(chat.dump()["read_ranges"]) <= 3
    chat.clock.advance(HOUR_MS)
    for left in (LOOKED_AT_MAX + 100, 100, 0):
        pushes = chat.due()
        assert len(stored_ids(chat)) == left
        assert all(isinstance(push.event, Expired) and len(push.event.ids) <= 500 for push in pushes)
        if left:
            assert (next_due_ms(chat) or 0) <= chat.clock.now_ms()
    assert (next_due_ms(chat) or 0) > chat.clock.now_ms()


def test_messages_of_others_use_up_a_portion_but_stay(chat: Chat) -> None:
    """Alice reads nothing. The others have read what she wrote among much that she has not read."""
    chat.batch(*(chat.entry("bob", f"/send_all {number}") for number in range(LOOKED_AT_MAX + 10)))
    mine = chat.say("alice", "/send_all mine").reply.id
    read(chat, "bob", "carol")
    assert len(let_pass(chat, HOUR_MS)) == LOOKED_AT_MAX + 11
    assert mine not in let_pass(chat, 0)
    assert len(stored_ids(chat)) == LOOKED_AT_MAX + 10
    assert [row[:3] for row in chat.dump()["read_ranges"]] == []


def test_messages_of_many_chats_are_removed_in_portions(chat: Chat) -> None:
    names = [f"user{number}" for number in range(RANGES_MAX // 2 + 20)]
    chat.sign_in(*names)
    chat.batch(*(chat.entry(name, line) for name in names for line in ("/send alice hi", "/send bob hi")))
    seq = chat.executor.state.seq
    chat.do(MarkSeen(seq), "alice")
    chat.do(MarkSeen(seq), "bob")
    let_pass(chat, HOUR_MS)
    assert 0 < len(stored_ids(chat)) <= 40
    assert let_pass(chat, 0) == []


# ---- who is absent


def test_a_member_who_has_not_read_for_a_month_holds_nothing_back(chat: Chat) -> None:
    chat.say("alice", "/send_all hi")
    read(chat, "bob")
    assert next_due_ms(chat) == NOON_MS + 30 * DAY_MS
    assert let_pass(chat, 30 * DAY_MS - 1) == [1]
    assert let_pass(chat, 1) == [1]
    assert let_pass(chat, HOUR_MS) == []
    chat.say("bob", "/send_all without carol")
    read(chat, "alice")
    assert let_pass(chat, HOUR_MS) == []


def test_absence_begins_with_the_first_unread_message(chat: Chat) -> None:
    let_pass(chat, 20 * DAY_MS)
    chat.say("alice", "/send_all hi")
    read(chat, "bob")
    let_pass(chat, 10 * DAY_MS)
    assert let_pass(chat, 20 * DAY_MS - 1) == [1]
    assert next_due_ms(chat) == chat.clock.now_ms() + 1
    let_pass(chat, 1)
    assert let_pass(chat, HOUR_MS) == []


def test_a_month_without_messages_makes_nobody_absent(chat: Chat) -> None:
    assert let_pass(chat, 40 * DAY_MS) == []
    chat.say("alice", "/send_all hello again")
    assert let_pass(chat, 30 * DAY_MS - 1) == [1]
    assert let_pass(chat, 1) == [1], "bob and carol are absent now"
    assert let_pass(chat, HOUR_MS) == []


def test_a_marker_that_moves_ends_absence(chat: Chat) -> None:
    chat.say("alice", "/send_all one")
    chat.say("alice", "/send_all two")
    read(chat, "carol", line="/read main 1")
    read(chat, "bob")
    let_pass(chat, 30 * DAY_MS)
    read(chat, "carol")
    chat.say("alice", "/send_all three")
    read(chat, "bob")
    assert let_pass(chat, HOUR_MS) == [3], "carol is waited for again"


def test_a_sign_in_without_unread_messages_ends_absence(chat: Chat) -> None:
    chat.say("alice", "/send_all one")
    read(chat, "bob")
    let_pass(chat, 30 * DAY_MS)
    chat.sign_in("carol")
    assert [row[-1] for row in chat.db.all("SELECT absent FROM members WHERE absent")] == [1], "it is unread still"
    let_pass(chat, HOUR_MS)
    chat.sign_in("carol")
    chat.say("alice", "/send_all two")
    read(chat, "bob")
    assert let_pass(chat, HOUR_MS) == [2]


def test_a_token_ends_absence_as_a_sign_in_does(chat: Chat) -> None:
    chat.configure(token_ttl_ms=60 * DAY_MS)
    chat.sign_in("carol", token_hash=b"t1")
    chat.say("alice", "/send_all one")
    read(chat, "bob")
    let_pass(chat, 30 * DAY_MS)
    let_pass(chat, HOUR_MS)
    chat.do(EnterByToken(b"t1"))
    assert chat.db.all("SELECT user_id FROM members WHERE absent") == []
    assert chat.say("alice", "/who carol").reply.last_seen == iso(chat.clock.now_ms())


def test_a_sign_in_ends_absence_where_only_ones_own_messages_are_new(chat: Chat) -> None:
    chat.say("alice", "/send_all one")
    read(chat, "bob")
    let_pass(chat, 30 * DAY_MS)
    let_pass(chat, HOUR_MS)
    chat.say("carol", "/send_all mine")
    chat.sign_in("carol")
    assert chat.db.all("SELECT user_id FROM members WHERE absent") == []


def test_where_all_are_absent_nothing_is_held_back(chat: Chat) -> None:
    for name in ("alice", "bob", "carol"):
        chat.say(name, "/send_all hi")
    let_pass(chat, 30 * DAY_MS)
    chat.say("alice", "/send_all anybody?")
    assert let_pass(chat, HOUR_MS) == []


def test_off_waits_for_ever(chat: Chat) -> None:
    chat.configure(absent_after_ms=None)
    chat.say("alice", "/send_all hi")
    read(chat, "bob")
    assert next_due_ms(chat) is None
    assert let_pass(chat, 400 * DAY_MS) == [1]


def test_after_an_upgrade_nothing_that_was_read_before_goes_early(chat: Chat) -> None:
    """Whatever else is due meanwhile: it is counted from the first start, as is how long somebody was absent."""
    chat.say("alice", "/send_all hi")
    read(chat, "bob", "carol")
    chat.clock.advance(30 * DAY_MS)
    chat.executor.state.spared_ms = None
    chat.configure()
    assert let_pass(chat, HOUR_MS - 1) == [1]
    assert let_pass(chat, 1) == []


def test_many_become_absent_in_portions(chat: Chat) -> None:
    chat.sign_in(*(f"user{number}" for number in range(MEMBERS_MAX + 10)))
    chat.say("alice", "/send_all hi")
    chat.clock.advance(30 * DAY_MS)
    for left in (14, 1, 1):
        chat.due()
        assert chat.db.value("SELECT count(*) FROM members WHERE NOT absent") in (left - 1, left)


# ---- the two lowest markers, against the plain meaning

NAMES = ("alice", "bob", "carol", "dora")
people = st.sampled_from(NAMES)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), people, st.just(0)),
        st.tuples(st.just("send"), people, st.just(0)),
        st.tuples(st.just("read"), people, st.integers(1, 25)),
        st.tuples(st.just("read"), people, st.integers(1, 25)),
        st.tuples(st.sampled_from(("leave", "absent")), people, st.just(0)),
    ),
    max_size=30,
)


@given(steps)
def test_noted_ranges_are_the_messages_that_all_others_have_read(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]]
) -> None:
    chat = Chat(tmp_path_factory.mktemp("ranges"), absent_after_ms=DAY_MS)
    chat.executor.state.spared_ms = 0
    chat.sign_in(*NAMES)
    markers = dict.fromkeys(NAMES, 0)
    present, there = set(NAMES), set(NAMES)
    authors: dict[int, str] = {}
    by_all: set[int] = set()
    for what, name, number in steps:
        if name not in there:
            continue
        if what == "send":
            authors[chat.say(name, "/send_all hi").reply.id] = name
        elif what == "read":
            before = markers[name]
            markers[name] = max(before, min(number, max(authors, default=0)))
            assert chat.say(name, f"/read main {number}").reply.id == markers[name]
            if markers[name] > before:
                present.add(name)
        elif what == "leave":
            # Its messages get new seqs, but no new ids; the next message has a higher id.
            chat.do(CloseAccount(0), name)
            there.remove(name)
            present.discard(name)
        elif any(author != name and id_ > markers[name] for id_, author in authors.items()):
            chat.executor._db.run("UPDATE members SET moved_ms = moved_ms + ?", (10 * DAY_MS,))
            chat.executor._db.run("UPDATE members SET moved_ms = 0 WHERE user_id = ? AND NOT absent", (chat.ids[name],))
            chat.executor._db.run("UPDATE messages SET elapsed_ms = 0")
            chat.due()
            present.discard(name)
        for id_, author in authors.items():
            if all(markers[other] >= id_ for other in present - {author}):
                by_all.add(id_)
        assert noted_ids(chat) == by_all
    chat.close()


moves = st.tuples(st.sampled_from(["send", "read", "see"]), st.sampled_from(NAMES), st.integers(1, 12))


@given(st.lists(st.lists(moves, min_size=1, max_size=8), max_size=6))
def test_ranges_of_a_batch_are_those_that_its_commands_would_note_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[str, str, int]]]
) -> None:
    chat = Chat(tmp_path_factory.mktemp("batches"))
    chat.sign_in(*NAMES)
    markers = dict.fromkeys(NAMES, 0)
    authors: dict[int, str] = {}
    by_all: set[int] = set()
    for batch in batches:
        entries = []
        for what, name, number in batch:
            if what == "send":
                entries.append(chat.entry(name, "/send_all hi"))
                authors[len(authors) + 1] = name
            else:
                line = chat.entry(name, f"/read main {number}")
                entries.append(replace(line, command=MarkSeen(number)) if what == "see" else line)
                markers[name] = max(markers[name], min(number, len(authors)))
            for id_, author in authors.items():
                if all(markers[other] >= id_ for other in markers if other != author):
                    by_all.add(id_)
        chat.batch(*entries)
        assert noted_ids(chat) == by_all
        assert {each: chats.read_id(chat.db, chat.ids[each], MAIN) for each in NAMES} == markers
    chat.close()


def noted_ids(chat: Chat) -> set[int]:
    """Return all messages that are in a range or were sent alone."""
    rows = chat.db.all(
        "SELECT m.id FROM messages m WHERE m.alone OR EXISTS (SELECT 1 FROM read_ranges r WHERE r.chat_id = ?"
        " AND m.id > r.above AND m.id <= r.up_to AND r.user_id IN (0, m.user_id))",
        (MAIN,),
    )
    return {row[0] for row in rows}
