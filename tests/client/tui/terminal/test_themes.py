"""Themes are readable: the contrast of every text with what it stands on (WCAG: 4.5 for text, 3 for large signs)."""

import re

import pytest
from prompt_toolkit.styles import Attrs

from chat_client.tui.render.colours import NAME_COLOURS
from chat_client.tui.terminal.themes import DARK_NAMES, LIGHT_NAMES, STYLES, theme, theme_for

GROUNDS = {
    "feed": ["body", "time", "dim", "link", "quote", "note-info", "note-error", "note-done", "waiting", "failed", "new",
             "day", "me", "name-own", "scrolled", *(f"name{number}" for number in range(NAME_COLOURS))],
    "side": ["chat", "chat-unread", "chat-muted", "heading", "dot-on", "invitation", "title-name", "title-dim",
             *(f"name{number}" for number in range(NAME_COLOURS))],
    "status": ["status-dim", "status-name", "status-warn", "status-bad"],
    "mention": ["body", "time", "me", "link"],
    "chosen": ["body", "time", "chosen-id"],
    "open": ["chat-open"],
    "dialog": ["dialog-text", "dialog-title", "dialog-at"],
    "bar": ["hint", "question", "composing"],
}  # fmt: skip


def brightness(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(attrs: Attrs) -> float:
    assert attrs.color and attrs.bgcolor
    light, dark = sorted((brightness(attrs.color), brightness(attrs.bgcolor)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", ["dark", "light"])
def test_text_can_be_read(name: str) -> None:
    style = theme(name)  # type: ignore[arg-type]
    for ground, texts in GROUNDS.items():
        for text in texts:
            under = "class:feed " if ground in ("mention", "chosen") else "class:side " if ground == "open" else ""
            attrs = style.get_attrs_for_style_str(f"{under}class:{ground} class:{text}")
            least = 4.5 if text not in ("dim", "heading", "day", "title-dim", "status-dim") else 3.5
            assert contrast(attrs) >= least, f"{text} on {ground}: {contrast(attrs):.2f}"


def test_mono_has_no_colour() -> None:
    assert not any(re.search("#|ansi", look) for look in STYLES["mono"].values())


def test_every_name_has_a_colour() -> None:
    assert len(set(DARK_NAMES)) == len(set(LIGHT_NAMES)) == NAME_COLOURS


def test_the_theme_follows_the_terminal() -> None:
    assert theme_for({}) is None and theme_for({"COLORFGBG": "15;default"}) is None
    assert theme_for({"COLORFGBG": "0;15"}) == "light"
    assert theme_for({"COLORFGBG": "15;default;0"}) == "dark"
    assert theme_for({"NO_COLOR": "1"}) == "mono"
