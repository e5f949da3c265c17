"""The log of actions: one line a command with user, verb, result and time, but no content.

The lines of one turn of the loop are written together, so that logging a message costs less than storing it. Nor does
logging wait for whoever reads the log: see `line_writer`.
"""

import io
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from chat_server.protocol.times import iso
from chat_server.runtime import Clock, Runtime

_encode = msgspec.json.Encoder().encode


class ActionLog:
    def __init__(self, runtime: Runtime, *, json: bool, enabled: bool, stream: io.TextIOBase) -> None:
        self._runtime = runtime
        self._stream = stream
        self._render: Callable[..., str] = _as_json if json else _as_text
        self._enabled = enabled
        self._lines: list[tuple[str, str, str, float, int, str]] = []
        self.refusals: Counter[str] = Counter()  # by code, since the start

    def add(self, who: str, what: str, result: str, seconds: float, session: int, address: str) -> None:
        """`what` is the verb, `result` is ok or the code of the refusal. MUST be called on the loop."""
        if result != "ok":
            self.refusals[result] += 1
        if not self._enabled:
            return
        if not self._lines:
            self._runtime.call_soon(self.flush)
        self._lines.append((who, what, result, seconds, session, address))

    def flush(self) -> None:
        at = iso(self._runtime.now_ms())
        text = "".join([self._render(at, *line) for line in self._lines])
        self._lines.clear()
        self._stream.write(text)
        self._stream.flush()


def _as_text(at: str, who: str, what: str, result: str, seconds: float, session: int, address: str) -> str:
    ms = f"{seconds * 1000:.1f}"
    return f"{at} INFO action user={who or '-'} session={session} address={address} do={what} result={result} ms={ms}\n"


def _as_json(at: str, who: str, what: str, result: str, seconds: float, session: int, address: str) -> str:
    line: dict[str, Any] = {"at": at, "level": "info", "user": who or None, "session": session, "address": address}
    return _encode({**line, "do": what, "result": result, "ms": round(seconds * 1000, 1)}).decode() + "\n"


class _Formatter(logging.Formatter):
    """All other lines have the same form: time, level, logger, text."""

    def __init__(self, clock: Clock, *, json: bool) -> None:
        super().__init__()
        self._clock = clock
        self._json = json

    def format(self, record: logging.LogRecord) -> str:
        at, text = iso(self._clock.now_ms()), record.getMessage()
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if self._json:
            fields: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "from": record.name, "text": text}
            return _encode({**fields, "trace": trace} if trace else fields).decode()
        return "\n".join(filter(None, (f"{at} {record.levelname} {record.name} {text}", trace)))


def drop_notice(clock: Clock, *, json: bool) -> Callable[[int], str]:
    """Return a function that makes the line about so many dropped lines of the log."""
    formatter = _Formatter(clock, json=json)

    def notice(dropped: int) -> str:
        text = "%d lines of the log were dropped: nobody took them"
        record = logging.LogRecord("chat.log", logging.WARNING, "", 0, text, (dropped,), None)
        return formatter.format(record) + "\n"

    return notice


def set_up(runtime: Runtime, stream: io.TextIOBase, *, level: str, json: bool) -> ActionLog:
    """Send the logging of the whole process to the stream, in one form."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(runtime, json=json))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    return ActionLog(runtime, json=json, enabled=level in ("debug", "info"), stream=stream)
