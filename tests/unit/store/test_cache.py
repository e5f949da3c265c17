"""The writer's cache: whatever happens, it says what the store says, and no outcome depends on it."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from chat_server.log.entries import Entry, MarkSeen
from chat_server.protocol.people import Report
from chat_server.rules.registry import RULES
from chat_server.store import cache, chats
from tests.unit.chat import check_cache, dump
from tests.unit.histories import NAMES, copied, entry, faulty_report, histories


@given(histories)
def test_no_outcome_depends_on_the_cache(history: list[tuple[list[tuple[int, str, str]], bool]]) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        keeping, forgetting = copied(one), copied(other)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(RULES, Report, faulty_report)
            # Of three chats of two, in the chats of four people.
            patch.setattr(chats, "FEW_CHATS", 1)
            patch.setattr(chats, "UNREAD_KEPT_MAX", 2)
            for things, is_undone in history:
                entries = [entry(*each) for each in things]
                if is_undone:
                    # As on a full disk: what is tried again is less.
                    keeping.undo(entries)
                    check_cache(keeping.executor)
                    entries = entries[1:]
                assert forgetting.executor._db.cache is not None
                forgetting.executor._db.cache.forget()
                assert keeping.execute(entries) == forgetting.execute(entries)
                check_cache(keeping.executor)
        assert dump(keeping.executor._db) == dump(forgetting.executor._db)
        keeping.executor.close()
        forgetting.executor.close()


def test_the_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEPT_MAX", 2)
    twin = copied(str(tmp_path))
    kept = twin.executor._db.cache
    assert kept is not None
    everybody = [entry(user_id, "/send {} hi", NAMES[user_id % 4]) for user_id in (1, 2, 3, 4)]
    twin.execute(everybody)
    assert (len(kept.users), len(kept.places)) == (4, 4)
    twin.execute(everybody[:1])
    assert len(kept.places) == 1
    twin.executor.close()


def test_who_goes_on_talking_is_not_looked_up_again(tmp_path: Path) -> None:
    twin = copied(str(tmp_path))
    hi = [entry(1, "/send {} hi", "ben"), entry(1, "/send #team hi", ""), entry(1, "/send_all hi", "")]
    twin.execute(hi)
    asked: list[str] = []

    def note(cursor: object, sql: str, bindings: object) -> bool:
        asked.append(sql)
        return True

    twin.executor._db.connection.exec_trace = note
    twin.execute(hi)
    # What is ahead.
    assert sum(sql.startswith("SELECT") for sql in asked) == 1
    twin.executor.close()


def test_whoever_is_in_many_chats_is_asked_for_the_unread_ones_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chats, "FEW_CHATS", 2)
    twin = copied(str(tmp_path))
    db = twin.executor._db

    def unread() -> list[str]:
        assert db.cache is not None
        return sorted(chats.name_for(db, 1, chat_id) for chat_id in db.cache.unread[1])

    def see(up_to: int) -> None:
        twin.execute([Entry(MarkSeen(up_to), 1)])
        check_cache(twin.executor)

    twin.execute([entry(user_id, "/send anna hi", "") for user_id in (2, 3, 4)])
    see(twin.executor.state.seq)
    assert unread() == []
    twin.execute([entry(user_id, "/send anna hi", "") for user_id in (2, 3, 2)])
    assert unread() == ["@ben", "@cora"]
    # One of ben's two, and none of cora's.
    see(twin.executor.state.seq - 2)
    assert unread() == ["@ben", "@cora"]
    see(twin.executor.state.seq - 1)
    assert unread() == ["@ben"]
    asked: list[str] = []

    def note(cursor: object, sql: str, bindings: object) -> bool:
        asked.append(sql)
        return True

    db.connection.exec_trace = note
    see(twin.executor.state.seq)
    db.connection.exec_trace = None
    assert asked.count(chats._NEWEST_OF_ONE) == 2  # main, and the chat with ben
    assert chats._NEWEST_OF_ALL not in asked[: asked.index("COMMIT")]
    assert unread() == []
    twin.executor.close()
