"""The subcommands of the administrator: `chat-server backup`, `stats`, `operator` and others.

A running server is sent the command over `control.sock`; if none runs, it is executed here, under the directory's lock.
Either way `control.answer` answers it. `backup` asks a running server to keep all files, and then reads by itself: see
docs/operations.md.
"""

import contextlib
import fcntl
import getpass
import hashlib
import logging
import os
import pwd
import select
import signal
import socket
import sys
import termios
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from chat_server import settings
from chat_server.admin import backup, cluster, setup, trace
from chat_server.admin.command_line import COMPLETIONS, COMPLETIONS_DIRECTORY
from chat_server.admin.control import SOCKET, answer, short_address
from chat_server.admin.offline import Offline
from chat_server.admin.processes import end_without
from chat_server.errors import StartError
from chat_server.frontend.listener import tls_context
from chat_server.log_destination import file_of
from chat_server.log_file import NAME
from chat_server.passwords import hash_now
from chat_server.protocol.arguments import is_one_line
from chat_server.protocol.control import ClusterVerified
from chat_server.protocol.file_names import describe_size
from chat_server.protocol.formats.wording import differences, verified
from chat_server.protocol.sanitize import clean
from chat_server.protocol.times import distance, iso
from chat_server.runtime import SystemRuntime
from chat_server.service_manager import data_link
from chat_server.settings import Settings
from chat_server.store.backup import StoredFile
from chat_server.store.data_directory import TEMPORARY, DataDirectory
from chat_server.store.database import DISK_ERRORS, FILE, LOCKED, open_unchanged
from chat_server.store.state import count_dated_later

T = TypeVar("T")

# Nobody would notice a clock that is ahead by less than this.
AHEAD_MS_MIN = 1000
ANSWER_SECONDS = 600.0
# A server that runs has read a line by then, however long the answer takes.
TAKEN_SECONDS = 10.0
CODE_BYTES = 24
KEEP_SECONDS = 20.0
_BAR_CHARS = 30
NICER = 10
INTERRUPTED = 128 + signal.SIGINT


def run(subcommand: str, given: dict[str, Any]) -> int:
    """Do what the subcommand says; return the exit status. Raises StartError."""
    # A refusal is one line. Only faults of the program itself are shown as they are logged.
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: record.exc_info is not None)
    logging.basicConfig(handlers=[handler])
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        status = _run(subcommand, given)
        _print("", flush=True)
        return status
    except (*DISK_ERRORS, LOCKED) as error:
        raise StartError(f"the database cannot be used: {error}") from None


def _end(number: int, frame: object) -> None:
    """Exit in order, so that nothing half done is left."""
    sys.exit(128 + number)


def _run(subcommand: str, given: dict[str, Any]) -> int:
    if subcommand == "check":
        return _check(given)
    if subcommand == "setup":
        return _report(setup.set_up(given, _ask_person, SystemRuntime().now_ms()))
    if subcommand == "completion":
        return _completion(COMPLETIONS[given["shell"]])
    chosen = settings.resolve(given)
    if chosen.data_dir == TEMPORARY:
        raise StartError("the data of --data :memory: is gone when its server stops; name a directory", status=2)
    os.umask(0o077)
    if subcommand == "backup":
        return _backup(chosen, Path(given["file"]), given["without_lost_files"])
    if subcommand == "restore":
        _refuse_other_user(Path(chosen.data_dir))
        with _progress() as progress:
            path = backup.restore(SystemRuntime(), Path(given["file"]), chosen.data_dir, given["force"], progress)
        return _report(f"restored {given['file']} into {path}; start the server")
    if subcommand == "trace":
        return _trace(chosen, given)
    if subcommand == "reload":
        return _reload(Path(chosen.data_dir).expanduser().absolute())
    if subcommand == "verify":
        os.nice(NICER)
        return _verify(Path(chosen.data_dir).expanduser().absolute(), given["beside"])
    if subcommand == "cluster" and given["act"] != "settings":
        return _cluster(chosen, given)
    if subcommand == "invite" and given["act"] is None:
        return _invite(chosen)
    return _send(chosen, _LINES[subcommand](given), json=subcommand == "export")


@contextlib.contextmanager
def _interruptible(then: str) -> Iterator[None]:
    """Whoever presses Ctrl-C at a question is told what that means. Raises StartError."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise StartError(then, status=INTERRUPTED) from None


def _typed(question: str, then: str) -> str:
    """Ask on stderr, and return the line with its end; nothing where the answers end, or at Ctrl-D behind half a line.

    Raises StartError for Ctrl-C.
    """
    with _interruptible(then):
        sys.stderr.write(question)
        sys.stderr.flush()
        line = sys.stdin.readline()
    is_person = sys.stdin.isatty()
    is_half = is_person and not line.endswith("\n")
    if not is_person or is_half:
        sys.stderr.write("\n")
    return "" if is_half else line


def _ask_person(question: str, default: str, check: Callable[[str], T]) -> T:
    """Ask until an answer passes the check. Answers from a pipe cannot be corrected. Raises StartError."""
    while True:
        line = _typed(f"{question} [{default}]: ", "nothing was written")
        if not line:
            raise StartError("the answers ended; nothing was written", status=2)
        try:
            with _interruptible("nothing was written"):
                return check(line.strip() or default)
        except ValueError as error:
            if not sys.stdin.isatty():
                raise StartError(f"{error}; nothing was written", status=2) from None
            sys.stderr.write(f"  {error}\n")


def _completion(name: str) -> int:
    for program in ("chat-server", "chat-client"):
        _print((COMPLETIONS_DIRECTORY / name.format(program)).read_text())
    return 0


def _backup(chosen: Settings, file: Path, without_lost: bool) -> int:
    # The server beside it needs the processor more.
    os.nice(NICER)
    data = Path(chosen.data_dir).expanduser().absolute()
    sock = _connected(data)
    # Without a server nothing removes files, and the lock stays free for one that starts meanwhile.
    with sock or contextlib.nullcontext():
        if sock is not None:
            sock.settimeout(KEEP_SECONDS)
            then = "nothing was saved; if it hangs, stop it: without a server a backup asks nobody"
            _show(_ask(sock, b"/backup", then), lambda line: None)
        with _progress() as progress:

            def fetch(files: list[StoredFile], to: Path) -> None:
                if chosen.cluster or not without_lost:
                    cluster.fetch_files(SystemRuntime(), chosen, files, to, progress)

            lost: list[StoredFile] | None = [] if without_lost else None
            size = backup.save(data, file, progress, fetch, lost)
    return _report(f"saved {data} into {file}: {describe_size(size)}, checked{cluster.words_of_lost(lost or [])}")


def _verify(data: Path, beside: int | None) -> int:
    """Compare the nodes of the cluster if one runs here; check the database alone otherwise."""
    with _progress(beside) as progress:
        if beside is not None:
            cluster.read_when_told(data, _tell, sys.stdin.buffer.readline, progress)
            return 0
        sock = _connected(data) if cluster.is_of_member(data) else None
        if sock is None:
            return _report(cluster.verify(data, progress))
    with sock:
        line = next(_ask(sock, b'{"cmd":"verify"}', "nothing was compared"), b"")
    if not line.startswith(b'{"type":"ok"'):
        _show(iter([line] if line else []), lambda text: None)
    found = msgspec.json.decode(line, type=ClusterVerified)
    _report("\n".join((*differences(found), verified(found))))
    return 0 if found.agree else 1


def _trace(chosen: Settings, given: dict[str, Any]) -> int:
    log = file_of(chosen, Path(chosen.data_dir).expanduser().absolute(), on_terminal=True)
    lines = trace.read_lines(given["files"], log or Path(chosen.data_dir).expanduser() / NAME)
    trace.trace(given["target"], lines, lambda text: _print(text + "\n"))
    return 0


def _reload(data: Path) -> int:
    """Ask the server that runs. Its data is what it was at its start, whatever the settings name by now."""
    link = data_link(os.environ)
    sock = (_connected(link) if link is not None else None) or _connected(data)
    if sock is None:
        raise StartError(
            f"no server runs with its data in {data}; if it was started with another --data, say that one here: the new"
            " one waits for a restart"
        )
    with sock:
        _show(_ask(sock, b"/reload"), lambda text: _print(text[2:] + "\n"))
    return 0


def _tell(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _cluster(chosen: Settings, given: dict[str, Any]) -> int:
    act, rest = given["act"], given["changes"]
    if len(rest) != (act == "import"):
        raise StartError("say: cluster import DIR, cluster snapshot, or cluster restore", status=2)
    # The node beside it needs the processor more.
    os.nice(NICER)
    _refuse_other_user(Path(rest[0] if rest else chosen.data_dir))
    runtime = SystemRuntime()
    with _progress(given["beside"]) as progress:
        if act == "import":
            told = cluster.import_chat(runtime, chosen, rest[0], progress, given["without_lost_files"])
        elif act == "restore":
            told = cluster.restore_alone(runtime, chosen, progress)
        else:
            told = cluster.make_snapshot(runtime, chosen, progress)
    return _report(told)


def _report(text: str) -> int:
    _print(text + "\n")
    return 0


def _print(text: str, *, flush: bool = False) -> None:
    """Raises StartError if stdout takes no more, as a file on a full disk."""
    try:
        sys.stdout.write(text)
        if flush:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # Python would try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise StartError(f"the answer could not be written to stdout: {error.strerror}") from None


def _check(given: dict[str, Any]) -> int:
    chosen = settings.resolve(given)
    if chosen.tls_cert is not None and chosen.tls_key is not None:
        tls_context(chosen.tls_cert, chosen.tls_key)
    settings.refuse_without_directory(chosen.metrics_file)
    for choice in settings.choices(given).values():
        _print(f"{choice.option.name} = {choice.said}  ({choice.source})\n")
    _print("".join(f"stored: {line}\n" for line in _check_times(Path(chosen.data_dir).expanduser())))
    return 0


def _check_times(data: Path) -> Iterator[str]:
    """Say what of the store lies in the future, also beside a running server. Nothing is changed or migrated."""
    if not (data / FILE).is_file():
        return
    now_ms = SystemRuntime().now_ms()
    with contextlib.closing(open_unchanged(data, older=True)) as db:
        at_ms = db.value("SELECT at_ms FROM state")
        if at_ms > now_ms + AHEAD_MS_MIN:
            yield f"the last batch is dated {iso(at_ms)}, {distance(at_ms - now_ms)} in the future: the clock was wrong"
        count, latest_ms = count_dated_later(db, now_ms + AHEAD_MS_MIN)
        if latest_ms is not None:
            yield (
                f"{count} messages and accounts have times in the future, up to {iso(latest_ms)};"
                " if the clock is right now, chat-server repair-time mends them"
            )
        if at_ms <= now_ms + AHEAD_MS_MIN and latest_ms is None:
            yield "nothing lies in the future"


@contextlib.contextmanager
def _progress(beside: int | None = None) -> Iterator[backup.Progress]:
    """A progress bar on a terminal, nothing elsewhere. Whatever is printed after it begins a new line.

    `beside` is the process id of the node for which this runs.
    """
    if beside is not None:
        yield lambda what, done, total: end_without(beside)
        return
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    ended = True

    def show(what: str, done: int, total: int) -> None:
        nonlocal ended
        ended = done == total
        full = _BAR_CHARS * done // max(total, 1)
        bar = "#" * full + "." * (_BAR_CHARS - full)
        sys.stderr.write(f"\r[{bar}] {100 * done // max(total, 1):3} % {what:<24}" + ("\n" if ended else ""))
        sys.stderr.flush()

    try:
        yield show
    finally:
        if not ended:
            sys.stderr.write("\n")


# ---- lines for the control socket


def _name(given: dict[str, Any]) -> str:
    """Return the user's name as one argument of a line. Raises StartError."""
    name: str = given["user"] or ""
    if not name or '"' in name or not is_one_line(name):
        raise StartError(f"“{' '.join(clean(name).split())}” is no username", status=2)
    return f'"{name}"'


def _forget(given: dict[str, Any]) -> str:
    name = _name(given)
    if not given["yes"]:
        if not sys.stdin.isatty():
            raise StartError("forgetting cannot be undone; say --yes where there is no terminal to ask on", status=2)
        question = f"This removes the account {name} and all that it wrote, for ever. Type its name to go on: "
        if _typed(question, "nothing was done").strip() != given["user"]:
            raise StartError("nothing was done")
    return f"/forget {name}"


def _password(given: dict[str, Any]) -> str:
    name = _name(given)
    if sys.stdin.isatty():
        none = "no password was given; nothing was done"
        try:
            with _interruptible(none):
                secret = getpass.getpass(f"new password for {given['user']}: ")
                again = getpass.getpass("again: ")
        except EOFError:
            sys.stderr.write("\n")
            raise StartError(none) from None
        if again != secret:
            raise StartError("the two are not the same; nothing was done")
    else:
        secret = sys.stdin.readline().removeprefix("\ufeff").rstrip("\r\n")
    if not secret or " " in secret or not is_one_line(secret):
        raise StartError("a password is not empty and has no spaces and no control characters; nothing was done")
    return f"/set_password {name} {hash_now(secret)}"


def _address(given: dict[str, Any]) -> str:
    address: str = given["address"]
    if address.split() != [address] or not is_one_line(address):
        raise StartError(f"“{' '.join(clean(address).split())}” is no address", status=2)
    return address


def _reason(given: dict[str, Any]) -> str:
    reason = " ".join(given["rest"])
    if not is_one_line(reason):
        raise StartError("a reason is one line", status=2)
    return reason


def _invite(chosen: Settings) -> int:
    """Print the code alone on stdout, for scripts; only its hash leaves this process otherwise."""
    code = SystemRuntime().token_urlsafe(CODE_BYTES)
    told: list[str] = []
    line = f"/invite_code {hashlib.sha256(code.encode()).hexdigest()}"
    with contextlib.closing(_answers(chosen, line.encode())) as lines:
        _show(lines, told.append)
    _print(code + "\n", flush=True)
    sys.stderr.write("".join(text[2:].replace("<code>", code) + "\n" for text in told))
    return 0


def _codes(given: dict[str, Any]) -> str:
    number = given["code"]
    if (given["act"] == "list") != (number is None) or not (number or "1").isdecimal():
        raise StartError("say: invite, invite list, or invite revoke NUMBER (that of the list)", status=2)
    return "/invite_codes" if number is None else f"/revoke_code {number}"


def _operator(given: dict[str, Any]) -> str:
    if given["act"] == "list":
        if given["user"] is not None:
            raise StartError("operator list lists all of them; it takes no NAME", status=2)
        return "/operators"
    if given["user"] is None:
        raise StartError(f"operator {given['act']} needs the NAME of an account; see chat-server --help", status=2)
    return f"/{'appoint' if given['act'] == 'add' else 'dismiss'} {_name(given)}"


def _cluster_settings(given: dict[str, Any]) -> str:
    changes = given["changes"]
    for field in settings.OPTIONS.keys() & settings.SHARED:
        if (value := given.get(field)) is not None:
            said = f"{settings.OPTIONS[field].name} {','.join(value) if isinstance(value, list) else value}"
            raise StartError(f"--{said} changes nothing here; for all nodes: cluster settings {said}", status=2)
    if len(changes) % 2:
        raise StartError("name options and their values in turn: cluster settings main-rate-limit 50/1h", status=2)
    if not all(each.split() == [each] and is_one_line(each) for each in changes):
        raise StartError("an option and its value are one word each; see chat-server cluster --help", status=2)
    return f"/change_settings {' '.join(changes)}" if changes else "/settings"


_LINES: dict[str, Callable[[dict[str, Any]], str]] = {
    "export": lambda given: f'{{"cmd":"export","username":{_name(given)}}}',
    "forget": _forget,
    "password": _password,
    "invite": _codes,
    "operator": _operator,
    "unban": lambda given: f"/unban {_name(given)}",
    "ban-address": lambda given: f"/ban_address {_address(given)} {_reason(given)}",
    "unban-address": lambda given: f"/unban_address {_address(given)}",
    "banned-addresses": lambda given: "/banned_addresses",
    "audit": lambda given: "/audit",
    "cluster": _cluster_settings,
    "stats": lambda given: "/stats",
    "repair-time": lambda given: "/repair_time",
}


def _send(chosen: Settings, line: str, *, json: bool) -> int:
    """Send the line to whoever holds the data, and show the answer."""
    with contextlib.closing(_answers(chosen, line.encode())) as lines:
        _show(lines, lambda text: _print((text if json else text[2:]) + "\n"))
    return 0


def _show(lines: Iterator[bytes], show: Callable[[str], object]) -> None:
    """Show the lines up to the reply; one in JSON says nothing that a person needs. Raises StartError for a refusal."""
    for line in lines:
        text = line.decode().rstrip("\n")
        if text.startswith("- "):
            raise StartError(text[2:])
        if text.startswith('{"type":"error"'):
            refused = msgspec.json.decode(text)
            raise StartError(f"{refused['code']}: {refused['text']}")
        if text.startswith('{"type":"ok"'):
            return
        if text.startswith("* closing: "):
            raise StartError(f"{text.removeprefix('* closing: ')}; nothing was done")
        show(text)
        if text.startswith("+ "):
            return
    raise StartError("the server ended before it answered; whether it was done is not known")


def _answers(chosen: Settings, line: bytes) -> Generator[bytes, None, None]:
    """Yield the lines of the answer as they come."""
    path = Path(chosen.data_dir).expanduser().absolute()
    sock = _connected(path)
    if sock is None:
        yield from _answers_offline(path, chosen, line)
        return
    with sock:
        yield from _ask(sock, line)


def _connected(path: Path) -> socket.socket | None:
    """Connect to the server that runs on this data directory; None if none does. Raises StartError."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(ANSWER_SECONDS)
    try:
        with short_address(path / SOCKET) as address:
            sock.connect(address)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        sock.close()
        return None
    except OSError as error:
        sock.close()
        to_do = "; run this as the server's user" if isinstance(error, PermissionError) else ""
        raise StartError(f"cannot speak to the server over {path / SOCKET}: {error.strerror or error}{to_do}") from None
    return sock


def _ask(sock: socket.socket, line: bytes, then: str = "whether it was done is not known") -> Iterator[bytes]:
    """Yield the lines of the answer. Raises StartError; `then` says what that means."""
    try:
        sock.sendall(line + b"\n")
        waiting = select.poll()
        waiting.register(sock, select.POLLIN)
        if not waiting.poll(1000 * TAKEN_SECONDS) and _unread_bytes(sock):
            raise StartError(
                "the server does not take this: it has no open file left, as its log says then, or it hangs;"
                " it may still do it once it goes on"
            )
        with sock.makefile("rb") as file:
            yield from file
    except OSError as error:
        raise StartError(f"the server does not answer: {error}; {then}") from None


def _unread_bytes(sock: socket.socket) -> int:
    """Return how many bytes the other side has not read; 0 where the system does not tell, as it does on Linux."""
    try:
        return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0


def _answers_offline(path: Path, chosen: Settings, line: bytes) -> Generator[bytes, None, None]:
    if not path.is_dir():
        raise StartError(f"there is no chat in {path}; name its directory with --data")
    _refuse_other_user(path)
    directory = DataDirectory(str(path))
    try:
        backend = Offline(SystemRuntime(), directory)
        try:
            for data, *_ in _without_loop(answer(backend, line, chosen.text_chars_max)):
                yield from data.splitlines(keepends=True)
        finally:
            backend.close()
    finally:
        directory.close()


def _refuse_other_user(path: Path) -> None:
    """Raises StartError for root: the server's user could not read what root writes there."""
    path = path.expanduser()
    if path.is_dir() and os.geteuid() == 0 and (owner := path.stat().st_uid) != 0:
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        raise StartError(f"the data directory {path} belongs to the user {name}; run this as that user: sudo -u {name}")


def _without_loop(items: AsyncIterator[T]) -> Iterator[T]:
    """Yield the items of an iterator that never waits, since nothing does without a running server."""
    while True:
        try:
            next(anext(items).__await__())
        except StopIteration as stop:
            yield stop.value
        except StopAsyncIteration:
            return
        else:
            raise AssertionError("it waits for something")
