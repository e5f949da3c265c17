"""Themes are readable with any number of colours: contrast by WCAG AA, distance by CIE76, in three kinds of vision."""

import re
from itertools import combinations

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import DummyInput
from prompt_toolkit.output import ColorDepth, DummyOutput
from prompt_toolkit.output.vt100 import _256ColorCache
from prompt_toolkit.styles import Style

from chat_client.common.setting import SettingError
from chat_client.tui.render.colours import NAME_COLOURS
from chat_client.tui.terminal.contrast import VISIONS, Colour, chroma, colour, contrast, distance, distance_to_all
from chat_client.tui.terminal.palettes import COLOURS, XTERM, TerminalColours
from chat_client.tui.terminal.themes import (
    ANSI,
    CHROMA_MIN,
    CONTRAST_MIN,
    DISTANCE_MIN,
    Depth,
    ThemeName,
    color_depth,
    depth_for,
    fitting,
    styles,
    theme,
    theme_for,
)
from chat_client.tui.terminal.window import ThemedApplication

NAMES = [f"name{number}" for number in range(NAME_COLOURS)]
SPEECH = ["body", "time", "dim", "link", "quote", "waiting", "sent", "me", "name-own", "deleted", *NAMES]
# What stands on each ground; the ground's own style is under it.
GROUNDS = {
    "feed": [*SPEECH, "note-info", "note-error", "note-done", "note-heading", "failed", "new", "day",
             "scrolled", "empty", "key"],
    "side": ["chat", "chat-unread", "chat-muted", "chat-number", "heading", "dot-on", "dot-off", "dot-away",
             "invitation", "badge", "badge-mention", "badge-muted", "title-name", "title-dim", *NAMES],
    "title": ["title-name", "title-dim", "badge", "badge-mention"],
    "status": ["status-dim", "status-name", "status-warn", "status-bad"],
    "feed mention": SPEECH,
    "feed chosen": [*SPEECH, "chosen-id", "failed"],
    "feed pill": ["body"],
    "feed pill-own": ["pill-own"],
    "feed code": ["body"],
    "feed file": ["file"],
    "side open": ["chat-open", "chat-number", "dot-on", "dot-off", "dot-away"],
    "dialog": ["dialog-text", "dialog-title", "dialog-at", "dim", "badge", "badge-mention"],
    "bar": ["hint", "question", "composing", "chosen-id", "scrolled", "note-error", "note-info", "note-done"],
    "input": ["hint", "prompt"],
}  # fmt: skip
# Grounds that have to be told apart from each other, in every vision.
APART = {("feed", "feed mention"), ("feed", "feed chosen"), ("feed mention", "feed chosen"), ("side", "side open"),
         ("feed chosen", "feed pill"), ("feed mention", "feed pill"), ("feed chosen", "feed pill-own"),
         ("feed", "feed pill"), ("feed", "feed code")}  # fmt: skip
GROUND_DISTANCE_MIN = 4.0
OWN_COLOURS: list[tuple[ThemeName, Depth]] = [
    (name, depth) for name in ("dark", "light") for depth in ("256", "truecolor")
]  # fmt: skip
SOLARIZED = (
    "#073642", "#dc322f", "#859900", "#b58900", "#268bd2", "#d33682", "#2aa198", "#eee8d5",
    "#002b36", "#cb4b16", "#586e75", "#657b83", "#839496", "#6c71c4", "#93a1a1", "#fdf6e3",
)  # fmt: skip
LINUX = (
    "#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa",
    "#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff",
)  # fmt: skip
TERMINALS = {
    "xterm": (XTERM, "#000000"), "white xterm": (XTERM, "#ffffff"), "linux": (LINUX, "#000000"),
    "solarized dark": (SOLARIZED, "#002b36"), "solarized light": (SOLARIZED, "#fdf6e3"),
}  # fmt: skip
FEWEST = {"xterm": 5, "white xterm": 3, "linux": 5, "solarized dark": 2, "solarized light": 0}  # colours of names


def on(style: Style, ground: str, text: str) -> tuple[Colour, Colour]:
    """The colour of the text, and that of what is under it."""
    attrs = style.get_attrs_for_style_str(" ".join(f"class:{each}" for each in (*ground.split(), text)))
    assert attrs.color and attrs.bgcolor
    return colour(attrs.color), colour(attrs.bgcolor)


@pytest.mark.parametrize(("name", "depth"), OWN_COLOURS)
def test_every_text_can_be_read_on_every_ground(name: ThemeName, depth: Depth) -> None:
    style = theme(name, depth)
    for ground, texts in GROUNDS.items():
        for text in texts:
            found = contrast(*on(style, ground, text))
            least = 3.0 if text.startswith("dot-") else CONTRAST_MIN  # a sign, whose shape says the same
            assert found >= least, f"{text} on {ground}: {found:.2f}"


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(("name", "depth"), OWN_COLOURS)
def test_names_are_told_apart_in_every_vision(name: ThemeName, depth: Depth, vision: str) -> None:
    looks = styles(name, depth)
    colours = [looks[each].removeprefix("bold ") for each in (*NAMES, "name-own")]
    for one, other in combinations(colours, 2):
        assert distance(colour(one), colour(other), vision) >= DISTANCE_MIN, (one, other)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "depth"), OWN_COLOURS)
def test_grounds_that_mean_something_are_told_apart(name: ThemeName, depth: Depth) -> None:
    style = theme(name, depth)
    for one, other in sorted(APART):
        found = distance_to_all(on(style, one, "")[1], on(style, other, "")[1])
        assert found >= GROUND_DISTANCE_MIN, f"{one} and {other}: {found:.1f}"


@pytest.mark.parametrize("name", ["dark", "light"])
def test_nothing_is_rounded_where_there_are_256_colours(name: ThemeName) -> None:
    had = {"#{:02x}{:02x}{:02x}".format(*each) for each in _256ColorCache().colors[16:]}
    for style, look in styles(name, "256").items():
        assert {part.removeprefix("bg:") for part in look.split() if "#" in part} <= had, style


@pytest.mark.parametrize("name", ["dark", "light"])
def test_red_means_failed_and_nothing_else(name: ThemeName) -> None:
    for depth in ("256", "truecolor"):
        looks = styles(name, depth)
        red = looks["failed"]
        assert {style for style, look in looks.items() if red in look} == {"failed", "note-error", "status-bad"}


@pytest.mark.parametrize("terminal", TERMINALS)
def test_with_sixteen_colours_names_and_signs_are_those_that_can_be_read(terminal: str) -> None:
    """As they are drawn: xterm, the console and many others draw a bold one of the first eight as the bright one."""
    sixteen, ground = TERMINALS[terminal]
    told = TerminalColours(colour(ground), {number: colour(each) for number, each in enumerate(sixteen)})
    looks, style = styles("terminal", "16", told), theme("terminal", "16", told)
    assert not any("#" in look or "bg:" in look for look in looks.values())  # the ground stays the terminal's own

    def drawn(under: str, text: str) -> Colour | None:
        attrs = style.get_attrs_for_style_str(" ".join(f"class:{each}" for each in (*under.split(), text)))
        if not attrs.color:
            return None
        number = ANSI.index(attrs.color)
        return colour(sixteen[number + 8 if attrs.bold and number < 8 else number])

    for under, texts in GROUNDS.items():
        for text in texts:
            found = drawn(under, text)
            assert found is None or contrast(found, colour(ground)) >= CONTRAST_MIN, f"{text} on {under}"
            assert found is None or chroma(found) >= CHROMA_MIN, f"{text} on {under} is grey"
    for under in ("feed", "feed mention", "feed chosen", "side"):
        names = {drawn(under, name) for name in NAMES} - {None}
        assert len(names) >= FEWEST[terminal]
        for one, other in combinations(names, 2):
            assert one and other and distance_to_all(one, other) >= DISTANCE_MIN, (one, other)


def test_a_terminal_that_tells_nothing_has_colours_that_can_be_read_on_the_console_too() -> None:
    for sixteen in (XTERM, LINUX):
        told = TerminalColours(colour(sixteen[0]), {number: colour(each) for number, each in enumerate(sixteen)})
        assert styles("terminal", "16") == styles("terminal", "16", told)


def test_mono_has_no_colour() -> None:
    assert not any(re.search("#|ansi", look) for look in styles("mono").values())


def test_the_theme_follows_the_terminal() -> None:
    xterm = {"TERM": "xterm-256color"}
    assert theme_for(xterm) is None and theme_for({**xterm, "COLORFGBG": "15;default"}) is None
    assert theme_for({**xterm, "COLORFGBG": "0;15"}) == "light"
    assert theme_for({**xterm, "COLORFGBG": "15;default;0"}) == "dark"
    assert theme_for({**xterm, "NO_COLOR": "1"}) == theme_for({"TERM": "vt100"}) == "mono"
    assert theme_for({"TERM": "linux"}) == theme_for({"TERM": "xterm"}) == theme_for({"TERM": "screen"}) == "terminal"
    assert theme_for({"TERM": "xterm", "COLORTERM": "truecolor"}) is None


def test_the_number_of_colours_follows_the_terminal() -> None:
    assert depth_for({"TERM": "xterm-256color"}) == depth_for({"TERM": "tmux-256color"}) == "256"
    assert depth_for({"TERM": "xterm-256color", "COLORTERM": "truecolor"}) == depth_for({"TERM": "xterm-kitty"})
    assert depth_for({"TERM": "xterm-kitty"}) == depth_for({"TERM": "foot"}) == "truecolor"
    assert depth_for({"TERM": "linux"}) == depth_for({}) == "16"
    assert color_depth("terminal", "truecolor") is ColorDepth.DEPTH_4_BIT
    assert color_depth("dark", "16") is ColorDepth.DEPTH_8_BIT  # named on purpose, where TERM says too little
    assert color_depth("light", "truecolor") is ColorDepth.DEPTH_24_BIT


def test_the_theme_fits_the_ground_that_the_terminal_tells() -> None:
    for ground in ("#fdf6e3", "#ffffff", "#a0a0a0"):
        assert fitting(TerminalColours(colour(ground))) == "light"
    for ground in ("#002b36", "#1a1b26", "#606060"):
        assert fitting(TerminalColours(colour(ground))) == "dark"
    assert fitting(TerminalColours()) == "dark"


def test_colours_can_be_set_one_by_one() -> None:
    given = COLOURS.read({"page": "#000000", "names": ["#ffffff", "#ffff00"]})
    looks = styles("dark", "truecolor", given=given)
    assert "bg:#000000" in looks["feed"] and looks["side"] == styles("dark", "truecolor")["side"]
    assert [looks[name] for name in NAMES] == ["#ffffff", "#ffff00"] * (NAME_COLOURS // 2)
    assert "#000000" not in str(styles("mono", given=given)) + str(styles("terminal", given=given))


NO_COLOURS = [{"page": "black"}, {"page": "#12"}, {"names": []}, {"names": ["#ffffff", "x"]}, {"sky": "#000000"}]


@pytest.mark.parametrize("table", NO_COLOURS)
def test_what_is_no_colour_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        COLOURS.read(table)


def test_nothing_but_the_theme_has_a_colour() -> None:
    """prompt_toolkit's dialogs are blue; those of the terminal's own colours are not."""
    with create_app_session(input=DummyInput(), output=DummyOutput()):
        app = ThemedApplication(style=theme("terminal"))
    dialog = app.renderer.style.get_attrs_for_style_str("class:dialog")
    assert dialog.reverse and not dialog.bgcolor
    app.style = theme("dark")
    assert app.renderer.style.get_attrs_for_style_str("class:dialog").bgcolor
