"""The decoder of keys: each sequence of bytes is one key, known or not, and none is typed as text.

prompt_toolkit takes an unknown sequence apart, into an Esc and letters. Here each sequence is first cut out whole and
then looked up; an unknown one is a single `Keys.Ignore`. The terminal's answers to questions (its colours, its kind,
where the cursor is) may come late and in pieces; they are no keys.
"""

import re
from collections.abc import Callable

from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding.key_processor import KeyPress, _Flush
from prompt_toolkit.keys import Keys

REPLACEMENT = "\ufffd"  # stands for a byte that is not UTF-8
FOCUS_IN, FOCUS_OUT = Keys.F23, Keys.F24  # no keyboard has these keys: they stand for the focus reports
# In a stock xterm Alt does not send Esc before the key, and Alt-3 would be `³`. The mode is restored at the end.
ALT_AS_ESC, ALT_AS_BEFORE = "\x1b[?1036s\x1b[?1036h", "\x1b[?1036r"
_LONGEST = 4096  # characters of an answer, which is then given up

# `re` compiles each when it is first used: all of them took 3.5 ms of each start.
_STRING = r"\x1b[\]PX^_][^\x07\x1b\x00-\x06\x08-\x1a\x1c-\x1f]*"  # OSC, DCS and the like, without their ends
# A whole sequence, by the character behind its Esc.
_WHOLE = {
    "[": r"(?s)(?P<mouse>\x1b\[M.{3}|\x1b\[<\d+;\d+;\d+[mM]|\x1b\[\d+;\d+;\d+M)"
    r"|(?P<console>\x1b\[\[.)"
    r"|(?P<csi>\x1b\[(?![M\[])[0-?]*[ -/]*[@-~])"
    r"|(?P<broken>\x1b\[[0-?]+[ -/]*(?=[^ -~]))",  # a sequence into which something else has come
    "O": r"(?P<ss3>\x1bO[0-9;]*[ -/:<-~])",
    # Alt in rxvt and PuTTY. Before a key with a modifier, a paste or a report, an Esc is a key of its own.
    "\x1b": r"(?P<alt_key>\x1b\x1b(?:O[0-9]?[ -/:-~]|\[\d{0,2}(?![\[MIO])[$@-~]))"
    r"|(?P<escape>\x1b(?=\x1b(?![\[O]\Z|[\[O][\d;]*\Z)))",
} | dict.fromkeys(
    "]PX^_",
    rf"(?P<string>{_STRING}(?:\x07|\x1b\\))|(?P<cut>{_STRING}(?=[\x00-\x06\x08-\x1a\x1c-\x1f]|\x1b[^\\]))",
)
_ALT_CHAR = r"(?s)(?P<alt>\x1b.)"  # behind any other character
_BEGUN = rf"\x1b\x1b?(?:\[(?:\[|M.{{0,2}}|[0-?]*[ -/]*)?|O[0-9;]*)?|{_STRING}\x1b?"
# Beginnings that are kept however long the rest takes: nobody types them in one burst.
_HELD = r"\x1b\[[0-?]+[ -/]*|\x1b\[M.{0,2}|\x1b\]\d[^\x00-\x1f]*\x1b?|\x1bP[^\x00-\x1f]+\x1b?"
_ANSWER = r"\x1b\[(?:[?>=][\d;]*c|\?[\d;]*[nu]|\?[\d;]*\$y|[\d;]*[nt]|>[\d;]*[mq]|\?[\d;]*S)"
_TAIL = r"\](?:1[0-9]|4;\d+);rgba?:[\da-fA-F/]*(?:\x07|\x1b\\)|\[\?[\d;]+c"  # its Esc was taken for a key
_U = r"\x1b\[(\d+)(?::\d*)*(?:;(\d*)(?::(\d+))?(?:;[\d:]*)?)?u|\x1b\[27;(?P<mods>\d+);(?P<code>\d+)~"
_RELEASED = "3"
# A key by its number or letter, with modifiers as xterm (`;5`), old terminals (`O5D`) and rxvt (`7^`) write them.
_FUNCTION = r"\x1b(?:\[(?P<number>\d*)(?:;(?P<held>\d+)(?::(?P<event>\d+))?)?|O(?P<old>\d*))(?P<end>[~A-Z^$@])"
_RXVT = {"$": 2, "^": 5, "@": 6}
_ENDS = {"1": "H", "7": "H", "4": "F", "8": "F"}  # Home and End by number

_MORE = {
    "\x1b[I": FOCUS_IN,
    "\x1b[O": FOCUS_OUT,
    "\x1bOM": Keys.ControlM,  # the keypad's Enter
}
_SHIFT, _ALT, _CTRL, _LOCKS = 1, 2, 4, 64 + 128
_BY_CODE = {9: Keys.ControlI, 13: Keys.ControlM, 27: Keys.Escape, 127: Keys.ControlH, 8: Keys.ControlH}


class Keyboard(Vt100Parser):
    """`answered` gets each answer of the terminal, whole.

    While `expects_answer`, a lone Esc may be the first byte of an answer: it is kept once, `on_kept` is called, and the
    next `flush` makes it a key.
    """

    def __init__(
        self,
        feed_key_callback: Callable[[KeyPress], None],
        answered: Callable[[str], None] = lambda answer: None,
        expects_answer: Callable[[], bool] = lambda: False,
        on_kept: Callable[[], object] = lambda: None,
    ) -> None:
        self._held = ""
        self._expects_answer, self._on_kept = expects_answer, on_kept
        self.is_kept = False
        self._escaped = False  # an Esc was just flushed: the next bytes may be the rest of an answer
        self._answered = answered
        super().__init__(feed_key_callback)

    def feed(self, data: str) -> None:
        data, self._held = self._held + data, ""
        self.is_kept = False
        if self._escaped and (tail := re.match(_TAIL, data)):
            self._answered(f"\x1b{tail[0]}")
            data = data[tail.end() :]
        self._escaped = False
        while data:
            if self._in_bracketed_paste:
                super().feed(_shown(data))
                return
            if typed := data.partition("\x1b")[0]:
                self._typed(typed)
                data = data[len(typed) :]
            elif whole := re.match(_WHOLE.get(data[1:2], _ALT_CHAR), data):
                data = data[whole.end() :]
                self._sequence(whole[0], str(whole.lastgroup))
            elif len(data) < _LONGEST and re.fullmatch(_BEGUN, data, re.DOTALL):
                self._held = data
                return
            else:
                self._escape()
                data = data[1:]

    def flush(self) -> None:
        """Nothing more comes for now. A lone Esc is a key; an answer or a sequence that has begun is kept."""
        held, self._held = self._held, ""
        if re.fullmatch(_HELD, held):
            self._held = held
        elif held.startswith("\x1b\x1b"):
            self._escape()
            self._held = held[1:]
            self.flush()
        elif len(held) > 1:
            self._key(Keys.Escape, held[0])
            self._typed(held[1:])
        elif held and self._expects_answer() and not self.is_kept:
            self._held, self.is_kept = held, True
            self._on_kept()
        elif held:
            self._escaped, self.is_kept = True, False
            self._escape()

    def _escape(self) -> None:
        """Esc as a key of its own, whatever follows it."""
        self._key(Keys.Escape, "\x1b")
        # Private, since nothing public has the key processor run an Esc at once where more keys are in the same read.
        self.feed_key_callback(_Flush)

    def _key(self, key: Keys | str, data: str) -> None:
        self.feed_key_callback(KeyPress(key, data))

    def _typed(self, text: str) -> None:
        for char in _shown(text):
            key = ANSI_SEQUENCES.get(char, char)
            if isinstance(key, tuple):
                for each in key:
                    self._key(each, char)
            else:
                self._key(key if char.isprintable() or isinstance(key, Keys) else Keys.Ignore, char)

    def _sequence(self, sequence: str, kind: str) -> None:
        if kind == "mouse":
            self._key(Keys.Vt100MouseEvent, sequence)
        elif kind == "escape":
            self._escape()
        elif kind == "alt_key":
            self._key(Keys.Escape, sequence[0])
            self._named(sequence[1:])
        elif kind == "alt":
            self._key(Keys.Escape, sequence[0])
            self._typed(sequence[1])
        elif kind == "string" or re.fullmatch(_ANSWER, sequence):
            self._answered(sequence)
        elif re.fullmatch(r"\x1b\[\d+;\d+R", sequence):
            self._key(Keys.CPRResponse, sequence)
        elif kind not in ("broken", "cut"):
            self._named(sequence)

    def _named(self, sequence: str) -> None:
        if not (sequence := _usual(sequence)):
            return
        found = _MORE.get(sequence) or _known(sequence)
        if coded := re.fullmatch(_U, sequence):
            if coded[3] != _RELEASED:
                self._coded(int(coded[1] or coded["code"]), int(coded[2] or coded["mods"] or 1), sequence)
        elif found is Keys.BracketedPaste:
            super().feed(sequence)
            super().flush()
        elif isinstance(found, tuple):
            for key in found:
                self._key(key, sequence)
        elif found is not None and found is not Keys.Ignore:
            self._key(found, sequence)
        else:
            self._key(Keys.Ignore, sequence)

    def _coded(self, code: int, modifiers: int, sequence: str) -> None:
        """A key that the terminal names by its character: CSI u, and xterm's modifyOtherKeys."""
        held = (modifiers - 1) & ~_LOCKS
        shift, alt, ctrl = held & _SHIFT, held & _ALT, held & _CTRL
        char = chr(code) if code < 0xE000 or 0xF8FF < code < 0x110000 else ""
        if code == 13 and held in (_SHIFT, _ALT):  # breaks the line
            self._key(Keys.Escape, sequence)
            self._key(Keys.ControlM, "\r")
        elif code == 9 and held == _SHIFT:
            self._key(Keys.BackTab, sequence)
        elif held & ~(_SHIFT | _ALT | _CTRL) or not char or (ctrl and not _with_ctrl(char)):
            self._key(Keys.Ignore, sequence)
        else:
            if alt:
                self._key(Keys.Escape, sequence)
            if ctrl:
                self._key(_with_ctrl(char) or Keys.Ignore, sequence)
            elif code in _BY_CODE:
                self._key(_BY_CODE[code], char)
            else:
                self._typed(char.upper() if shift else char)


def _usual(sequence: str) -> str:
    """The sequence as xterm has it; nothing for a key that was released. Caps Lock and Num Lock do not count."""
    found = re.fullmatch(_FUNCTION, sequence)
    if found is None or found["event"] == _RELEASED:
        return sequence if found is None else ""
    number, end = found["number"] or "", found["end"]
    held = max(0, int(found["held"] or found["old"] or 1) - 1) & ~_LOCKS
    if end in _RXVT:
        held, end = held | (_RXVT[end] - 1), "~"
    if held and end == "~" and number in _ENDS:
        number, end = "1", _ENDS[number]
    if held:
        return f"\x1b[{number or 1};{held + 1}{end}"
    return f"\x1b[{number if end == '~' else ''}{end}" if found["held"] or found["old"] else sequence


def _with_ctrl(char: str) -> Keys | None:
    upper = char.upper()
    key = ANSI_SEQUENCES.get(chr(ord(upper) & 0x1F)) if "@" <= upper <= "_" or char == " " else None
    return key if isinstance(key, Keys) and key is not Keys.Escape else None


def _known(sequence: str) -> Keys | tuple[Keys, ...] | None:
    """The key of this sequence in prompt_toolkit. Its Shift-F11 and Shift-F12 stand for reports here."""
    found = ANSI_SEQUENCES.get(sequence)
    return None if found in (FOCUS_IN, FOCUS_OUT) else found


def _shown(text: str) -> str:
    """Replace lone surrogates, which stand for bytes that are not UTF-8."""
    return re.sub("[\ud800-\udfff]", REPLACEMENT, text)


# ---- their names

_LAST = {"A": "↑", "B": "↓", "C": "→", "D": "←", "F": "End", "H": "Home", "P": "F1", "Q": "F2", "R": "F3", "S": "F4"}
_NUMBERED = {1: "Home", 2: "Insert", 3: "Delete", 4: "End", 5: "PgUp", 6: "PgDn", 7: "Home", 8: "End"}
_NUMBERED |= dict(zip((11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24), (f"F{n}" for n in range(1, 13)), strict=True))
_CODED = {9: "Tab", 13: "Enter", 27: "Esc", 32: "Space", 127: "Backspace"}
_NAMED = {"pageup": "PgUp", "pagedown": "PgDn", "up": "↑", "down": "↓", "left": "←", "right": "→",
          "@": "Space", "escape": "Esc", " ": "Space"}  # fmt: skip
_CONTROLS = {"h": "Backspace", "i": "Tab", "m": "Enter"}
_MODIFIED = r"\x1b(?:\[|O)(?:(\d*)(?:;(\d+))?)([~A-Z^$@])"


def name(presses: list[KeyPress]) -> str:
    """The name that people have for these keys: `Alt-N`, `Ctrl-PgUp`; `that key` if there is none."""
    last = presses[-1]
    alt = "Alt-" if len(presses) > 1 and presses[0].key == Keys.Escape else ""
    if last.data.startswith("\x1b[") or last.key == Keys.Ignore:
        named = _of_sequence(last.data)
        if named or last.key == Keys.Ignore:
            return (named if "Alt-" in named else alt + named) if named else "that key"
    word = last.key.value if isinstance(last.key, Keys) else last.key
    modifiers = ""
    while word[1:2] == "-" and word[0] in "cs" and len(word) > 2:
        modifiers, word = modifiers + {"c": "Ctrl-", "s": "Shift-"}[word[0]], word[2:]
    if modifiers == "Ctrl-" and word in _CONTROLS:
        return alt + _CONTROLS[word]
    if modifiers == "" and alt and len(word) == 1 and word.isupper():
        modifiers = "Shift-"
    return alt + modifiers + _NAMED.get(word if modifiers or len(word) > 1 or word == " " else "", word.capitalize())


def _of_sequence(sequence: str) -> str:
    if coded := re.fullmatch(_U, sequence):
        code, modifiers = int(coded[1] or coded["code"]), int(coded[2] or coded["mods"] or 1)
        key = _CODED.get(code) or (chr(code).upper() if 0x20 < code < 0xE000 and chr(code).isprintable() else "")
    elif found := re.fullmatch(_MODIFIED, sequence):
        modifiers = int(found[2] or 1)
        key = _NUMBERED.get(int(found[1] or 0), "") if found[3] in "~^$@" else _LAST.get(found[3], "")
    else:
        return ""
    held = modifiers - 1
    named = [word for bits, word in ((56, "Meta-"), (4, "Ctrl-"), (2, "Alt-"), (1, "Shift-")) if held & bits]
    return "".join(named) + key if key else ""
