"""What was typed before, drafts, and the lists that open while one types."""

from pathlib import Path

from chat_client.common.input_history import ENTRIES_MAX
from tests.client.tmux import Tmux
from tests.harness import Server


def test_a_private_line_never_comes_up_in_main_and_matches_are_listed(tmux: Tmux, server: Server) -> None:
    tmux.client(server, "bob")
    alice = tmux.client(server, "alice")
    for line in ("one for all", "another one", "the third"):
        alice.enter(line)
    alice.until("the third ✓")
    alice.enter("/open bob")
    alice.until("❯ message to bob")
    alice.enter("a secret for bob")
    alice.until("alice  a secret for bob")
    alice.keys("M-1")
    alice.until("❯ message to everyone")
    alice.keys("Up")
    alice.until("❯ /open bob")
    alice.keys("C-c", "C-r")
    alice.until(lambda screen: "typed before" in screen and "another one" in screen and "secret" not in screen)
    alice.type("one")
    alice.until(lambda screen: "the third" not in screen.split("typed before")[1].split("choose")[0])
    alice.keys("C-r", "Enter")
    alice.until("❯ one for all")
    alice.keys("C-c", "M-0")
    alice.until("❯ message to bob")
    alice.keys("Up")
    alice.until("❯ a secret for bob")
    assert ENTRIES_MAX == 1000  # as docs/client.md says


def test_drafts_come_back_after_a_restart(tmux: Tmux, server: Server) -> None:
    tmux.client(server, "bob")
    alice = tmux.client(server, "alice")
    alice.enter("/open bob")
    alice.until("❯ message to bob")
    alice.type("half a line for bob")
    alice.keys("M-1")
    alice.until("❯ message to everyone")
    alice.type("and one for all")
    alice.keys("Enter")
    alice.until("alice  and one for all")
    alice.type("/password old ne")
    alice.until("❯ /password *** **")
    alice.keys("C-c")
    alice.without("/password ***")
    alice.type("in main")
    alice.until("❯ in main")
    tmux.kill(alice)
    again = tmux.client(server, "alice")
    again.until("❯ in main")
    again.keys("C-c")
    again.enter("/open bob")
    again.until("❯ half a line for bob")


def test_lists_open_while_one_types(tmux: Tmux, server: Server) -> None:
    bob, alice = tmux.client(server, "bob"), tmux.client(server, "alice")
    bob.enter("shall we?")
    alice.until("bob  shall we?")
    alice.type("/qu")
    alice.until(lambda screen: "quotes a message in the line" in screen and "leaves" in screen)
    alice.keys("Down")
    alice.until("❯ /quote")
    alice.keys("BTab", "BTab")
    alice.until("❯ /quit")
    alice.keys("C-c")
    alice.type("yes :thu")
    alice.until(":thumbsdown:")
    alice.keys("Tab", "Enter", "Enter")
    bob.until("alice  yes 👍")
    alice.until(lambda screen: "✓" in screen)
    alice.keys("M-Up", "M-Up")
    alice.type("+")
    shown = [":thumbsup:", ":heart:", "reacting to"]  # the list covers nothing of what one answers
    alice.until(lambda screen: all(each in screen for each in shown))
    alice.resize(40, 10)
    alice.until(lambda screen: ":heart:" in screen and "reacting to bob" in screen)
    alice.resize(110, 34)
    alice.keys("Escape")
    alice.until(lambda screen: ":heart:" not in screen and "reacting to" not in screen)
    alice.keys("M-Up", "M-Up")
    alice.type(":tad")
    alice.until(":tada:")
    alice.keys("Tab", "Enter", "Enter")
    bob.until("🎉")


def test_saying_what_one_does(tmux: Tmux, server: Server) -> None:
    bob, alice = tmux.client(server, "bob"), tmux.client(server, "alice")
    alice.enter("/me waves")
    bob.until("waves")


def test_a_long_text_is_written_in_an_editor(tmux: Tmux, server: Server) -> None:
    """By an editor that adds a line, when it is let to."""
    bob = tmux.client(server, "bob")
    script = "#!/bin/sh\necho editing; read -r go; echo added >> $1\n"
    editor = tmux.script("editor", script)
    alice = tmux.client(server, "alice", environment={"EDITOR": str(editor)})
    alice.type("first")
    alice.keys("C-x", "C-e")
    alice.until(lambda screen: "editing" in screen and "❯" not in screen)
    bob.enter("meanwhile")
    bob.until("meanwhile ✓")
    alice.keys("Enter")
    alice.until(lambda screen: "❯ first" in screen and "added" in screen and "bob  meanwhile" in screen)
    alice.keys("Enter")
    bob.until(lambda screen: "alice  first" in screen and "added" in screen)
    alice.enter("/editor")
    alice.until(lambda screen: screen.count("editing") == 2)  # the first one stood there all the time
    alice.keys("C-c")
    alice.until("the editor: ")
    alice.enter("still here")
    bob.until("still here")


def test_both_sides_that_want_it_see_each_other_type(tmux: Tmux, server: Server, tmp_path: Path) -> None:
    people = []
    for name in ("alice", "bob"):
        settings = tmp_path / name / "chat-client" / "config.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text("typing = true\n")
        people.append(tmux.client(server, name, columns=80, rows=24))
    alice, bob = people
    alice.enter("/open bob")
    alice.until("❯ message to bob")
    alice.enter("hi")
    bob.unread("alice", 1)
    bob.enter("/open alice")
    bob.until("❯ message to alice")
    assert "is typing" not in bob.screen(), "the message has ended it"
    bob.type("half a")
    alice.until("bob is typing …")
    bob.keys("C-c")
    alice.without("is typing")
    alice.type("/who bob")  # a command is nobody's business
    alice.until("❯ /who bob")
    assert "is typing" not in bob.screen()
    alice.keys("C-u")
    alice.type("yes")

    def is_told(screen: str) -> bool:
        # Of her first message others may have been told less than 2 s ago, and then they are told with a later key.
        alice.type("s")
        return "alice is typing …" in screen

    bob.until(is_told)
    alice.keys("Enter")
    bob.until(lambda screen: "  yes" in screen and "is typing" not in screen)
