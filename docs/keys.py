"""Write the tables of keys in docs/client.md anew, from the table in the code.

Run it as `.venv/bin/python docs/keys.py` after a key was added or changed; `make test` fails where they are stale.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from chat_client.common.keys import ACTIONS, GROUPS

DOCUMENT = Path(__file__).parent / "client.md"


def _tables() -> Iterator[str]:
    for group in GROUPS:
        yield ""
        yield f"| {group} | keys | what it does |"
        yield "|---|---|---|"
        for action in ACTIONS.values():
            if action.group == group:
                name = f"{action.name}, always" if action.fixed else f"`{action.name}`"
                yield f"| {name} | {', '.join(action.keys)} | {action.help} |"
    yield ""


def with_keys(text: str) -> str:
    """The text of the document with the keys as they are now."""
    begin, end = "<!-- keys -->", "<!-- end of keys -->"
    block = "\n".join((begin, *_tables(), end))
    return re.sub(f"{begin}.*?{end}", lambda found: block, text, count=1, flags=re.DOTALL)


if __name__ == "__main__":
    DOCUMENT.write_text(with_keys(DOCUMENT.read_text()))
