"""The first connection: nothing listens, something else does, or one of several servers answers."""

import asyncio
import socket
from typing import Any

import pytest

from chat_client.sdk.backoff import Backoff
from chat_client.sdk.errors import CannotConnect, Refused
from chat_client.sdk.events import (  # fmt: skip
    Connected,
    Connecting,
    Lost,
)
from tests.client.fake import FakeServer
from tests.client.sdk.played import Client, until


async def test_nothing_listens_there(server: FakeServer, client: Client) -> None:
    server._server.close()
    with pytest.raises(CannotConnect, match="nothing listens there"):
        await client.enter(server)


async def test_what_listens_there_is_no_chat(server: FakeServer, client: Client) -> None:
    entering = client.enter(server)
    (await server.link()).write("SSH-2.0-OpenSSH_9.2")
    with pytest.raises(CannotConnect, match="no chat server"):
        await entering


async def test_a_server_that_has_no_room_says_so(server: FakeServer, client: Client) -> None:
    entering = client.enter(server)
    link = await server.link()
    link.write("* closing: too many connections; try again later")
    link.lose()
    with pytest.raises(CannotConnect, match="too many connections"):
        await entering


async def test_a_patient_one_tries_until_it_works(server: FakeServer, client: Client) -> None:
    entering = client.enter(server, patient=True)
    (await server.link()).lose()
    (await server.link()).lose()
    await (await server.link()).sign_in()
    chat = await entering
    states = await until(chat, Connected)
    assert [type(each) for each in states] == [Connecting, Lost, Connecting, Lost, Connecting, Connected]
    assert [each.attempt for each in states if isinstance(each, Connecting)] == [1, 2, 3]


async def test_of_several_servers_each_failure_is_told(server: FakeServer, client: Client) -> None:
    async with FakeServer() as other:
        other._server.close()
        entering = client.enter(other, server)
        (await server.link()).write("SSH-2.0-OpenSSH_9.2")
        with pytest.raises(CannotConnect) as error:
            await entering
    assert str(error.value) == (
        f"{other.address}: nothing listens there; {server.address}: what answers there is no chat server"
    )


async def test_several_servers_are_tried_in_turn(server: FakeServer, client: Client) -> None:
    async with FakeServer() as other:
        other._server.close()
        entering = client.enter(other, server)
        link = await server.link()
        await link.sign_in()
        chat = await entering
        link.lose()
        await (await server.link()).sign_in()
        tried = [each.server for each in await until(chat, Lost) if isinstance(each, Connecting)]
        assert tried == [other.address]


async def test_a_server_that_lets_nobody_in_is_left_for_the_next_at_once(server: FakeServer, client: Client) -> None:
    async with FakeServer() as cut_off:
        entering = client.enter(cut_off, server, backoff=Backoff(1000, 1000))
        link = await cut_off.link()
        link.refuse(await link.begin_sign_in(), "unavailable", done=False)
        await (await server.link()).sign_in()
        chat = await entering
        states = await until(chat, Connected)
    lost = [each for each in states if isinstance(each, Lost)]
    assert [type(each) for each in states] == [Connecting, Lost, Connecting, Connected]
    assert lost[0].retry_at <= chat.runtime.elapsed(), "no pause before the next server"


async def test_servers_that_all_let_nobody_in_are_told_as_refused(server: FakeServer, client: Client) -> None:
    async with FakeServer() as other:
        entering = client.enter(other, server)
        for each in (other, server):
            link = await each.link()
            link.refuse(await link.begin_sign_in(), "unavailable", done=False)
        with pytest.raises(Refused) as refused:
            await entering
    assert refused.value.code == "unavailable"


async def test_localhost_is_where_a_server_listens_by_default(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever listens at the other address of that name hears nothing."""
    async with FakeServer() as stranger:

        async def resolve(host: str, port: int, **options: Any) -> list[Any]:
            address = ("127.0.0.1", int(stranger.address.rpartition(":")[2]))
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        server.address = server.address.replace("127.0.0.1", "localhost")
        entering = client.enter(server)
        await (await server.link()).sign_in()
        await entering
        # Where nobody listens there, it is what the system says.
        server._server.close()
        entering = Client().enter(server)
        (await stranger.link()).lose()
        with pytest.raises(CannotConnect):
            await entering
