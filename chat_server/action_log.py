"""The log of actions: one line an action with user, verb, result and time, but no content.

The lines of one turn of the loop are written together, so that logging a message costs less than storing it. Nor does
logging wait for whoever reads the log: see `line_writer`. `admin/trace.py` reads these lines again.
"""

import io
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from chat_server.protocol.times import iso
from chat_server.runtime import Clock, Runtime

_encode = msgspec.json.Encoder().encode

# What journald takes for the priority of a line, behind which it writes the time by itself (sd-daemon(3)).
_PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
DROPPED = "%d lines of the log were dropped: nobody took them"
# Of one line; the rest is on the next one.
IDS_A_LINE = 100
# Who, what, result, seconds, session, address, id and seq, as in `ActionLog.add`.
_Action = tuple[str, str, str, float, int, str, int, int]


class LineForm:
    """How lines begin: for the journal (`for_journal`) with their priority, elsewhere with the time and the level."""

    def __init__(self, clock: Clock, *, json: bool, for_journal: bool = False) -> None:
        self.json = json
        self._clock = clock
        self._for_journal = for_journal

    def head(self, level: str) -> str:
        """Return what a line of this level begins with, the time in it."""
        priority = f"<{_PRIORITIES.get(level, 6)}>" if self._for_journal else ""
        return priority if self.json or self._for_journal else f"{self.at()} {level} "

    def at(self) -> str:
        return iso(self._clock.now_ms())


class ActionLog:
    def __init__(self, runtime: Runtime, form: LineForm, *, enabled: bool, stream: io.TextIOBase) -> None:
        self._runtime = runtime
        self._stream = stream
        self._form = form
        self.enabled = enabled
        self._actions: list[_Action] = []
        self._batches: list[tuple[str, str, str, int, str, float]] = []
        self._facts: list[tuple[str, dict[str, Any]]] = []
        self._is_due = False  # something waits for `flush`
        self.refusals: Counter[str] = Counter()  # by code, since the start

    def add(
        self, who: str, what: str, result: str, seconds: float, session: int, address: str, id: int = 0, seq: int = 0
    ) -> None:
        """`what` is the verb, `result` is ok or the code of the refusal. MUST be called on the loop.

        `id` is the message that it is about, `seq` that of its change; 0 where there is none.
        """
        if result != "ok":
            self.refusals[result] += 1
        if not self.enabled:
            return
        if not self._is_due:
            self._is_due = True
            self._runtime.call_soon(self.flush)
        self._actions.append((who, what, result, seconds, session, address, id, seq))

    def add_batch(self, number: str, node: str, seqs: str, entries: int, told: str, seconds: float) -> None:
        """Log a batch that changed messages; `seconds` is its commit. MUST be called on the loop."""
        if not self._is_due:
            self._is_due = True
            self._runtime.call_soon(self.flush)
        # Each batch pays for this: a line made of a dict of its fields cost twice as much, 2 µs.
        self._batches.append((number, node, seqs, entries, told, seconds))

    def add_fact(self, kind: str, fields: dict[str, Any]) -> None:
        """Log what nobody did, such as what has expired. MUST be called on the loop."""
        if not self.enabled:
            return
        if not self._is_due:
            self._is_due = True
            self._runtime.call_soon(self.flush)
        self._facts.append((kind, fields))

    def flush(self) -> None:
        form, head = self._form, self._form.head("INFO")
        if form.json:
            at = form.at()
            lines = [_action_as_json(head, at, *each) for each in self._actions]
            lines += [_batch_as_json(head, at, *each) for each in self._batches]
            lines += [_fact_as_json(head, at, *each) for each in self._facts]
        else:
            lines = _actions_as_text(head, self._actions)
            lines += [_batch_as_text(head, *each) for each in self._batches]
            lines += [_fact_as_text(head, *each) for each in self._facts]
        self._actions.clear()
        self._batches.clear()
        self._facts.clear()
        self._is_due = False
        self._stream.write("".join(lines))
        self._stream.flush()


def _actions_as_text(head: str, actions: list[_Action]) -> list[str]:
    lines: list[str] = []
    known, ms = -1.0, ""
    for who, what, result, seconds, session, address, id, seq in actions:
        # What came and was answered at once took the same time. Writing it was a third of writing a line.
        if seconds != known:
            known, ms = seconds, format(seconds * 1000, ".1f")
        message = "" if not id else f" id={id}" if not seq else f" id={id} seq={seq}"
        lines.append(
            f"{head}action user={who or '-'} session={session} address={address} do={what} result={result}"
            f" ms={ms}{message}\n"
        )
    return lines


def _action_as_json(
    head: str, at: str, who: str, what: str, result: str, seconds: float, session: int, address: str, id: int, seq: int
) -> str:
    line: dict[str, Any] = {"at": at, "level": "info", "user": who or None, "session": session, "address": address}
    line |= {"do": what, "result": result, "ms": round(seconds * 1000, 1)}
    if id:
        line["id"] = id
    if seq:
        line["seq"] = seq
    return f"{head}{_encode(line).decode()}\n"


def _batch_as_text(head: str, number: str, node: str, seqs: str, entries: int, told: str, seconds: float) -> str:
    of = f" node={node}" if node else ""
    ms = format(seconds * 1000, ".1f")
    return f"{head}batch number={number}{of} seq={seqs} entries={entries} to={told} commit_ms={ms}\n"


def _batch_as_json(
    head: str, at: str, number: str, node: str, seqs: str, entries: int, told: str, seconds: float
) -> str:
    fields: dict[str, Any] = {"number": number, "seq": seqs, "entries": entries, "to": told}
    if node:
        fields["node"] = node
    return _fact_as_json(head, at, "batch", {**fields, "commit_ms": round(seconds * 1000, 1)})


def _fact_as_text(head: str, kind: str, fields: dict[str, Any]) -> str:
    return f"{head}{kind} {' '.join([f'{name}={value}' for name, value in fields.items()])}\n"


def _fact_as_json(head: str, at: str, kind: str, fields: dict[str, Any]) -> str:
    return f"{head}{_encode({'at': at, 'level': 'info', 'fact': kind, **fields}).decode()}\n"


def in_ranges(numbers: list[int]) -> str:
    """Write ascending numbers as ranges: `1-40,43`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in ranges)


class _Formatter(logging.Formatter):
    """All other lines have the same form: time, level, logger, text."""

    def __init__(self, form: LineForm) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        head, text = self._form.head(record.levelname), record.getMessage()
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if self._form.json:
            fields: dict[str, Any] = {"at": self._form.at(), "level": record.levelname.lower()}
            fields |= {"from": record.name, "text": text}
            return head + _encode({**fields, "trace": trace} if trace else fields).decode()
        line = f"{head}{record.name} {text}"
        if not trace:
            return line
        # For the journal each line is one of its own.
        indent = head if head.startswith("<") else ""
        return "\n".join((line, *(indent + each for each in trace.splitlines())))


def line_of(form: LineForm, level: int, name: str, text: str, *args: object) -> str:
    """Return a line that is written past the logging of the process."""
    return _Formatter(form).format(logging.LogRecord(name, level, "", 0, text, args, None)) + "\n"


def drop_notice(form: LineForm, why: str = DROPPED) -> Callable[[int], str]:
    """Return a function that makes the line about so many dropped lines of the log."""
    return lambda dropped: line_of(form, logging.WARNING, "chat.log", why, dropped)


def set_up(runtime: Runtime, streams: Mapping[io.TextIOBase, LineForm], *, level: str) -> ActionLog:
    """Send the logging of the whole process to the first stream, and warnings to the others, each in its form."""
    handlers: list[logging.Handler] = []
    for stream, form in streams.items():
        handler = logging.StreamHandler(stream)
        handler.setFormatter(_Formatter(form))
        if handlers:
            handler.setLevel(logging.WARNING)
        handlers.append(handler)
    logging.basicConfig(level=level.upper(), handlers=handlers, force=True)
    main = next(iter(streams))
    return ActionLog(runtime, streams[main], enabled=is_enabled(level), stream=main)


def set_level(actions: ActionLog, level: str) -> None:
    """Log from this level on."""
    logging.getLogger().setLevel(level.upper())
    actions.enabled = is_enabled(level)


def is_enabled(level: str) -> bool:
    """Tell whether actions are logged at this level."""
    return level in ("debug", "info")
