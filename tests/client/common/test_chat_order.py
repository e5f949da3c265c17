from chat_client.common.chat_order import chat_order


def test_main_is_first_then_the_private_chats_then_those_of_two() -> None:
    assert sorted(["@bob", "@Alice", "#team", "main", "#All"], key=chat_order) == [
        "main", "#All", "#team", "@Alice", "@bob",
    ]  # fmt: skip


def test_numbers_are_in_their_order() -> None:
    names = ["#team10", "#team2", "#team1b", "#team", "#10", "#9", "@bob2", "@bob10", "#team02"]
    assert sorted(names, key=chat_order) == [
        "#9", "#10", "#team", "#team1b", "#team2", "#team02", "#team10", "@bob2", "@bob10",
    ]  # fmt: skip
