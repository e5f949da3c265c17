"""The full screen over TLS, with an authority that the system does not know."""

import shlex
import sys
from pathlib import Path

from tests.certificates import tls_port
from tests.client.tmux import Tmux
from tests.harness import Server


def test_two_clients_a_server_that_comes_back_and_one_who_does_not_trust_it(
    tmux: Tmux, private: tuple[Server, Path]
) -> None:
    server, ca = private
    client = f"{shlex.quote(sys.executable)} -m chat_client --server localhost:{tls_port(server)}"
    alice = tmux.run("alice", f"{client} --user alice --ca {ca}", "alice")
    bob = tmux.run("bob", f"{client} --user bob --tls --ca {ca}", "bob")
    for terminal in (alice, bob):
        terminal.until("● localhost:")
    alice.type("over TLS", enter=True)
    bob.until("alice  over TLS")
    server.kill()
    alice.type("while away", enter=True)
    alice.until("while away ◌ waiting")
    server.start()
    for terminal in (alice, bob):
        terminal.type("/reconnect", enter=True)
    alice.until("while away ✓")
    bob.until("while away")
    carol = tmux.run("carol", f"{client} --user carol --tls", "carol")
    assert "is not trusted" in carol.until("left with 3")
