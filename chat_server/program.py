"""The command chat-server: it starts the server, or does what a subcommand says."""

import errno
import faulthandler
import gc
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn, cast

from chat_server import handlers
from chat_server.action_log import LineForm, drop_notice
from chat_server.admin import cli, command_line
from chat_server.errors import StartError
from chat_server.frontend.acceptor import limit_connections
from chat_server.hangup import Hangup
from chat_server.line_writer import LineWriter
from chat_server.log_destination import LogDestination, is_journal
from chat_server.runtime import SystemRuntime, thread_refused
from chat_server.server import Server
from chat_server.service_manager import ServiceManager
from chat_server.setting_kinds import is_utf8
from chat_server.settings import Settings, resolve
from chat_server.store.data_directory import DataDirectory

log = logging.getLogger("chat.server")


def run(hangup: Hangup) -> None:
    try:
        _mend_streams()
        _refuse_what_is_not_utf8(sys.argv[1:])
        subcommand, given = command_line.parse(sys.argv[1:])
        if subcommand is not None:
            hangup.stop_keeping()
            sys.exit(cli.run(subcommand, given))
        # What the service manager put there is taken out later, and is needed to read the settings again.
        _start(partial(resolve, given, dict(os.environ)), hangup)
    except StartError as error:
        print(f"chat-server: {error}", file=sys.stderr)
        sys.exit(error.status)
    except OSError as error:
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        _flush_stdout()


def _mend_streams() -> None:
    """Open /dev/null for closed streams, as under cron, and print characters that a terminal lacks as their numbers.

    The descriptor of a closed stream would otherwise go to the next file, and the log into the database.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The descriptor outlives this stream, which is collected once that of the log is in its place.
            descriptor = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115
    cast(io.TextIOWrapper, sys.stdout).reconfigure(errors="backslashreplace")


def _refuse_what_is_not_utf8(words: Sequence[str]) -> None:
    """Raise StartError for a word that is not UTF-8, as the names of users and files must be."""
    for word in words:
        if not is_utf8(word):
            shown = os.fsencode(word).decode(errors="backslashreplace")
            raise StartError(f"“{shown}” is not UTF-8; choose a name that is", status=2)


def _flush_stdout() -> None:
    """Flush stdout. If --help or an answer cannot be written, Python would report it in its own way after the end."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _fail(error)


def _fail(error: OSError) -> NoReturn:
    """Print one line about what is wrong outside of the program, and exit."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        print(f"chat-server: {error.strerror}: raise ulimit -n, or the limit of the machine", file=sys.stderr)
    elif error.errno in (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EFBIG) and error.filename is None:
        # The reader of stdout has seen enough. After a full disk, Python would try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno != errno.EPIPE:
            print(f"chat-server: cannot write: {error.strerror}", file=sys.stderr)
    elif error.filename is not None:
        hint = "; run this as the server's user" if isinstance(error, PermissionError) else ""
        print(f"chat-server: cannot use {os.fsdecode(error.filename)}: {error.strerror}{hint}", file=sys.stderr)
    else:
        raise error
    sys.exit(1)


def _start(read_settings: Callable[[], Settings], hangup: Hangup) -> None:
    """Run the server until it stops. Raises StartError."""
    # A watchdog that ends a server that hangs does so by SIGABRT: the journal says then where each thread was.
    faulthandler.enable()
    settings = read_settings()
    handlers.check()
    # Nobody else may read what is written here.
    os.umask(0o077)
    # From here on nothing that is printed or logged waits for its reader.
    runtime = SystemRuntime()
    manager = ServiceManager(runtime)
    manager.tell_starting()
    descriptor = sys.stderr.fileno()
    form = LineForm(runtime, json=settings.log_format == "json", for_journal=is_journal(descriptor))
    try:
        out = LineWriter(sys.stdout.fileno(), on_failure=_log_lost_start_lines)
        err = LineWriter(descriptor, drop_notice=drop_notice(form))
        sys.stdout, sys.stderr = out, err
        directory = DataDirectory(settings.data_dir)
        destination = LogDestination(settings, runtime, directory.path, err, form)
        manager.link_data(directory.path)
    except RuntimeError as error:
        raise thread_refused(error) from None
    # The objects made so far stay for ever, and messages make no cycles: collect garbage rarely.
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    # The writer takes the interpreter's lock anew after each statement: beside transfers of files it would wait 5 ms.
    sys.setswitchinterval(0.0005)
    try:
        connections_max = limit_connections(settings.connections_max)
        open_server = partial(
            Server, settings, read_settings, runtime, directory, destination, manager, hangup, connections_max
        )
        runtime.run(_serve(open_server))
    finally:
        directory.close()


def _log_lost_start_lines(error: OSError) -> None:
    log.warning("cannot write the start lines to stdout: %s", error.strerror)


async def _serve(open_server: Callable[[], Server]) -> None:
    """Open it in the loop that runs it."""
    await open_server().run(lambda summary: print(summary, flush=True))
