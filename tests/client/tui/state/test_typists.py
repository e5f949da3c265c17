"""Who types is shown in the bar."""

from chat_client.tui.state import navigation, terminal_events
from chat_client.tui.state.typists import USERS_MAX
from chat_server.protocol.people import TYPING_SECONDS, Typing
from chat_server.protocol.rooms import ChatInfo
from tests.client.people import Me, said

CHATS = [ChatInfo(name, 0, 0, muted=False) for name in ("main", "#ops", "@bob")]


def in_ops(*, columns: int = 110) -> Me:
    me = Me(*CHATS, columns=columns)
    navigation.open_chat(me.screen, "#ops")
    me.load(chat="#ops")
    return me


def test_the_bar_names_those_who_type_in_the_open_chat_until_it_is_over() -> None:
    alice = in_ops()
    alice.hear(Typing("@bob", "bob", True))
    assert "typing" not in alice.text("bar")
    alice.hear(Typing("#ops", "bob", True))
    assert alice.text("bar").startswith(" bob is typing …")
    alice.now += 2
    alice.hear(Typing("#ops", "carol", True))
    assert "bob and carol are typing …" in alice.text("bar")
    alice.hear(Typing("#ops", "dave", True))
    assert "bob, carol and 1 more are typing …" in alice.text("bar")
    alice.now += TYPING_SECONDS - 2
    assert terminal_events.tick(alice.screen, alice.now)
    assert "carol and dave are typing …" in alice.text("bar")
    alice.hear(said(1, "done", who="carol", chat="#ops"))
    alice.hear(Typing("#ops", "dave", False))
    assert "typing" not in alice.text("bar")


def test_no_more_are_remembered_than_may_be() -> None:
    alice = in_ops()
    alice.hear(*(Typing("#ops", f"user{number}", True) for number in range(USERS_MAX + 5)))
    assert len(alice.screen.typists.of("#ops")) == USERS_MAX
    alice.hear(Typing("#ops", "user0", False), Typing("#ops", "late", True))
    assert alice.screen.typists.of("#ops")[-1] == "late"


def test_what_matters_is_told_in_its_place() -> None:
    alice = in_ops(columns=40)
    alice.hear(Typing("#ops", "a" * 32, True), Typing("#ops", "b" * 32, True))
    assert "aaa" not in alice.text("bar")
    assert "typing" not in alice.text("bar"), "there is no room for it"
    alice = in_ops()
    alice.hear(Typing("#ops", "bob", True))
    alice.screen.tell("error", "not sent: no")
    assert alice.text("bar").startswith(" not sent: no") and "typing" not in alice.text("bar")


def test_a_lost_connection_forgets_who_types() -> None:
    alice = in_ops()
    alice.hear(Typing("#ops", "bob", True))
    alice.connect(*CHATS, resumed=True)
    assert "typing" not in alice.text("bar")
