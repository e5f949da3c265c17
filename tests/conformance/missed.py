"""Messages that somebody misses, and how many of them the server counts."""

from tests.harness import JsonClient


async def fill(sender: JsonClient, receiver: str, count: int, first: int = 0) -> list[str]:
    await sender.pipeline(f"/send {receiver} {number}" for number in range(first, first + count))
    return [str(number) for number in range(first, first + count)]


async def unread(client: JsonClient, chat: str) -> int:
    (found,) = [each["unread"] for each in (await client.ok("/status"))["chats"] if each["name"] == chat]
    return int(found)
