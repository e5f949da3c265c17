"""/sessions: this user's connections."""

from datetime import UTC, datetime, timedelta

from tests.harness import Chat


async def test_json(chat: Chat) -> None:
    alice = await chat.json()
    other = await chat.text(alice.name)
    await other.ok("/format text example")
    await chat.json()
    first, second = (await alice.ok({"cmd": "sessions"}))["sessions"]
    assert (first["address"], first["this"], "client" in first) == ("127.0.0.1", True, False)
    assert (second["address"], second.get("this", False), second["client"]) == ("127.0.0.1", False, "example")
    assert first["session"] < second["session"]
    assert datetime.now(UTC) - datetime.fromisoformat(first["since"]) < timedelta(minutes=1)
    await other.ok("/sign_out")
    assert len((await alice.ok("/sessions"))["sessions"]) == 1


async def test_text(chat: Chat) -> None:
    alice = await chat.text()
    await chat.json(alice.name)
    lines, reply = await alice.command("/sessions")
    assert [line.endswith("  (this one)") for line in lines] == [True, False]
    assert all(line.startswith("  ") and "127.0.0.1" in line for line in lines)
    assert reply.startswith("+ 2 connections")


async def test_the_name_of_a_client_carries_no_control(chat: Chat) -> None:
    alice = await chat.text()
    await alice.ok({"cmd": "format", "format": "text", "client": "a\n+ b\x1b\u202e"})
    (line,), _ = await alice.command("/sessions")
    assert line.isprintable()
