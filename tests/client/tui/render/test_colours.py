from chat_client.tui.render.colours import NAME_COLOURS, name_style


def test_a_name_has_one_colour_in_any_case() -> None:
    assert name_style("Bob") == name_style("bob") == "name2"
    assert len({name_style(f"user{number}") for number in range(500)}) == NAME_COLOURS
