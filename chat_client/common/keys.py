"""The table of keys: name, keys and place of each action, and the keys that a user has set instead.

The page of keys, docs/client.md and the settings file are made from it. It imports no terminal library, since scripts
read their settings too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from msgspec import Struct

from chat_client.common.setting import Section, Setting, SettingError, unknown

# screen: the full screen, where no dialog has the keys. line: the line, in both front ends. empty: the full screen,
# while the line is empty. end: while nothing stands behind the cursor. chosen: while keys act on a message. results:
# among results, while nothing is typed. listed: while a menu of completions is open.
Where = Literal["screen", "line", "empty", "end", "chosen", "results", "listed"]
GROUPS = ("Chats", "Looking", "A message", "Typing", "In the line", "Other")
# Where two actions cannot have the same key: one of them would never get it.
_MEET: dict[Where, frozenset[Where]] = {
    "screen": frozenset(("screen", "line", "empty", "end", "chosen", "results", "listed")),
    "line": frozenset(("screen", "line")),
    "empty": frozenset(("screen", "empty", "end")),
    "end": frozenset(("screen", "empty", "end")),
    "chosen": frozenset(("screen", "chosen")),
    "results": frozenset(("screen", "results")),
    "listed": frozenset(("screen", "listed")),
}

Presses = tuple[str, ...]  # keys that are pressed one after the other, by prompt_toolkit's names


class KeyAction(Struct, frozen=True):
    """`command` does the same when it is typed; an action that only scrolls has none. `line` describes it on the page
    of keys, together with the actions after it whose `line` is None. A `fixed` one cannot be set."""

    name: str
    keys: tuple[str, ...]
    help: str
    group: str
    where: Where = "screen"
    command: str = ""
    line: str | None = ""
    fixed: bool = False


def _rows() -> Iterator[KeyAction]:
    yield from _chats()
    yield from _looking()
    yield from _of_a_message()
    yield from _typing()
    yield from _in_the_line()
    yield from _rest()


def _chats() -> Iterator[KeyAction]:
    for number in range(1, 10):
        words = "a chat by its number; the last" if number == 1 else None
        help = f"opens the chat with number {number}"
        yield KeyAction(f"chat_{number}", (f"Alt-{number}",), help, "Chats", command="/open", line=words)
    yield KeyAction("last_chat", ("Alt-0",), "opens the chat that was open before this one", "Chats",
                    command="/last", line=None)  # fmt: skip
    yield KeyAction("previous_chat", ("Alt-←", "Ctrl-PgUp", "F5"), "opens the chat before this one", "Chats",
                    command="/previous", line="the previous, the next chat")  # fmt: skip
    yield KeyAction("next_chat", ("Alt-→", "Ctrl-PgDn", "F6"), "opens the next chat of the list", "Chats",
                    command="/next", line=None)  # fmt: skip
    yield KeyAction("previous_chat_from_empty_line", ("Ctrl-P",),
                    "opens the chat before this one, while the line is empty", "Chats", "empty", "/previous",
                    line="the same, from an empty line")  # fmt: skip
    yield KeyAction("next_chat_from_empty_line", ("Ctrl-N",), "opens the next chat, while the line is empty", "Chats",
                    "empty", "/next", line=None)  # fmt: skip
    yield KeyAction("next_unread", ("Alt-A", "F4"), "opens the next unread chat, mentions first", "Chats",
                    command="/unread", line="the next unread chat")  # fmt: skip
    yield KeyAction("pin", ("Ctrl-X Ctrl-P",), "pins the chat, so that it keeps its number, or unpins it", "Chats",
                    command="/pin", line="pins the chat at its number")  # fmt: skip
    yield KeyAction("read_all", ("Ctrl-X Ctrl-R",), "marks all chats as read", "Chats", command="/read_all")
    yield KeyAction("jump", ("Ctrl-K",), "jumps to a chat or a person; with text after the cursor, cuts that",
                    "Chats", "end", "/open", line="jumps to a chat or a person")  # fmt: skip


def _looking() -> Iterator[KeyAction]:
    group = "Looking"
    yield KeyAction("page_up", ("PgUp", "Shift-PgUp"), "scrolls a page up", group, line="a page up, down")
    yield KeyAction("page_down", ("PgDn", "Shift-PgDn"), "scrolls a page down", group, line=None)
    yield KeyAction("rows_up", ("Alt-PgUp",), "scrolls three rows up", group, line="three rows up, down")
    yield KeyAction("rows_down", ("Alt-PgDn",), "scrolls three rows down", group, line=None)
    yield KeyAction("oldest", ("Alt-Home",), "shows the oldest message", group, line="the oldest, the newest message")
    yield KeyAction("newest", ("Alt-End",), "shows the newest message", group, line=None)
    yield KeyAction("first_unread", ("Alt-U",), "shows the first unread message", group, command="/first_unread",
                    line="the first unread message")  # fmt: skip
    yield KeyAction(
        "previous_mention", ("Alt-P",), "shows the previous mention", group, line="the previous, next mention"
    )
    yield KeyAction("next_mention", ("Alt-N",), "shows the next mention", group, line=None)
    yield KeyAction("go_to_time", ("Ctrl-X Ctrl-G",), "goes to a day or a time: yesterday, 14:30, 2026-11-01", group,
                    command="/goto", line="goes to a day or a time")  # fmt: skip
    yield KeyAction("search", ("Ctrl-F",), "begins a search; what stood in the line comes back afterwards", group,
                    command="/search", line="searches; among the results:")  # fmt: skip
    yield KeyAction("open_result", ("Enter",), "shows a result where it was said", group, "results",
                    line="shows it where it was said")  # fmt: skip
    yield KeyAction("result_up", ("↑",), "goes to the previous result", group, "results", line="the previous, the next")
    yield KeyAction("result_down", ("↓",), "goes to the next result", group, "results", line=None)
    yield KeyAction("sides", ("F2",), "shows both sides, the left one, none", group, command="/sides",
                    line="both sides, the left one, none")  # fmt: skip
    yield KeyAction("back", ("Esc",), "goes one step back; after scrolling up, to the end", group,
                    fixed=True, line="one step back, and to the end")  # fmt: skip


def _of_a_message() -> Iterator[KeyAction]:
    group = "A message"
    yield KeyAction("choose_up", ("Alt-↑",), "chooses the message above; keys then act on it", group,
                    line="chooses a message; then, once:")  # fmt: skip
    yield KeyAction("choose_down", ("Alt-↓",), "chooses the message below", group, line=None)
    yield KeyAction("chosen_up", ("↑", "Ctrl-P"), "goes to the message above", group, "chosen",
                    line="the next one up or down")  # fmt: skip
    yield KeyAction("chosen_down", ("↓", "Ctrl-N"), "goes to the message below", group, "chosen", line=None)
    yield KeyAction("reply", ("r",), "replies", group, "chosen", "/reply")
    yield KeyAction("quote", (">",), "quotes it in the line", group, "chosen", "/quote")
    yield KeyAction("react", ("+", ":"), "reacts; the same emoji again takes it back", group, "chosen", "/react",
                    line="reacts, or takes it back")  # fmt: skip
    yield KeyAction("edit", ("e",), "edits", group, "chosen", "/edit")
    yield KeyAction("delete", ("d",), "deletes; Enter confirms", group, "chosen", "/delete")
    yield KeyAction("open_message", ("Enter",), "opens its thread; shows a result where it was said", group, "chosen",
                    "/thread", line="opens its thread")  # fmt: skip
    yield KeyAction("thread", ("t",), "opens its thread", group, "chosen", "/thread", line=None)
    yield KeyAction("copy_id", ("y",), "copies its id", group, "chosen", line="copies its id, its text")
    yield KeyAction("copy_text", ("Y",), "copies its text", group, "chosen", "/copy", line=None)
    yield KeyAction("open_link", ("o",), "opens its link, or copies it where there is no desktop", group, "chosen",
                    "/open_link", line="opens its link, or copies it")  # fmt: skip


def _typing() -> Iterator[KeyAction]:
    group = "Typing"
    yield KeyAction("send", ("Enter", "Ctrl-J"), "sends; / begins a command, // a text with a slash", group, "line",
                    fixed=True, line="sends; / a command, // a text")  # fmt: skip
    yield KeyAction("break_line", ("Alt-Enter",),
                    "begins a new line, as Shift-Enter does where the terminal reports it", group, "line",
                    line="begins a new line")  # fmt: skip
    yield KeyAction("complete", ("Tab",), "completes commands, names, chats, ids, paths, :emojis", group, "line",
                    fixed=True, line="completes; back in the menu")  # fmt: skip
    yield KeyAction("complete_back", ("Shift-Tab",), "goes back in the menu", group, "listed", line=None)
    yield KeyAction("find_typed", ("Ctrl-R",), "finds what was typed before in this chat", group, "line",
                    line="finds what was typed before")  # fmt: skip
    yield KeyAction("editor", ("Ctrl-X Ctrl-E",), "opens the line in your editor, for a long text", group, "line",
                    "/editor", line="opens your editor")  # fmt: skip
    yield KeyAction("line_up", ("↑", "Ctrl-P"), "goes a line up; from the first one, to what was typed before", group,
                    "line", line="a line up, down; what was typed")  # fmt: skip
    yield KeyAction("line_down", ("↓", "Ctrl-N"), "goes a line down; from the last one, to what was typed after", group,
                    "line", line=None)  # fmt: skip
    # On the screen, since it ends whatever has the keys, and not the line alone.
    yield KeyAction("clear", ("Ctrl-C",), "clears the line; twice, leaves", group, fixed=True)
    yield KeyAction("leave", ("Ctrl-D",), "leaves, while the line is empty", group, "empty", "/quit", fixed=True)


def _in_the_line() -> Iterator[KeyAction]:
    group: str = "In the line"
    for name, keys, help, line in (
        ("left", ("←", "Ctrl-B"), "goes a character left", "a character left, right"),
        ("right", ("→",), "goes a character right", None),
        ("word_left", ("Ctrl-←", "Alt-B"), "goes a word left", "a word left, right"),
        ("word_right", ("Ctrl-→", "Alt-F"), "goes a word right", None),
        ("line_start", ("Home", "Ctrl-A"), "goes to the start of the line", "the start, the end of the line"),
        ("line_end", ("End", "Ctrl-E"), "goes to the end of the line", None),
        ("text_start", ("Ctrl-Home",), "goes to the start of the text", "the start, the end of the text"),
        ("text_end", ("Ctrl-End",), "goes to the end of the text", None),
        ("delete_left", ("Backspace",), "deletes the character before the cursor", "deletes a character"),
        ("delete_right", ("Delete", "Ctrl-D"), "deletes the character at the cursor", None),
        ("cut_word_left", ("Ctrl-W",), "cuts the word before the cursor", "cuts the word before, after"),
        ("cut_word_right", ("Alt-D", "Ctrl-Delete"), "cuts the word after the cursor", None),
        ("cut_part_left", ("Alt-Backspace",), "cuts the letters and digits before the cursor", None),
        ("cut_left", ("Ctrl-U",), "cuts everything before the cursor", "cuts all before, all after"),
        ("cut_right", ("Ctrl-K",), "cuts everything after the cursor", None),
        ("paste_cut", ("Ctrl-Y",), "pastes what was cut", "pastes what was cut; undoes"),
        ("undo", ("Ctrl-_",), "undoes", None),
        ("swap", ("Ctrl-T",), "swaps two characters", "swaps two characters"),
    ):
        yield KeyAction(name, keys, help, group, "line", line=line)


def _rest() -> Iterator[KeyAction]:
    group = "Other"
    yield KeyAction("keys_page", ("F1",), "shows all keys", group, command="/keys")
    yield KeyAction("bare", ("F3",), "shows only the text, to select it with the mouse; again: everything", group,
                    command="/bare", line="only the text, to select it")  # fmt: skip
    yield KeyAction("cancel_transfers", ("Alt-X",), "cancels the files on their way", group, command="/cancel")
    yield KeyAction("redraw", ("Ctrl-L",), "redraws the screen", group, "line", "/redraw",
                    line="redraws; suspends until fg")  # fmt: skip
    yield KeyAction("suspend", ("Ctrl-Z",), "suspends the client until fg", group, "line", line=None)


ACTIONS: dict[str, KeyAction] = {action.name: action for action in _rows()}

# ---- the names of keys

_NAMED = {"up": "↑", "down": "↓", "left": "←", "right": "→", "home": "Home", "end": "End", "pageup": "PgUp",
          "pagedown": "PgDn", "insert": "Insert", "delete": "Delete", "tab": "Tab", "enter": "Enter", "escape": "Esc",
          "backspace": "Backspace", "space": "Space", **{f"f{n}": f"F{n}" for n in range(1, 13)}}  # fmt: skip
_SPELLED = {shown.casefold(): name for name, shown in _NAMED.items()} | {name: name for name in _NAMED}
_MOVING = frozenset(("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete"))
_CONTROLLED = frozenset("abcdefgklnopqrstuvwxyz_]^\\")  # with Ctrl, h, i, j and m are other keys


@cache
def read_key(written: str) -> Presses:
    """The presses of a key as people write it: `Alt-A`, `Ctrl-PgUp`, `Ctrl-X Ctrl-E`. Raises ValueError."""
    chords = written.split()
    if not chords:
        raise ValueError("a key has a name, like Alt-A")
    presses = tuple(press for chord in chords for press in _chord(chord))
    if len(chords) > 1 and not presses[0].startswith("c-"):
        raise ValueError(f"{written}: two keys in a row begin with one like Ctrl-X")
    return presses


def _chord(chord: str) -> Presses:
    held, base = set[str](), chord
    while "-" in base[1:] and (word := base.partition("-")[0].casefold()) in ("ctrl", "alt", "shift"):
        held.add(word)
        base = base.partition("-")[2]
    press = _named(base, held) if base.casefold() in _SPELLED else _lettered(base, held)
    if press is None:
        raise ValueError(f"no terminal sends {chord}")
    return ("escape", press) if "alt" in held else (press,)


def _named(base: str, held: set[str]) -> str | None:
    name, ctrl, shift = _SPELLED[base.casefold()], "ctrl" in held, "shift" in held
    if name in _MOVING:
        return f"{'c-' if ctrl else ''}{'s-' if shift else ''}{name}"
    if ctrl:
        return {"space": "c-@"}.get(name) if not shift else None
    if shift:
        return "s-tab" if name == "tab" and "alt" not in held else None
    return None if name == "escape" and "alt" in held else {"space": " ", "backspace": "c-h"}.get(name, name)


def _lettered(base: str, held: set[str]) -> str | None:
    if len(base) != 1 or not base.isprintable():
        return None
    if "ctrl" in held:
        lower = base.lower()
        return f"c-{lower}" if "shift" not in held and (lower in _CONTROLLED or lower == "j") else None
    if "shift" in held:
        return base.upper() if base.isalpha() else None
    return base.lower() if "alt" in held else base


def write_key(presses: Presses) -> str:
    """The name of a key, as `read_key` reads it and key_decoder tells it."""
    words, rest = list[str](), list(presses)
    while rest:
        press = rest.pop(0)
        alt = press == "escape" and bool(rest)
        words.append(("Alt-" if alt else "") + _written(rest.pop(0) if alt else press, alt))
    return " ".join(words)


def _written(press: str, alt: bool) -> str:
    if press == "c-h":
        return "Backspace"
    modifiers = ""
    while press[1:2] == "-" and press[0] in "cs" and len(press) > 2:
        modifiers, press = modifiers + {"c": "Ctrl-", "s": "Shift-"}[press[0]], press[2:]
    if alt and not modifiers and len(press) == 1 and press.isupper():
        modifiers = "Shift-"
    if press in (" ", "@") and (press == " " or modifiers):
        press = "space"
    return modifiers + (_NAMED.get(press) or (press.upper() if alt or modifiers else press))


# ---- the keys that are set


class Keymap:
    """The keys of all actions."""

    def __init__(self, presses: Mapping[str, tuple[Presses, ...]]) -> None:
        self._presses = dict(presses)

    def presses(self, name: str) -> tuple[Presses, ...]:
        return self._presses[name]

    def shown(self, name: str) -> list[str]:
        """The names of its keys."""
        return [write_key(each) for each in self._presses[name]]

    @property
    def prefixes(self) -> set[str]:
        """The presses, like Ctrl-X, that wait for another one."""
        return {presses[0] for name in ACTIONS for presses in self._presses[name] if len(presses) > 1} - {"escape"}

    def first(self, name: str) -> str:
        """The name of its first key; empty if it has none."""
        return next(iter(self.shown(name)), "")


def keymap(given: Mapping[str, Sequence[str]] = {}) -> Keymap:
    """The table with the keys that a user has `given`; an empty list leaves an action none. Raises SettingError with
    one line for a key that does not exist, or that two actions would have."""
    presses = {name: _read_all(name, given.get(name, action.keys)) for name, action in ACTIONS.items()}
    _refuse_double(presses, given)
    return Keymap(presses)


def _read_all(name: str, keys: Iterable[str]) -> tuple[Presses, ...]:
    try:
        return tuple(map(read_key, keys))
    except ValueError as error:
        raise SettingError(f"{name}: {error}") from None


def _refuse_double(presses: Mapping[str, Sequence[Presses]], given: Iterable[str]) -> None:
    """Raises SettingError if a key that was given belongs to another action too, or begins one of its keys."""
    for name in given:
        for key in presses[name]:
            if key[0] == key[-1] and len(key[0]) == 1 and ACTIONS[name].where not in ("chosen", "results"):
                raise SettingError(f"{name}: {write_key(key)} alone is text")
            for other, keys in presses.items():
                is_once = other == name and keys.count(key) == 1
                meets = ACTIONS[other].where in _MEET[ACTIONS[name].where]
                if meets and not is_once and any(_overlap(key, each) for each in keys):
                    further = "" if ACTIONS[other].fixed else "; give that another one"
                    raise SettingError(f"{name}: {write_key(key)} is the key of {other} already{further}")


def _overlap(one: Presses, other: Presses) -> bool:
    """Whether one of them begins the other. Esc does not: the bytes of Alt-A come together."""
    short, long = sorted((one, other), key=len)
    return long[: len(short)] == short and (short != ("escape",) or long == short)


class _KeySection(Section, frozen=True):
    def read(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """Raises SettingError."""
        for name in table:
            if name in ACTIONS and ACTIONS[name].fixed:
                raise SettingError(f"{name} is always {' and '.join(ACTIONS[name].keys)}")
            if name not in ACTIONS:
                raise SettingError(unknown("no such action", name, ACTIONS))
        given = Section.read(self, table)
        keymap(given)
        return given


KEYS = _KeySection(
    "keys",
    "The keys of each action, or none: []. docs/client.md says how they are written.",
    tuple(Setting(each.name, list(each.keys), each.help) for each in ACTIONS.values() if not each.fixed),
)
