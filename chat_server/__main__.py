"""The chat-server command."""

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from chat_server import actions, cli
from chat_server.acceptor import connections_possible
from chat_server.clock import SystemClock
from chat_server.errors import StartError
from chat_server.server import Server
from chat_server.settings import Settings, resolve
from chat_server.store.directory import DataDirectory


def main() -> None:
    try:
        word, given = cli.parse(sys.argv[1:])
        if word is not None:
            sys.exit(cli.run(word, given))
        settings = resolve(given)
        # What is written here is nobody else's to read.
        os.umask(0o077)
        clock = SystemClock()
        log = actions.set_up(clock, level=settings.log_level, json=settings.log_format == "json")
        connections_max = connections_possible(settings.connections_max)
        directory = DataDirectory(settings.data_dir)
        # What stands now stays for ever, and messages make no cycles: look for garbage seldom.
        gc.freeze()
        gc.set_threshold(50_000, 50, 100)
        # The writer asks for the interpreter anew after each statement: beside transfers of files it would wait 5 ms.
        sys.setswitchinterval(0.0005)
        try:
            _loop_runner()(_serve(settings, clock, directory, log, connections_max))
        finally:
            directory.close()
    except StartError as error:
        print(f"chat-server: {error}", file=sys.stderr)
        sys.exit(error.status)
    except BrokenPipeError:
        # Who read what we print has seen enough; nothing more can be said, not even by Python at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _loop_runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


async def _serve(
    settings: Settings, clock: SystemClock, directory: DataDirectory, log: actions.ActionLog, connections_max: int
) -> None:
    server = Server(settings, clock, directory, log, connections_max)
    await server.run(lambda summary: print(summary, flush=True))


if __name__ == "__main__":
    main()
