"""The machine's own database: right whichever of the two files is behind, lost or damaged."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.store import files, search
from chat_server.store.data_directory import LOCAL, LOCAL_FILES
from chat_server.store.database import FILE, open_writer
from chat_server.store.local import Local, list_sweeps
from tests.unit.chat import Chat
from tests.unit.store.old_databases import copy_old

SHA256 = "0" * 64


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    chat = Chat(tmp_path / "chat")
    chat.sign_in("alice", "bob")
    for number in range(1, 6):
        chat.say("alice", f"/send_all word{number} common")
    complete(chat)
    yield chat
    chat.close()


def complete(chat: Chat) -> None:
    while chat.local.step() is not None:
        pass


def rows_of_index(local: Local) -> dict[str, list[tuple[Any, ...]]]:
    """Return the ids of each word of the index, and those of all its messages."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for (block,) in local.db.all("SELECT id FROM word_blocks ORDER BY id"):
        local.db.run(f"CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, folded_{block}, instance)")
        for term, id_, column, offset in local.db.all("SELECT * FROM temp.terms"):
            found.setdefault(term, []).append((id_, column, offset))
        local.db.run("DROP TABLE temp.terms")
    return {term: sorted(places) for term, places in found.items()}


def made_anew(chat: Chat, path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of an index that is made from the messages as they are."""
    path.mkdir()
    shutil.copytree(chat.path, path / "copy")
    for name in LOCAL_FILES:
        (path / "copy" / name).unlink(missing_ok=True)
    with closing(Local(path / "copy")) as local:
        while local.step() is not None:
            pass
        return rows_of_index(local)


def kill(chat: Chat, to: Path) -> Chat:
    """Return the chat as the next process finds it on the disk."""
    shutil.copytree(chat.path, to)
    chat.close()
    again = Chat(to)
    again.ids = chat.ids
    return again


def search_for(chat: Chat, word: str) -> list[str | None]:
    return chat.say("bob", f"/search {word}").texts


def test_a_kill_between_the_two_commits_loses_nothing(chat: Chat, tmp_path: Path) -> None:
    """The texts were removed from the chat, and the process ended before the index followed."""
    follow, chat.local.follow = chat.local.follow, lambda: None  # type: ignore[method-assign]
    chat.say("alice", "/edit 1 other")
    chat.say("alice", "/delete 2")
    chat.executor._db.run("DELETE FROM messages WHERE id = 3")
    chat.executor._db.run("INSERT INTO dropped (sha256) VALUES (?)", (SHA256,))
    assert "word1" in rows_of_index(chat.local), "the test would find the fault"
    del follow
    again = kill(chat, tmp_path / "again")
    assert set(rows_of_index(again.local)) & {"word1", "word2", "word3", "other"} == {"other"}
    assert search_for(again, "word1") == [] and search_for(again, "other") == ["other"]
    assert [each.sha256 for each in list_sweeps(again.db, 10)] == [SHA256]
    complete(again)
    assert rows_of_index(again.local) == made_anew(again, tmp_path / "anew")
    again.close()


def test_notes_may_be_followed_again(chat: Chat) -> None:
    chat.say("alice", "/edit 1 other")
    chat.say("alice", "/delete 2")
    before = rows_of_index(chat.local)
    chat.local._followed = 0
    chat.local.follow()
    assert rows_of_index(chat.local) == before


@pytest.mark.parametrize("how", ["missing", "empty", "damaged", "another version", "another chat's", "ahead"])
def test_a_local_database_that_cannot_be_used_is_made_anew(chat: Chat, tmp_path: Path, how: str) -> None:
    chat.say("alice", "/delete 2")
    chat.executor._db.run("INSERT INTO dropped (sha256) VALUES (?)", (SHA256,))
    complete(chat)
    whole = rows_of_index(chat.local)
    chat.close()
    path = chat.path / LOCAL
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "damaged":
        path.write_bytes(b"\0" * 4096 + path.read_bytes()[4096:])
    else:
        with closing(apsw.Connection(str(path))) as db:
            db.execute({
                "another version": "PRAGMA user_version = 999",
                "another chat's": "UPDATE place SET history = 'another'",
                "ahead": "UPDATE place SET indexed = indexed + 1",
            }[how])  # fmt: skip
    again = Chat(chat.path)
    again.ids = chat.ids
    assert again.local.indexed == 0
    assert search_for(again, "common") == [f"word{number} common" for number in (5, 4, 3, 1)]
    complete(again)
    assert rows_of_index(again.local) == whole
    assert SHA256 in [each.sha256 for each in list_sweeps(again.db, 10)]
    again.close()


def test_a_chat_that_is_behind_its_local_database_gets_a_new_one(chat: Chat, tmp_path: Path) -> None:
    """A power cut may take back what the chat's file had, or somebody puts an older one in its place."""
    shutil.copytree(chat.path, tmp_path / "older")
    chat.say("alice", "/delete 5")
    chat.say("alice", "/send_all word6")
    complete(chat)
    chat.close()
    for name in LOCAL_FILES:
        (tmp_path / "older" / name).unlink(missing_ok=True)
    shutil.copy(chat.path / LOCAL, tmp_path / "older" / LOCAL)
    again = Chat(tmp_path / "older")
    again.ids = chat.ids
    assert search_for(again, "word5") == ["word5 common"]
    complete(again)
    assert rows_of_index(again.local) == made_anew(again, tmp_path / "anew")
    again.close()


def test_an_index_that_has_missed_notes_begins_again(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "DROPPED_KEPT", 2)
    behind = tmp_path / "behind"
    shutil.copytree(chat.path, behind)
    for number in range(1, 5):
        chat.say("alice", f"/delete {number}")
    chat.due()
    assert chat.db.all("SELECT id FROM dropped") == [(3,), (4,)], "only the last ones are kept"
    chat.close()
    for name in LOCAL_FILES:
        (chat.path / name).unlink(missing_ok=True)
    shutil.copy(behind / LOCAL, chat.path / LOCAL)
    again = Chat(chat.path)
    complete(again)
    assert set(rows_of_index(again.local)) >= {"word5"} and "word1" not in rows_of_index(again.local)
    assert rows_of_index(again.local) == made_anew(again, tmp_path / "anew")
    again.close()


def test_a_message_alone_leaves_no_note(chat: Chat) -> None:
    """Otherwise each batch would cost a second commit."""
    before = chat.local.db.connection.total_changes()
    executed = chat.batch(*(chat.entry("alice", f"/send_all {number}") for number in range(50)))
    chat.say("bob", "/read main 3")
    chat.say("bob", "/react 1 👍")
    assert executed.dropped == 0 and chat.local.db.connection.total_changes() == before


def test_the_chat_s_database_has_no_index(chat: Chat) -> None:
    tables = {name for (name,) in chat.db.all("SELECT name FROM main.sqlite_schema WHERE type = 'table'")}
    assert not {name for name in tables if name.startswith(("folded_", "word"))} and "place" not in tables


ACTS = st.lists(
    st.tuples(st.sampled_from(["send", "edit", "delete", "remove", "step", "kill", "kill early"]), st.integers(1, 12)),
    max_size=25,
)


@given(acts=ACTS)
def test_the_index_is_that_of_the_messages_whatever_happens(tmp_path_factory: Any, acts: list[tuple[str, int]]) -> None:
    path = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "BLOCK_IDS", 4)
        patch.setattr(search, "STEP_MESSAGES_MAX", 3)
        chat = Chat(path / "0")
        chat.sign_in("alice", "bob")
        for number, (act, which) in enumerate(acts, 1):
            exists = chat.db.one("SELECT 1 FROM messages WHERE id = ? AND text IS NOT NULL", (which,)) is not None
            if act == "send":
                chat.say("alice", f"/send_all text{number} of all")
            elif act == "edit" and exists:
                chat.say("alice", f"/edit {which} edited{number}")
            elif act == "delete" and exists:
                chat.say("alice", f"/delete {which}")
            elif act == "remove":
                chat.executor._db.run("DELETE FROM messages WHERE id = ?", (which,))
            elif act == "step":
                chat.local.step()
            elif act.startswith("kill"):
                if act == "kill early" and exists:
                    chat.local.follow = lambda: None  # type: ignore[method-assign]
                    chat.say("alice", f"/edit {which} early{number}")
                chat = kill(chat, path / str(number))
        chat.local.follow()
        complete(chat)
        assert rows_of_index(chat.local) == made_anew(chat, path / "anew")
        chat.close()


def test_an_older_database_loses_its_index_to_the_local_one(tmp_path: Path) -> None:
    with closing(open_writer(copy_old(tmp_path, 14))) as db, closing(Local(tmp_path)) as local:
        assert not db.all("SELECT name FROM sqlite_schema WHERE name GLOB 'folded_*' OR name GLOB '*word_blocks'")
        while local.step() is not None:
            pass
        assert "edited" in rows_of_index(local)
    assert (tmp_path / FILE).exists()
