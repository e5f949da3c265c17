"""The message bus between the nodes (see `stream`), on plain NATS."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from chat_server.log.nats_connection import Disconnected, Nats, NatsMessage

log = logging.getLogger("chat.nats")


class NatsBus:
    """See `stream.Bus`. A node publishes under its own name, so that NATS can hold it to that."""

    def __init__(self, connection: Nats) -> None:
        self._connection = connection

    def publish(self, topic: str, data: bytes) -> None:
        self._connection.publish(f"bus.{topic}.{self._connection.node}", data)

    def subscribe(self, topic: str, received: Callable[[bytes], None]) -> None:
        def take(message: NatsMessage) -> None:
            with _reported(topic):
                received(message.data)

        self._connection.listen(f"bus.{topic}.*", take)

    def answer(self, topic: str, answered: Callable[[bytes], bytes | None]) -> None:
        def take(message: NatsMessage) -> None:
            with _reported(topic):
                if (data := answered(message.data)) is not None:
                    self._connection.publish(message.reply, data)

        self._connection.listen(f"ask.{topic}.*", take)

    async def ask(self, topic: str, data: bytes, seconds: float, answers_max: int) -> list[bytes]:
        answers: list[bytes] = []
        if not self._connection.is_connected:
            return answers
        with suppress(TimeoutError, Disconnected):
            inbox = await self._connection.open_inbox()
            try:
                async with self._connection.runtime.timeout(seconds):
                    await inbox.ask(f"ask.{topic}.{self._connection.node}", data)
                    while len(answers) < answers_max:
                        message = await inbox.next(seconds)
                        if message.status == "503":
                            break
                        answers.append(message.data)
            finally:
                inbox.close()
        return answers


@contextmanager
def _reported(topic: str) -> Iterator[None]:
    """A mistake in what is called with a message is logged; the next message is taken all the same."""
    try:
        yield
    except Exception:
        log.exception("a message of the bus under %s could not be taken: this is a bug", topic)
