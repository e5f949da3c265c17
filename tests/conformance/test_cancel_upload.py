"""/cancel_upload: only one's own; what was received goes."""

from tests.conformance.conftest import Start
from tests.conformance.uploads import chunk, only
from tests.harness import Chat


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    number = (await alice.ok(f"/send_file {bob.name} a 5"))["upload"]
    assert await bob.code(f"/cancel_upload {number}") == "unknown_upload"
    await alice.ok(chunk(number, b"hel"))
    reply = await alice.ok({"cmd": "cancel_upload", "upload": number})
    assert reply == {"type": "ok", "re": "cancel_upload", "upload": number}
    assert await alice.code(chunk(number, b"lo")) == "unknown_upload"
    assert await alice.code(f"/cancel_upload {number}") == "unknown_upload"
    again = await alice.ok(f"/send_file {bob.name} a 5")
    assert again["received"] == 0 and again["upload"] > number
    assert await bob.roundtrip() == []


async def test_text(chat: Chat) -> None:
    alice = await chat.text()
    number = (await alice.ok("/send_file main a 5")).split()[1]
    assert await alice.ok(f"/cancel_upload {number}") == f"upload {number} is cancelled; nothing of it was sent"


async def test_from_another_connection_and_over_a_kill(start: Start) -> None:
    chat = start()
    alice, again = await chat.json("alice"), await chat.json("alice")
    for command in (chunk, None):
        number = (await alice.ok("/send_file main a 5"))["upload"]
        if command:
            await alice.ok(command(number, b"hel"))
        await again.ok(f"/cancel_upload {number}")
    chat.server.kill()
    chat.server.start()
    await chat.close()
    alice = await chat.json("alice")
    assert await alice.code(f"/cancel_upload {number}") == "unknown_upload"
    await chat.close()
    chat.server.restart()
    await only(chat.server, [], [])
