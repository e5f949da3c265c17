import re
from itertools import combinations

import pytest
from msgspec import structs

from chat_client.tui.render.colours import NAME_COLOURS
from chat_client.tui.terminal.contrast import colour, contrast, distance_to_all
from chat_client.tui.terminal.palettes import DARK, DARK_256, LIGHT, LIGHT_256, NAME_GROUNDS, XTERM, Palette


@pytest.mark.parametrize("palette", [DARK, DARK_256, LIGHT, LIGHT_256])
def test_names_are_as_good_as_the_search_that_drew_them(palette: Palette) -> None:
    assert len(set(palette.names)) == NAME_COLOURS
    for name in (*palette.names, palette.own):
        for ground in NAME_GROUNDS:
            assert contrast(colour(name), colour(getattr(palette, ground))) >= 4.5, (name, ground)
    for one, other in combinations((*palette.names, palette.own), 2):
        assert distance_to_all(colour(one), colour(other)) >= 13, (one, other)


def test_every_colour_is_written_alike() -> None:
    palettes = [structs.asdict(palette) for palette in (DARK, DARK_256, LIGHT, LIGHT_256)]
    colours = [*XTERM]
    for palette in palettes:
        colours += [*palette.pop("names"), *palette.values()]
    assert all(re.fullmatch("#[0-9a-f]{6}", each) for each in colours)
    assert len(XTERM) == 16
