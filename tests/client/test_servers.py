"""Where a server is, as it is written."""

import pytest

from chat_client.servers import Server, read


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("localhost:8000", [Server("localhost", 8000)]),
        ("chat.example.org", [Server("chat.example.org", 8000)]),
        ("[::1]:9", [Server("::1", 9)]),
        ("[::1]", [Server("::1", 8000)]),
        ("::1", [Server("::1", 8000)]),
        ("a:1, b:2,c", [Server("a", 1), Server("b", 2), Server("c", 8000)]),
    ],
)
def test_read(written: str, meant: list[Server]) -> None:
    assert read(written) == meant
    assert read([str(server) for server in meant]) == meant


@pytest.mark.parametrize("written", ["", ":8000", "a:x", "a:0", "a:65536", "a:99999999999", "a b:1", "a:1,,b:2", "a:١"])
def test_what_is_no_server(written: str) -> None:
    with pytest.raises(ValueError, match=r"a server is|a port is"):
        read(written)
