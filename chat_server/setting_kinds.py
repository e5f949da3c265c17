"""The kinds of values that settings have: how they are written, and what they mean."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chat_server.errors import Refusal
from chat_server.protocol.arguments import DURATION_MS_MAX
from chat_server.protocol.names import Name, check
from chat_server.protocol.times import duration, parse_duration

_SIZE = re.compile(r"(\d{1,12}) ?(KiB|KB|MiB|MB|GiB|GB|B)?", re.ASCII | re.IGNORECASE)
RATE_COUNT_MAX = 1_000_000_000
# MB means 1,048,576 bytes here, as people who share files count.
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "kib": 1 << 10,
    "kb": 1 << 10,
    "mib": 1 << 20,
    "mb": 1 << 20,
    "gib": 1 << 30,
    "gb": 1 << 30,
}


@dataclass(frozen=True)
class Rate:
    """A count in a window of time, like `20/1h`."""

    count: int
    window_ms: int

    def __str__(self) -> str:
        return f"{self.count}/{duration(self.window_ms)}"


@dataclass(frozen=True)
class ValueKind:
    """A kind of values: its name in `--help`, its parser, and its words if it has no other values."""

    metavar: str
    parse: Callable[[str], Any]
    words: tuple[str, ...] = ()


def _text(text: str) -> str:
    if not text or "\0" in text or not is_utf8(text):
        raise ValueError("a text in UTF-8")
    return text


def _log_file(text: str) -> str:
    if text.lower() == "off":
        raise ValueError("a file, auto, or - for stderr")
    return _text(text)


def is_utf8(text: str) -> bool:
    """Tell whether a text is UTF-8. One from the command line, the environment or a file name may have other bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _directory(text: str) -> str:
    """Return a path that is UTF-8 throughout, since SQLite takes no other."""
    try:
        if is_utf8(str(Path(_text(text)).expanduser().absolute())):
            return text
    except (OSError, RuntimeError):
        # The user of a ~user does not exist, or the working directory is gone.
        pass
    raise ValueError("a directory whose whole name is UTF-8 and can be found")


def _duration_ms(text: str) -> int:
    ms = parse_duration(text)
    if ms is None or not 0 < ms <= DURATION_MS_MAX:
        raise ValueError("a duration like 90s, 5m, 2h or 1d (at most 36500d)")
    return ms


def _rate(text: str) -> Rate:
    count, slash, window = text.partition("/")
    if not (slash and count.isascii() and count.isdigit() and 0 < int(count) <= RATE_COUNT_MAX):
        raise ValueError("a rate like 20/1h")
    try:
        return Rate(int(count), _duration_ms(window))
    except ValueError:
        raise ValueError("a rate like 20/1h") from None


def size(least: str, most: str) -> ValueKind:
    def in_bytes(text: str) -> int | None:
        match = _SIZE.fullmatch(text)
        return int(match[1]) * _SIZE_UNITS[(match[2] or "").lower()] if match else None

    least_bytes, most_bytes = in_bytes(least) or 0, in_bytes(most) or 0

    def parse(text: str) -> int:
        found = in_bytes(text)
        if found is None or not least_bytes <= found <= most_bytes:
            raise ValueError(f"a size from {least} to {most}")
        return found

    return ValueKind("SIZE", parse)


def size_words(size_bytes: int) -> str:
    for unit in ("GB", "MB", "KB"):
        if size_bytes % _SIZE_UNITS[unit.lower()] == 0:
            return f"{size_bytes // _SIZE_UNITS[unit.lower()]}{unit}"
    return f"{size_bytes}B"


def number(least: int, most: int) -> ValueKind:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return ValueKind("NUMBER", parse)


def _on(text: str) -> bool:
    if text.lower() not in ("on", "true", "yes", "1"):
        raise ValueError("on")
    return True


def one_of(*words: str) -> ValueKind:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(" or ".join(words))
        return text.lower()

    return ValueKind("|".join(words), parse, words)


def _username(text: str) -> Name:
    try:
        return check(text)
    except Refusal as refusal:
        raise ValueError(f"a username ({refusal.text})") from None


def _nats_url(text: str) -> str:
    """Return the URL of a NATS server; `nats://` and port 4222 may be left out."""
    try:
        parts = urlsplit(text if "://" in text else f"nats://{text}")
        port = 4222 if parts.port is None else parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in ("nats", "tls") or not re.fullmatch(r"[\w.:\[\]-]+", parts.netloc + parts.path, re.ASCII):
        raise ValueError(
            "URLs of NATS servers like nats://one,two,three or tls://one:4222,two:4222, without a password"
        )
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _node_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", text, re.ASCII):
        raise ValueError("a name of at most 32 letters, digits, - and _")
    return text


ADDRESS, FILE, NAME = (ValueKind(metavar, _text) for metavar in ("ADDRESS", "FILE", "NAME"))
LOG_FILE = ValueKind("FILE", _log_file)
DIRECTORY, NODE = ValueKind("DIR", _directory), ValueKind("NAME", _node_name)
DURATION, RATE = ValueKind("DURATION", _duration_ms), ValueKind("RATE", _rate)
ON_OR_OFF = ValueKind("on|off", _on, ("on", "off"))
USERNAME, NATS_URLS = ValueKind("USERNAME", _username), ValueKind("URL[,…]", _nats_url)
