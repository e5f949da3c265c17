"""Between chats and through what was said."""

import re

from tests.client.screen.speaking import say
from tests.client.tmux import Terminal, Tmux
from tests.harness import Server


def test_chats_are_opened_by_number_by_jump_and_by_what_is_unread(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    say(server, "bob", "main", "hello all")
    say(server, "bob", "@alice", "hello you")
    say(server, "carol", "@alice", "me too")
    alice.unread("carol", 1)
    alice.type("a draft")
    alice.keys("M-a")
    alice.until("bob  hello you")
    assert "❯ a draft" not in alice.screen()
    alice.keys("M-1")
    alice.until("hello all")
    alice.until("❯ a draft")
    alice.keys("C-k")
    alice.type("car")
    alice.until("jump to car")
    alice.keys("Enter")
    alice.until("carol  me too")
    alice.keys("M-Left")
    alice.until("bob  hello you")
    alice.keys("C-c")
    alice.type("/open main", enter=True)
    alice.until("hello all")


def test_what_was_read_is_read_elsewhere_too(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    other = tmux.client(server, "alice", name="other")
    say(server, "bob", "@alice", "hello you")
    alice.unread("bob", 1)
    other.unread("bob", 1)
    alice.keys("M-2")
    alice.until("bob  hello you")
    other.until(lambda screen: not re.search(r"bob +1 ", screen))


def test_older_pages_come_as_one_scrolls_and_esc_goes_back(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    say(server, "bob", "main", *(f"message number {number}." for number in range(1, 401)))
    alice.until("message number 400.")
    for _ in range(40):
        alice.keys("PPage")
        if "message number 1." in alice.screen():
            break
    alice.until("message number 1.")
    alice.until("· Esc │")
    alice.keys("Escape")
    alice.until("message number 400.")


def test_the_first_unread_and_the_line_over_it(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    say(server, "bob", "@alice", *(f"message number {number}." for number in range(1, 101)))
    alice.keys("M-2")
    screen = alice.until("new from here")
    assert screen.index("new from here") < screen.index("message number 1.")
    assert "message number 100." not in screen
    alice.keys("Escape")
    alice.until("message number 100.")
    alice.keys("M-u")
    alice.until("message number 1.")


def test_a_command_may_follow_esc_at_once(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.keys("F1")
    alice.until("jumps to a chat")
    alice.keys("Escape")
    alice.type("/who alice", enter=True)
    alice.until("alice is online")


def test_all_keys_are_on_one_page(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.keys("F1")
    screen = alice.until("jumps to a chat")
    assert "Ctrl-K" in screen
    alice.keys("NPage")
    alice.keys("Escape")
    alice.without("jumps to a chat")


def test_messages_are_selected_and_answered(tmux: Tmux, server: Server) -> None:
    alice, bob = tmux.client(server, "alice"), tmux.client(server, "bob")
    bob.type("shall we?", enter=True)
    alice.until("bob  shall we?")
    alice.keys("M-Up")
    alice.until("r reply")
    alice.keys("r")
    alice.until("replying to bob")
    alice.type("we shall", enter=True)
    bob.until("╰ we shall")
    alice.until("we shall ✓")
    alice.keys("M-Up")
    alice.until("e edit")
    alice.keys("e")
    alice.until("❯ we shall")
    alice.type(" not", enter=True)
    on_both("we shall not (edited)", alice, bob)
    alice.keys("M-Up", "e")
    alice.until("❯ we shall not")
    alice.type(" now", enter=True)
    on_both("we shall not now (edited)", alice, bob)
    bob.keys("M-Up")
    bob.until("#2")
    bob.keys("+")
    bob.until("reacting to alice")
    bob.type("thumbs")
    bob.keys("Tab")
    bob.until("👍")
    bob.keys("C-u")
    bob.type("👍", enter=True)
    on_both("👍 bob", alice, bob)
    bob.keys("M-Up", "+")
    bob.enter("👍")
    alice.without("👍 bob")
    bob.without("👍 bob")
    alice.keys("M-Up", "M-Up", "t")
    alice.until("main · thread · shall we?")
    alice.type("in the thread", enter=True)
    bob.until("in the thread")
    alice.until(lambda screen: "in the thread ✓" in screen)
    alice.keys("Escape")
    alice.without("thread · shall we?")
    alice.keys("M-Up", "d")
    alice.until("Enter: yes")
    alice.keys("Enter")
    on_both("(deleted)", alice, bob)


def on_both(shown: str, *screens: Terminal) -> None:
    """One's own change is on one's own screen too."""
    for screen in screens:
        screen.until(shown)


def test_changes_that_are_typed_are_answered_and_seen_on_all_screens(tmux: Tmux, server: Server) -> None:
    alice, bob = tmux.client(server, "alice"), tmux.client(server, "bob")
    other = tmux.client(server, "alice", name="other")
    alice.enter("first")
    on_both("first", alice, bob, other)
    alice.enter("/edit 1 second")
    on_both("second (edited)", alice, bob, other)
    alice.until("✓ changed #1")
    alice.enter("/react 1 🎉")
    on_both("🎉 alice", alice, bob, other)
    alice.enter("/create #team")
    alice.until("▌2 #team")
    alice.enter("/topic #team plans")
    alice.until("#team  plans")
    other.keys("M-2")
    other.until("#team  plans")
    alice.enter("/mute #team")
    on_both("plans · muted", alice, other)
    alice.enter("/leave #team")
    for screen in (alice, other):
        screen.until("▌1 main")
        screen.without("2 #team")
    alice.enter("/away lunch")
    on_both("◐ alice", alice, bob)
    alice.enter("/delete 1")
    on_both("(deleted)", alice, bob, other)


def test_what_is_typed_after_a_click_is_text(tmux: Tmux, server: Server) -> None:
    """A click is how one brings a window to the front. `dynamic libs` deleted the message and posted the rest."""
    alice, bob = tmux.client(server, "alice"), tmux.client(server, "bob")
    alice.type("keep this", enter=True)
    screen = alice.until("keep this ✓").splitlines()
    (y,) = [number for number, row in enumerate(screen) if "keep this ✓" in row]
    x = screen[y].index("keep this")
    alice.type(f"\x1b[<0;{x + 1};{y + 1}M\x1b[<0;{x + 1};{y + 1}m")
    alice.until("Alt-↑ acts on it")
    alice.enter("dynamic libs are broken")
    bob.until("dynamic libs are broken")
    alice.until("dynamic libs are broken ✓")
    alice.keys("M-Up", "M-Up")
    alice.until("d delete")
    alice.keys("d")
    alice.until("delete #1 “keep this”?")
    alice.enter("yes, or rather not")
    bob.until("yes, or rather not")
    alice.until("yes, or rather not ✓")
    alice.type("half a line")
    alice.keys("M-Up", "e")
    alice.until("❯ yes, or rather not")
    alice.keys("C-u")
    alice.enter("edited")
    bob.until("edited (edited)")
    alice.until("❯ half a line")
    assert "keep this" in bob.screen() and "(deleted)" not in bob.screen()


def test_what_is_typed_at_the_page_of_keys_is_text(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    alice.keys("F1")
    alice.until("jumps to a chat")
    alice.type("quick")
    alice.until("❯ quick")
    alice.without("jumps to a chat")
