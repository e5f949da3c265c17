"""Several nodes behind one port of one machine, with a NATS server beside them."""

import asyncio
from pathlib import Path

from tests.cluster.nodes import ChatNode
from tests.cluster.servers import NatsServers
from tests.harness import Chat, Server
from tests.ports import free_port

# All of them come to the same node once in millions of runs.
PEOPLE = 24


async def test_nodes_behind_one_port_are_one_chat(tmp_path: Path, one_server: NatsServers) -> None:
    port = free_port()
    way = ("--port", str(port), "--reuse-port", "--main-rate-limit", "off")
    one, two = (ChatNode(tmp_path / name, name, one_server, *way) for name in ("one", "two"))
    chat = Chat(one)
    try:
        await asyncio.to_thread(one.start)
        await asyncio.to_thread(two.start)
        assert one.port == two.port == port
        status, told = Server(tmp_path / "alone", "--port", str(port)).refusal()
        assert status == 1 and "in use" in told
        other = NatsServers(tmp_path / "other", 1)
        other.start()
        status, told = ChatNode(tmp_path / "lost", "lost", other, *way).refusal()
        other.close()
        assert status == 1 and "the nodes of another chat listen on" in told
        people = [await chat.json(f"user{number}") for number in range(PEOPLE)]
        await people[0].ok("/send_all hello")
        for person in people[1:]:
            await person.event("message", text="hello")
        one.kill()
        lost = 0
        for person in people:
            try:
                await person.ok("/ping")
            except (EOFError, ConnectionError):
                lost += 1
        assert 0 < lost < PEOPLE
        newcomer = await chat.json("newcomer")
        await newcomer.ok("/send_all still here")
    finally:
        await chat.close()
        for node in (one, two):
            node.close()
