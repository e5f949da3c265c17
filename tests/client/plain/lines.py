"""--plain in this process: lines go in as soon as what is awaited was said, and what it says comes out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext

from chat_client.plain.app import Plain
from chat_client.sdk.chat import connect
from tests.client.conftest import Home


class Lines:
    """An input: each line is given to the client when it has said what is awaited before it."""

    attended = False

    def __init__(self, *lines: tuple[str, str]) -> None:
        self._lines = lines
        self.said: list[str] = []
        self._more = asyncio.Event()

    def write(self, text: str) -> None:
        self.said += text.splitlines()
        self._more.set()

    async def lines(self) -> AsyncIterator[str]:
        for awaited, line in self._lines:
            while not any(awaited in said for said in self.said):
                self._more.clear()
                await self._more.wait()
            yield line

    async def secret(self, words: str) -> str | None:
        return None

    def output(self) -> AbstractContextManager[None]:
        return nullcontext()


async def plain(home: Home, user: str, *lines: tuple[str, str]) -> tuple[int, list[str]]:
    source = Lines(*lines)
    async with connect(home.address, user=user) as chat:
        status = await Plain(chat, home.folder / "downloads", source.write).run(source)
    return status, source.said
