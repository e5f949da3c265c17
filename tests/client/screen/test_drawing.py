"""What stands over the rest of the screen for a while leaves it as it was."""

from tests.client.screen.speaking import say
from tests.client.tmux import Tmux
from tests.harness import Server


def test_a_menu_and_a_dialog_leave_the_screen_as_it_was(tmux: Tmux, server: Server) -> None:
    alice = tmux.client(server, "alice")
    say(server, "bob", "main", *(f"line {number} 漢字 e\u0301 \U0001f600 `code` @alice" for number in range(60)))
    before = alice.until(lambda screen: "line 59" in screen and "here · 1" in screen)  # bob has gone again
    alice.type("/re")
    alice.keys("Tab")
    alice.until("/reply")
    alice.keys("C-c")
    assert alice.until(lambda screen: "/re" not in screen).splitlines()[:-4] == before.splitlines()[:-4]
    alice.keys("C-k")
    alice.until("jump to")
    alice.keys("Escape")
    assert alice.without("jump to").splitlines()[:-4] == before.splitlines()[:-4]
