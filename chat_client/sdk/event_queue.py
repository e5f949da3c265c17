"""The bounded queue of events between the task that reads the connection and the one that uses them.

Past EVENTS_MAX nothing more is read from the connection, unless a caller waits for a reply: the reply may come after
these events, and the caller may be the one that should take them. Past OVERFLOW_MAX those calls fail.
"""

from collections import deque
from collections.abc import Callable

from chat_client.sdk.events import AnyEvent
from chat_client.sdk.runtime import Runtime

EVENTS_MAX = 5_000
OVERFLOW_MAX = 20_000


class EventQueue:
    def __init__(self, runtime: Runtime, someone_waits: Callable[[], bool], give_up: Callable[[], None]) -> None:
        self._events: deque[tuple[AnyEvent, bool]] = deque()
        self._ended = False
        self._changed = runtime.event()
        self._someone_waits = someone_waits
        self._give_up = give_up

    @property
    def full(self) -> bool:
        return len(self._events) >= EVENTS_MAX

    def put(self, event: AnyEvent, is_own: bool = False) -> None:
        """Never waits, since the client's own events must not be lost. `is_own`: a reply on this connection told it."""
        if not self._ended:
            self._events.append((event, is_own))
            self._changed.set()

    def end(self) -> None:
        """No event comes after those in the queue."""
        self._ended = True
        self._changed.set()

    def nudge(self) -> None:
        """Look again whether a caller waits for a reply."""
        self._changed.set()

    async def next(self) -> tuple[AnyEvent, bool]:
        """The next event, and whether it `is_own`. Raises StopAsyncIteration at the end."""
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            await self._change()
        event = self._events.popleft()
        if len(self._events) == EVENTS_MAX - 1:
            self._changed.set()
        return event

    async def room(self) -> None:
        """Wait until more may be read."""
        while self.full:
            if self._someone_waits():
                if len(self._events) < OVERFLOW_MAX:
                    return
                self._give_up()
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
