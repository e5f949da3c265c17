"""What one connection may do to the others, and what is never hidden from anybody."""

import asyncio
import re

import pytest

from chat_server.passwords import THREADS
from tests.conformance.conftest import Start
from tests.harness import Chat, GatedServer, unique


@pytest.mark.parametrize("flood", [b"\n", b"\r\n", b"/p\n", b"x\n", b"\xff\n"])
async def test_a_flood_of_a_stranger_holds_nobody_up(start: Start, flood: bytes) -> None:
    """By default 10 commands a second are executed of a connection, and the rest waits in it and in its socket."""
    chat = start("--command-rate", "10/1s")
    alice = await chat.json()
    _, writer = await asyncio.open_connection("127.0.0.1", chat.server.port)
    writer.write(flood * (4_000_000 // len(flood)))
    for _ in range(20):
        assert (await alice.ok("/ping"))["type"] == "ok"
    writer.transport.abort()


async def test_a_password_that_nobody_waits_for_is_not_hashed(start_gated: Start) -> None:
    """A flood of sign-ins that hang up at once does not hold up an honest one."""
    chat = start_gated("--log-level", "debug")
    assert isinstance(chat.server, GatedServer)
    flood = [await chat.connection() for _ in range(40)]
    for number, one in enumerate(flood):
        await one.line()
        await one.send(f"/sign_in flood{number} password")
    await chat.server.logged("asked for flood", len(flood))
    await chat.server.logged("hashing for flood", THREADS)
    # Half of them end what they send first: once that was read, asyncio does not see the reset.
    ended, open_still = flood[::2], flood[1::2]
    for one in ended:
        one.writer.write_eof()
    for one in (*ended, *open_still):
        one.reset()
    await chat.server.logged("disconnected", len(open_still))
    honest = await chat.text_stranger()
    label = await honest.send_labelled("/sign_in honest password")
    await chat.server.logged("asked for honest")
    chat.server.open_gate()
    while not honest.is_final(line := await honest.next(), label):
        pass
    assert "signed in as honest" in line
    # Those of the flood that were under way already, one on each thread.
    hashed = re.findall(r"hashing for ([a-z]+)", await chat.server.logged("hashing for honest"))
    assert hashed == ["flood"] * THREADS + ["honest"]


async def test_a_ban_is_told_before_a_text_is_too_large(start: Start) -> None:
    chat = start("--report-limit", "1")
    mallory, alice = await chat.json(), await chat.json()
    await alice.ok(f"/report {mallory.name}")
    for line in ("/send_all {}", "/send main {}"):
        assert await mallory.code(line.format("x" * 5000)) == "banned"


async def test_a_long_name_costs_nothing(chat: Chat) -> None:
    """Text that is made to be normalized slowly is not normalized at all."""
    alice = await chat.json()
    name = "a" + "\u0301" * 15_000 + "\u0316" * 15_000
    assert await alice.code(f"/who {name}") == "unknown_user"
    assert await alice.code(f"/send {name} hi") == "unknown_user"


@pytest.mark.parametrize(("old", "new"), [("max", "МАХ"), ("tom", "ТОМ"), ("alice", "аӏісе")])
async def test_names_in_another_script_that_look_alike(start: Start, old: str, new: str) -> None:
    chat = start()
    await chat.text(old)
    assert await (await chat.text_stranger()).code(f"/sign_in {new}") == "bad_name"


async def test_a_position_that_was_never_shown_is_not_read(chat: Chat) -> None:
    """Who resumes in text says what is known already; what is not known stays unread."""
    name = unique("bob")
    known = await chat.json_stranger()
    token = (await known.ok(f"/sign_in {name}"))["token"]
    await known.ok("/quit")
    alice = await chat.json()
    await alice.ok(f"/send {name} did you see this?")
    text = await chat.text_stranger()
    await text.ok(f"/resume {token} 99999999")
    await text.ok("/ping")
    await text.ok("/quit")
    again = await (await chat.json_stranger()).ok(f"/sign_in {name}")
    assert {each["name"]: each["unread"] for each in again["chats"]}[f"@{alice.name}"] == 1


async def test_one_notice_of_a_deleted_account(chat: Chat) -> None:
    name = unique("gone")
    watcher, gone = await chat.json(), await chat.text(name)
    await gone.ok(f"/delete_account {name}")
    notices = [each for each in await watcher.roundtrip() if each["type"] == "notice" and name in each["text"]]
    assert len(notices) == 1


@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS"])
@pytest.mark.parametrize("form", ["/sign_in {}", '{{"cmd": "sign_in", "username": "{}"}}', "/resume {}"])
async def test_what_a_web_page_posts_signs_nobody_in(chat: Chat, method: str, form: str) -> None:
    """A page can have a browser on this machine send it to loopback, where an account may need no password."""
    alice = await chat.json()
    page = await chat.connection()
    body = f"{form.format(alice.name)}\n/send_all from a page\n"
    head = f"{method} / HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: {len(body)}\r\n\r\n"
    await page.send_bytes((head + body).encode())
    *refused, last = (await page.rest())[1:]
    assert last == "* closing: a web page may have written this sign-in; nothing of it was executed"
    assert len(refused) == 3 and all(line.startswith("- not_a_command: ") for line in refused)
    assert await alice.roundtrip() == []
    # Whoever is signed in may write of it.
    person = await chat.text()
    await person.ok("/talk main")
    await person.send(f"{method} / HTTP/1.1")
    assert (await alice.event("message"))["text"] == f"{method} / HTTP/1.1"


@pytest.mark.parametrize(
    "head",
    [
        *(b"POST /%b HTTP/1.1\r\n\r\n" % (b"a" * length) for length in (4070, 4080, 4089, 4090, 5000, 70_000)),
        b"\r\nPOST / HTTP/1.1\r\n\r\n",
        b"GET http://localhost/ HTTP/1.0\r\n\r\n",
        b"CONNECT localhost:8000 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        # By https to the plain port: a handshake has the session that the page's own server gave it to resume.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
        b"\x16\x03\x01/\x00\x01\xfc\x03\x03\n",
        b"\x16\x03\x01\n",
        b"\x16\x03\x03" + b"x" * 12_000 + b"\n",
    ],
)
async def test_nothing_that_a_browser_begins_with_lets_a_sign_in_through(chat: Chat, head: bytes) -> None:
    alice = await chat.json()
    page = await chat.connection()
    await page.send_bytes(head + f"/sign_in {alice.name}\n/send_all from a page\n".encode())
    assert (await page.rest())[-1] == "* closing: a web page may have written this sign-in; nothing of it was executed"
    assert await alice.roundtrip() == []


@pytest.mark.parametrize("line", ["HELLO there", "GET it: HTTP", "x" * 5000, "HELLO there " * 500])
async def test_what_a_person_typed_before_does_not_forbid_a_sign_in(chat: Chat, line: str) -> None:
    person = await chat.text_stranger()
    await person.send(line)
    await person.ok(f"/sign_in {unique('anna')}")
