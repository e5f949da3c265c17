"""How many connections there may be, and what becomes of those that are too many."""

from tests.conformance.conftest import Start
from tests.harness import REMOTE


async def test_connections_of_one_address(start_remote: Start) -> None:
    chat = start_remote("--connections-per-address", "2")
    for _ in range(2):
        await chat.json(source=REMOTE)
    refused = await chat.connection(source=REMOTE)
    assert (await refused.rest()) == ["* closing: your address has all the 2 connections that one may have"]
    await chat.json(source="127.0.0.3")
    for _ in range(4):
        await chat.json()
