"""Sanitizing of texts before they are stored, so that they are safe for any terminal.

`nc` has no renderer that would protect its user.
"""

import re

from chat_server.protocol.characters import has_visible

# C0 (but TAB and LF), DEL, C1, and the bidi embeddings, overrides and isolates; lone surrogates, which UTF-8 lacks.
_REMOVED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_ENDS = re.compile("[\u2028\u2029]")


def clean(text: str) -> str:
    """Return the text without terminal control. Line and paragraph separators become LF."""
    if text.isprintable():  # to Python none of what is removed or replaced here is
        return text
    return _REMOVED.sub("", _LINE_ENDS.sub("\n", text))


def visible(text: str) -> str:
    """Return the text as `clean` does, or "" if nothing of it is visible."""
    if text.isascii() and text.isprintable():
        return "" if text.isspace() else text
    text = clean(text)
    return text if has_visible(text) else ""


def is_blank(text: str) -> bool:
    """Tell whether nothing of the text is visible."""
    if text.isascii() and text.isprintable():
        return not text or text.isspace()
    return not has_visible(text)
