"""What may be a password is not shown while it is typed."""

from tests.client.tmux import Tmux
from tests.harness import Server


def test_a_password_is_not_shown(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.type("/password open sesame")
    assert "sesame" not in alice.until("❯ /password **** ******")
    alice.keys("C-a", "Right", "Delete", "End")
    alice.until("❯ /assword open sesame")  # no command: there is nothing to hide
    alice.keys("C-u")
    alice.type("/password sesame", enter=True)
    assert "sesame" not in alice.until("the password is set")
