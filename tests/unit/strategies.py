"""What hypothesis draws from: hostile text, names, and arguments of every kind in both of their forms."""

import json
from base64 import b64encode
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from chat_server.errors import Refusal
from chat_server.protocol.base import Argument, Spec
from chat_server.protocol.file_names import file_name
from chat_server.protocol.sanitize import clean, is_blank
from chat_server.protocol.times import TIME_MS_MAX, iso

few = settings(max_examples=max(5, settings().max_examples // 3))
"""For a test of each entry of a table: all together have tried enough of what they have in common."""

# What a terminal would obey, and what looks like the start of a line of ours.
HOSTILE = (
    *"\0\a\b\t\n\v\f\r\x1b\x7f\x85\x9b\u2028\u2029\u202e\u2066\u200b\ufeff\ud800",
    "\x1b[2J", "\r\n", "\n+ ", "\n- code: ", "\n[12:00:01] main bob: hi (#42)", "\n* bob is online", "\n  ", "\n    | ",
    "{", '"', "@7f ", "(#44)",
)  # fmt: skip
any_text = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=6)), max_size=8).map("".join)
cleaned = any_text.map(clean)
times = st.integers(0, TIME_MS_MAX).map(iso)

names = st.from_regex(r"[a-z]([a-z0-9_.-]{0,12}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name not in ("main", "all", "server", "system", "me", "you")
) | st.sampled_from(("Анна", "Ödön", "花子", "bob2"))
# Which characters UTF-8 has is found out as the tests are collected, and kept: each worker would take a second for it.
any_text.validate()
chat_names = st.just("main") | names.map("#{}".format) | names.map("@{}".format)


def _reduced(raw: str) -> str:
    try:
        return file_name(raw)
    except Refusal:
        return "a.png"


file_names = any_text.map(_reduced)
base64s = st.binary(min_size=1, max_size=60).map(lambda data: b64encode(data).decode())
emojis = st.sampled_from(("👍", "❤️", "+1", "👩‍👩‍👧", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇺🇦", "ℹ️"))

_line_text = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=20)
_words = st.text(st.characters(codec="utf-8", exclude_characters='\0\r\n"'), max_size=12)
_times = st.datetimes().map(lambda when: when.isoformat()).filter(lambda when: when > "1970")
_tight_words = st.from_regex(r"[!-~]{1,16}", fullmatch=True).filter(lambda word: '"' not in word)
_ids = st.integers(1, 2**63 - 1)
_numbers = _ids | _ids.map(str) | _ids.map("#{}".format)

# For each kind values of the JSON form that a line, if it takes them at all, can say too.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "word": _words,
    "text": _line_text.filter(lambda text: not text.startswith(" ") and not is_blank(clean(text))),
    "reason": _line_text.filter(lambda text: bool(text.strip(" "))),
    "secret": _tight_words,
    "token": _tight_words,
    "name": names,
    "user": names | names.map("@{}".format),
    "target": chat_names | names,
    "room": names.map("#{}".format),
    "room_name": names.map("#{}".format),
    "entrance": names.map("#{}".format) | _tight_words.filter(lambda word: word[0] != "#"),
    "shared": names.map("#{}".format) | st.sampled_from(("main", "Main")),
    "interval": st.integers(0, 86_400) | st.sampled_from(("off", "OFF", "30s", "5m", "24h", "1d")),
    "topic": _line_text.filter(lambda text: not text.startswith(" ") and not is_blank(clean(text))) | st.just('""'),
    "id": _numbers,
    "count": _numbers,
    "time": _times,
    "delay": st.integers(0, 10**11) | st.from_regex(r"[0-9]{1,6}[smhd]", fullmatch=True) | _times,
    "duration": st.integers(1, 10**9) | st.from_regex(r"[1-9][0-9]{0,3}[smhd]", fullmatch=True),
    "key": _tight_words,
    "format": st.sampled_from(("text", "json", "JSON")),
    "on_off": st.booleans() | st.sampled_from(("on", "OFF")),
    "emoji": emojis,
    "file_name": st.from_regex(r"[a-zA-Z0-9_-][a-zA-Z0-9 ._-]{0,20}[a-z]", fullmatch=True),
    "size": st.integers(0, 2**40) | st.integers(0, 2**40).map(str),
    "sha256": st.from_regex(r"[0-9a-fA-F]{64}", fullmatch=True),
    "base64": base64s,
    "sessions": st.sampled_from(("all", "ALL")) | _numbers,
    "address": st.ip_addresses().map(str)
    | st.tuples(st.ip_addresses(v=4), st.integers(8, 32)).map(lambda each: f"{each[0]}/{each[1]}"),
    "token_id": st.from_regex(r"[0-9a-fA-F]{8}", fullmatch=True),
}


def line_word(argument: Argument, value: Any) -> str:
    """A JSON value as it is written in a line."""
    word = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
    return word if argument.kind.takes_rest or (word and " " not in word) else f'"{word}"'


@st.composite
def both_forms(draw: st.DrawFn, spec: Spec) -> tuple[str, str, bool]:
    """A command as a line and as a JSON object; and whether it is one that cannot be refused."""
    fields: dict[str, Any] = {}
    words = [f"/{draw(st.sampled_from((spec.verb, *spec.aliases, spec.verb.upper())))}"]
    arguments = [argument for argument, _ in spec.positional]
    required_left = sum(argument.required for argument in arguments)
    for argument in arguments:
        required_left -= argument.required
        if argument.required or draw(st.booleans()):
            fields[argument.name] = draw(VALUES[argument.kind.name])
            words.append(line_word(argument, fields[argument.name]))
        elif not required_left:
            break  # those that may be left out at the end of a line are left out from there on
    pairs = draw(st.permutations([argument for argument in spec.arguments if argument.pair]))
    chosen = pairs[: draw(st.integers(0, len(pairs)))]
    for argument in chosen:
        fields[argument.name] = draw(VALUES[argument.kind.name])
        words.append(f"{argument.name} {line_word(argument, fields[argument.name])}")
    for name, argument in spec.marked.items():
        if draw(st.booleans()):
            fields[name] = draw(VALUES[argument.kind.name])
            words.insert(1, f"{name}:{fields[name]}")
    return " ".join(words), json.dumps({"cmd": words[0][1:], **fields}), len(chosen) < 2
