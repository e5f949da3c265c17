"""A server that a test plays line by line, for what a real one does only by chance: losses anywhere,
other histories."""

import asyncio
import json
from typing import Any

from chat_client.sdk import server_address
from tests.harness import TIMEOUT_SECONDS

Json = dict[str, Any]
AT = "2026-11-21T12:00:00.000Z"
COMMANDS = [
    {"verb": "sign_out", "aliases": [], "usage": "/sign_out [all|session]", "help": "h", "group": "Start",
     "example": "/sign_out", "arguments": [{"name": "session", "kind": "sessions", "required": False}]},
]  # fmt: skip


def message(id_: int, seq: int | None = None, sender: str = "alice", **fields: Any) -> Json:
    shown = {"id": id_, "seq": seq or id_, "chat": "main", "from": sender, "at": AT, "text": f"text {id_}"}
    return {"type": "message", **shown, **fields}


class FakeLink:
    """One connection of the client, seen from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def line(self) -> str:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            line = await self._reader.readline()
        assert line, "the client has closed the connection"
        return line.decode().removesuffix("\n")

    async def next(self) -> Json:
        """The next command."""
        command: Json = json.loads(await self.line())
        return command

    async def expect(self, verb: str) -> Json:
        command = await self.next()
        assert command["cmd"] == verb, command
        return command

    async def closed(self) -> None:
        """Wait until the client closes."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while await self._reader.read(1 << 16):
                pass

    def write(self, *lines: Json | str) -> None:
        for line in lines:
            text = line if isinstance(line, str) else json.dumps(line)
            self._writer.write(f"{text}\n".encode())

    def greet(self) -> None:
        self.write("* chat-server 0.1.0: hello")

    def ok(self, command: Json, **fields: Any) -> None:
        self.write({"type": "ok", "re": command["cmd"], "label": command["label"], **fields})

    def refuse(self, command: Json, code: str, **fields: Any) -> None:
        what = {"type": "error", "re": command["cmd"], "label": command["label"], "code": code, "text": "no"}
        self.write(what | fields)

    def returned(self, command: Json, *lines: Json) -> None:
        self.write(*({**line, "label": command["label"]} for line in lines))

    async def sign_in(self, *missed: Json, seq: int = 10, history: str = "h") -> Json:
        """Take the client in; its `sign_in` or `resume`."""
        command = await self.begin_sign_in()
        self.end_sign_in(command, *missed, seq=seq, history=history)
        return command

    async def begin_sign_in(self) -> Json:
        self.greet()
        formatted = await self.expect("format")
        assert formatted["format"] == "json"
        self.ok(formatted, format="json", server="chat-server", version="9.9", protocol=1, commands=COMMANDS, limits={})
        return await self.next()

    def end_sign_in(self, command: Json, *missed: Json, seq: int = 10, history: str = "h") -> None:
        self.returned(command, *missed)
        lists: Json = {"chats": [], "invitations": [], "join_requests": []}
        self.ok(command, user="bob", new=False, seq=seq, history=history, token="the token", **lists)

    def lose(self) -> None:
        """What was written before arrives; nothing after."""
        self._writer.close()


class FakeServer:
    def __init__(self) -> None:
        self._links: asyncio.Queue[FakeLink] = asyncio.Queue()
        self._all: list[FakeLink] = []
        self.address = ""

    async def __aenter__(self) -> "FakeServer":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = str(server_address.Server(*self._server.sockets[0].getsockname()))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for link in self._all:
            link.lose()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = FakeLink(reader, writer)
        self._all.append(link)
        self._links.put_nowait(link)

    async def link(self) -> FakeLink:
        """The next connection that a client makes."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await self._links.get()
