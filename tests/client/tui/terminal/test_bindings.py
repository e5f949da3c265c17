"""Which keys are bound to what; what they do is tested in tests/client/tui/state and tests/client/screen."""

from pathlib import Path

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.keys import Keys

from chat_client.common.input_history import InputHistory
from chat_client.common.keys import keymap
from chat_client.tui.terminal.bindings import Bindings
from tests.client.people import Me


def bound(tmp_path: Path, given: dict[str, list[str]]) -> int:
    """How many bindings Alt-/ has."""
    me = Me()
    me.screen.keymap = keymap(given)
    typed = InputHistory(tmp_path / "typed", lambda: "alice", lambda: "main", list)
    keys = Bindings(me.screen, Buffer(), typed, lambda: None, lambda focused: None).keys
    return len([each for each in keys.bindings if each.keys == (Keys.Escape, "/")])


def test_alt_slash_belongs_to_the_action_for_which_it_was_set(tmp_path: Path) -> None:
    assert bound(tmp_path, {}) == 1, "Esc, and then a command"
    assert bound(tmp_path, {"bare": ["Alt-/"]}) == 1
