"""The keys that fingers know from other clients, and those that a user has set, in the real client."""

from pathlib import Path

from tests.client.conftest import Home
from tests.client.tmux import Tmux
from tests.harness import Server


def opened(chat: str) -> str:
    return f"▌{chat}"


def test_keys_of_other_clients(tmux: Tmux, server: Server) -> None:
    tmux.client(server, "bob")
    alice = tmux.client(server, "alice")
    alice.enter("/create_chat #team")
    alice.until(opened("2 #team"))
    alice.keys("F5")
    alice.until(opened("1 main"))
    alice.keys("F6")
    alice.until(opened("2 #team"))
    alice.keys("C-n")
    alice.until(opened("1 main"))
    alice.keys("C-NPage")
    alice.until(opened("2 #team"))
    alice.enter("hello")
    alice.until("alice  hello")
    alice.type("some words")
    alice.keys("C-p")
    alice.until("❯ hello")  # with text in the line it is a key of the line
    alice.keys("C-n", "C-Left", "C-k")
    alice.until(lambda screen: "❯ some" in screen and "words" not in screen and "jump to" not in screen)
    alice.keys("C-k")
    alice.until("jump to")
    alice.keys("Escape")
    alice.without("jump to")
    alice.keys("C-f")
    alice.until("❯ /search")
    alice.enter("nowhere")
    alice.until("nothing found")
    alice.until("❯ some")
    alice.keys("F2")
    alice.without("here · ")
    alice.until("#team")
    alice.keys("F2")
    alice.without("│")
    alice.keys("F2")
    alice.until("here · ")


def test_a_message_is_quoted(tmux: Tmux, server: Server) -> None:
    bob, alice = tmux.client(server, "bob"), tmux.client(server, "alice")
    bob.enter("shall we?")
    alice.until("bob  shall we?")
    alice.keys("M-Up")
    alice.until("> quote")
    alice.type(">")
    alice.until("❯ > bob: shall we?")
    alice.enter("yes")
    bob.until(lambda screen: "> bob: shall we?" in screen and "yes" in screen)


def settings(home: Home, text: str) -> Path:
    path = home.folder / "settings.toml"
    path.write_text(text)
    return path


async def test_keys_that_are_set(home: Home, tmux: Tmux) -> None:
    path = settings(home, '[keys]\nkeys_page = "F7"\nbreak_line = ["Ctrl-X Ctrl-N"]\nsides = []\n')
    alice = tmux.start(home.arguments("--config", str(path), user="alice"), home.environment, 110, 30)
    alice.until("F7 keys")
    alice.type("one")
    alice.keys("C-x")
    alice.keys("C-n")
    alice.type("two")
    alice.until(lambda screen: "❯ one" in screen and "two" in screen and "onetwo" not in screen)
    alice.keys("C-x", "z")
    alice.until("Ctrl-X Z does nothing here")
    alice.keys("F2")
    alice.until("F2 does nothing here")
    alice.keys("F7")
    alice.until("shows all keys")


async def test_a_key_that_cannot_be_set_ends_the_start_with_one_line(home: Home, tmux: Tmux) -> None:
    path = settings(home, '[keys]\nsides = "F3"\n')
    # So wide that the line, which begins with the path, does not wrap.
    alice = tmux.start(home.arguments("--config", str(path), user="alice"), home.environment, 110 + len(str(path)), 30)
    screen = alice.until("left with 2")
    assert "sides: F3 is the key of bare already; give that another one" in screen
    assert "Traceback" not in screen


def test_a_pinned_chat_keeps_its_number_after_a_restart(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    for name in ("#team10", "#team2", "#zoo"):
        alice.enter(f"/create_chat {name}")
        alice.until(f" {name} ")
    alice.until("▌4 #zoo")
    screen = alice.until("2 #team2")
    assert screen.index("#team2 ") < screen.index("#team10")
    alice.keys("C-x", "C-p")
    alice.until("▌2 #zoo")
    alice.until("3 #team2")
    tmux.kill(alice)
    again = tmux.client(server, "alice")
    again.until("2 #zoo")
    again.keys("M-2")
    again.until("▌2 #zoo")
    again.enter("/pin")
    again.until("▌4 #zoo")
    again.enter("/read_all")
    again.until("nothing is unread")
