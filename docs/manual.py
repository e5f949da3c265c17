"""Write the lists in the manual pages (docs/man) anew, from the parsers and from the tables of the documents.

Run it as `.venv/bin/python docs/manual.py` after an option, a subcommand or one of these tables was changed; `make
test` fails where the pages are stale.
"""

import argparse
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import chat_client.settings
from chat_server.admin import command_line
from chat_server.settings import OPTIONS

DOCS = Path(__file__).parent
PAGES = sorted((DOCS / "man").iterdir())


# ---- from Markdown to mdoc


def _rows(document: str, *heads: str) -> Iterator[dict[str, str]]:
    """The rows of the tables in a document whose first columns have these heads."""
    names: list[str] = []
    for line in (DOCS / document).read_text().splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
        if not line.startswith("|"):
            names = []
        elif not names:
            names = cells
        elif names[: len(heads)] == list(heads) and not set(line) <= set("|- "):
            yield dict(zip(names, cells, strict=True))


def _escaped(text: str) -> str:
    """Text as roff takes it, which knows ASCII alone, and a backslash as a mark of its own."""
    # A terminal in the locale C has no ellipsis, and would show nothing.
    text = text.replace("\\", "\\e").replace("…", "...")
    return "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in text)


def _inline(markdown: str) -> str:
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown)
    text = re.sub(r"\s*See [^.`]*\.", "", text) if "](" in markdown else text
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fP", _escaped(text.replace("**", "")))


def _paragraph(markdown: str) -> list[str]:
    """Lines of at most 78 characters, with each sentence on lines of its own, as mdoc wants it."""
    lines = []
    for sentence in re.split(r"(?<=[.:!?]) +(?=[A-Z\\])", _inline(markdown)):
        lines += textwrap.wrap(sentence, 78, break_on_hyphens=False, break_long_words=False)
    # A line that begins with a dot or an apostrophe would be a request.
    return [f"\\&{line}" if line[:1] in (".", "'") else line for line in lines]


def _list(items: list[tuple[str, str]], tag: str = "Ds") -> list[str]:
    lines = [f".Bl -tag -width {tag}"]
    for head, text in items:
        lines += [f".It {head}", *_paragraph(text)]
    return [*lines, ".El"]


# ---- the lists


def _usage(action: argparse.Action) -> str:
    """An option as the head of an item."""
    name = f"Fl -{action.option_strings[-1][2:]}"
    if action.nargs == 0:
        return name
    values = f"Ar {_escaped(str(action.metavar))}"
    return f"{name} Op {values}" if action.nargs == "?" else f"{name} {values}"


def _options(parser: argparse.ArgumentParser) -> list[str]:
    shown = [each for each in parser._actions if each.option_strings and each.help != argparse.SUPPRESS]
    return _list([(_usage(each), f"{(each.help or '')[:1].upper()}{(each.help or '')[1:]}.") for each in shown])


def _keys() -> list[str]:
    items = []
    described = {row["TOML key"].strip("`"): row for row in _rows("operations.md", "option")}
    for option in OPTIONS.values():
        row = described[option.name]
        off = ", and it may be `off`" if option.off is not None and option.default != "off" else ""
        text = f"{row['what it is']} The default is {row['default']}{off}."
        items.append((f"Cm {option.name} No = Ar {_escaped(option.kind.metavar)}", text))
    return _list(items)


def _table(document: str, head: str) -> Callable[[], list[str]]:
    """The rows of a table, which are headed by their first columns."""

    def items() -> list[str]:
        found = []
        for row in _rows(document, head):
            (_, first), *rest = row.items()
            # The last column alone needs no head.
            told = [cell if len(rest) == 1 else f"{name} {cell}".strip() for name, cell in rest if cell]
            found.append((_inline(first.replace("`", "")), "; ".join(told)))
        return _list(found)

    return items


LISTS: dict[str, Callable[[], list[str]]] = {
    "options of chat-server": lambda: _options(command_line.parser()),
    "subcommands": _table("operations.md", "subcommand"),
    "signals": _table("operations.md", "signal"),
    "exit statuses": _table("operations.md", "exit status"),
    "exit statuses of subcommands": _table("operations.md", "exit status of a subcommand"),
    "files": _table("operations.md", "file"),
    "keys": _keys,
    "options of chat-client": lambda: _options(chat_client.settings.option_parser()),
    "exit statuses of chat-client": _table("client.md", "exit status"),
}


def with_lists(page: str) -> str:
    """The text of a page with its lists as they are now."""

    def anew(found: re.Match[str]) -> str:
        return "\n".join((f'.\\" {found[1]}', *LISTS[found[1]](), f'.\\" end of {found[1]}'))

    return re.sub(r'^\.\\" (.*)\n(?:.*\n)*?\.\\" end of \1$', anew, page, flags=re.MULTILINE)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(with_lists(path.read_text()))
