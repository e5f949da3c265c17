"""Listening sockets: one port for one server, or for several nodes of a cluster."""

import socket
from collections.abc import Callable, Iterator

import pytest

from chat_server.errors import StartError
from chat_server.frontend.listener import BACKLOG, claim_shared, listen

HOST = "127.0.0.1"
Bind = Callable[..., socket.socket]


@pytest.fixture
def bind() -> Iterator[Bind]:
    opened: list[socket.socket] = []

    def bind(port: int = 0, *, shared: bool = False) -> socket.socket:
        opened.extend(listen(HOST, port, shared=shared))
        return opened[-1]

    yield bind
    for sock in opened:
        sock.close()


def come(port: int, count: int) -> list[socket.socket]:
    return [socket.create_connection((HOST, port)) for _ in range(count)]


def take(sock: socket.socket) -> int:
    """Accept all who have come; their number."""
    taken = 0
    while True:
        try:
            sock.accept()[0].close()
        except BlockingIOError:
            return taken
        taken += 1


def test_a_port_that_is_not_shared_is_one_servers(bind: Bind) -> None:
    port = bind().getsockname()[1]
    for shared in (False, True):
        with pytest.raises(StartError, match="is in use by"):
            bind(port, shared=shared)


def test_a_lone_server_does_not_take_a_part_of_a_port_that_is_shared(bind: Bind) -> None:
    first = bind(shared=True)
    port = first.getsockname()[1]
    first.listen(BACKLOG)
    with pytest.raises(StartError, match="in use by another program"):
        bind(port)


def test_people_are_spread_over_those_who_listen_and_only_over_them(bind: Bind) -> None:
    first = bind(shared=True)
    port = first.getsockname()[1]
    second = bind(port, shared=True)
    first.listen(BACKLOG)
    peers = come(port, 50)
    assert take(first) == 50, "the other one is not ready yet"
    second.listen(BACKLOG)
    peers += come(port, 100)
    shares = take(first), take(second)
    assert sum(shares) == 100 and min(shares) > 0
    first.close()
    peers += come(port, 20)
    assert take(second) == 20
    for peer in peers:
        peer.close()


def test_the_nodes_of_two_chats_do_not_share_a_port(bind: Bind) -> None:
    port = bind(shared=True).getsockname()[1]
    first, second, elsewhere = bind(port, shared=True), bind(port, shared=True), bind(shared=True)
    claims = [*claim_shared([first], "one"), *claim_shared([second], "one")]
    with pytest.raises(StartError, match=f"another chat listen on {HOST}:{port}, and --reuse-port is for those of one"):
        claim_shared([elsewhere, bind(port, shared=True)], "two")
    claims.pop().close()
    with pytest.raises(StartError, match="another chat"):
        claim_shared([second], "two")
    claims.pop().close()
    for claim in claim_shared([second, elsewhere], "two"):
        claim.close()
