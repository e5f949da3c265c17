"""kill -9 under load: what was acknowledged is there once, in order, with its id; what was not may be sent again."""

import asyncio
import random

from tests.conformance.conftest import Start
from tests.conformance.senders import ID_MAX, Sender, all_of_main, check
from tests.harness import TIMEOUT_SECONDS, Chat, rounds

ROUNDS = rounds(20)
SENDERS = 4


async def one_round(chat: Chat, senders: list[Sender], answers: int) -> None:
    clients = await asyncio.gather(*(chat.json(sender.name) for sender in senders))
    for client in clients:
        await client.ok(f"/read main {ID_MAX}")  # what was there before need not be shown again
    await asyncio.gather(*(sender.send_again(client) for sender, client in zip(senders, clients, strict=True)))
    answered = asyncio.Semaphore(0)
    running = [
        asyncio.create_task(sender.send_until_it_dies(client, answered))
        for sender, client in zip(senders, clients, strict=True)
    ]
    async with asyncio.timeout(TIMEOUT_SECONDS):
        for _ in range(answers):
            await answered.acquire()
    chat.server.kill()
    await asyncio.gather(*running)
    await chat.close()


async def test_nothing_acknowledged_is_lost_doubled_or_reordered(start: Start) -> None:
    chat = start("--log-level", "warning")
    chance = random.Random(1)
    senders = [Sender(f"sender{number}") for number in range(SENDERS)]
    for _ in range(ROUNDS):
        await one_round(chat, senders, chance.randint(1, 400))
        for sender in senders:  # those far from being answered are not sent again: it would take longer each round
            sender.sent = max(sender.acknowledged, default=-1) + 30
        chat.server.start()
    stored = await all_of_main(chat)
    for sender in senders:
        check(sender, stored)
    assert sum(len(sender.acknowledged) for sender in senders) > ROUNDS
