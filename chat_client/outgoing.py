"""What is to be sent: in order, never twice, and nothing old without asking. Pure: keys and time are given to it
(`now`, by `clock.elapsed`).

Each sending command has a `key` and keeps it until it is answered: after an unknown outcome it goes out again with the
same key, and the server sends one message for both. What has waited for longer than HELD_AFTER_SECONDS when the
connection comes back is held until it is confirmed.
"""

from typing import Any

from msgspec.structs import replace

from chat_client.errors import ChatError, Disconnected
from chat_client.states import Outgoing
from chat_server.protocol.events import Reply

HELD_AFTER_SECONDS = 300
# The server knows a key for 24 hours; after that, a message in doubt could come twice.
IN_DOUBT_SECONDS_MAX = 23 * 3600
OUTGOING_MAX = 1000
IN_FLIGHT_MAX = 32


class Outbound:
    """Every method returns the commands that have changed, as they are now."""

    def __init__(self) -> None:
        self._commands: dict[str, Outgoing] = {}  # those that wait or are held, in order
        self._in_flight: set[str] = set()
        self._since: dict[str, float] = {}  # when each was typed, or confirmed
        self._first_out: dict[str, float] = {}  # when each went out for the first time

    def all(self) -> list[Outgoing]:
        return list(self._commands.values())

    def held(self) -> list[Outgoing]:
        return [command for command in self._commands.values() if command.state == "held"]

    def add(self, key: str, verb: str, arguments: dict[str, Any], now: float, at: float) -> Outgoing:
        """`at` is the time of day. Raises Disconnected if too many wait."""
        if len(self._commands) >= OUTGOING_MAX:
            raise Disconnected(f"{OUTGOING_MAX} messages wait to be sent already; wait for the connection")
        self._commands[key] = command = Outgoing(key, verb, arguments, at)
        self._since[key] = now
        return command

    def take(self, now: float) -> list[Outgoing]:
        """Those that go out now. Nothing overtakes what waits; what is held stands aside."""
        room = IN_FLIGHT_MAX - len(self._in_flight)
        if room <= 0:
            return []
        waiting = (
            command
            for key, command in self._commands.items()
            if command.state == "waiting" and key not in self._in_flight
        )
        taken = [command for command, _ in zip(waiting, range(room), strict=False)]
        for command in taken:
            self._in_flight.add(command.key)
            self._first_out.setdefault(command.key, now)
        return taken

    def sent(self, key: str, reply: Reply) -> Outgoing | None:
        """None for what is not known any more."""
        return self._end(key, state="sent", reply=reply)

    def failed(self, key: str, error: ChatError) -> Outgoing | None:
        return self._end(key, state="failed", error=error)

    def unknown(self, key: str) -> None:
        """The server could not say what became of it (`unavailable`): it stays, in doubt."""
        if key in self._commands:
            self._commands[key] = replace(self._commands[key], in_doubt=True)

    def again(self, key: str) -> None:
        """It may go out once more."""
        self._in_flight.discard(key)

    def lost(self) -> None:
        """The connection is gone: what was not answered is in doubt."""
        for key in self._in_flight:
            self.unknown(key)
        self._in_flight.clear()

    def back(self, now: float) -> list[Outgoing]:
        """Before sending on a new connection: what is old is held, and what is in doubt for too long has failed."""
        changed = []
        for command in self.all():
            if self._is_lost(command, now):
                changed.append(self._fail_lost(command))
            elif command.state == "waiting" and now - self._since[command.key] > HELD_AFTER_SECONDS:
                changed.append(self._change(command.key, state="held"))
        return changed

    def _is_lost(self, command: Outgoing, now: float) -> bool:
        return command.in_doubt and now - self._first_out[command.key] > IN_DOUBT_SECONDS_MAX

    def _fail_lost(self, command: Outgoing) -> Outgoing:
        error = Disconnected("it is not known whether it was sent, and it is too long ago to send it again")
        return self._end(command.key, state="failed", error=error) or command

    def forgotten(self) -> list[Outgoing]:
        """The server does not know any key: what is in doubt is asked for."""
        return [self._change(command.key, state="held") for command in self.all() if command.in_doubt]

    def confirm(self, key: str | None, now: float) -> list[Outgoing]:
        """It goes out, at the end of the line, as if it were typed now."""
        confirmed = []
        for command in self._chosen(key):
            if self._is_lost(command, now):
                confirmed.append(self._fail_lost(command))
            elif command.state == "held":
                del self._commands[command.key]
                self._commands[command.key] = replace(command, state="waiting")
                self._since[command.key] = now
                confirmed.append(self._commands[command.key])
        return confirmed

    def discard(self, key: str | None) -> list[Outgoing]:
        """Not what is on its way just now."""
        return [
            discarded
            for command in self._chosen(key)
            if command.key not in self._in_flight and (key or command.state == "held")
            if (discarded := self._end(command.key, state="discarded"))
        ]

    def _chosen(self, key: str | None) -> list[Outgoing]:
        return self.all() if key is None else [self._commands[key]] if key in self._commands else []

    def _change(self, key: str, **fields: Any) -> Outgoing:
        self._commands[key] = changed = replace(self._commands[key], **fields)
        return changed

    def _end(self, key: str, **fields: Any) -> Outgoing | None:
        self._in_flight.discard(key)
        self._since.pop(key, None)
        self._first_out.pop(key, None)
        command = self._commands.pop(key, None)
        return command and replace(command, **fields)
