"""The file with tokens."""

import stat
from pathlib import Path

from chat_client.tokens import TokenFile, last_server


def test_tokens_are_kept_by_server_and_user(tmp_path: Path) -> None:
    path = tmp_path / "data" / "tokens.json"
    here, there = TokenFile(path, "a:1"), TokenFile(path, "b:2,c:3")
    assert (here.get("bob"), here.last_user(), last_server(path)) == (None, None, None)
    here.put("bob", "one")
    there.put("bob", "two")
    here.put("Carol", "three")
    assert (here.get("BOB"), there.get("bob"), here.get("carol")) == ("one", "two", "three")
    assert (here.last_user(), there.last_user(), last_server(path)) == ("Carol", "bob", "a:1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    here.drop("carol")
    here.drop("nobody")
    assert (here.get("carol"), here.last_user(), here.get("bob")) == (None, None, "one")
    assert [file.name for file in path.parent.iterdir()] == ["tokens.json"]


def test_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_bytes(b'{"a:1": [')
    tokens = TokenFile(path, "a:1")
    assert (tokens.get("bob"), last_server(path)) == (None, None)
    tokens.put("bob", "one")
    assert tokens.get("bob") == "one"


def test_a_folder_that_cannot_be_written_costs_the_token_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    TokenFile(tmp_path / "file" / "tokens.json", "a:1").put("bob", "one")
