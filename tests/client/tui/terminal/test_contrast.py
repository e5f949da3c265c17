import pytest

from chat_client.tui.terminal.contrast import colour, contrast, distance, distance_to_all


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast(colour("#000000"), colour("#ffffff")) == pytest.approx(21)
    assert contrast(colour("#777777"), colour("#ffffff")) == pytest.approx(4.48, abs=0.01)
    assert contrast(colour("#ffffff"), colour("#777777")) == pytest.approx(4.48, abs=0.01)


def test_distance_is_that_of_cielab() -> None:
    assert distance(colour("#000000"), colour("#ffffff")) == pytest.approx(100, abs=0.1)
    assert distance(colour("#ff0000"), colour("#00ff00")) == pytest.approx(170.6, abs=0.5)


def test_red_and_green_are_closer_without_red_or_green_cones() -> None:
    brown, green = colour("#aa5500"), colour("#558000")
    for vision in ("protanopia", "deuteranopia"):
        assert distance(brown, green, vision) < distance(brown, green) / 2
    assert distance_to_all(brown, green) < distance(brown, green) / 2
