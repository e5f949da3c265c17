"""The tokens of an account, as its client lists them."""

from tests.harness import JsonClient


async def tokens(client: JsonClient) -> list[dict[str, object]]:
    reply = await client.ok({"cmd": "tokens"})
    listed: list[dict[str, object]] = reply["tokens"]
    return listed
