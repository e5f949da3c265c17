import pytest

from chat_client.tui.state.chat_list import LOADED_MAX, ChatList
from tests.client.people import said


def chats(*names: str) -> ChatList:
    chats = ChatList()
    for name in names:
        chats.chat(name)
    return chats


def test_main_comes_first_then_private_chats_then_those_of_two() -> None:
    assert list(chats("@Zoe", "#b", "@bob", "#A").by_name) == ["main", "#A", "#b", "@bob", "@Zoe"]


def test_the_chat_before_is_remembered() -> None:
    one = chats("#team", "@bob")
    one.switch_to("#team")
    one.switch_to("@bob")
    assert (one.open_name, one.previous_name, one.open.name) == ("@bob", "#team", "@bob")
    assert one.addressee == "bob"


def test_main_takes_the_place_of_a_chat_that_is_gone() -> None:
    one = chats("#team", "@bob")
    one.switch_to("#team")
    assert one.remove("#team") and one.open_name == "main"
    one = chats("#team", "@bob")
    one.switch_to("#team")
    one.switch_to("@bob")
    assert not one.remove("#team") and one.previous_name == "main" and one.open_name == "@bob"


def test_what_is_unread_comes_in_turn_mentions_first_and_muted_chats_last() -> None:
    one = chats("#a", "#b", "#c", "@bob")
    for name in ("#a", "#b", "#c", "@bob"):
        one.chat(name).unread, one.chat(name).newest = 1, 5
    one.chat("#b").mentions.add(5)
    one.chat("#a").muted = True
    assert one.next_unread() is one.chat("#b")
    shown = []
    for _ in range(3):
        chat = one.next_unread()
        assert chat is not None
        one.switch_to(chat.name)
        shown.append(chat.name)
    assert shown == ["@bob", "#c", "#a"]
    one.chat("#c").newest = 6
    assert one.next_unread() is one.chat("#c"), "something new was said there"


def test_nothing_is_unread_but_in_the_open_chat() -> None:
    one = chats("#a")
    one.open.unread = 3
    assert one.next_unread() is None


def test_only_the_chats_that_were_open_last_keep_their_messages() -> None:
    names = [f"#{number}" for number in range(LOADED_MAX + 2)]
    one = chats(*names)
    for name in names:
        one.switch_to(name)
        one.open.feed.restart([said(1, chat=name)])
        one.open.loaded = True
    kept = [name for name in names if one.chat(name).loaded]
    assert kept == names[-LOADED_MAX:]
    assert [name for name in names if one.chat(name).feed.messages] == kept
    one.chat(names[2]).feed.add_refused("k", "mine", said(1).at, "no", None)
    one.switch_to("main")
    assert one.chat(names[2]).loaded, "nobody else has what was refused in it"


def test_a_mention_in_a_muted_chat_comes_before_what_is_merely_unread() -> None:
    one = chats("#a", "#b")
    for name in ("#a", "#b"):
        one.chat(name).unread, one.chat(name).newest = 1, 5
    one.chat("#b").muted = True
    one.chat("#b").mentions.add(5)
    assert one.next_unread() is one.chat("#b")


def shown(one: ChatList) -> list[str]:
    return [f"{number} {chat.name}" for number, chat in one.listed()]


def test_muted_chats_stand_last_and_the_order_can_be_chosen() -> None:
    one = chats("#a", "#b", "#c", "@bob")
    one.chat("#a").muted = True
    assert shown(one) == ["1 main", "2 #b", "3 #c", "4 @bob", "5 #a"]
    assert [one.section(chat) for _, chat in one.listed()] == ["chats", "chats", "chats", "people", "muted"]
    one.chat("#c").unread = one.chat("@bob").unread = one.chat("#a").unread = 1
    one.order = "unread"
    assert shown(one) == ["1 main", "2 @bob", "3 #c", "4 #b", "5 #a"]
    one.chat("#b").newest, one.chat("@bob").newest = 9, 7
    one.order = "latest"
    assert shown(one) == ["1 main", "2 #b", "3 @bob", "4 #c", "5 #a"]


def test_a_pinned_chat_keeps_its_number() -> None:
    one = chats("#a", "#b", "#c", "@bob")
    assert one.pin("#c", 4) == "#c is pinned: Alt-4 opens it"
    one.pin("@bob")
    assert shown(one) == ["1 main", "2 @bob", "4 #c", "3 #a", "5 #b"]
    one.remove("@bob")
    assert shown(one) == ["1 main", "4 #c", "2 #a", "3 #b"], "the others take the numbers that are left"
    one.chat("@bob")
    assert shown(one)[1] == "2 @bob", "it is pinned still"
    one.pin("#c")
    assert "#c" not in one.pins
    with pytest.raises(ValueError, match="2 is the number of @bob"):
        one.pin("#a", 2)
    assert one.pin("@bob", 7) == "@bob is pinned: Alt-7 opens it", "another number moves it"
    one.remove("@bob")
    one.pin("#a", 7)
    assert one.pins == {"#a": 7}, "the number of a chat that is not there is free"
    with pytest.raises(ValueError, match="main is always number 1"):
        one.pin("main")
    many = chats(*(f"#{number}" for number in range(10)))
    for number in range(8):
        many.pin(f"#{number}")
    with pytest.raises(ValueError, match="no number is left"):
        many.pin("#9")


def test_pins_that_were_kept_come_back_as_far_as_they_make_sense() -> None:
    one = chats("#a")
    one.take_pins({"#a": 3, "#b": 3, "main": 2, "#c": 77})
    assert one.pins == {"#b": 3}
