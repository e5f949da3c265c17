"""What is kept of each account between runs."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chat_client.common import account_file
from chat_client.common.account_file import AccountFile, Kept, account


def test_what_an_account_has_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "data" / "accounts.json"
    alice, bob = AccountFile(path, account("Alice", "h")), AccountFile(path, account("bob", "h"))
    assert alice.read() == Kept()
    kept = Kept({"main": "half", "#team": "a"}, {"#ops": 2})
    assert alice.put(kept) is None
    assert bob.put(Kept({"main": "bob's"})) is None
    assert AccountFile(path, account("alice", "h")).read() == kept
    assert bob.read() == Kept({"main": "bob's"})
    alice.put(Kept({"@bob": "hi"}))
    assert AccountFile(path, account("ALICE", "h")).read() == Kept({"@bob": "hi"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["accounts.json"]


def test_clients_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: AccountFile(path, "a").put(Kept({f"#{number}": "x"})), range(40)))
    assert len(AccountFile(path, "a").read().drafts) == 40


def test_of_two_clients_each_puts_only_what_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    AccountFile(path, "a").put(Kept({"main": "old", "#x": "old"}, {"#ops": 2}))
    one, other = AccountFile(path, "a"), AccountFile(path, "a")
    first, second = one.read(), other.read()
    one.put(Kept({"main": "new"}, first.pins))
    other.put(Kept(second.drafts, second.pins | {"#dev": 3}))
    one.put(Kept({"main": "newer"}, {}))
    assert AccountFile(path, "a").read() == Kept({"main": "newer"}, {"#dev": 3})


def test_it_is_bounded_and_what_was_changed_last_stays(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    many = {f"#{number}": "x" for number in range(account_file.DRAFTS_MAX)}
    client = AccountFile(path, "a")
    client.put(Kept(many))
    client.put(Kept(many | {"#0": "y" * (account_file.DRAFT_CHARS_MAX + 1)}))
    client.put(Kept(many | {"#0": "y" * (account_file.DRAFT_CHARS_MAX + 1), "#new": "z"}))
    drafts = AccountFile(path, "a").read().drafts
    assert list(drafts) == [*list(many)[2:], "#0", "#new"] and len(drafts["#0"]) == account_file.DRAFT_CHARS_MAX
    for number in range(account_file.ACCOUNTS_MAX):
        AccountFile(path, f"other {number}").put(Kept({"main": "x"}))
    assert AccountFile(path, "a").read() == Kept()
    assert AccountFile(path, "other 0").read() == Kept({"main": "x"})


def test_what_is_damaged_is_as_none_and_what_is_of_others_stays(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_text('{"a": {"drafts"')
    AccountFile(path, "a").put(Kept({"main": "x"}))
    assert AccountFile(path, "a").read().drafts == {"main": "x"}
    path.write_text('{"a": {"pins": {"#ops": "of a later version"}}, "b": {"later": [1, 2]}}')
    assert AccountFile(path, "a").read() == Kept()
    AccountFile(path, "a").put(Kept({"main": "x"}))
    assert '"b":{"later": [1, 2]}' in path.read_text()


def test_what_cannot_be_read_is_not_written_over_and_told_once(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.mkdir()
    client = AccountFile(path, "a")
    assert client.read() == Kept()
    words = client.put(Kept({"main": "x"}))
    assert words is not None and words.startswith("what you set is not kept for the next start: accounts.json: ")
    assert client.put(Kept({"main": "xy"})) is None
    path.rmdir()
    assert client.put(Kept({"main": "xy"})) is None
    assert [file.name for file in tmp_path.iterdir()] == ["accounts.json"]
    assert AccountFile(path, "a").read() == Kept({"main": "xy"}), "it was tried again"
