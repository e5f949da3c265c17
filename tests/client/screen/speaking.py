"""People who have no screen, and speak to those who have."""

import asyncio

from chat_client import connect
from tests.harness import Server


def say(server: Server, user: str, target: str, *texts: str) -> None:
    """Messages by somebody who has no screen."""

    async def send() -> None:
        async with connect(f"localhost:{server.port}", user=user) as chat:
            reading = asyncio.create_task(_read(chat))
            for text in texts:
                chat.post("send", target=target, text=text)
            while chat.outgoing:
                await chat.wait_until_settled(chat.outgoing[-1].key)
            reading.cancel()

    async def _read(chat: object) -> None:
        async for _ in chat:  # type: ignore[attr-defined]
            pass

    asyncio.run(send())
