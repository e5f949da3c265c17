"""kill -9 while an owner decides: each asker is in the chat or still asks, is told so, and nothing is half done."""

import asyncio
import contextlib
import json
import random

from tests.conformance.conftest import Start
from tests.conformance.rooms import chats_of, code_for, make_room
from tests.harness import Chat, Json, JsonClient, rounds

ROUNDS = rounds(12)
ASKERS = [f"asker{letter}" for letter in "abcdefghijkl"]


async def decide_until_it_dies(owner: JsonClient, room: str, answers: int, chat: Chat) -> set[str]:
    """Whose approval was acknowledged. Others write meanwhile."""
    lines = [f"@{name} /approve {room} {name}\n/send {room} {name} is here\n" for name in ASKERS]
    acknowledged: set[str] = set()
    with contextlib.suppress(OSError):
        owner.writer.write("".join(lines).encode())
        while (line := await owner.reader.readline()).endswith(b"\n"):
            decoded = json.loads(line)
            if decoded.get("re") == "approve":
                assert decoded["type"] == "ok", decoded
                acknowledged.add(decoded["label"])
                if len(acknowledged) == answers:
                    chat.server.kill()
    return acknowledged


async def pushed_until_it_died(client: JsonClient) -> list[Json]:
    with contextlib.suppress(OSError):
        while (line := await client.reader.readline()).endswith(b"\n"):
            client.pushed.append(json.loads(line))
    return client.pushed


async def one_round(chat: Chat, answers: int) -> int:
    """How many were let in."""
    owner = await chat.json("owner")
    room = await make_room(owner)
    code = await code_for(owner, room)
    askers = [await chat.json(name) for name in ASKERS]
    for client in askers:
        await client.ok(f"/join {code}")
    await owner.roundtrip()
    acknowledged = await decide_until_it_dies(owner, room, answers, chat)
    told = {
        name
        for name, lines in zip(ASKERS, await asyncio.gather(*map(pushed_until_it_died, askers)), strict=True)
        if {"type": "approved", "chat": room} in lines
    }
    await chat.close()
    chat.server.start()
    owner = await chat.json("owner")
    members = set((await owner.ok(f"/members {room}"))["members"]) - {"owner"}
    requests = (await owner.ok("/status"))["join_requests"]
    asking = {each["user"] for each in requests if each["chat"] == room}
    assert acknowledged | told <= members and members | asking == set(ASKERS) and not members & asking
    for name in ASKERS:
        asker = await chat.json_stranger()
        shown, _ = await asker.command(f"/sign_in {name}")
        now = {"type": "approved", "chat": room} in shown
        assert (room in await chats_of(asker)) == (name in members)
        assert name in told or now == (name in members), "told at least once"
        assert (await asker.code(f"/history {room}")) == ("ok" if name in members else "unknown_chat")
    await owner.ok(f"/leave {room}")
    await chat.close()
    return len(members)


async def test_nothing_is_half_done(start: Start) -> None:
    chat = start("--log-level", "warning")
    chance = random.Random(1)
    let_in = [await one_round(chat, chance.randint(1, len(ASKERS) - 1)) for _ in range(ROUNDS)]
    assert all(let_in)
