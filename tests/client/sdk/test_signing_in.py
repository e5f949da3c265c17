"""Signing in: by a token, by name and password, with a new account; what is asked for, and what is not."""

from pathlib import Path

import pytest

import chat_client
from chat_client.sdk.errors import CannotConnect, Refused
from chat_client.sdk.events import (  # fmt: skip
    Connected,
    Connecting,
    TokenNotKept,
)
from chat_client.sdk.server_address import Server, read
from chat_client.token_file import TokenFile
from chat_server.protocol.people import PresenceChanged
from tests.client.fake import FakeServer, message
from tests.client.sdk.played import Client, ids, until


async def test_what_a_bot_sees_in_order(server: FakeServer, client: Client) -> None:
    entering = client.enter(server)
    link = await server.link()
    await link.sign_in(message(8), message(9))
    link.write(message(11), {"type": "presence", "user": "carol", "online": True})
    chat = await entering
    assert (chat.user, chat.token, chat.server_version, chat.history) == ("bob", "the token", "9.9", "h")
    assert chat.signed_in is not None and chat.signed_in.seq == 10
    connecting, *missed, connected = await until(chat, Connected)
    assert connecting == Connecting(server.address, 1)
    assert ids(missed) == [8, 9]
    assert connected == Connected(server.address, chat.signed_in, resumed=False) and chat.state == connected
    assert ids(await until(chat, PresenceChanged)) == [11]
    assert chat.position == 11


async def test_it_tells_who_it_is(server: FakeServer, client: Client) -> None:
    client.enter(server)
    link = await server.link()
    link.greet()
    assert (await link.expect("format"))["client"] == f"chat-client/{chat_client.__version__}"


async def test_a_token_is_tried_first_then_the_name(server: FakeServer, client: Client) -> None:
    kept: list[str] = []

    class Tokens:
        def get(self, user: str, server: Server) -> str | None:
            assert str(server) == link_to
            return "old"

        def put(self, user: str, token: str) -> None:
            kept.append(f"+{user} {token}")
            raise OSError(30, "Read-only file system")

        def drop(self, user: str, token: str) -> None:
            kept.append(f"-{user} {token}")

    link_to = server.address
    entering = client.enter(server, tokens=Tokens())
    link = await server.link()
    resume = await link.begin_sign_in()
    assert (resume["cmd"], resume["token"], "position" in resume) == ("resume", "old", False)
    link.refuse(resume, "bad_token")
    link.end_sign_in(await link.expect("sign_in"))
    chat = await entering
    assert kept == ["-bob old", "+bob the token"]
    assert (await until(chat, TokenNotKept))[-1] == TokenNotKept("Read-only file system")


async def test_a_token_is_sent_to_its_own_server_alone(server: FakeServer, client: Client, tmp_path: Path) -> None:
    async with FakeServer() as stranger:
        TokenFile(tmp_path / "t", read(server.address)).put("bob", "secret")
        entering = client.enter(
            stranger, server, tokens=TokenFile(tmp_path / "t", read([stranger.address, server.address]))
        )
        link = await stranger.link()
        first = await link.begin_sign_in()
        assert (first["cmd"], "secret" in str(first)) == ("sign_in", False)
        link.refuse(first, "busy")
        link.lose()
        second = await (await server.link()).sign_in()
        assert (second["cmd"], second["token"]) == ("resume", "secret")
        await entering


async def test_after_too_many_wrong_passwords_it_waits_and_asks_again(server: FakeServer, client: Client) -> None:
    told: list[object] = []

    async def ask(words: str) -> str | None:
        told.append(words)
        return f"secret {len(told)}"

    async def wait(words: str, seconds: float) -> None:
        told.append((words, seconds))

    entering = client.enter(server, ask_password=ask, count_down=wait)
    link = await server.link()
    link.refuse(await link.begin_sign_in(), "password_required", needs="password")
    link.refuse(await link.expect("sign_in"), "too_fast", retry_in=7)
    link = await server.link()
    again = await link.begin_sign_in()
    assert "password" not in again, "one is asked for a new one"
    link.refuse(again, "password_required", needs="password")
    right = await link.expect("sign_in")
    assert right["password"] == "secret 3"
    link.end_sign_in(right)
    await entering
    assert told == ["bob has a password", ("too many wrong passwords", 7.0), "bob has a password"]


async def test_who_types_the_password_slowly_is_not_asked_again(server: FakeServer, client: Client) -> None:
    link = server.link

    async def ask(words: str) -> str | None:
        first.lose()
        return "secret"

    entering = client.enter(server, ask_password=ask)
    first = await link()
    first.refuse(await first.begin_sign_in(), "password_required", needs="password")
    second = await link()
    command = await second.begin_sign_in()
    assert command["password"] == "secret"
    second.lose()
    with pytest.raises(CannotConnect):
        await entering


async def test_no_account_is_made_where_that_is_not_wanted(server: FakeServer, client: Client) -> None:
    entering = client.enter(server, register=False)
    link = await server.link()
    command = await link.begin_sign_in()
    assert command["register"] is False
    link.refuse(command, "unknown_user")
    with pytest.raises(Refused, match="--register makes"):
        await entering


async def test_a_password_is_asked_for_only_if_the_server_wants_one(server: FakeServer, client: Client) -> None:
    asked: list[str] = []

    async def ask(words: str) -> str | None:
        asked.append(words)
        return f"secret {len(asked)}"

    entering = client.enter(server, ask_password=ask)
    link = await server.link()
    first = await link.begin_sign_in()
    assert "password" not in first
    link.refuse(first, "password_required", needs="password")
    second = await link.expect("sign_in")
    assert second["password"] == "secret 1"
    link.refuse(second, "wrong_password")
    third = await link.expect("sign_in")
    link.end_sign_in(third)
    await entering
    assert asked == ["bob has a password", "wrong password"]


async def test_a_new_account_gets_its_password_and_the_code_that_invites(server: FakeServer, client: Client) -> None:
    told: list[str] = []
    passwords, codes = ["one", "two", "secret", "secret"], ["typo", "code"]

    async def ask_password(words: str) -> str | None:
        told.append(words)
        return passwords.pop(0)

    async def ask_code(words: str) -> str | None:
        told.append(words)
        return codes.pop(0)

    entering = client.enter(server, ask_password=ask_password, ask_code=ask_code)
    link = await server.link()
    link.refuse(await link.begin_sign_in(), "forbidden", needs="code")
    link.refuse(await link.expect("sign_in"), "forbidden", needs="code")
    second = await link.expect("sign_in")
    assert second["code"] == "code" and "password" not in second
    link.refuse(second, "password_required", needs="new_password")
    right = await link.expect("sign_in")
    assert (right["code"], right["password"]) == ("code", "secret")
    link.end_sign_in(right)
    await entering
    assert told == [
        "there is no account bob yet; it is made with an invitation",
        "this code invites nobody (any more)",
        "there is no account bob yet; choose a password for it",
        "once more",
        "these were not the same",
        "once more",
    ]


@pytest.mark.parametrize("code", ["password_required", "forbidden"])
async def test_nothing_is_asked_for_where_it_would_not_help(server: FakeServer, client: Client, code: str) -> None:
    async def ask(words: str) -> str | None:
        raise AssertionError(words)

    entering = client.enter(server, ask_password=ask, ask_code=ask)
    link = await server.link()
    link.refuse(await link.begin_sign_in(), code)
    with pytest.raises(Refused, match=code):
        await entering


async def test_without_the_password_it_is_refused(server: FakeServer, client: Client) -> None:
    async def ask(words: str) -> str | None:
        return None

    entering = client.enter(server, ask_password=ask)
    link = await server.link()
    link.refuse(await link.begin_sign_in(), "password_required", needs="password")
    with pytest.raises(Refused, match="password_required"):
        await entering
