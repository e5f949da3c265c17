"""The queue of commands to send: in order, never twice, and old ones only when confirmed. Pure: callers give it keys
and the time (`now`, by `clock.elapsed`).

Each sending command has a `key` and keeps it until it is answered: after an unknown outcome it goes out again with the
same key, and the server sends one message for both. What has waited for longer than HELD_AFTER_SECONDS when the
connection comes back is held until it is confirmed. After `unavailable` or `busy` nothing overtakes: the commands that
were answered so go out again first, one after the other, and only then later ones.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from chat_client.sdk.errors import ChatError, Disconnected
from chat_client.sdk.events import Outgoing
from chat_server.protocol.base import Reply
from chat_server.protocol.times import parse_duration

HELD_AFTER_SECONDS = 300
# The server knows a key for 24 hours; after that, a message in doubt could come twice.
IN_DOUBT_SECONDS_MAX = 23 * 3600
OUTGOING_MAX = 1000
IN_FLIGHT_MAX = 32
LATE_SECONDS_MIN = 0.5  # less than that is not taken off a delay


class _Entry(Struct):
    command: Outgoing
    typed: float
    since: float  # when it was typed, or confirmed
    first_out: float | None = None
    sent_as: dict[str, Any] | None = (
        None  # the arguments that went out: with a key that the server may know, exactly the same go out again
    )
    in_flight: bool = False
    opened: bool = False  # an upload whose bytes are on their way
    again: bool = False  # the last answer was `unavailable` or `busy`

    @property
    def key(self) -> str:
        return self.command.key

    @property
    def waits(self) -> bool:
        return self.command.state == "waiting" and not self.in_flight


class SendQueue:
    """Methods return the commands that have changed, as they are now."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}  # those that wait or are held, in order
        self._pausing = False

    def all(self) -> list[Outgoing]:
        return [entry.command for entry in self._entries.values()]

    def held(self) -> list[Outgoing]:
        return [command for command in self.all() if command.state == "held"]

    def find(self, key: str) -> Outgoing | None:
        entry = self._entries.get(key)
        return None if entry is None else entry.command

    def add(self, key: str, verb: str, arguments: dict[str, Any], now: float, at: float) -> Outgoing:
        """`at` is the time of day. Raises Disconnected if too many wait."""
        if len(self._entries) >= OUTGOING_MAX:
            raise Disconnected(f"{OUTGOING_MAX} messages wait to be sent already; wait for the connection")
        command = Outgoing(key, verb, arguments, at)
        self._entries[key] = _Entry(command, typed=now, since=now)
        return command

    # ---- out

    def take(self, now: float) -> list[Outgoing]:
        """The commands that go out now, with the arguments that they have now. They keep their order; held ones stand
        aside."""
        return [self._go_out(entry, now) for entry in self._next()]

    def _next(self) -> list[_Entry]:
        under_way = sum(entry.in_flight and not entry.opened for entry in self._entries.values())
        room = IN_FLIGHT_MAX - under_way
        if any(entry.again and entry.command.state == "waiting" for entry in self._entries.values()):
            # One after the other, each when the one before it was answered.
            room = 0 if under_way else 1
        if self._pausing or room <= 0:
            return []
        return list(islice((entry for entry in self._entries.values() if entry.waits), room))

    def _go_out(self, entry: _Entry, now: float) -> Outgoing:
        entry.in_flight = True
        if entry.first_out is None:
            entry.first_out = now
        if entry.sent_as is None or not entry.command.in_doubt:
            entry.sent_as = _arguments(entry.command, now - entry.typed)
        return replace(entry.command, arguments=entry.sent_as)

    # ---- answers

    def settle(self, key: str, reply: Reply, *, is_shown: bool = False) -> list[Outgoing]:
        return self._end(key, state="sent", reply=reply, is_shown=is_shown)

    def fail(self, key: str, error: ChatError) -> list[Outgoing]:
        return self._end(key, state="failed", error=error)

    def mark_opened(self, key: str) -> None:
        """An upload was begun: messages pass it from now on."""
        if entry := self._entries.get(key):
            entry.opened, entry.again = True, False

    def put_back(self, key: str, error: ChatError) -> list[Outgoing]:
        """It stays, and goes out again before anything that was typed later; in doubt, unless nothing was done. Nothing
        more goes out until `go_on`."""
        entry = self._entries.get(key)
        if entry is None:
            return []
        self._pausing = True
        was_told, entry.in_flight, entry.opened, entry.again = entry.again, False, False, True
        entry.command = replace(entry.command, error=error, in_doubt=entry.command.in_doubt or error.done is None)
        return [] if was_told else [entry.command]

    def lose_connection(self, now: float) -> None:
        """The connection is gone: commands without an answer are in doubt. A file whose bytes were on their way
        begins to wait only now, so a long upload is not held as old."""
        for entry in self._entries.values():
            if entry.in_flight:
                entry.command = replace(entry.command, in_doubt=True)
                entry.since = now if entry.opened else entry.since
                entry.in_flight = entry.opened = False

    def go_on(self, now: float) -> list[Outgoing]:
        """Before sending on a new connection, or after a pause: old commands are held, and those in doubt for too long
        have failed."""
        self._pausing = False
        changed = []
        for entry in list(self._entries.values()):
            if entry.in_flight:
                continue
            if self._is_lost(entry, now):
                changed += self._fail_lost(entry)
            elif entry.waits and now - entry.since > HELD_AFTER_SECONDS:
                changed.append(self._change(entry, state="held"))
        return changed

    def _is_lost(self, entry: _Entry, now: float) -> bool:
        out = entry.first_out
        return entry.command.in_doubt and out is not None and now - out > IN_DOUBT_SECONDS_MAX

    def _fail_lost(self, entry: _Entry) -> list[Outgoing]:
        error = Disconnected("it is not known whether it was sent, and it is too long ago to send it again", None)
        return self._end(entry.key, state="failed", error=error)

    def hold_doubtful(self) -> list[Outgoing]:
        """The server does not know any key: what is in doubt is asked for."""
        return [self._change(entry, state="held") for entry in self._entries.values() if entry.command.in_doubt]

    # ---- what is held

    def confirm(self, key: str | None, now: float) -> list[Outgoing]:
        """It goes out, at the end of the line, as if it were typed now; but a delay counts from when it was."""
        confirmed = []
        for entry in self._chosen(key):
            if self._is_lost(entry, now):
                confirmed += self._fail_lost(entry)
            elif entry.command.state == "held":
                self._entries[entry.key] = self._entries.pop(entry.key)
                entry.since = now
                confirmed.append(self._change(entry, state="waiting"))
        return confirmed

    def discard(self, key: str | None) -> list[Outgoing]:
        """Commands on their way stay, except for an upload with this key: nobody sees it before its end."""
        discarded = []
        for entry in self._chosen(key):
            is_upload = key is not None and entry.command.verb == "send_file"
            if is_upload or (not entry.in_flight and (key or entry.command.state == "held")):
                discarded += self._end(entry.key, state="discarded")
        return discarded

    def _chosen(self, key: str | None) -> Iterator[_Entry]:
        return iter([entry for entry in self._entries.values() if key in (None, entry.key)])

    def _change(self, entry: _Entry, **fields: Any) -> Outgoing:
        entry.command = replace(entry.command, **fields)
        return entry.command

    def _end(self, key: str, **fields: Any) -> list[Outgoing]:
        """Empty if the command is not known any more."""
        entry = self._entries.pop(key, None)
        return [] if entry is None else [self._change(entry, **({"error": None} | fields))]


def _arguments(command: Outgoing, waited: float) -> dict[str, Any]:
    """A delay counts from when it was typed. One that has passed is over at once, as when a server was down."""
    delay_ms = parse_duration(str(command.arguments.get("delay", ""))) if command.verb == "send_delayed" else None
    if delay_ms is None or waited < LATE_SECONDS_MIN:
        return command.arguments
    return command.arguments | {"delay": f"{max(0.0, delay_ms / 1000 - waited):.3f}"}
