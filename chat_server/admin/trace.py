"""`chat-server trace`: the way of a message, a user or a session through the log.

It reads the lines that `action_log` writes, in each of their forms, also as journalctl shows them in one line each. The
files are read from the oldest to the newest, line by line, so that their size does not matter.
"""

import gzip
import io
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from chat_server.errors import StartError
from chat_server.log_file import rotated
from chat_server.protocol.names import fold
from chat_server.protocol.times import iso

KINDS = ("action", "batch", "expired", "act")
_TEXT = re.compile(rf"^(?P<before>.*?)(?:<\d>)?(?:INFO )?(?P<kind>{'|'.join(KINDS)}) (?P<fields>[a-z_]+=.*)$")
_JSON = re.compile(r"^(?P<before>.*?)(?:<\d>)?(?P<line>\{.*\})$")
# What `journalctl -o verbose`, `export` and `json-pretty` write before a message; its time is on another line.
_FIELD_OF_ITS_OWN = re.compile(r'\s*(MESSAGE=|"MESSAGE" : ")')
_MICROSECONDS = re.compile(r"\d{1,17}", re.ASCII)
_HOW = {
    "delayed": "a delayed message whose time had come",
    "unanswered": "its connection was gone before the answer",
}
_FIELD = re.compile(r"([a-z_]+)=(\S*)")
_RANGE = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?", re.ASCII)
# A bare number is a message, as where one is edited or deleted; a user with such a name is @42.
_TARGET = re.compile(r"#?(?P<id>[1-9]\d{0,17})|@?(?P<user>[^\s#=@]+)|session=(?P<session>\d{1,18})", re.ASCII)


class LoggedLine(NamedTuple):
    at: str
    kind: str
    fields: dict[str, str]

    def number(self, name: str) -> int:
        value = self.fields.get(name, "")
        return int(value) if value.isascii() and value.isdigit() else 0


def parse(text: str) -> LoggedLine | None:
    """Return a line of the log that is about an action, a batch or what expired; None for any other.

    Raises StartError where the journal was read in a form that has it in parts, or not whole.
    """
    if (match := _JSON.match(text)) is not None:
        try:
            fields: Any = msgspec.json.decode(match["line"])
        except msgspec.DecodeError:
            fields = None
        if isinstance(fields, dict) and "MESSAGE" in fields:
            return parse(_journal_line(fields))
        if isinstance(fields, dict) and ("do" in fields or fields.get("fact") in KINDS):
            kind = fields.get("fact", "action")
            words = {name: str(value) for name, value in fields.items() if value is not None}
            return LoggedLine(words.get("at", match["before"].rstrip(": ")), kind, words)
    if (match := _TEXT.match(text)) is not None:
        if _FIELD_OF_ITS_OWN.fullmatch(match["before"]):
            raise StartError("the journal is read one entry a line: by journalctl -u chat-server, or -o json --all")
        return LoggedLine(match["before"].rstrip(": "), match["kind"], dict(_FIELD.findall(match["fields"])))
    return None


def _journal_line(entry: dict[str, Any]) -> str:
    """Return the line that an entry of `journalctl -o json` has, behind its time. Raises StartError."""
    if entry["MESSAGE"] is None:
        # Longer than 4,096 bytes: the line of a batch may be.
        raise StartError("the journal's longest lines are left out: add --all to journalctl -o json")
    microseconds = str(entry.get("__REALTIME_TIMESTAMP", ""))
    at = f"{iso(int(microseconds) // 1000)} " if _MICROSECONDS.fullmatch(microseconds) else ""
    return f"{at}{entry['MESSAGE']}"


def in_ranges(number: int, ranges: str) -> bool:
    """Tell whether the number is in ranges like `1-40,43`."""
    return any(
        match and int(match[1]) <= number <= int(match[2] or match[1])
        for match in map(_RANGE.fullmatch, ranges.split(","))
    )


def telling(target: str) -> "Telling":
    """Return what tells of this target: `#42`, `@anna` or `session=7`. Raises StartError."""
    match = _TARGET.fullmatch(target)
    if match is None:
        # To a shell, # begins a comment.
        if not target:
            raise StartError("there is nothing to trace; say '#42' (in quotes), @anna or session=7", status=2)
        raise StartError(f"“{target}” is nothing to trace; say #42, @anna or session=7", status=2)
    if match["id"]:
        return MessageStory(int(match["id"]))
    if match["session"]:
        return ActionList(lambda line: line.number("session") == int(match["session"]), target)
    name = fold(match["user"])
    return ActionList(lambda line: fold(line.fields.get("user", "")) == name, f"@{match['user']}")


class Telling(ABC):
    """Is fed the lines in their order, yields what to print, and says at the end what the log does not have."""

    @abstractmethod
    def feed(self, line: LoggedLine) -> Iterator[str]: ...

    @abstractmethod
    def end(self, first: str, last: str) -> str | None:
        """Return what is missing, None if nothing is. `first` and `last` are the times of the log."""


def _by(line: LoggedLine) -> str:
    fields = line.fields
    if fields.get("address") == "control":
        return f"by the administrator (connection {fields.get('session')})"
    where = "" if fields.get("session") == "0" else f", session {fields.get('session')} from {fields.get('address')}"
    return f"by {fields.get('user', '-')}{where}"


def _answer(line: LoggedLine) -> str:
    return f"{line.fields.get('result')} after {line.fields.get('ms')} ms"


class MessageStory(Telling):
    """What became of one message. Its id is the seq at which it was sent, and each change of it has another one."""

    def __init__(self, id: int) -> None:
        self._id = id
        self._waits_for = {id}  # the seqs whose batches are not told yet
        self._author = ""
        self._has_sender = self._is_on_disk = False
        self._changed: str | None = None  # the message that was changed with this seq, if there is one
        self._first_seq: int | None = None
        self._last_seq = 0

    def feed(self, line: LoggedLine) -> Iterator[str]:
        if line.kind == "batch":
            yield from self._feed_batch(line)
        elif line.kind == "expired":
            if in_ranges(self._id, line.fields.get("ids", "")):
                yield f"{line.at}  expired: all have read it, and its time is over"
        elif line.number("seq") == self._id:
            self._changed = line.fields.get("id", "")
            self._waits_for.discard(self._id)
        elif line.number("id") == self._id:
            yield from self._feed_action(line)
        elif self._author and self._ends_author(line):
            yield f"{line.at}  the account of {self._author} was deleted, and what it wrote with it ({_what(line)})"
            self._author = ""

    def _feed_action(self, line: LoggedLine) -> Iterator[str]:
        seq = line.number("seq")
        if seq:
            self._waits_for.add(seq)
            yield f"{line.at}  changed by {line.fields.get('do')}, {_by(line)}: {_answer(line)}, seq {seq}"
        elif (how := _HOW.get(line.fields.get("do", ""))) is not None:
            self._author, self._has_sender = line.fields.get("user", ""), True
            yield f"{line.at}  sent {_by(line)}: {how}"
        else:
            self._author, self._has_sender = line.fields.get("user", ""), True
            yield f"{line.at}  came in by {line.fields.get('do')}, {_by(line)}: {_answer(line)}"

    def _feed_batch(self, line: LoggedLine) -> Iterator[str]:
        match = _RANGE.fullmatch(line.fields.get("seq", ""))
        if match is None:
            return
        start, end = int(match[1]), int(match[2] or match[1])
        self._first_seq = start if self._first_seq is None else self._first_seq
        self._last_seq = max(self._last_seq, end)
        # The logs of two nodes have the same batch. A lone server writes a seq once, until its data is replaced.
        if self._is_on_disk and start <= self._id <= end and "node" not in line.fields:
            yield f"{line.at}  the data was replaced before this: from here on #{self._id} is another message"
            self._waits_for = {self._id}
        for seq in sorted(each for each in self._waits_for if start <= each <= end):
            self._waits_for.discard(seq)
            self._is_on_disk = self._is_on_disk or seq == self._id
            told = line.fields.get("to", "").split(",")
            count = told[seq - start] if len(told) == end - start + 1 else told[0]
            node = f" of node {line.fields['node']}" if "node" in line.fields else ""
            yield (
                f"{line.at}  on disk as seq {seq} with batch {line.fields.get('number')}{node} (commands:"
                f" {line.fields.get('entries')}, commit: {line.fields.get('commit_ms')} ms); connections told: {count}"
            )

    def _ends_author(self, line: LoggedLine) -> bool:
        fields = line.fields
        if line.kind == "act":
            return fields.get("do") == "forget" and fold(fields.get("of", "")) == fold(self._author)
        is_own = fold(fields.get("user", "")) == fold(self._author)
        return is_own and fields.get("do") == "delete_account" and fields.get("result") == "ok"

    def end(self, first: str, last: str) -> str | None:
        if self._has_sender:
            return None
        if self._changed is not None:
            return f"there is no message #{self._id}: that seq was a change of #{self._changed}"
        if self._is_on_disk:
            return (
                f"the log does not say who sent #{self._id}: another node has the line, or the"
                " seq is not that of a message"
            )
        if self._first_seq is None:
            return f"the log has no batches of messages from {first} to {last}; with --log-level warning it has none"
        if self._id < self._first_seq:
            return f"the log does not reach back to #{self._id}: it begins at {first} with seq {self._first_seq}"
        if self._id > self._last_seq:
            return f"there is no #{self._id} yet: the log ends at {last} with seq {self._last_seq}"
        return f"#{self._id} is not in the log, though that goes from {first} to {last}: lines are missing"


def _what(line: LoggedLine) -> str:
    return f"{line.fields.get('do')} {_by(line)}" if line.kind == "action" else "forget by the administrator"


class ActionList(Telling):
    """All that a user or a session did."""

    def __init__(self, is_meant: Callable[[LoggedLine], bool], target: str) -> None:
        self._is_meant = is_meant
        self._target = target
        self._found = False

    def feed(self, line: LoggedLine) -> Iterator[str]:
        if line.kind == "action" and self._is_meant(line):
            self._found = True
            about = f" #{line.fields['id']}" if "id" in line.fields else ""
            yield f"{line.at}  {line.fields.get('do')}{about} {_by(line)}: {_answer(line)}"

    def end(self, first: str, last: str) -> str | None:
        return None if self._found else f"{self._target} did nothing that the log has, from {first} to {last}"


def trace(target: str, lines: Iterable[str], show: Callable[[str], object]) -> None:
    """Show the way of the target through these lines. Raises StartError if they do not have it."""
    found = telling(target)
    first = last = ""
    for text in lines:
        line = parse(text.rstrip("\r\n"))
        if line is None:
            continue
        # journalctl -o cat leaves the times out.
        at = line.at or "a time that is not told"
        first, last = first or at, at
        for each in found.feed(line):
            show(each)
    if not first:
        raise StartError("there is no action in the log")
    missing = found.end(first, last)
    if missing is not None:
        raise StartError(missing)


def read_lines(files: Iterable[str], log: Path) -> Iterator[str]:
    """Yield the lines of the named files, `-` being stdin, or of the log and its rotated files. Raises StartError."""
    paths = [Path(each) for each in files] or [path for path in reversed(rotated(log)) if path.exists()]
    if not paths:
        raise StartError(
            f"there is no log {log}: without --log-file, a server logs there only if its stderr is a terminal. From the"
            " journal it is read by: journalctl -u chat-server | chat-server trace TARGET -"
        )
    for path in paths:
        try:
            if str(path) == "-":
                yield from io.TextIOWrapper(sys.stdin.buffer, errors="replace")
                continue
            with (gzip.open if path.suffix == ".gz" else open)(path, "rt", errors="replace") as file:
                yield from file
        except OSError as error:
            raise StartError(f"cannot read the log {path}: {error.strerror or error}") from None
