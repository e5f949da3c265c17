"""What is kept of each account: drafts and pinned chats."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chat_client.common import account_file
from chat_client.common.account_file import AccountFile, Kept, account


def test_drafts_are_kept_for_each_account_until_they_are_empty(tmp_path: Path) -> None:
    path = tmp_path / "data" / "accounts.json"
    alice, bob = AccountFile(path, account("Alice", "h")), AccountFile(path, account("bob", "h"))
    assert alice.read() == Kept()
    alice.put_drafts({"main": "half", "#team": "a"})
    bob.put_drafts({"main": "bob's"})
    alice.put_pins({"#ops": 2})
    alice.put_drafts({"main": "", "@bob": "hi"})
    assert AccountFile(path, account("alice", "h")).read() == Kept({"#team": "a", "@bob": "hi"}, {"#ops": 2})
    assert bob.read() == Kept({"main": "bob's"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["accounts.json"]


def test_clients_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: AccountFile(path, "a").put_drafts({f"#{number}": "x"}), range(40)))
    assert len(AccountFile(path, "a").read().drafts) == 40


def test_it_is_bounded_and_what_was_written_last_stays(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    AccountFile(path, "a").put_drafts({f"#{number}": "x" for number in range(account_file.DRAFTS_MAX + 5)})
    AccountFile(path, "a").put_drafts({"#0": "y" * (account_file.DRAFT_CHARS_MAX + 1)})
    drafts = AccountFile(path, "a").read().drafts
    assert len(drafts) == account_file.DRAFTS_MAX and len(drafts["#0"]) == account_file.DRAFT_CHARS_MAX
    for number in range(account_file.ACCOUNTS_MAX):
        AccountFile(path, f"other {number}").put_drafts({"main": "x"})
    assert AccountFile(path, "a").read() == Kept()


def test_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_text('{"a": {"drafts"')
    AccountFile(path, "a").put_drafts({"main": "x"})
    assert AccountFile(path, "a").read().drafts == {"main": "x"}
