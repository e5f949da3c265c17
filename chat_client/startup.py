"""The start of a connection: server, user and token from the settings, or asked for at the terminal."""

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from math import ceil
from pathlib import Path
from typing import BinaryIO, TextIO

from chat_client.sdk import clock
from chat_client.sdk.chat import Chat, connect
from chat_client.sdk.errors import ChatError
from chat_client.sdk.server_address import read
from chat_client.settings import Settings, UsageError
from chat_client.signals import asking
from chat_client.standard_streams import decode
from chat_client.token_file import TokenFile, last_server
from chat_server.protocol.sanitize import clean

DEFAULT_SERVER = "localhost:8000"
NOT_UTF_8 = "that was not UTF-8"


@asynccontextmanager
async def open_chat(settings: Settings, *, interactive: bool) -> AsyncIterator[Chat]:
    """The chat that the settings name. Raises UsageError.

    `interactive`: ask for what is missing, at the terminal, before anything else uses it. A script makes no account
    unless it is told to.
    """
    has_asked_password = False

    async def ask_password(words: str) -> str | None:
        nonlocal has_asked_password
        has_asked_password = True
        return await _ask_password(words)

    tokens_file = settings.data_dir / "tokens.json"
    servers = settings.servers or _servers(last_server(tokens_file), interactive)
    try:
        tokens = TokenFile(tokens_file, read(servers), tls=settings.tls or settings.ca is not None)
    except ValueError as error:
        raise UsageError(str(error)) from None
    known = settings.user or tokens.last_user()
    user = known or _user(",".join(servers), interactive)
    async with connect(
        servers,
        user=user,
        tokens=tokens,
        ask_password=ask_password if interactive else None,
        ask_code=_ask_code if interactive else None,
        count_down=_count_down,
        register=settings.register or (interactive and settings.send is None and settings.follow is None),
        tls=_tls(settings.ca) if settings.ca is not None else tokens.tls,
    ) as chat:
        # Whoever was not asked for a name knows what to do, and is told by the server that there is no password.
        if not known and not has_asked_password and chat.signed_in is not None and chat.signed_in.new:
            await _offer_password(chat)
        yield chat


def _servers(last: str | None, interactive: bool) -> tuple[str, ...]:
    if last is not None or not interactive:
        return tuple((last or DEFAULT_SERVER).split(","))
    return tuple((_ask(f"server [{DEFAULT_SERVER}]: ") or DEFAULT_SERVER).split(","))


def _user(server: str, interactive: bool) -> str:
    if not interactive:
        raise UsageError("no name was given: --user NAME")
    import getpass  # only a new user is asked

    try:
        default = getpass.getuser()
    except (KeyError, OSError):
        default = ""
    user = _ask(f"your name at {server}{f' [{default}]' if default else ''}: ") or default
    if not user:
        raise UsageError("no name was given: --user NAME")
    return user


def _ask(words: str) -> str:
    with asking():
        try:
            return _line(words)
        except EOFError:
            raise UsageError("there was no answer") from None


def _line(words: str) -> str:
    """Raises EOFError. The words may have a name that the server told."""
    while True:
        sys.stdout.write(clean(words))
        sys.stdout.flush()
        if not (line := sys.stdin.buffer.readline()):
            raise EOFError
        try:
            return decode(line).strip()
        except UnicodeDecodeError:
            sys.stdout.write(f"{NOT_UTF_8}\n")


async def _ask_password(words: str) -> str | None:
    return await _answer(lambda: _password(words), secret=True)


async def _offer_password(chat: Chat) -> None:
    """Ask a newcomer, whose name anybody could sign in with, for a password; Enter leaves it without one."""
    words = f"{chat.user} is new. A password keeps others from using that name (Enter: none): "
    while password := await _answer(partial(_secret, words), secret=True):
        if await _answer(partial(_secret, "once more: "), secret=True) != password:
            words = "the two differ; a password (Enter: none): "
            continue
        try:
            await chat.command("password", new=password)
        except ChatError as error:
            words = f"{error}; another one (Enter: none): "
            continue
        return


async def _ask_code(words: str) -> str | None:
    return await _answer(lambda: _line(f"{words}; its code: "), secret=False)


async def _answer(ask: Callable[[], str], secret: bool) -> str | None:
    """Ask by a read that blocks the loop; a full screen makes room for it, and Ctrl-C gets through."""
    from chat_client.common.suspension import terminal_as_found

    interrupted = False
    async with terminal_as_found():
        try:
            with asking(secret=secret):
                return ask() or None
        except EOFError:
            return None
        except KeyboardInterrupt:
            interrupted = True
            return None
        finally:
            if interrupted:  # whoever runs the loop ends it
                sys.stderr.write("\n")
                signal.raise_signal(signal.SIGINT)


def _password(words: str) -> str:
    """Ask until there is one: a user who pressed Enter too soon would type the next one into the shell."""
    while True:
        if password := _secret(f"{words}; password: "):
            return password


def _secret(words: str) -> str:
    import getpass  # a token needs none

    while True:
        try:
            return getpass.getpass(clean(words))
        except UnicodeDecodeError:
            sys.stderr.write(f"{NOT_UTF_8}\n")


async def _count_down(words: str, seconds: float) -> None:
    """Wait, and neither show nor keep typed input meanwhile: it may be the next password."""
    import termios

    end = clock.elapsed() + seconds
    with not_echoed(sys.stdin):
        try:
            while (left := end - clock.elapsed()) > 0:
                sys.stderr.write(f"\r{words}; you are asked again in {ceil(left)} s ")
                sys.stderr.flush()
                await asyncio.sleep(min(1.0, left))
        finally:
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
            sys.stderr.write("\n")


def _tls(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"cannot use {ca}: {error.strerror or error}") from None


def at_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person can be asked."""
    try:
        return (stream or sys.stdin).isatty()
    except (AttributeError, ValueError):
        return False


def is_dumb() -> bool:
    """A terminal that can only print lines."""
    return os.environ.get("TERM", "dumb").lower() in ("", "dumb", "unknown")


@contextmanager
def not_echoed(terminal: BinaryIO | TextIO) -> Iterator[None]:
    """Do not show what is typed at this terminal within the block."""
    import termios

    number = terminal.fileno()
    before = termios.tcgetattr(number)
    quiet = termios.tcgetattr(number)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(number, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)
