"""Links in texts: where each ends, and its form in ASCII, as terminals and desktops take it."""

import re
from urllib.parse import quote

# It begins with the name of a host, and has nothing in it that is not seen: what opens is what is read.
PATTERN = r"(?i:https?)://[\w\[](?:[^\s<>\"`\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff])*"
_BEHIND = ".,;:!?'*_…”’»"  # belongs to the sentence, not to the link


def links(text: str) -> list[str]:
    """The links in a text, each once, from the first one on."""
    return list(dict.fromkeys(trimmed(match[0]) for match in re.finditer(PATTERN, text)))


def trimmed(link: str) -> str:
    """Without what belongs to the sentence around it: a full stop, a bracket that was opened before it."""
    unopened, end = link.count(")") - link.count("("), len(link)
    while link[end - 1] in _BEHIND or (link[end - 1] == ")" and unopened > 0):
        end -= 1
        unopened -= link[end] == ")"
    return link[:end]


def address(link: str) -> str:
    """The link in printable ASCII."""
    return quote(link, safe="%/:?#[]@!$&'()*+,;=~")
