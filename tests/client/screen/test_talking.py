"""Two people at the real client: what one types the other sees, and nothing disturbs the line that is typed."""

from pathlib import Path

import pytest

from tests.client.tmux import Tmux
from tests.harness import Server


def test_two_clients_chat(tmux: Tmux, server: Server) -> None:
    alice, bob = tmux.client(server, "alice"), tmux.client(server, "bob")
    alice.type("hello bob", enter=True)
    bob.until("alice  hello bob")
    alice.until("hello bob ✓")
    bob.type("al")
    bob.keys("Tab")
    bob.until("❯ @alice")
    bob.type("hello", enter=True)
    alice.until("bob  @alice hello")


def test_what_comes_in_leaves_the_line_alone(tmux: Tmux, server: Server) -> None:
    alice, bob = tmux.client(server, "alice"), tmux.client(server, "bob")
    alice.type("half a li")
    alice.until("❯ half a li")
    for number in range(5):
        bob.type(f"message {number}", enter=True)
    alice.until("message 4")
    assert "❯ half a li" in alice.screen()
    alice.type("ne", enter=True)
    bob.until("alice  half a line")


def test_a_command_completes_and_shows_its_usage(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.type("/send_del")
    alice.keys("Tab")
    alice.until("❯ /send_delayed")
    alice.until("/send_delayed <target> <delay> <text>")


def test_several_candidates_are_listed(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.type("/se")
    alice.keys("Tab")
    alice.until(lambda screen: "/search" in screen or "/sessions" in screen)
    alice.keys("Escape")
    alice.until("❯ /se")


def test_a_text_may_begin_with_a_slash(tmux: Tmux, server: Server) -> None:
    alice, bob = tmux.client(server, "alice"), tmux.client(server, "bob")
    alice.type("//etc/hosts", enter=True)
    bob.until("alice  /etc/hosts")


def test_a_wrong_command_is_answered_where_it_was_typed(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.type("/snd bob hi", enter=True)
    alice.until("did you mean /send")


def test_line_breaks_stay_in_one_message(tmux: Tmux, server: Server) -> None:
    alice, bob = tmux.client(server, "alice"), tmux.client(server, "bob")
    alice.type("one")
    alice.keys("M-Enter")
    alice.type("two", enter=True)
    bob.until("alice  one")
    screen = bob.until("two")
    assert screen.index("alice  one") < screen.index("two")
    assert screen.count("alice  ") == 1


def test_a_pasted_block_is_one_message_and_a_big_one_asks(tmux: Tmux, server: Server) -> None:
    alice, bob = tmux.client(server, "alice"), tmux.client(server, "bob")
    alice.paste("alpha\nbeta\ngamma")
    alice.until("gamma")
    assert "alpha" not in bob.screen()
    alice.keys("Enter")
    bob.until("gamma")
    alice.paste("\n".join(f"row {number}" for number in range(20)))
    alice.until("paste 20 lines")
    alice.keys("y")
    alice.without("paste 20 lines")
    alice.until("❯ y")
    alice.keys("C-c")
    alice.paste("\n".join(f"row {number}" for number in range(20)))
    alice.until("paste 20 lines")
    alice.keys("Enter")
    alice.until("row 19")
    alice.keys("Enter")
    bob.until("row 19")


def test_a_paste_that_was_sent_as_a_file_leaves_none_behind(
    tmux: Tmux, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    alice = tmux.client(server, "alice")
    alice.paste("x" * 5000)
    alice.until("send it to main as a file?")
    alice.keys("Enter")
    alice.until("pasted.txt")
    assert list(folder.glob("chat-client-*/pasted.txt"))
    alice.keys("C-d", "Enter")  # the answer to the upload may come after its message: then one is asked
    alice.until("left with 0")
    assert not list(folder.glob("chat-client-*"))


def test_ctrl_c_clears_then_leaves(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.type("not to be sent")
    alice.until("not to be sent")
    alice.keys("C-c")
    alice.without("not to be sent")
    alice.keys("C-c")
    alice.until("Ctrl-C again")
    alice.keys("C-c")
    alice.until("left with 0")


def test_ctrl_d_leaves(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.keys("C-d")
    alice.until("left with 0")


def test_what_was_typed_is_there_in_the_next_run_but_no_password(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.type("remember me", enter=True)
    alice.until("remember me ✓")
    alice.type("/password secret-word", enter=True)
    alice.until("the password is set")
    alice.keys("C-d")
    alice.until("left with 0")
    again = tmux.client(server, "alice", name="again")
    again.keys("Up")
    again.until("❯ remember me")
    again.keys("C-c")
    again.keys("C-r")
    again.type("rememb")
    again.until("typed before rememb")
    again.keys("Enter")
    again.until("❯ remember me")


def test_what_no_message_can_hold_goes_out_as_a_file(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.paste("x" * 5000)
    alice.until("send it to main as a file? 1 line · 5,000 of 4,096 characters")
    alice.keys("Enter")
    bob = tmux.client(server, "bob")
    bob.until("pasted.txt")
    assert "❯ message to everyone" in alice.until("pasted.txt")
