"""What the tests of files share: sending one whole, fetching one whole."""

import asyncio
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

from tests.harness import TIMEOUT_SECONDS, Json, JsonClient, Server

CHUNK = 32_768


def bytes_of(size: int, seed: int = 0) -> bytes:
    """So many bytes that do not repeat."""
    blocks = (sha256(f"{seed} {number}".encode()).digest() for number in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def chunk(upload: int, data: bytes) -> str:
    return f"/chunk {upload} {b64encode(data).decode()}"


async def open_upload(client: JsonClient, target: str, name: str, data: bytes) -> Json:
    return await client.ok(
        {"cmd": "send_file", "target": target, "name": name, "size": len(data), "sha256": digest(data)}
    )


async def send_rest(client: JsonClient, opened: Json, data: bytes, size: int = CHUNK) -> Json:
    """The `ok` of the last chunk."""
    reply = opened
    while reply["received"] < len(data):
        received = reply["received"]
        reply = await client.ok(chunk(opened["upload"], data[received : received + size]))
        assert reply["upload"] == opened["upload"]
        assert reply["received"] == min(received + size, len(data))
    return reply


async def send_file(client: JsonClient, target: str, name: str, data: bytes) -> Json:
    return await send_rest(client, await open_upload(client, target, name, data), data)


async def fetch(client: JsonClient, command: str) -> tuple[bytes, Json]:
    """What came, and the reply."""
    lines, reply = await client.command(command)
    data = b""
    for line in lines:
        assert line["type"] == "file_chunk" and line["id"] == int(command.split()[1])
        data += b64decode(line["data"], validate=True)
    return data, reply


def stored(server: Server) -> tuple[list[str], list[str]]:
    """The blobs and the parts of uploads that lie in the data directory."""

    def names(folder: Path) -> list[str]:
        return sorted(path.name for path in folder.rglob("*") if path.is_file())

    return names(server.data / "files"), names(server.data / "uploads")


async def only(server: Server, blobs: list[str], parts: list[str]) -> None:
    """Wait until nothing else lies there: what may go is removed behind the chat's back, and nothing tells of it."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while stored(server) != (sorted(blobs), sorted(parts)):
            await asyncio.sleep(0.01)
