import pytest

from chat_client.common.keys import ACTIONS, keymap
from chat_client.tui.state import navigation
from chat_client.tui.state.dialogs import KeysPage
from tests.client.people import Me


@pytest.mark.parametrize("columns", [60, 110, 200])
def test_all_keys_are_on_the_page(columns: int) -> None:
    me = Me(columns=columns, rows=100)
    me.screen.dialogs.keys_page = KeysPage()
    text = me.text()
    assert all(keymap().first(name).removeprefix("Alt-") in text for name in ACTIONS if name[-1] not in "2345678")
    assert "Shift+drag" in text and "◌ held" in text
    assert "Alt-← Alt-→ F5 F6 " in text, "those of Ctrl-PgUp and Ctrl-PgDn have no room, the shorter ones behind have"
    assert "Home End  " in text, "not Ctrl-A without Ctrl-E"


def test_a_small_screen_scrolls_it() -> None:
    me = Me(columns=60, rows=15)
    navigation.toggle_keys_page(me.screen)
    first = me.text()
    navigation.scroll(me.screen, rows=-1000)
    assert "Shift+drag" in me.text()
    last = me.text()
    navigation.scroll(me.screen, rows=1)
    assert me.text() != last, "it was not scrolled past its end"
    navigation.scroll(me.screen, pages=10)
    assert me.text() == first


@pytest.mark.parametrize("columns", [60, 110])
def test_nothing_is_cut_off(columns: int) -> None:
    me = Me(columns=columns, rows=120)
    me.screen.dialogs.keys_page = KeysPage()
    assert "…" not in me.text().replace("Alt-1 … 9", "")


def test_each_entry_has_one_line() -> None:
    me = Me(columns=60, rows=120)
    me.screen.dialogs.keys_page = KeysPage()
    entries = [row for row in me.rows() if row.startswith("  ") and row.strip()]
    assert all(row[2] != " " for row in entries), "no line continues the one above"


def test_it_shows_the_keys_that_are_set() -> None:
    me = Me(columns=110, rows=60)
    me.screen.keymap = keymap({"sides": ["F7"], "redraw": []})
    me.screen.dialogs.keys_page = KeysPage()
    assert any("F7" in row and "both sides" in row for row in me.rows()) and "Ctrl-L" not in me.text()
