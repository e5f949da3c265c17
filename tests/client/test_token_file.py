"""The file with tokens."""

import stat
from concurrent.futures import ThreadPoolExecutor
from errno import EIO
from pathlib import Path

import pytest

from chat_client.common.private_file import replace
from chat_client.sdk.server_address import read
from chat_client.token_file import TokenFile, last_server


def tokens(path: Path, servers: str) -> TokenFile:
    return TokenFile(path, read(servers))


def got(path: Path, servers: str, user: str = "bob") -> list[str | None]:
    """What each of the servers would be sent."""
    file = tokens(path, servers)
    return [file.get(user, server) for server in read(servers)]


def test_tokens_are_kept_by_server_and_user(tmp_path: Path) -> None:
    path = tmp_path / "data" / "tokens.json"
    here, there = tokens(path, "a:1"), tokens(path, "b:2,c:3")
    assert (got(path, "a:1"), here.last_user(), last_server(path)) == ([None], None, None)
    here.put("bob", "one")
    there.put("bob", "two")
    here.put("Carol", "three")
    assert (got(path, "a:1", "BOB"), got(path, "b:2,c:3"), got(path, "a:1", "carol")) == (
        ["one"], ["two", "two"], ["three"],
    )  # fmt: skip
    assert (here.last_user(), there.last_user(), last_server(path)) == ("Carol", "bob", "a:1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    here.drop("carol", "another one")
    assert got(path, "a:1", "carol") == ["three"], "somebody has signed in again meanwhile"
    here.drop("carol", "three")
    here.drop("nobody", "x")
    assert (got(path, "a:1", "carol"), here.last_user(), got(path, "a:1")) == ([None], None, ["one"])
    assert [file.name for file in path.parent.iterdir()] == ["tokens.json"]


def test_a_token_is_found_however_the_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    tokens(path, "a:1").put("Zoe\u0308", "one")
    assert (got(path, "a:1", "zoë"), tokens(path, "a:1").last_user()) == (["one"], "Zoe\u0308")


def test_a_token_belongs_to_the_server_and_not_to_how_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    tokens(path, "localhost,chat.example.org:9").put("bob", "one")
    assert got(path, "chat.example.org:9,127.0.0.1:8000") == ["one", "one"]
    assert got(path, "[::1]:8000") == got(path, "CHAT.example.org.:9") == ["one"]
    assert tokens(path, "127.0.0.1").last_user() == "bob"
    assert last_server(path) == "localhost:8000,chat.example.org:9", "as it was named"


def test_no_stranger_is_sent_a_token(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    tokens(path, "localhost").put("bob", "one")
    assert got(path, "stranger.org,localhost,localhost:8001,127.0.0.2") == [None, "one", None, None]


def test_a_server_that_spoke_tls_is_not_spoken_to_without(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    tokens(path, "plain.org").put("bob", "one")
    TokenFile(path, read("secure.org,other.org"), tls=True).put("bob", "two")
    assert not tokens(path, "plain.org").tls and not tokens(path, "secure.org:9").tls
    assert tokens(path, "SECURE.org.").tls and tokens(path, "plain.org,other.org").tls
    meanwhile = tokens(path, "plain.org")
    TokenFile(path, read("plain.org"), tls=True).put("bob", "by TLS")
    meanwhile.put("bob", "without")
    assert tokens(path, "plain.org").tls, "two clients at once"
    again = tokens(path, "secure.org")
    again.put("bob", "three")
    again.drop("bob", "three")
    assert tokens(path, "secure.org").tls, "also without a token: it would be the password that is asked for"


def test_what_cannot_be_read_just_now_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> bytes:
        raise OSError(EIO, "Input/output error")

    path = tmp_path / "tokens.json"
    tokens(path, "a:1").put("bob", "one")
    with monkeypatch.context() as patch:
        patch.setattr("chat_client.token_file.read", fail)
        assert got(path, "a:1") == [None]
        with pytest.raises(OSError, match="Input/output"):
            tokens(path, "a:1").put("carol", "two")
    assert got(path, "a:1") == ["one"]


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.mkdir()
    with pytest.raises(OSError):
        replace(path, b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["tokens.json"]


def test_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_bytes(b'{"servers": [')
    assert (got(path, "a:1"), last_server(path)) == ([None], None)
    tokens(path, "a:1").put("bob", "one")
    assert got(path, "a:1") == ["one"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        tokens(tmp_path / "file" / "tokens.json", "a:1").put("bob", "one")
    assert (tmp_path / "file").read_text() == ""


def test_clients_that_write_at_once_lose_no_token(tmp_path: Path) -> None:
    path, users = tmp_path / "tokens.json", [f"user{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda user: tokens(path, "a:1").put(user, f"token of {user}"), users))
    assert [got(path, "a:1", user) for user in users] == [[f"token of {user}"] for user in users]
