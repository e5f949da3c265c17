import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.errors import Refusal
from chat_server.log.entries import CloseAccount
from chat_server.protocol.messages import Found, Message
from chat_server.protocol.search_query import pieces
from chat_server.protocol.times import Now
from chat_server.protocol.word_folding import fold_words
from chat_server.rules import read
from chat_server.rules import search as rules
from chat_server.rules.context import View
from chat_server.rules.outcomes import Page
from chat_server.rules.search import TOKENS_MAX
from chat_server.store import search
from chat_server.store.local import HASTE_MAX, INDEX_AFTER_SECONDS, TIDY_HASTE, TIDY_HASTE_MAX
from tests.unit.chat import Chat, refusal_of
from tests.unit.strategies import cleaned

BOTH = pytest.mark.parametrize("indexed", [False, True], ids=["not indexed yet", "indexed"])


def search_all(chat: Chat, name: str, line: str) -> list[str | None]:
    """Return all results, page by page."""
    texts: list[str | None] = []
    more: str | None = line
    while more:
        said = chat.say(name, more)
        assert said.reply.count == len(said.events)
        texts += said.texts
        more = said.reply.more
    return texts


def index(chat: Chat) -> None:
    for _ in range(100):
        chat.local.step()
        if chat.local.indexed == chat.executor.state.seq:
            return
    raise AssertionError("it never ends")


TEXTS = (
    "Hello, world", "Привет, МИР", "Café", "don't", "今日は天気がいい", "สวัสดีครับ", "학교에 간다", "हिन्दी", "ΣΊΣΥΦΟΣ"
)  # fmt: skip


@BOTH
@pytest.mark.parametrize(
    ("words", "texts"),
    [
        ("hello", ["Hello, world"]), ("WORLD hello", ["Hello, world"]), ('"world hello"', []), ("hell", []),
        ("hell*", ["Hello, world"]), ('"hello wor"*', ["Hello, world"]), ("he* wo*", ["Hello, world"]),
        ("мир", ["Привет, МИР"]), ("ПРИВ*", ["Привет, МИР"]), ("cafe", ["Café"]), ("don't", ["don't"]), ("dont", []),
        ("天気", ["今日は天気がいい"]), ("気天", []), ("天* いい", ["今日は天気がいい"]), ("ครับ", ["สวัสดีครับ"]),
        ("학교", ["학교에 간다"]), ("हिन्दी", ["हिन्दी"]), ("σίσυφος", ["ΣΊΣΥΦΟΣ"]),
        ("NOT hello", []), ("hello OR café", []), ("text:hello", []), ("scope:c1", []), ("c1", []), ("u1 b0", []),
        ('"hello', ["Hello, world"]), ("hello ... 👍", ["Hello, world"]), ("{hello}", ["Hello, world"]),
    ],
)  # fmt: skip
def test_texts_that_a_search_finds(chat: Chat, indexed: bool, words: str, texts: list[str]) -> None:
    for text in TEXTS:
        chat.say("alice", f"/send_all {text}")
    if indexed:
        index(chat)
    assert search_all(chat, "bob", f"/search {words}") == texts


@BOTH
def test_spellings_are_folded_and_signs_are_no_syntax(chat: Chat, indexed: bool) -> None:
    texts = [
        "Das Straßenfest in Łódź",
        "Ёжик в тумане, мой друг",
        "مُحَمَّدٌ وأحمد",
        "ｶﾞｷﾞ sof\u00adtware",
        "＂quoted＂ ＊ Foo™",
    ]
    for text in texts:
        chat.say("alice", f"/send_all {text}")
    if indexed:
        index(chat)
    for words, number in (("STRASSENFEST lodz", 0), ("ежик", 1), ("мои", None), ("محمد واحمد", 2), ("ガギ soft*", 3),
                          ("software", 3), ("＂quoted＂", 4), ("foo", 4), ("foo＂ OR ＂x", None)):  # fmt: skip
        assert search_all(chat, "bob", f"/search {words}") == ([] if number is None else [texts[number]]), words


@BOTH
def test_a_search_finds_only_visible_messages_newest_first(chat: Chat, indexed: bool) -> None:
    for name, line in (("alice", "/send_all hi 1"), ("alice", "/send bob hi 2"), ("bob", "/send carol hi 3"),
                       ("carol", "/send_all hi 4"), ("carol", "/send alice hi 5")):  # fmt: skip
        chat.say(name, line)
    if indexed:
        index(chat)
    assert search_all(chat, "alice", "/search hi") == ["hi 5", "hi 4", "hi 2", "hi 1"]
    assert search_all(chat, "bob", "/search hi") == ["hi 4", "hi 3", "hi 2", "hi 1"]
    assert search_all(chat, "bob", "/search hi in:@carol") == search_all(chat, "carol", "/search in:bob hi") == ["hi 3"]
    assert search_all(chat, "bob", "/search hi in:main") == ["hi 4", "hi 1"]
    assert search_all(chat, "alice", "/search hi from:carol") == ["hi 5", "hi 4"]
    assert search_all(chat, "alice", "/search hi from:alice in:main") == ["hi 1"]
    assert search_all(chat, "alice", "/search hi before:4") == ["hi 2", "hi 1"]
    assert search_all(chat, "alice", "/search hi before:0") == search_all(chat, "alice", "/search hi before:1") == []
    (two,) = chat.say("bob", "/search 2").events
    assert isinstance(two, Message) and two.chat == "@alice"


@BOTH
def test_a_search_of_a_chat_that_has_not_begun_finds_nothing(chat: Chat, indexed: bool) -> None:
    """Messages in all other chats of the two are not found there. The first message that is sent there then is."""
    for name, line in (("alice", "/send_all hi 1"), ("alice", "/send bob hi 2"), ("carol", "/send bob hi 3"),
                       ("carol", "/send_all hi 4")):  # fmt: skip
        chat.say(name, line)
    if indexed:
        index(chat)
    assert len(search_all(chat, "alice", "/search hi")) == len(search_all(chat, "carol", "/search hi")) == 3
    for name, line in (("alice", "/search hi in:@carol"), ("carol", "/search in:alice hi*")):
        said = chat.say(name, line)
        assert (said.events, said.reply.count, said.reply.more) == ([], 0, None)
    chat.say("carol", "/send alice hi 5")
    assert (
        search_all(chat, "alice", "/search hi in:@carol")
        == search_all(chat, "carol", "/search in:alice hi*")
        == ["hi 5"]
    )


@BOTH
def test_results_come_page_by_page(tmp_path: Path, indexed: bool) -> None:
    chat = Chat(tmp_path, page_messages=3)
    chat.sign_in("alice")
    for number in range(7):
        chat.say("alice", f'{{"cmd":"send_all","text":"hi {number}"}}')
    if indexed:
        index(chat)
    first = chat.say("alice", '/search in:main HI* "hi" from:ALICE')
    assert first.texts == ["hi 6", "hi 5", "hi 4"]
    assert first.reply.more == "/search HI* hi in:main from:ALICE before:5"
    assert search_all(chat, "alice", "/search hi in:main") == [f"hi {number}" for number in reversed(range(7))]
    assert chat.say("alice", "/search hi before:4").reply.more is None
    chat.close()


@BOTH
def test_the_index_follows_edits_and_deletions_at_once(chat: Chat, indexed: bool) -> None:
    for number in range(1, 5):
        chat.say("bob", f"/send_all old{number}")
    if indexed:
        index(chat)
    chat.say("bob", "/edit 1 new")
    chat.say("bob", "/delete 2")
    assert search_all(chat, "alice", "/search old*") == ["old4", "old3"]
    assert search_all(chat, "alice", "/search new") == ["new"]
    index(chat)
    assert search_all(chat, "alice", "/search old*") == ["old4", "old3"]
    assert search_all(chat, "alice", "/search new") == ["new"]
    chat.say("bob", "/edit 1 newer")
    assert search_all(chat, "alice", "/search new") == [] and search_all(chat, "alice", "/search newer") == ["newer"]
    chat.executor._db.run("DELETE FROM messages WHERE id IN (1, 3, 99)")
    chat.local.follow()
    assert search_all(chat, "alice", "/search old* ") == ["old4"] and search_all(chat, "alice", "/search newer") == []
    assert [row[0] for row in chat.local.db.all("SELECT id FROM folded_0_docsize")] == [4]


def index_pages(chat: Chat) -> bytes:
    """Return the pages of the index. Each word is stored without the prefix that it shares with the word before it."""
    return b"".join(
        block
        for (name,) in chat.db.all("SELECT name FROM local.sqlite_schema WHERE name GLOB 'folded_*_data'")
        for (block,) in chat.db.all(f"SELECT block FROM {name}")
    )


def count_tidy_steps(chat: Chat) -> int:
    """Return after how many steps everything is tidied."""
    for steps in range(1000):
        if not search.count_stale_blocks(chat.db):
            return steps
        chat.local.step()
    raise AssertionError("it never ends")


@pytest.mark.parametrize("block_ids", [1 << 14, 64])
def test_removed_words_leave_the_pages_of_the_index(
    chat: Chat, block_ids: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BLOCK_IDS", block_ids)
    monkeypatch.setattr(search, "MERGED_PAGES_MAX", 1)
    for number in range(1, 300):
        word = "zebraquagga" if number in (7, 170, 280) else f"number{number}"
        chat.say("alice", f"/send_all {word}")
        if number % 9 == 0:
            index(chat)
    index(chat)
    count_tidy_steps(chat)
    assert index_pages(chat).count(b"ebraquagga") >= 2
    chat.say("alice", "/delete 7")
    chat.say("alice", "/edit 170 other")
    chat.local.step()
    chat.say("alice", "/send_all while it is tidied")
    chat.say("alice", "/delete 280")
    assert count_tidy_steps(chat) > 1
    assert b"ebraquagga" not in index_pages(chat)
    assert search_all(chat, "bob", "/search other") == ["other"]
    assert len(search_all(chat, "bob", "/search number*")) == 296


def test_a_block_is_dropped_after_its_last_message(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BLOCK_IDS", 4)
    for number in range(1, 10):
        chat.say("alice", f"/send_all hi {number}")
    index(chat)
    count_tidy_steps(chat)
    for number in (1, 2, 3, 5, 8, 9):
        chat.say("alice", f"/delete {number}")
    count_tidy_steps(chat)
    assert [row[0] for row in chat.db.all("SELECT id FROM word_blocks")] == [1]
    assert search_all(chat, "bob", "/search hi") == ["hi 7", "hi 6", "hi 4"]
    chat.say("alice", "/send_all hi 10")
    index(chat)
    assert search_all(chat, "bob", "/search hi") == ["hi 10", "hi 7", "hi 6", "hi 4"]


def test_many_blocks_are_tidied_faster(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BLOCK_IDS", 4)
    for number in range(1, 100):
        chat.say("alice", f"/send_all hi {number}")
    index(chat)
    count_tidy_steps(chat)
    assert chat.local.step() is None
    chat.say("alice", "/delete 1")
    assert chat.local.step() == INDEX_AFTER_SECONDS / TIDY_HASTE
    count_tidy_steps(chat)
    for number in range(4, 100, 4):
        chat.say("alice", f"/delete {number}")
    assert chat.local.step() == INDEX_AFTER_SECONDS / TIDY_HASTE_MAX


def test_a_deleted_account_loses_its_words(chat: Chat) -> None:
    for number in range(3):
        chat.say("bob", f"/send_all gone {number}")
        chat.say("alice", f"/send_all here {number}")
    index(chat)
    chat.do(CloseAccount(0), "bob")
    assert search_all(chat, "alice", "/search gone") == []
    assert len(search_all(chat, "alice", "/search here")) == 3


@BOTH
def test_current_members_alone_search_a_private_chat(chat: Chat, indexed: bool) -> None:
    chat.say("alice", "/create_chat #team")
    chat.say("alice", "/send #team hi team")
    if indexed:
        index(chat)
    assert search_all(chat, "alice", "/search hi") == search_all(chat, "alice", "/search hi in:#TEAM") == ["hi team"]
    assert search_all(chat, "bob", "/search hi") == []
    assert refusal_of(chat, "bob", "/search hi in:#team").code == refusal_of(chat, "bob", "/search hi in:#no").code
    chat.say("alice", "/invite #team bob")
    assert search_all(chat, "bob", "/search hi") == [], "who is only invited"
    chat.say("alice", "/leave #team")
    assert search_all(chat, "alice", "/search hi") == []
    chat.due()
    index(chat)
    assert not indexed or chat.db.one("SELECT 1 FROM folded_0 WHERE rowid = 1") is None


@pytest.mark.parametrize("words", ["...", "👍", '""', "*", "-", "( ) !", "w*", '"a b"*', "x" + " x" * TOKENS_MAX])
def test_refusals_of_searches(chat: Chat, words: str) -> None:
    refusal = refusal_of(chat, "alice", f"/search {words}")
    assert refusal.code == "bad_argument" and "usage: /search" in refusal.text


def test_errors(chat: Chat) -> None:
    assert refusal_of(chat, "alice", "/search x in:#no").code == "unknown_chat"
    assert refusal_of(chat, "alice", "/search x in:nobody").code == "unknown_user"
    assert refusal_of(chat, "alice", "/search x from:nobody").code == "unknown_user"
    assert refusal_of(chat, "alice", "/search x in:alice").code == "not_yourself"


# ---- normalizing in one pass, against step by step

# What folds otherwise beside others: marks in and out of order, vowels and finals of Hangul; and what is special.
NEIGHBOURS = (
    *"\u0300\u0301\u0306\u0308\u030a\u0323\u0327\u0345\u0488\u05b0\u0619\u064b\u0653\u0670\u093c\u094d\u09be\u0bd7\u0dcf"
    "\u0e33\u0e38\u0e48\u0f71\u0f72\u102e\u1b35\u20dd\u20e3\u20fe\u3099\u309a\uff9e\uff9f\ufe20\ufe0f\u200d\u00ad\u0640",
    *"\u1100\u1112\u1161\u1175\u11a8\u11c2\u11ff\u3131\u314f\u3163\uffa1\uffc2가각\u1025\u1b05\u0f73\u0344",
    *"İıßẞſςσΣиіугкИйѐǅﬁﬆŉΐᾳΩKÅﾡｶか日神豈ไשײַײא\ufdfa\ufe71ﻻ٣४™🅰㎏😀🏽🇺aeiou \"'\n\0",
    *"\U00011099\U000110ba\U00011131\U00011127\U00016d67\U0001d15e\U0001d165\U00020000\U0002f800\U000e0062\U0010ffff",
)


def normalize_step_by_step(text: str) -> str:
    spaced = (f" {char} " if search.space_out(char) != char else char for char in fold_words(text))
    return "".join(spaced).replace('"', " ")


@given(st.lists(st.sampled_from(NEIGHBOURS) | st.characters(codec="utf-8"), max_size=12).map("".join))
def test_a_text_becomes_what_it_became_step_by_step(text: str) -> None:
    assert search.normalize(text) == normalize_step_by_step(text)


def test_each_pair_of_special_characters_becomes_what_it_became_step_by_step() -> None:
    for one in NEIGHBOURS:
        for other in NEIGHBOURS:
            for text in one + other, f"e{one}{other}s", f"и\u200d{one}{other}":
                assert search.normalize(text) == normalize_step_by_step(text), ascii(text)


@pytest.mark.thorough
def test_each_character_becomes_what_it_became_step_by_step() -> None:
    for char in map(chr, range(0x110000)):
        assert search.normalize(char) == normalize_step_by_step(char), ascii(char)


@pytest.mark.parametrize("before", ["", "e", "и", "か", "가", "\u1100", "\u1025"], ids=ascii)
def test_what_is_normalized_by_itself_is_so_beside_any_other(before: str) -> None:
    alone = [char for char in map(chr, range(0x80, 0x20000)) if search._NORMALIZED[ord(char)] != search._NOT_ALONE]
    assert len(alone) > 60_000
    text = "".join(before + char for char in alone)
    assert text.translate(search._NORMALIZED) == normalize_step_by_step(text)


def test_characters_that_are_known_are_not_folded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    search.normalize("Füße, Привет, 日本 😀 ❤️ “ok”")
    monkeypatch.delattr(search, "fold_words")
    monkeypatch.delattr(search, "fold_alone")
    assert search.normalize("❤️😀 “Üß 本т") == "❤😀 “uss  本 т"


def test_what_is_known_of_characters_is_bounded() -> None:
    search.normalize("".join(map(chr, range(0x20000, 0x30000))))
    assert all(code < 0x20000 for code in search._NORMALIZED)


# ---- against a naive search over the same words

WORDS = ("ab", "Ab", "abc", "b", "b-c", "é", "e", "天", "天気", "気", "ไทย", "мир", "МИРУ", '"', "*", "OR", "'")
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
queries = st.lists(
    st.sampled_from((*WORDS, "ab*", "мир*", '"ab b"', '"b c"*', '"天気', "気*", "(", "^ab", "+", "scope:u1", "{b}:")),
    min_size=1, max_size=4,
).map(" ".join)  # fmt: skip


def matches_naively(chat: Chat, query: str, text: str) -> bool:
    there = search.tokenize(chat.db, text)
    for piece in pieces(query):
        sought = search.tokenize(chat.db, piece.text)
        prefix = piece.prefix and sought and search.space_out(sought[-1]) == sought[-1]

        def at(place: int, sought: list[str] = sought, prefix: object = prefix) -> bool:
            window = there[place : place + len(sought)]
            same = window == sought
            return same or bool(
                prefix
                and len(window) == len(sought)
                and window[:-1] == sought[:-1]
                and window[-1].startswith(sought[-1])
            )

        if sought and not any(at(place) for place in range(len(there))):
            return False
    return True


@given(said=st.lists(texts, max_size=8), query=queries, some=st.integers(0, 8))
def test_a_search_finds_what_a_naive_search_finds(tmp_path: Path, said: list[str], query: str, some: int) -> None:
    for path in tmp_path.glob("*.db*"):
        path.unlink()
    chat = Chat(tmp_path, page_messages=2)
    chat.sign_in("alice")
    for number, text in enumerate(said):
        if number == some:
            index(chat)
        chat.say("alice", f'{{"cmd":"send_all","text":{json.dumps(text)}}}')
    try:
        result = search_all(chat, "alice", f"/search {query}")
    except Refusal as refusal:
        assert refusal.code == "bad_argument"
    else:
        assert result == [text for text in reversed(said) if matches_naively(chat, query, text)]
    finally:
        chat.close()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    chat = Chat(tmp_path_factory.mktemp("one"))
    chat.sign_in("alice")
    chat.say("alice", "/send_all unlikely")
    yield chat
    chat.close()


@given(cleaned | st.text(st.sampled_from("ab\"'*^+-:(){}[]\\, \n天ก"), max_size=15))
def test_no_words_of_a_user_are_syntax(one: Chat, words: str) -> None:
    try:
        match = rules._match_words(one.db, list(pieces(words)))
    except Refusal as refusal:
        assert refusal.code == "bad_argument"
        return
    try:
        assert search.find_unindexed(one.db, match, 0, 1 << 60, 10) == []
    except apsw.SQLError as error:
        raise AssertionError(f"{words!r} leaks: {error}") from None


# ---- how far the index is, and how much is looked at


def test_the_index_is_advanced_a_while_later_step_by_step(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "STEP_MESSAGES_MAX", 3)
    executed = chat.batch(*(chat.entry("alice", f"/send_all hi {number}") for number in range(8)))
    assert executed.next_due_ms is None, "no entry of the log is needed for the index"
    steps = []
    while chat.local.step() is not None:
        steps.append(chat.local.indexed)
    assert steps == [3, 6] and chat.local.indexed == 8
    assert len(search_all(chat, "bob", "/search hi")) == 8


def test_long_texts_make_smaller_steps(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "STEP_TEXT_BYTES_MAX", 50)
    for size in (10, 30, 20, 60, 10):
        chat.say("alice", "/send_all " + "x" * size)
    db = chat.local.db
    steps = [0]
    while steps[-1] < 5:
        steps.append(search.index_step(db, steps[-1], 5))
    assert steps == [0, 2, 3, 4, 5]
    assert search.first_of_step(db, 0, 6) == 5
    assert search.first_of_step(db, 0, 5) == 4
    assert search.first_of_step(db, 0, 4) == 2
    assert search.first_of_step(db, 0, 2) == 1


def test_the_index_never_falls_too_far_behind(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BEHIND_IDS_MAX", 4)
    monkeypatch.setattr(search, "STEP_MESSAGES_MAX", 2)
    chat.batch(*(chat.entry("alice", f"/send_all hi {number}") for number in range(9)))
    chat.local.keep_close(9, 9)
    assert chat.local.indexed == 6
    assert len(search_all(chat, "bob", "/search hi")) == 9


def test_a_rebuilt_index_holds_nobody_up_and_searches_say_so(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "STEP_MESSAGES_MAX", 2)
    monkeypatch.setattr(search, "BEHIND_IDS_MAX", 4)
    chat.batch(*(chat.entry("alice", f"/send_all hi {number}") for number in range(20)))
    chat.batch(chat.entry("bob", "/send_all one more"))
    chat.local.keep_close(21, 1)
    assert chat.local.indexed == 2, "a batch takes it on by what came, not by all that is behind"
    monkeypatch.setattr(rules, "SECONDS_MAX", 0.0)
    reply = chat.say("carol", "/search hi").reply
    assert reply.more is not None and reply.note.startswith("the index of words is still being made (9 %)")
    assert len(search_all(chat, "carol", "/search hi")) == 20
    assert chat.local.step() == INDEX_AFTER_SECONDS / HASTE_MAX
    index(chat)
    assert chat.say("carol", "/search hi").reply.note is None
    assert len(search_all(chat, "carol", "/search hi")) == 20


def test_a_search_looks_at_some_blocks_at_a_time_and_ends_early(chat: Chat) -> None:
    for number in range(20):
        chat.say("alice", f"/send_all {'rare' if number in (0, 1) else 'common'} {number}")
        chat.executor.state.seq += search.BLOCK_IDS
    chat.batch()
    index(chat)
    assert search_all(chat, "bob", "/search rare") == ["rare 1", "rare 0"]
    assert search_all(chat, "bob", f"/search rare before:{search.BLOCK_IDS + 2}") == ["rare 0"]
    assert len(search_all(chat, "bob", "/search common")) == 18
    # On this clock each look takes long.
    now = iter(range(1_000_000))
    view = View(chat.db, chat.ids["bob"], Now(0, 0), chat.limits, {}, clock=lambda: next(now))
    line, texts, pages = "/search rare", [], 0
    while line:
        page, line = read_whole(read(view, chat.parse(line)))
        texts += page
        pages += 1
    assert texts == ["rare 1", "rare 0"] and pages > 15


def read_whole(reading: Iterable[Page]) -> tuple[list[str | None], str]:
    """Return the texts that a reading shows, and the command for the next page."""
    pages = list(reading)
    last = pages[-1]
    texts = [event.text for page in pages for event in page.events if isinstance(event, Message)]
    assert isinstance(last.end, Found)
    return texts, last.end.more or ""
