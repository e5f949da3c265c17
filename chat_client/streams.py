"""The standard streams, whatever they are: closed, full, in another encoding than UTF-8."""

import locale
import os
import sys
from codecs import lookup
from contextlib import suppress

CLOSED: set[str] = set()  # those that were closed when the program began


class CannotWrite(Exception):
    """What is told has nowhere to go."""


def prepare() -> None:
    """What is closed gets /dev/null, before a socket gets its number. What cannot be shown is shown by its number."""
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
    """UTF-8, or else what the locale says. Raises UnicodeDecodeError."""
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


def out(text: str) -> None:
    """To stdout, at once: who reads it may be a pipe. Raises BrokenPipeError, or CannotWrite."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise CannotWrite(f"cannot write to stdout: {getattr(error, 'strerror', None) or error}") from None


def warn(text: str) -> None:
    """To stderr, if there is one: where it cannot be told that something is wrong, the exit status says so."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        abandon(2)


def abandon(number: int) -> None:
    """What is left in the buffer of this stream goes nowhere, so that the end of the program does not fail by it."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
