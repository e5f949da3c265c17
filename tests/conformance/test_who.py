"""/who: whether a user is online, or when last seen."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance.conftest import Start
from tests.harness import Chat


@pytest.mark.parametrize("verb", ["who", "whois"])
async def test_json(chat: Chat, verb: str) -> None:
    alice, bob = await chat.json(), await chat.json()
    told = await alice.ok(f"/{verb} {bob.name.upper()}")
    assert (told["re"], told["user"], told["online"], "last_seen" in told) == ("who", bob.name, True, False)
    assert (await alice.ok(f"/who @{alice.name}"))["online"] is True


async def test_last_seen(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await bob.ok("/quit")
    await bob.rest()
    told = await alice.ok({"cmd": "who", "username": bob.name})
    assert told["online"] is False
    assert datetime.now(UTC) - datetime.fromisoformat(told["last_seen"]) < timedelta(minutes=1)


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.json()
    assert await alice.ok(f"/who {bob.name}") == f"{bob.name} is online"
    await bob.ok("/quit")
    await bob.rest()
    assert (await alice.ok(f"/who {bob.name}")).startswith(f"{bob.name} is offline, last seen ")


async def test_over_a_restart(start: Start) -> None:
    chat = start()
    await chat.json("bob")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    told = await (await chat.json("alice")).ok("/who bob")
    assert (told["online"], datetime.fromisoformat(told["last_seen"]) <= datetime.now(UTC)) == (False, True)
