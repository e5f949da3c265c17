"""The chain of the log's streams: when the next one is begun, so that erased texts can go from NATS.

NATS keeps the bytes of a message for as long as its stream is there, whatever is deleted or purged in it. So the log
goes on in another stream soon after something was erased, and the old one is deleted whole once snapshots cover it.
"""

import logging
from collections.abc import Callable

from chat_server.cluster.periodic import repeat
from chat_server.errors import StartError
from chat_server.log.replicated import ReplicatedLog
from chat_server.log.stream import NotAppended
from chat_server.rules.executor import Executed
from chat_server.runtime import Runtime

log = logging.getLogger("chat.cluster")

# A stream in which something was erased ends after this time; with the checks and the ranks, in less than 10 minutes.
ERASED_SECONDS = 540.0
# A stream of this many messages ends in any case, since a new node replays all that the last snapshot lacks.
STREAM_MESSAGES_MAX = 1_000_000
CHECK_SECONDS = 5.0
RANK_SECONDS = 5.0


class Chain:
    """Each node waits a little longer than the one before it. If two end a stream, one of them changes nothing."""

    def __init__(self, runtime: Runtime, replicated: ReplicatedLog, rank: Callable[[], int]) -> None:
        self._runtime = runtime
        self._log = replicated
        self._rank = rank
        self._stream = replicated.position.stream
        self._begun_at = runtime.monotonic()
        # Whether something was erased in this stream before this start is not known.
        self._has_erased = True

    def follow(self, executed: Executed) -> None:
        """A batch was executed."""
        if executed.position.stream != self._stream:
            self._stream = executed.position.stream
            self._begun_at = self._runtime.monotonic()
            self._has_erased = False
        self._has_erased = self._has_erased or executed.has_erased

    def start(self) -> None:
        """Begin to check whether the stream has to end."""
        self._checking = repeat(self._runtime, self._log, self._check, CHECK_SECONDS)

    async def _check(self) -> float:
        if self._is_due():
            stream = self._stream
            try:
                await self._log.begin_next_stream()
            except NotAppended as error:
                log.warning("the stream after %d cannot be made yet: %s", stream, error)
            except StartError as error:
                log.error("the stream after %d cannot be made: %s", stream, error)
        return CHECK_SECONDS

    def _is_due(self) -> bool:
        ends_after = ERASED_SECONDS if self._has_erased else float("inf")
        if self._log.position.sequence >= STREAM_MESSAGES_MAX:
            ends_after = 0.0
        return self._runtime.monotonic() - self._begun_at >= ends_after + self._rank() * RANK_SECONDS
