"""Outages of the log: users read on and are told how old that is, and nobody new is let in."""

from collections.abc import Callable

from chat_server.chat_time import ChatTime
from chat_server.errors import not_done_refusal
from chat_server.protocol.connection import Notice
from chat_server.protocol.times import iso, moment
from chat_server.runtime import Clock

# A log that gave out something within this time is there, whatever else failed.
SILENT_SECONDS = 4.0


class Outage:
    def __init__(self, clock: Clock, time: ChatTime, tell: Callable[[Notice], None]) -> None:
        """`tell` tells all who are signed in."""
        self._clock = clock
        self._time = time
        self._tell = tell
        self._heard_at = clock.monotonic()
        self._as_of_ms = time.now().at_ms
        self._wants_probe = False
        self.is_on = False

    @property
    def silent_seconds(self) -> float:
        """For how long nothing has come out of the log."""
        return self._clock.monotonic() - self._heard_at

    def note_batch(self, at_ms: int) -> None:
        """A batch of this time came out of the log."""
        self._heard_at, self._as_of_ms = self._clock.monotonic(), at_ms
        if self.is_on:
            self.is_on = False
            self._tell(Notice("this server has its cluster back: all is up to date again", stale=False))

    def suspect(self) -> None:
        """Something says that the log is away: the node hears nobody, or could not log something."""
        if self.is_on or self.silent_seconds < SILENT_SECONDS:
            return
        self.is_on = self._wants_probe = True
        as_of = iso(self._as_of_ms)
        when = moment(as_of, iso(self._time.now().at_ms))
        words = f"this server has lost its cluster: what you see is as of {when}, and what you send is refused"
        self._tell(Notice(f"{words} until it is back", stale=True, as_of=as_of))

    def take_probe(self) -> bool:
        """Return whether something should be logged to notice the log's return; True once in each outage.

        What no user asked for waits in the log's line for as long as it takes.
        """
        wants_probe, self._wants_probe = self._wants_probe, False
        return wants_probe and self.is_on

    def refuse_newcomer(self) -> None:
        """Raise Refusal if nobody can be let in, so that a client tries another server at once."""
        if self.is_on:
            raise not_done_refusal("this server has lost its cluster, and lets nobody in until it is back; try another")
