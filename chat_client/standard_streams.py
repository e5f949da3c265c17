"""The standard streams in any condition: closed, full, or not in UTF-8."""

import locale
import os
import sys
from codecs import lookup
from contextlib import suppress

CLOSED: set[str] = set()  # those that were closed when the program began


class CannotWrite(Exception):
    """Stdout cannot be written."""


def prepare() -> None:
    """Open closed streams as /dev/null, before a socket gets their numbers. Characters that a stream cannot encode are
    written as their numbers."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            CLOSED.add(name)
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a test's
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def decode(data: bytes) -> str:
    """Decode UTF-8, or else the locale's encoding. Raises UnicodeDecodeError."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        with suppress(LookupError):
            if lookup(locale.getencoding()).name != "utf-8":
                return data.decode(locale.getencoding())
        raise


def is_utf_8() -> bool:
    """Whether each character can be written to stdout."""
    return lookup(sys.stdout.encoding or "ascii").name == "utf-8"


def has(char: str) -> bool:
    """Whether stdout can show it."""
    try:
        char.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def out(text: str) -> None:
    """Write to stdout and flush: a pipe may wait for the line. Raises BrokenPipeError, or CannotWrite."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise CannotWrite(f"cannot write to stdout: {getattr(error, 'strerror', None) or error}") from None


def warn(text: str) -> None:
    """Write to stderr, if that is possible; the exit status says in any case that something is wrong."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        abandon(2)


def abandon(number: int) -> None:
    """Point this stream at /dev/null, so that flushing its buffer cannot fail at the end of the program."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
