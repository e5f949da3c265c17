import asyncio

from chat_server.clock import SystemClock
from chat_server.transfers import Turns


async def test_who_transfers_much_takes_turns_with_the_others() -> None:
    turns, order = Turns(SystemClock(), 1000), list[str]()

    async def transfer(user: int, what: str) -> None:
        await turns.wait(user)
        order.append(what)

    greedy = [asyncio.ensure_future(transfer(1, "greedy")) for _ in range(200)]
    await asyncio.sleep(0)
    begun = len(order)
    left = [asyncio.ensure_future(transfer(2, "left")) for _ in range(3)]
    modest = [asyncio.ensure_future(transfer(user, f"modest {user}")) for user in (3, 4)]
    await asyncio.sleep(0)
    for each in left:
        each.cancel()
    await asyncio.gather(*modest)
    assert order.index("modest 3") <= begun + 1 and order.index("modest 4") <= begun + 2
    await asyncio.gather(*greedy)
    assert len(order) == 202
    await turns.wait(1)
