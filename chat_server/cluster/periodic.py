"""Work that a node of a cluster does again and again until its log is closed; no mistake ends it."""

import logging
from collections.abc import Awaitable, Callable

from chat_server.log.replicated import ReplicatedLog
from chat_server.runtime import Runtime, Task

log = logging.getLogger("chat.cluster")

# After a mistake, which is logged each time.
AGAIN_SECONDS = 60.0


def repeat(
    runtime: Runtime, replicated: ReplicatedLog, work: Callable[[], Awaitable[float | None]], first_seconds: float
) -> Task[None]:
    """Do the work after `first_seconds`, and then after each pause that it returns; None ends it."""

    async def keep_on() -> None:
        seconds: float | None = first_seconds
        while seconds is not None:
            await runtime.sleep(seconds)
            if replicated.is_closed:
                return
            try:
                seconds = await work()
            except Exception:
                log.exception("%s failed: this is a bug; it is tried again", work.__qualname__)
                seconds = AGAIN_SECONDS

    return runtime.spawn(keep_on())
