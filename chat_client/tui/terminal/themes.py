"""The themes: how each style of the frames looks.

`dark` and `light` set the colour of everything. `terminal` uses the terminal's own sixteen colours on its default
ground, whatever these are: text stands in the default colours, blocks are reversed, and only names and signs have a
colour. `mono` uses no colour at all.
"""

from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any, Literal

from msgspec import structs
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style
from prompt_toolkit.styles.defaults import PROMPT_TOOLKIT_STYLE

from chat_client.tui.render.colours import NAME_COLOURS
from chat_client.tui.terminal.contrast import Colour, chroma, colour, contrast, distance_to_all, luminance
from chat_client.tui.terminal.palettes import (
    DARK,
    DARK_256,
    LIGHT,
    LIGHT_256,
    XTERM,
    Palette,
    TerminalColours,
)

ThemeName = Literal["dark", "light", "terminal", "mono"]
Depth = Literal["16", "256", "truecolor"]

CONTRAST_MIN = 4.5  # of a text, by WCAG AA
DISTANCE_MIN = 13.0  # of two names, by CIE76, in each vision
CHROMA_MIN = 20.0  # of a name or a sign: four of Solarized's bright colours are the greys of its texts
# The parts of TERM by which terminals are known that have 24-bit colours, or 256. COLORTERM says it better, but ssh
# rarely forwards it.
_TRUECOLOR_TERMS = ("kitty", "alacritty", "foot", "ghostty", "wezterm", "contour", "rio", "direct", "iterm2")
_256_TERMS = ("256color",)
_PALETTES: dict[tuple[str, Depth], Palette] = {
    ("dark", "truecolor"): DARK, ("dark", "256"): DARK_256, ("light", "truecolor"): LIGHT, ("light", "256"): LIGHT_256,
}  # fmt: skip
ANSI = (
    "ansiblack", "ansired", "ansigreen", "ansiyellow", "ansiblue", "ansimagenta", "ansicyan", "ansigray",
    "ansibrightblack", "ansibrightred", "ansibrightgreen", "ansibrightyellow", "ansibrightblue", "ansibrightmagenta",
    "ansibrightcyan", "ansiwhite",
)  # fmt: skip
# In which of the sixteen each kind of sign is looked for; names take any of the chromatic ones but the reds.
_SIGNS = {"accent": (12, 4, 14, 6), "own": (14, 6, 10, 2), "amber": (11, 3, 13, 5), "red": (9, 1), "green": (10, 2)}
_NAMES = (14, 6, 10, 2, 11, 3, 13, 5, 12, 4)


def _colour_styles(c: Palette) -> dict[str, str]:
    text, dim = c.text, c.dim
    styles = {
        "bare-chosen": "bold",
        "page": f"bg:{c.page} {text}", "feed": f"bg:{c.page} {text}", "title": f"bg:{c.side} {text}",
        "title-name": f"bold {c.strong}", "title-dim": dim, "side": f"bg:{c.side} {text}",
        "edge": c.faint, "bar": f"bg:{c.page} {dim}", "input": f"bg:{c.side} {c.strong}",
        "prompt": f"bold {c.accent}", "hint": dim, "usage": dim,
        "status": f"bg:{c.status} {text}", "status-dim": dim, "status-dot": c.green, "status-name": f"bold {c.own}",
        "status-warn": c.amber, "status-bad": f"bold {c.red}",
        "heading": f"bold {dim}", "chat": text, "chat-open": f"bold {c.strong}",
        "chat-unread": f"bold {c.strong}",
        "chat-muted": dim, "chat-number": dim, "chat-mark": c.accent, "open": f"bg:{c.open}",
        "badge": f"bg:{c.faint} {c.strong}", "badge-mention": f"bold bg:{c.amber} {c.on_accent}",
        "badge-muted": dim, "invitation": c.amber, "dot-on": c.green, "dot-off": dim, "dot-away": c.amber,
        "time": dim, "name-own": f"bold {c.own}", "body": text, "body-own": text, "body-waiting": dim,
        "bar-own": c.own, "bar-mention": c.amber, "bar-chosen": c.accent, "mention": f"bg:{c.mention}",
        "chosen": f"bg:{c.chosen}",
        "chosen-id": f"bold {c.accent}", "me": f"bold {c.amber}", "link": f"underline {c.accent}",
        "code": f"bg:{c.code}", "mark": dim, "bold": "bold", "italic": "italic",
        "found": f"bold bg:{c.amber} {c.on_accent}", "dim": dim, "deleted": f"italic {dim}",
        "quote": f"italic {dim}", "quote-line": dim,
        "file": f"bold bg:{c.pill} {c.strong}", "pill": f"bg:{c.pill} {text}",
        "pill-own": f"bold bg:{c.pill_own} {c.strong}", "sent": dim, "waiting": c.amber,
        "failed": c.red,
        "day": f"bold {dim}", "day-line": c.faint, "new": f"bold {c.accent}", "new-line": c.accent,
        "note": text, "note-info": dim, "note-done": c.green, "note-error": c.red, "note-heading": f"bold {text}",
        "empty": dim, "scrolled": f"bold {c.accent}",
        "question": f"bold bg:{c.amber} {c.on_accent}", "composing": f"bold bg:{c.accent} {c.on_accent}",
        "meter": c.faint, "meter-full": c.accent, "key": f"bold {c.accent}", "cursor": "reverse",
        "dialog": f"bg:{c.dialog} {text}", "dialog-title": f"bold bg:{c.accent} {c.on_accent}",
        "dialog-text": f"bold {c.strong}", "dialog-at": f"bold bg:{c.open} {c.strong}",
        "completion-menu": f"bg:{c.dialog} {text}", "completion-menu.completion": f"bg:{c.dialog} {text}",
        "completion-menu.completion.current": f"noreverse bold bg:{c.open} {c.strong}",
        "completion-menu.meta.completion": f"bg:{c.dialog} {dim}",
        "completion-menu.meta.completion.current": f"noreverse bg:{c.open} {text}",
        "scrollbar.background": f"bg:{c.dialog}", "scrollbar.button": f"bg:{c.faint}",
        "search.current": f"bg:{c.open}", "incsearch": f"bg:{c.open}",
        "incsearch.current": f"bg:{c.open} bold", "search-toolbar": f"bg:{c.page} {dim}",
        "search-toolbar.text": c.strong, "selected-text": "reverse",
    }  # fmt: skip
    return {**styles, **{f"name{number}": colour for number, colour in enumerate(islice(cycle(c.names), NAME_COLOURS))}}


_MONO = {
    "bare-chosen": "bold",
    "title": "reverse", "title-name": "bold", "status": "reverse", "status-bad": "bold", "status-name": "bold",
    "heading": "bold", "chat-open": "bold reverse", "chat-unread": "bold", "badge-mention": "bold reverse",
    "badge": "bold", "name-own": "bold", "me": "bold underline", "link": "underline", "day": "bold",
    "new": "bold reverse", "chosen": "bold", "mention": "bold", "note-error": "bold", "failed": "bold",
    "note-heading": "bold",
    "deleted": "italic", "quote": "italic", "question": "reverse bold", "composing": "reverse", "key": "bold",
    "dialog": "reverse", "dialog-at": "noreverse bold underline", "dialog-title": "bold", "scrolled": "bold",
    "prompt": "bold", "pill-own": "reverse bold", "file": "bold", "cursor": "reverse", "completion-menu": "reverse",
    "completion-menu.completion.current": "noreverse bold", "invitation": "bold", "waiting": "italic",
    "meter-full": "bold", "bold": "bold", "italic": "italic", "found": "reverse", "pill": "reverse",
    **{f"name{number}": "bold" for number in range(NAME_COLOURS)},
}  # fmt: skip


def _terminal_styles(told: TerminalColours) -> dict[str, str]:
    """The signs and names have those of the sixteen that can be read on the terminal's ground."""
    sixteen = [told.sixteen.get(number, colour(default)) for number, default in enumerate(XTERM)]
    ground = told.ground or sixteen[0]
    may = [_is_readable(each, ground) and chroma(each) >= CHROMA_MIN for each in sixteen]
    signs = {
        kind: next((_sign(each, may) for each in numbers if may[each]), "bold") for kind, numbers in _SIGNS.items()
    }
    names = _distinct_names(sixteen, may)
    coloured = {
        "prompt": "accent", "chat-mark": "accent", "bar-chosen": "accent", "scrolled": "accent", "key": "accent",
        "day": "accent", "new": "accent", "new-line": "accent", "name-own": "own", "bar-own": "own",
        "bar-mention": "amber", "dot-away": "amber", "invitation": "amber", "waiting": "amber", "note-error": "red",
        "failed": "red", "dot-on": "green", "note-done": "green",
    }  # fmt: skip
    return {
        **_MONO,
        **{style: signs[kind] for style, kind in coloured.items()},
        "link": "underline",
        **{f"name{number}": names[number % len(names)] for number in range(NAME_COLOURS)},
    }


def _is_readable(one: Colour, ground: Colour) -> bool:
    return contrast(one, ground) >= CONTRAST_MIN


def _sign(number: int, may: list[bool]) -> str:
    """Bold, unless that makes it a colour that cannot be read: many terminals draw a bold one of the first eight as the
    bright one, on a white xterm magenta at 3.1."""
    return f"{'bold' if number >= 8 or may[number + 8] else 'nobold'} {ANSI[number]}"


def _distinct_names(sixteen: list[Colour], may: list[bool]) -> list[str]:
    """A name of the first eight is never bold, even where what it stands in is: it would have another one's colour."""
    chosen: list[int] = []
    for number in _NAMES:
        if may[number] and all(distance_to_all(sixteen[number], sixteen[each]) >= DISTANCE_MIN for each in chosen):
            chosen.append(number)
    return [ANSI[number] if number >= 8 else f"nobold {ANSI[number]}" for number in chosen] or [""]


def styles(
    name: ThemeName,
    depth: Depth = "truecolor",
    told: TerminalColours | None = None,
    given: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """How each style looks. `told`: what the terminal has told of its colours, for the theme `terminal`. `given`: the
    colours that a user has set in place of those of `dark` and `light`."""
    if name == "mono":
        return _MONO
    if name == "terminal":
        return _terminal_styles(told or TerminalColours())
    palette = _PALETTES[name, "256" if depth == "16" else depth]
    return _colour_styles(structs.replace(palette, **given) if given else palette)


def theme(
    name: ThemeName,
    depth: Depth = "truecolor",
    told: TerminalColours | None = None,
    given: Mapping[str, Any] | None = None,
) -> Style:
    return Style([*PROMPT_TOOLKIT_STYLE, *styles(name, depth, told, given).items()])


def depth_for(environment: Mapping[str, str]) -> Depth:
    """How many colours the terminal has, as far as its environment says."""
    term = environment.get("TERM", "")
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") or any(t in term for t in _TRUECOLOR_TERMS):
        return "truecolor"
    return "256" if any(t in term for t in _256_TERMS) else "16"


def color_depth(name: ThemeName, depth: Depth) -> ColorDepth:
    """What prompt_toolkit calls it. A user who names `dark` or `light` gets at least 256 colours."""
    if name == "mono":
        return ColorDepth.DEPTH_1_BIT
    if name == "terminal":
        return ColorDepth.DEPTH_4_BIT
    return ColorDepth.DEPTH_24_BIT if depth == "truecolor" else ColorDepth.DEPTH_8_BIT


def theme_for(environment: Mapping[str, str]) -> ThemeName | None:
    """The theme that fits the terminal, as far as its environment says: NO_COLOR, its colours, then COLORFGBG."""
    if environment.get("NO_COLOR") or environment.get("TERM") in ("dumb", "vt100", "vt220"):
        return "mono"
    if depth_for(environment) == "16":
        return "terminal"
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    if not background.isdigit():
        return None
    return "light" if background in ("7", "15") else "dark"


def fitting(told: TerminalColours) -> ThemeName:
    """The theme for the ground that the terminal has told."""
    return "light" if told.ground and luminance(told.ground) > 0.18 else "dark"
