"""Where a server is, as it is written."""

import re

import pytest

from chat_client.sdk.server_address import Server, read


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("localhost:8000", [Server("localhost", 8000)]),
        ("chat.example.org", [Server("chat.example.org", 8000)]),
        ("[::1]:9", [Server("::1", 9)]),
        ("[::1]", [Server("::1", 8000)]),
        ("::1", [Server("::1", 8000)]),
        ("2001:db8::8000", [Server("2001:db8::8000", 8000)]),
        ("1:2:3:4:5:6:7:8:9000", [Server("1:2:3:4:5:6:7:8", 9000)]),
        ("a:1, b:2,c", [Server("a", 1), Server("b", 2), Server("c", 8000)]),
    ],
)
def test_read(written: str, meant: list[Server]) -> None:
    assert read(written) == meant
    assert read([str(server) for server in meant]) == meant


@pytest.mark.parametrize(
    "written", ["", ":8000", "a:x", "a:0", "a:65536", "a:99999999999", "a b:1", "a:1,,b:2", "a:١", "a:b:1"]
)
def test_what_is_no_server(written: str) -> None:
    with pytest.raises(ValueError, match=r"a server is|a port is"):
        read(written)


def test_an_address_that_may_end_with_a_port_is_asked_about() -> None:
    for written, host in (("::1:8000", "::1"), ("fe80::1:2", "fe80::1")):
        with pytest.raises(ValueError, match="a server is") as error:
            read(written)
        meant = re.findall(r"\[\S+?\]:\d+", str(error.value))
        assert [read(each)[0].host for each in meant] == [host, written]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("localhost", "127.0.0.1:8000", True), ("[::1]:8000", "LOCALHOST.", True), ("a.org:1", "A.ORG.:1", True),
        ("[2001:db8:0::1]:1", "[2001:DB8::1]:1", True), ("[::ffff:10.0.0.1]", "10.0.0.1", True),
        ("a:1", "a:2", False), ("127.0.0.1", "127.0.0.2", False), ("a.org", "b.org", False),
        ("localhost", "localhost.evil.org", False),
    ],
)  # fmt: skip
def test_which_servers_are_the_same(one: str, other: str, same: bool) -> None:
    assert (read(one)[0].identity == read(other)[0].identity) is same
