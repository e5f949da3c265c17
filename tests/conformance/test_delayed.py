"""/delayed: one's own that wait."""

from tests.conformance.conftest import Start
from tests.harness import Chat


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    later = await alice.ok({"cmd": "send_delayed", "target": "main", "delay": "2h", "text": "two\nlines"})
    sooner = await alice.ok(f"/send_delayed {bob.name.upper()} 1h sooner")
    assert (await alice.ok("/delayed"))["delayed"] == [
        {"delayed_id": sooner["delayed_id"], "target": f"@{bob.name}", "due": sooner["due"], "text": "sooner"},
        {"delayed_id": later["delayed_id"], "target": "main", "due": later["due"], "text": "two\nlines"},
    ]
    assert (await bob.ok("/delayed"))["delayed"] == []


async def test_text(chat: Chat) -> None:
    alice = await chat.text()
    number = (
        await alice.ok({"cmd": "send_delayed", "target": "main", "delay": "365d", "text": "two\n+ lines"})
    ).split()[2]
    lines, reply = await alice.command("/delayed")
    assert lines[0].startswith(f"  {number}  ")
    assert lines[0].endswith(" UTC  main: two")
    assert lines[1:] == ["    | + lines"]
    assert reply.startswith("+ 1 waiting")


async def test_over_a_restart(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    await alice.ok("/send_delayed main 1h later")
    before = await alice.ok("/delayed")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    assert await (await chat.json("alice")).ok("/delayed") == before
