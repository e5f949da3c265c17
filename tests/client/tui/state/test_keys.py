from collections import Counter
from itertools import pairwise

from prompt_toolkit.key_binding import KeyBindings

from chat_client.tui.state.keys import GROUPS, KEYS
from tests.client.people import Me, said


def test_every_key_is_one_that_a_terminal_can_send_and_is_bound_once() -> None:
    presses = [(presses, key.when) for key in KEYS for presses in key.presses]
    bindings = KeyBindings()
    for keys, _ in presses:
        bindings.add(*keys)(lambda event: None)
    assert max(Counter(presses).values()) == 1


def test_every_key_stands_on_the_page_or_beside_one_that_does() -> None:
    assert {key.group for key in KEYS} == set(GROUPS)
    for before, key in pairwise(KEYS):
        assert key.shows or before.group == key.group
        assert bool(key.shows) == bool(key.help)


def test_every_key_can_be_pressed_anywhere() -> None:
    me = Me()
    me.load(*(said(id) for id in range(1, 50)))
    for key in KEYS:
        if key.do is not None:
            key.do(me.screen, "")
            me.frame()
