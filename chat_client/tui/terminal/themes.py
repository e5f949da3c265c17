"""The themes: how each style of the frames looks.

`dark` and `light` set the colour of everything, so that they can be read on any terminal; `mono` uses no colour at all.
"""

from collections.abc import Mapping
from typing import Literal

from prompt_toolkit.styles import Style

ThemeName = Literal["dark", "light", "mono"]

# The backgrounds lie on the grey ramp of terminals with 256 colours, so that they can be told apart there too.
_DARK = {
    "page": "#121216", "side": "#1c1c21", "status": "#262630", "open": "#303040", "chosen": "#282b3c",
    "mention": "#2b2410", "dialog": "#26262e", "text": "#d8dae2", "strong": "#ffffff", "dim": "#9094a8",
    "faint": "#3a3a44", "accent": "#7aa2f7", "own": "#7fe0c4", "amber": "#ffb454", "red": "#ff7b8b", "green": "#8fd16f",
    "on_accent": "#0d0d12", "pill": "#2a2a35",
}  # fmt: skip
_LIGHT = {
    "page": "#ffffff", "side": "#f0f0f2", "status": "#e4e4e8", "open": "#d3dcf5", "chosen": "#dfe6fa",
    "mention": "#fff2cf", "dialog": "#eeeef2", "text": "#24262e", "strong": "#000000", "dim": "#5a5e6c",
    "faint": "#c6c8d0", "accent": "#2856c4", "own": "#0b6b57", "amber": "#955400", "red": "#b8243c", "green": "#2b6e1a",
    "on_accent": "#ffffff", "pill": "#e6e6ec",
}  # fmt: skip
DARK_NAMES = (
    "#7aa2f7", "#9ece6a", "#e0af68", "#bb9af7", "#7dcfff", "#f78c6c", "#4fd6be", "#ff9ac1", "#b8d977", "#8fb8ff",
    "#d7a8ff", "#5fd7af", "#e6c07b", "#ff8fa3",
)  # fmt: skip
LIGHT_NAMES = (
    "#2856c4", "#3c6e12", "#8a5300", "#7a3bc4", "#05688f", "#ad3a10", "#0a6b60", "#a8266f", "#556700", "#3d4fc0",
    "#8d2fb0", "#0a6e3f", "#7a5b00", "#b02345",
)  # fmt: skip


def _colour_styles(c: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    text, dim = c["text"], c["dim"]
    styles = {
        "page": f"bg:{c['page']} {text}", "feed": f"bg:{c['page']} {text}", "title": f"bg:{c['side']} {text}",
        "title-name": f"bold {c['strong']}", "title-dim": dim, "side": f"bg:{c['side']} {text}",
        "edge": c["faint"], "bar": f"bg:{c['page']} {dim}", "input": f"bg:{c['side']} {c['strong']}",
        "prompt": f"bold {c['accent']}", "hint": dim, "usage": dim,
        "status": f"bg:{c['status']} {text}", "status-dim": dim, "status-name": f"bold {c['own']}",
        "status-warn": c["amber"], "status-bad": f"bold {c['red']}",
        "heading": f"bold {dim}", "chat": text, "chat-open": f"bold {c['strong']}",
        "chat-unread": f"bold {c['strong']}",
        "chat-muted": dim, "chat-number": dim, "chat-mark": c["accent"], "open": f"bg:{c['open']}",
        "badge": f"bg:{c['faint']} {c['strong']}", "badge-mention": f"bold bg:{c['amber']} {c['on_accent']}",
        "badge-muted": dim, "invitation": c["amber"], "dot-on": c["green"], "dot-off": dim, "dot-away": c["amber"],
        "time": dim, "name-own": f"bold {c['own']}", "body": text, "body-own": text, "body-waiting": dim,
        "bar-own": c["own"], "bar-mention": c["amber"], "mention": f"bg:{c['mention']}",
        "chosen": f"bg:{c['chosen']}",
        "chosen-id": f"bold {c['accent']}", "me": f"bold {c['amber']}", "link": f"underline {c['accent']}",
        "code": f"bg:{c['pill']}", "dim": dim, "deleted": f"italic {dim}", "quote": f"italic {dim}", "quote-line": dim,
        "file": f"bold bg:{c['pill']} {c['accent']}", "pill": f"bg:{c['pill']} {text}",
        "pill-own": f"bold bg:{c['open']} {c['accent']}", "sent": dim, "waiting": c["amber"],
        "failed": c["red"],
        "day": f"bold {dim}", "day-line": c["faint"], "new": f"bold {c['red']}", "new-line": c["red"],
        "note": text, "note-info": dim, "note-done": c["green"], "note-error": c["red"], "empty": dim,
        "scrolled": f"bold {c['accent']}",
        "question": f"bold bg:{c['amber']} {c['on_accent']}", "composing": f"bold bg:{c['accent']} {c['on_accent']}",
        "meter": c["faint"], "meter-full": c["accent"], "key": f"bold {c['accent']}", "cursor": "reverse",
        "dialog": f"bg:{c['dialog']} {text}", "dialog-title": f"bold bg:{c['accent']} {c['on_accent']}",
        "dialog-text": f"bold {c['strong']}", "dialog-at": f"bold bg:{c['open']} {c['strong']}",
        "completion-menu": f"bg:{c['dialog']} {text}", "completion-menu.completion": f"bg:{c['dialog']} {text}",
        "completion-menu.completion.current": f"noreverse bold bg:{c['open']} {c['strong']}",
        "completion-menu.meta.completion": f"bg:{c['dialog']} {dim}",
        "completion-menu.meta.completion.current": f"noreverse bg:{c['open']} {text}",
        "scrollbar.background": f"bg:{c['dialog']}", "scrollbar.button": f"bg:{c['faint']}",
        "search.current": f"bg:{c['open']}", "incsearch": f"bg:{c['open']}",
        "incsearch.current": f"bg:{c['open']} bold", "search-toolbar": f"bg:{c['page']} {dim}",
        "search-toolbar.text": c["strong"], "selected-text": "reverse",
    }  # fmt: skip
    return {**styles, **{f"name{number}": colour for number, colour in enumerate(names)}}


_MONO = {
    "title": "reverse", "title-name": "bold", "status": "reverse", "status-bad": "bold", "status-name": "bold",
    "heading": "bold", "chat-open": "bold reverse", "chat-unread": "bold", "badge-mention": "bold reverse",
    "badge": "bold", "name-own": "bold", "me": "bold underline", "link": "underline", "day": "bold",
    "new": "bold reverse", "chosen": "reverse", "mention": "bold", "note-error": "bold", "failed": "bold",
    "deleted": "italic", "quote": "italic", "question": "reverse bold", "composing": "reverse", "key": "bold",
    "dialog": "reverse", "dialog-at": "noreverse bold underline", "dialog-title": "bold", "scrolled": "bold",
    "prompt": "bold", "pill-own": "bold", "file": "bold", "cursor": "reverse", "completion-menu": "reverse",
    "completion-menu.completion.current": "noreverse bold", "invitation": "bold", "waiting": "italic",
    "meter-full": "bold", **{f"name{number}": "bold" for number in range(len(DARK_NAMES))},
}  # fmt: skip

STYLES: dict[ThemeName, dict[str, str]] = {
    "dark": _colour_styles(_DARK, DARK_NAMES),
    "light": _colour_styles(_LIGHT, LIGHT_NAMES),
    "mono": _MONO,
}


def theme(name: ThemeName) -> Style:
    return Style(list(STYLES[name].items()))


def theme_for(environment: Mapping[str, str]) -> ThemeName | None:
    """The theme that fits the terminal, as far as its environment says: NO_COLOR, then COLORFGBG."""
    if environment.get("NO_COLOR") or environment.get("TERM") in ("dumb", "vt100", "vt220"):
        return "mono"
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    if not background.isdigit():
        return None
    return "light" if background in ("7", "15") else "dark"
