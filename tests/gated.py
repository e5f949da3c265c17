"""chat-server that hashes passwords once the pipe `gate` is opened, and logs each that is asked for. A program."""

import logging
from collections.abc import Callable
from pathlib import Path

from chat_server import node, passwords
from chat_server.__main__ import main
from chat_server.passwords import Args, R

GATE = Path("gate")
log = logging.getLogger("chat.gate")


class GatedPasswords(passwords.Passwords):
    async def _run(self, waiter: passwords.Waiter, account: str, function: Callable[[*Args], R], *args: *Args) -> R:
        def behind_gate() -> R:
            log.info("hashing for %s", account)
            # Opening a named pipe waits until its other end is opened, too.
            GATE.open().close()
            return function(*args)

        log.info("asked for %s", account)
        return await super()._run(waiter, account, behind_gate)


if __name__ == "__main__":
    node.Passwords = GatedPasswords  # type: ignore[attr-defined]
    main()
