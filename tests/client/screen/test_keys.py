"""Keys that mean nothing here type nothing and do nothing, and the bar says so."""

import pytest

from tests.client.conftest import Home
from tests.client.tmux import Terminal, Tmux
from tests.harness import Server


def sent(terminal: Terminal, data: bytes) -> None:
    """As the terminal sends it, byte for byte."""
    terminal.tmux("send-keys", "-t", f"{terminal.name}:", "-H", *(f"{byte:02x}" for byte in data))


STRANGE = {b"\x1bj\x1bj": "Alt-J", b"\x0f": "Ctrl-O", b"\x11": "Ctrl-Q", b"\x13": "Ctrl-S", b"\x1b[31m": "that key",
           b"\x1b[5;6~": "Ctrl-Shift-PgUp", b"\x1b[2;5~": "Ctrl-Insert",
           b"\x1b[1;2D": "Shift-←", b"\x1b[13;5u": "Ctrl-Enter"}  # fmt: skip


def test_what_is_not_bound_is_swallowed_whole(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.type("half a line")
    for data, name in STRANGE.items():
        sent(alice, data)
        assert "❯ half a line " in alice.until(f"{name} does nothing here").replace("│", " ") + " "
    for data in (b"\x1b]11;rgb:1/1/1\x07", b"\x1b[?62;22c", b"\x1b]10;rgb:0/0/0\x1b\\"):
        sent(alice, data)
    sent(alice, b"\x1b[13;2u")
    alice.type("and more", enter=True)
    alice.until("alice  half a line")
    screen = alice.until("and more")
    assert not any(piece in screen for piece in ("rgb", "62;", ";5~", "[31m"))


def test_a_byte_that_is_not_utf_8_is_shown_and_told(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    sent(alice, b"caf\xff")
    alice.until("❯ caf�")
    alice.until("not UTF-8")
    alice.keys("Enter")
    alice.until("alice  caf�")


@pytest.mark.parametrize(
    "data",
    [
        b"\x1bj",
        b"\x1b[31m",
        *(pytest.param(data, marks=pytest.mark.thorough) for data in (b"\x0f", b"\x1b[2;5~", b"\x11")),
    ],
)
async def test_plain_too(home: Home, tmux: Tmux, data: bytes) -> None:
    alice = tmux.start(home.arguments("--plain", user="alice"), home.environment)
    alice.until("main> ")
    alice.type("half a ")
    sent(alice, data)
    # While a line is printed the terminal is not in raw mode, and would show what comes then by itself.
    alice.until(lambda screen: "does nothing here" in screen and screen.rstrip().endswith("main> half a"))
    sent(alice, b"\x1b]11;rgb:1/1/1\x07\x1b[?62;22c")
    alice.enter("line")
    assert "rgb" not in alice.until("main alice: half a line (#1)")


async def test_a_fault_of_the_client_is_told_in_the_bar(home: Home, tmux: Tmux) -> None:
    """By a key that is made to fail: nothing asks for Enter, and the line goes on."""
    code = (
        "import sys\nfrom chat_client.tui.state import navigation\n"
        "def fail(screen): raise RuntimeError('a key failed')\n"
        "navigation.cycle_sides = fail\n"
        "sys.argv[0] = 'chat-client'\nfrom chat_client.__main__ import main\nmain()\n"
    )
    arguments = home.arguments(user="alice")
    alice = tmux.start([arguments[0], "-c", code, *arguments[3:]], home.environment, 110, 30)
    alice.until("❯ message to everyone")
    alice.type("before")
    alice.keys("F2")
    alice.until("a fault in the client: RuntimeError: a key failed")
    alice.enter(" and after")
    assert "Press ENTER" not in alice.until("alice  before and after")
    assert "in fail" in (home.folder / ".local/share/chat-client/faults.log").read_text()
