"""The message bus on real NATS servers."""

import asyncio
from collections.abc import Callable

from chat_server.log.nats_bus import NatsBus
from tests.cluster.conftest import Connect
from tests.cluster.servers import NatsServers
from tests.cluster.streams import WAIT_SECONDS


def naming(number: int) -> Callable[[bytes], bytes | None]:
    return lambda data: None if number == 2 else data + b"%d" % number


async def test_the_bus_takes_messages_to_all_nodes_and_answers_back(one_server: NatsServers, connect: Connect) -> None:
    buses = [NatsBus(await connect(one_server.urls, f"n{number}")) for number in range(3)]
    received: asyncio.Queue[bytes] = asyncio.Queue()
    for number, bus in enumerate(buses):
        bus.subscribe("heartbeat", received.put_nowait)
        bus.answer("who", naming(number))
    answers: list[bytes] = []
    async with asyncio.timeout(WAIT_SECONDS):
        # Subscriptions are on their way to the server.
        while len(answers) < 2:
            answers = await buses[0].ask("who", b"n", 0.5, 3)
        assert sorted(answers) == [b"n0", b"n1"]
        assert len(await buses[2].ask("who", b"n", 30, 1)) == 1
        assert await buses[0].ask("nobody", b"", 30, 1) == []
        buses[1].publish("heartbeat", b"alive")
        assert [await received.get() for _ in range(3)] == [b"alive"] * 3


async def test_subscriptions_of_the_bus_outlive_the_connection(one_server: NatsServers, connect: Connect) -> None:
    connection = await connect(one_server.urls)
    bus = NatsBus(connection)
    received: asyncio.Queue[bytes] = asyncio.Queue()
    bus.subscribe("heartbeat", received.put_nowait)
    one_server.all[0].kill()
    bus.publish("heartbeat", b"lost")
    one_server.all[0].start()
    async with asyncio.timeout(WAIT_SECONDS):
        while received.empty():
            bus.publish("heartbeat", b"alive")
            await asyncio.sleep(0.1)
    assert received.get_nowait() == b"alive"


async def test_a_mistake_in_a_subscriber_stops_no_further_message(one_server: NatsServers, connect: Connect) -> None:
    bus = NatsBus(await connect(one_server.urls))
    received: asyncio.Queue[bytes] = asyncio.Queue()

    def take(data: bytes) -> None:
        received.put_nowait(data)
        raise ValueError(data)

    bus.subscribe("topic", take)
    async with asyncio.timeout(WAIT_SECONDS):
        for _ in range(2):
            bus.publish("topic", b"x")
            assert await received.get() == b"x"
