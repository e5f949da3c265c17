"""The loss of the server and its return, terminals of all sizes, and texts that mean harm."""

import re
import unicodedata
from pathlib import Path

from tests.client.screen.speaking import say
from tests.client.tmux import Tmux
from tests.harness import Server


def test_the_server_goes_and_comes_back(tmux: Tmux, server: Server) -> None:
    alice, bob = tmux.client(server, "alice"), tmux.client(server, "bob")
    alice.type("before", enter=True)
    bob.until("alice  before")
    server.kill()
    alice.until(re.compile(r"next try in \d+ s").search)  # type: ignore[arg-type]
    alice.type("while away", enter=True)
    alice.until("while away ◌ waiting")
    alice.until("1 to send")
    server.start()
    alice.type("/reconnect", enter=True)
    alice.until("while away ✓")
    bob.type("/reconnect", enter=True)
    bob.until("while away")
    assert bob.screen().count("while away") == 1
    assert "to send" not in alice.screen()


def test_a_small_terminal(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice", columns=60, rows=15)
    say(server, "bob", "@alice", "hello you")
    alice.until("@bob  1")
    say(server, "bob", "main", "a line that is longer than the sixty columns that this terminal has")
    lines = alice.until("terminal has").splitlines()
    assert len(lines) <= 15 and max(map(len, lines)) <= 60
    assert "│" not in alice.screen()


def test_resizing(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    say(server, "bob", "main", *(f"message number {number}." for number in range(30)))
    alice.until("message number 29.")
    alice.type("half a line")
    for columns, rows in ((60, 15), (200, 60), (300, 20), (40, 8), (110, 34)):
        alice.resize(columns, rows)
        alice.until(lambda screen, columns=columns, rows=rows: (  # type: ignore[misc]
            len(screen.splitlines()) == rows and ("here ·" in screen) == (columns >= 104) and "❯ half a line" in screen
            and "message number 29." in screen
        ))  # fmt: skip


def test_hostile_text(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    hostile = "\x1b[2J\x1b]0;pwned\x07 \u202eevil \x9b31m a" + "\u0301" * 20 + " \U0001f468\u200d\U0001f469 tail"
    say(server, "mallory", "main", hostile, "\u200fright\u200f left", "x" * 3000)
    screen = alice.until("xxxx")
    alice.type("still here", enter=True)
    screen = alice.until("still here ✓")
    assert not any(unicodedata.category(char) == "Cc" and char != "\n" for char in screen)
    assert "here · " in screen


def test_a_mention_is_set_apart_and_rings(tmux: Tmux, server: Server, tmp_path: Path) -> None:
    alice = tmux.client(server, "alice")
    written = tmp_path / "written"
    alice.tmux("pipe-pane", "-t", "alice:", f"cat >{written}")

    def rings(screen: str = "") -> bool:
        """Whether a bell came, besides those that end a title or a notification."""
        return "\a" in re.sub("\x1b\\][^\a\x1b]*(\a|\x1b\\\\)", "", written.read_text() if written.exists() else "")

    alice.keys("F1")
    alice.until("jumps to a chat")
    say(server, "bob", "main", "hello all")
    alice.keys("Escape")
    alice.until("hello all")
    assert not rings(), "what calls nobody does not ring"
    alice.keys("F1")
    alice.until("jumps to a chat")
    say(server, "bob", "main", "psst, @alice")
    alice.until(rings)
    alice.keys("Escape")
    alice.until("psst, @alice")
    rows = [row for row in alice.screen(styled=True).splitlines() if "hello all" in row or "psst" in row]
    amber = "48;2;51;39;10"  # the ground of what calls one, in the dark theme
    assert [amber in row for row in rows] == [False, True]
