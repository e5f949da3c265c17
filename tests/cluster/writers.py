"""Writers, who send numbered texts to the nodes of a cluster and keep what is answered."""

import asyncio
import json
import random
from collections.abc import Callable

from tests.cluster.nodes import ChatNode
from tests.harness import Connection, Json

ANSWER_SECONDS = 25.0


class Writer:
    """Someone who sends numbered texts, to one node after the other where a connection ends.

    A text whose fate is not known is sent again with its key, or left alone, by chance.
    """

    def __init__(self, name: str, nodes: list[ChatNode], chance: random.Random) -> None:
        self.name = name
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()
        self.unknown: set[str] = set()
        self._nodes = nodes
        self._chance = chance
        self._connection: Connection | None = None
        self._place = chance.randrange(len(nodes))

    async def write(self, is_over: Callable[[], bool]) -> None:
        number = 0
        while not is_over():
            number += 1
            text = f"{self.name}-{number}"
            while not is_over():
                code = await self._send(text)
                if code == "ok":
                    self.acknowledged.add(text)
                elif code == "refused":
                    self.refused.add(text)
                else:
                    self.unknown.add(text)
                    if self._chance.random() < 0.5:
                        continue
                break

    async def _send(self, text: str) -> str:
        """`ok`, `refused` where it is certain that nothing was done, and `unknown`."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._connection is None:
                    await self._enter()
                assert self._connection is not None
        except (OSError, EOFError, TimeoutError):
            await self._leave()
            return "refused"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._connection.send(json.dumps({"cmd": "send_all", "text": text, "key": text, "label": text}))
                reply = await self._reply(text)
        except (OSError, EOFError, TimeoutError):
            await self._leave()
            return "unknown"
        if reply["type"] == "ok":
            return "ok"
        assert reply["code"] in ("unavailable", "busy"), reply
        if reply["code"] == "unavailable":
            await asyncio.sleep(0.2)
        return "refused" if reply.get("done") is False or reply["code"] == "busy" else "unknown"

    async def _enter(self) -> None:
        node = self._nodes[self._place % len(self._nodes)]
        self._place += 1
        if not node.is_running:
            raise EOFError
        self._connection = Connection(*await asyncio.open_connection(node.host, node.port, limit=1 << 20))
        await self._connection.line()
        await self._connection.send("@f /format json", f"/sign_in {self.name}")
        await self._reply("f")
        while True:
            line: Json = json.loads(await self._connection.line())
            if line["type"] == "error":
                raise EOFError(line)
            if line["type"] == "ok":
                break
        await self._connection.send("/presence off")

    async def _reply(self, label: str) -> Json:
        assert self._connection is not None
        while True:
            line: Json = json.loads(await self._connection.line())
            if line["type"] in ("ok", "error") and line.get("label") == label:
                return line

    async def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        await asyncio.sleep(0.2)
