import pytest

from chat_client.tui.state.dialogs import Dialogs, Finder, KeysPage, Question, find

NAMES, USERS = {"main": "", "#team": "", "#tea": "", "@bob": ""}, ("bob", "dora", "Theo")


@pytest.mark.parametrize(
    "part, found",
    [
        ("", ["main", "#team", "#tea", "@bob", "@dora", "@Theo"]),
        ("te", ["#team", "#tea"]),
        ("t", ["#team", "#tea", "@Theo"]),
        ("o", ["@bob", "@dora", "@Theo"]),
        ("DO", ["@dora"]),
        ("eo", ["@Theo"]),
        ("#", ["#team", "#tea"]),
        ("@", ["@bob", "@dora", "@Theo"]),
        ("@t", ["@Theo"]),
        ("#a", ["#team", "#tea"]),
        ("zzz", []),
    ],
)
def test_chats_and_people_are_found_by_a_part_of_their_names(part: str, found: list[str]) -> None:
    assert find(NAMES, USERS, part) == found


def test_what_begins_with_the_part_comes_first() -> None:
    assert find(dict.fromkeys(("#atom", "#mat", "#tom"), ""), (), "tom") == ["#tom", "#atom"]


@pytest.mark.parametrize("part", ["zoë", "ZOE\u0308", "@Zoe\u0308", "Ｚｏë", "oe\u0308"])
def test_a_name_is_found_however_it_is_typed(part: str) -> None:
    assert find(NAMES, ("Zoë", "bob"), part) == ["@Zoë"]
    assert find(NAMES, ("Zoë", "bob"), "x" * 200) == []


def test_any_part_finds_a_chat_its_words_its_topic_and_its_letters() -> None:
    chats = {"#web-ops": "", "#ops": "", "#laptops": "", "#lunch": "who brings opsimath cake", "#o-p-s": ""}
    assert find(chats, ("orpheus",), "ops") == ["#ops", "#web-ops", "#laptops", "#lunch", "#o-p-s", "@orpheus"]
    assert find(chats, (), "ops web") == ["#web-ops"]
    assert find(chats, (), "cake") == ["#lunch"]


@pytest.mark.parametrize(
    "field, dialog", [("question", Question("?", "leave")), ("finder", Finder()), ("keys_page", KeysPage())]
)
def test_any_of_them_has_the_keys_until_it_is_closed(field: str, dialog: object) -> None:
    dialogs = Dialogs()
    assert not dialogs.is_open
    setattr(dialogs, field, dialog)
    assert dialogs.is_open
    dialogs.close()
    assert not dialogs.is_open and getattr(dialogs, field) is None
