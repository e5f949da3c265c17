import pytest

from chat_client.tui.state import navigation
from chat_client.tui.state.dialogs import KeysPage
from chat_client.tui.state.keys import KEYS
from tests.client.people import Me


@pytest.mark.parametrize("columns", [60, 110, 200])
def test_all_keys_are_on_the_page(columns: int) -> None:
    me = Me(columns=columns, rows=100)
    me.screen.dialogs.keys_page = KeysPage()
    text = me.text()
    assert all(key.shows in text for key in KEYS)


def test_a_small_screen_scrolls_it() -> None:
    me = Me(columns=60, rows=15)
    navigation.toggle_keys_page(me.screen)
    first = me.text()
    navigation.scroll(me.screen, rows=-1000)
    assert "Ctrl-C" in me.text()
    last = me.text()
    navigation.scroll(me.screen, rows=1)
    assert me.text() != last, "it was not scrolled past its end"
    navigation.scroll(me.screen, pages=10)
    assert me.text() == first


def test_it_needs_no_scrolling_at_a_usual_size() -> None:
    me = Me(columns=110, rows=34)
    me.screen.dialogs.keys_page = KeysPage()
    assert all(key.shows in me.text() for key in KEYS)
