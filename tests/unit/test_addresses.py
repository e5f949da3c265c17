"""Which addresses are this machine."""

import pytest

from chat_server.addresses import is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "::1%lo"])
def test_loopback(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["", "0.0.0.0", "::", "192.0.2.7", "2001:db8::1", "example.org"])
def test_not_loopback(address: str) -> None:
    assert not is_loopback(address)
