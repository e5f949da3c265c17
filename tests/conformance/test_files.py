"""/files: those of a chat, for whoever may read it."""

from tests.conformance.conftest import Start
from tests.conformance.uploads import digest, send_file
from tests.harness import Chat


async def test_json(chat: Chat) -> None:
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    one = await send_file(alice, bob.name, "a.txt", b"hello")
    two = await send_file(bob, alice.name, "b.txt", b"there")
    reply = await alice.ok({"cmd": "files", "chat": bob.name})
    assert reply == {
        "type": "ok", "re": "files", "chat": f"@{bob.name}",
        "files": [
            {"id": one["file"]["id"], "name": "a.txt", "size": 5, "sha256": digest(b"hello"), "message_id": one["id"],
             "from": alice.name, "at": one["at"]},
            {"id": two["file"]["id"], "name": "b.txt", "size": 5, "sha256": digest(b"there"), "message_id": two["id"],
             "from": bob.name, "at": two["at"]},
        ],
    }  # fmt: skip
    before = await bob.ok(f"/files {alice.name} before {two['id']}")
    assert [each["name"] for each in before["files"]] == ["a.txt"]
    assert (await carol.ok(f"/files {alice.name}"))["files"] == []


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.json()
    assert await alice.ok(f"/files {bob.name}") == f"no files in @{bob.name}"
    sent = await send_file(bob, alice.name, "my photo.png", b"hello")
    (line,), reply = await alice.command(f"/files {bob.name}")
    at = sent["at"][11:19]
    assert line == f"  {sent['file']['id']}  my photo.png, 5 bytes, from {bob.name}, {at} UTC (#{sent['id']})"
    assert reply == f"+ 1 file in @{bob.name}; /get_file <file_id> fetches one"


async def test_over_a_restart(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    kept, gone = [await send_file(alice, "main", name, b"hello") for name in ("kept", "gone")]
    await alice.ok(f"/delete {gone['id']}")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    alice = await chat.json("alice")
    assert [each["id"] for each in (await alice.ok("/files main"))["files"]] == [kept["file"]["id"]]
