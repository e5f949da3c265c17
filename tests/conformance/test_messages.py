"""/messages: the next unread messages of a chat, and marks them read; again for more."""

from tests.conformance.conftest import Start
from tests.conformance.missed import fill, unread
from tests.harness import Chat, messages, texts


async def test_json_page_by_page(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    sent = await fill(bob, "main", 45)
    pages = [await alice.command("/messages main") for _ in range(4)]
    assert [texts(returned) for returned, _ in pages] == [sent[:20], sent[20:40], sent[40:], []]
    assert [reply["unread"] for _, reply in pages] == [25, 5, 0, 0]
    assert [reply["re"] for _, reply in pages] == ["messages"] * 4
    assert "/history main" in pages[3][1]["more"]
    assert await unread(alice, "main") == 0


async def test_of_a_user(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await alice.ok(f"/send {bob.name} one's own")
    await fill(bob, alice.name, 2)
    returned, _ = await alice.command({"cmd": "messages", "chat": f"@{bob.name}"})
    assert texts(returned) == ["0", "1"]
    assert texts((await alice.command(f"/messages {bob.name}"))[0]) == []


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    sent = await fill(bob, "main", 21)
    await alice.roundtrip()
    await alice.send("/format text", "@1 /messages main", "@2 /messages main", "@3 /messages main")
    lines = await alice.lines(1 + 21 + 3)
    assert messages(lines) == sent
    finals = [line for line in lines[1:] if line.startswith("+ ")]
    assert finals[0].startswith("+ @1 20 messages of main, 1 still unread")
    assert finals[1] == "+ @2 1 message of main"
    assert finals[2].startswith("+ @3 nothing unread in main")
    assert "/history main" in finals[2]


async def test_the_marker_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    sent = await fill(bob, "main", 25)
    await alice.command("/messages main")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    returned, _ = await (await chat.json("alice")).command("/messages main")
    assert texts(returned) == sent[20:]
