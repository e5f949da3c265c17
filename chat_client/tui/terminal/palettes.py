"""The colours of the themes, for terminals with 24-bit colours and for those with 256.

Those for 256 colours are colours that such a terminal has, so that nothing is rounded: rounded from 24 bits, the ground
of a mention was the ground of the page, and fourteen names had ten colours.

The names were drawn by a search: each has a contrast of at least 4.5 with every ground on which names stand, and is at
least 13 (CIE76) apart from every other one and from one's own, in protanopia and deuteranopia too. None is red, which
means that something has failed.
"""

import re

from msgspec import Struct
from msgspec.structs import asdict

from chat_client.common.setting import Rule, Section, Setting
from chat_client.tui.terminal.contrast import Colour


class Palette(Struct, frozen=True):
    """What each is for: `MEANINGS`."""

    page: str
    side: str
    status: str
    open: str
    chosen: str
    mention: str
    dialog: str
    pill: str
    pill_own: str
    code: str
    text: str
    strong: str
    dim: str
    faint: str
    accent: str
    own: str
    amber: str
    red: str
    green: str
    on_accent: str
    names: tuple[str, ...]


MEANINGS = {
    "page": "the ground of messages",
    "side": "the ground of the sides and the title",
    "status": "the ground of the status",
    "open": "the ground of the open chat in the list",
    "chosen": "the ground of the message that keys act on",
    "mention": "the ground of a message that mentions you",
    "dialog": "the ground of dialogs and menus",
    "pill": "the ground of reactions and files",
    "pill_own": "the ground of your reactions",
    "code": "the ground of code",
    "text": "texts",
    "strong": "texts that stand out",
    "dim": "less important texts: times, hints, quotes",
    "faint": "lines, and the ground of numbers",
    "accent": "what you act on: the prompt, links, keys",
    "own": "your name, and the bar beside what you said",
    "amber": "what calls you, and what has to wait",
    "red": "what has failed",
    "green": "who is here, and what is done",
    "on_accent": "texts on a ground of accent or amber",
    "names": "the colours of names",
}

DARK = Palette(
    page="#121216", side="#1c1c21", status="#262630", open="#303040", chosen="#1a2a4a", mention="#33270a",
    dialog="#26262e", pill="#3a3d4e", pill_own="#35508f", code="#26262e", text="#d8dae2", strong="#ffffff",
    dim="#9ca0b4", faint="#4a4a58", accent="#7aa2f7", own="#7fe0c4", amber="#ffb454", red="#ff7b8b", green="#8fd16f",
    on_accent="#0d0d12",
    names=("#7fbfff", "#9fbf8f", "#ef8f1f", "#af7fff", "#8fdfef", "#cfbf6f", "#0fff9f", "#ef5fbf", "#efff6f",
           "#1f9fbf", "#ffbf1f", "#1faf8f", "#ffffcf", "#af8f4f"),
)  # fmt: skip
DARK_256 = Palette(
    page="#121212", side="#1c1c1c", status="#262626", open="#3a3a3a", chosen="#00005f", mention="#303030",
    dialog="#262626", pill="#444444", pill_own="#005f87", code="#262626", text="#dadada", strong="#ffffff",
    dim="#a8a8a8", faint="#585858", accent="#87afff", own="#87ffd7", amber="#ffaf5f", red="#ff8787", green="#87d787",
    on_accent="#121212",
    names=("#5fafd7", "#afd787", "#d78700", "#af87ff", "#afffff", "#afaf87", "#d787af", "#ffd75f", "#afd7ff",
           "#d7875f", "#ffff00", "#d7afaf", "#ffaf00", "#ffffaf"),
)  # fmt: skip
LIGHT = Palette(
    page="#ffffff", side="#f0f0f2", status="#e4e4e8", open="#d3dcf5", chosen="#d9f0ff", mention="#fff2cf",
    dialog="#eeeef2", pill="#e0e0ea", pill_own="#b9cdf7", code="#f0f0f4", text="#24262e", strong="#000000",
    dim="#5a5e6c", faint="#a4a8b4", accent="#2856c4", own="#0b6b57", amber="#8a4d00", red="#b8243c", green="#2b6e1a",
    on_accent="#ffffff",
    names=("#1f5fef", "#7f4f0f", "#0f6f7f", "#4f3faf", "#1f4f2f", "#5f2f4f", "#1f6f9f", "#4f6f3f", "#0f0f8f",
           "#3f0f0f", "#1f3f7f", "#3f3f0f", "#2f0f2f", "#0f1f4f"),
)  # fmt: skip
LIGHT_256 = Palette(
    page="#ffffff", side="#eeeeee", status="#e4e4e4", open="#d7d7ff", chosen="#eeeeee", mention="#ffffaf",
    dialog="#e4e4e4", pill="#dadada", pill_own="#afd7ff", code="#e4e4e4", text="#262626", strong="#000000",
    dim="#585858", faint="#a8a8a8", accent="#005faf", own="#005f5f", amber="#875f00", red="#af0000", green="#005f00",
    on_accent="#ffffff",
    names=("#005fd7", "#5f005f", "#0000ff", "#af005f", "#00005f", "#5f5faf", "#5f0000", "#870087", "#3a3a3a",
           "#0000af", "#875f00", "#5f5f87", "#000087", "#1c1c1c"),
)  # fmt: skip
NAME_GROUNDS = ("page", "side", "chosen", "mention")  # on which names stand

# The sixteen colours of a terminal that does not tell its own. Those of Linux's console lead to the same choices.
XTERM = (
    "#000000", "#cd0000", "#00cd00", "#cdcd00", "#0000ee", "#cd00cd", "#00cdcd", "#e5e5e5",
    "#7f7f7f", "#ff0000", "#00ff00", "#ffff00", "#5c5cff", "#ff00ff", "#00ffff", "#ffffff",
)  # fmt: skip


class TerminalColours(Struct, frozen=True):
    """What a terminal tells of its colours: its default ground, and those of its sixteen that it has told."""

    ground: Colour | None = None
    sixteen: dict[int, Colour] = {}


_COLOUR = "#[0-9a-fA-F]{6}"


def _is_colour(value: str | list[str]) -> bool:
    return bool(value) and all(re.fullmatch(_COLOUR, each) for each in (value if isinstance(value, list) else [value]))


COLOURS = Section(
    "colours",
    "Colours that replace those of the themes dark and light; the examples are those of dark.",
    tuple(
        Setting(
            name,
            list(value) if isinstance(value, tuple) else value,
            MEANINGS[name],
            rule=Rule(_is_colour, "written like #7aa2f7"),
        )
        for name, value in asdict(DARK).items()
    ),
)
