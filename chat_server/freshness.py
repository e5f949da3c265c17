"""The freshness of a refusal: other nodes may have shown what this one has not executed yet.

A sign-in and a resume go through the log, so a node that lets somebody in has executed all that any node had shown by
then. A refusal does not, so it could rest on an old password, or on an account or token that is gone or not there yet.
Before such a refusal the node executes the log up to its end, and looks at the store once more.
"""

from collections.abc import Awaitable, Callable

from chat_server.runtime import Runtime, Task, await_shared


class Freshness:
    def __init__(
        self, runtime: Runtime, catch_up: Callable[[], Awaitable[None]], executed: Callable[[], int], *, is_alone: bool
    ) -> None:
        """`catch_up` is the log's; `executed` counts the batches that were executed. A lone node is always fresh."""
        self._runtime = runtime
        self._catch_up = catch_up
        self._executed = executed
        self._is_alone = is_alone
        self._lock = runtime.lock()
        self._next: Task[None] | None = None

    def mark(self) -> int:
        """Return the mark of now, to be taken before the store is looked at."""
        return self._executed()

    async def has_changed(self, since: int) -> bool:
        """Come up to the end of the log. Tell whether the store may say something else than at the mark.

        Raises Refusal `unavailable`.
        """
        if self._is_alone:
            return False
        await self._reach_end()
        return self._executed() != since

    async def _reach_end(self) -> None:
        """Those who ask while one catch-up is under way share the next one: strangers may ask thousands of times."""
        if self._next is None:
            self._next = self._runtime.spawn(self._run())
        await await_shared(self._next)

    async def _run(self) -> None:
        async with self._lock:
            self._next = None
            await self._catch_up()
