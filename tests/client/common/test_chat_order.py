from chat_client.common.chat_order import chat_order


def test_main_is_first_then_the_private_chats_then_those_of_two() -> None:
    assert sorted(["@bob", "@Alice", "#team", "main", "#All"], key=chat_order) == [
        "main", "#All", "#team", "@Alice", "@bob",
    ]  # fmt: skip
