"""The parts of the settings file: the entries of a section, and how they are written with comments.

Whoever obeys an entry declares it: the general ones `chat_client.settings`, those of the full screen the modules of
`tui`, which `tui.sections` lists. Declaring it is all: the reader checks it, and `chat-client settings` writes it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

Value = str | bool | int | list[str]
_WORDS = {str: "a text in quotes", bool: "true or false", int: "a whole number", list: "a list of texts in quotes"}
_CONTROL = "[\x00-\x1f\x7f-\x9f]"
_KNOWN_TOLD_MAX = 20  # names, in one line


class SettingError(ValueError):
    """What is wrong with an entry of the file, in words."""


class Rule(Struct, frozen=True):
    """What an entry has to be besides its type: `is_right` of such a value, and in `words`."""

    is_right: Callable[[Any], bool]
    words: str


class Setting(Struct, frozen=True):
    """An entry. `example` is its default, or shows how it is written if there is none; the entry has its type."""

    name: str
    example: Value
    help: str
    choices: tuple[str, ...] = ()
    rule: Rule | None = None

    def read(self, value: Any) -> Any:
        """The value as it stands in the file; one text does for a list of them. Raises SettingError."""
        kind = type(self.example)
        if kind is list and isinstance(value, str):
            value = [value]
        texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
        if self.choices and value not in self.choices:
            raise SettingError(f"{self.name} is {' or '.join(map(_toml, self.choices))}, not {value}")
        if type(value) is not kind or (kind is list and not all(isinstance(each, str) for each in texts)):
            raise SettingError(f"{self.name} is {_WORDS[kind]}")
        # A name with a NUL is no path, and one with an Esc disturbs the terminal.
        if any(re.search(_CONTROL, text) for text in texts):
            raise SettingError(f"{self.name} has a control character in it")
        if self.rule is not None and not self.rule.is_right(value):
            raise SettingError(f"{self.name} is {self.rule.words}")
        return value


class Section(Struct, frozen=True):
    """A table of the file; the general entries have no `name` and stand first."""

    name: str
    help: str
    settings: tuple[Setting, ...]

    def read(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """The entries of the table by their names. Raises SettingError."""
        known = {setting.name: setting for setting in self.settings}
        for name in table:
            if name not in known:
                raise SettingError(unknown("an unknown entry", name, known))
        return {name: known[name].read(value) for name, value in table.items()}


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The words for a name that there is not, with the one that was probably meant."""
    from difflib import get_close_matches  # only a mistake needs it, and each start would take 0.6 ms longer

    names = list(known)
    if close := get_close_matches(name, names, n=1, cutoff=0.6):
        hint = f"did you mean {close[0]}?"
    elif len(names) > _KNOWN_TOLD_MAX:
        hint = "docs/client.md lists them all"
    else:
        hint = f"known are {', '.join(names)}" if names else "there are none"
    return f"{what}: {name}; {hint}"


def commented(sections: Iterable[Section]) -> str:
    """The text of a file in which every entry stands behind a comment sign, under what it does."""
    return "\n".join(line for section in sections for line in _section_lines(section))


def _section_lines(section: Section) -> Iterable[str]:
    yield from (f"# {line}" for line in section.help.splitlines())
    if section.name:
        yield f"[{section.name}]"
    yield ""
    for setting in section.settings:
        choices = f" ({', '.join(setting.choices)})" if setting.choices else ""
        yield f"# {setting.help}{choices}"
        yield f"#{setting.name} = {_toml(setting.example)}"
        yield ""


def _toml(value: Value) -> str:
    """A value of the file. A text of TOML is written as one of JSON."""
    return msgspec.json.encode(value).decode()
