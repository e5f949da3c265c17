"""How a chat ends: signed out here or elsewhere, refused, or closed with something that waits."""

import asyncio

import pytest

from chat_client.sdk.errors import Disconnected
from chat_client.sdk.events import (  # fmt: skip
    Connected,
    Ended,
    Lost,
)
from tests.client.fake import FakeServer
from tests.client.sdk.played import Client, until


async def test_signing_out_ends_it(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    leaving = asyncio.create_task(chat.line("/sign_out"))
    label, line = (await link.line()).split(" ", 1)
    assert line == "/sign_out"
    link.write({"type": "ok", "re": "sign_out", "label": label.removeprefix("@"), "closed": 0})
    await leaving
    assert (await until(chat, Ended))[-1] == Ended("signed_out", "signed out")
    assert [event async for event in chat] == []
    assert chat.token is None
    with pytest.raises(Disconnected):
        chat.post("send", target="main", text="hi")


async def test_signed_out_from_elsewhere(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    link.write({"type": "closing", "reason": "signed out elsewhere", "code": "signed_out"})
    link.lose()
    assert (await until(chat, Ended))[-1] == Ended("signed_out", "signed out elsewhere")


async def test_a_banned_address_is_told_and_not_tried_again(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    reason = "your address is banned: bots"
    link.write({"type": "closing", "reason": reason, "code": "banned"})
    link.lose()
    assert (await until(chat, Ended))[-1] == Ended("banned", reason)
    assert chat.token is not None, "it is good again when the ban is over"


async def test_an_address_that_was_banned_while_there_was_no_connection(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    link.lose()
    link = await server.link()
    link.write("* closing: your address is banned: bots")
    link.lose()
    assert (await until(chat, Ended))[-1] == Ended("banned", "your address is banned: bots")


async def test_whoever_is_kicked_comes_back(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    link.write({"type": "closing", "reason": "calm down", "code": "kicked"})
    link.lose()
    assert "calm down" in str((await until(chat, Lost))[-1])
    await (await server.link()).sign_in()
    await until(chat, Connected)


async def test_a_sign_in_that_is_refused_later(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    link.lose()
    link = await server.link()
    link.refuse(await link.begin_sign_in(), "bad_token")
    link.refuse(await link.expect("sign_in"), "password_required", needs="password")
    why = "no; at a terminal, chat-client --user bob asks for it"
    assert (await until(chat, Ended))[-1] == Ended("password_required", why)


async def test_closing_with_something_that_waits(server: FakeServer, client: Client) -> None:
    chat, link = await client.sign_in(server)
    sending = asyncio.create_task(chat.send("main", "hi"))
    await link.expect("send")
    link.lose()
    await until(chat, Lost)
    await chat.close()
    with pytest.raises(Disconnected, match="it is not known whether it was sent") as unknown:
        await sending
    assert unknown.value.done is None
