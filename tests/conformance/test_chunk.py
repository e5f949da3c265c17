"""/chunk: the bytes of an upload, in order; the last ones send the file."""

import json
from base64 import b64encode

from tests.conformance.conftest import Start
from tests.conformance.uploads import bytes_of, chunk, digest, fetch, only, open_upload, send_rest
from tests.harness import Chat

DATA = bytes_of(70_000, 1)


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    opened = await open_upload(alice, bob.name, "a", b"hello")
    number = opened["upload"]
    taken = await alice.ok({"cmd": "chunk", "upload": number, "base64": b64encode(b"hel").decode()})
    assert taken == {"type": "ok", "re": "chunk", "upload": number, "received": 3}
    sent = await alice.ok({"cmd": "chunk", "upload": f"#{number}", "base64": b64encode(b"lo").decode()})
    (message,) = await bob.roundtrip()
    file = {"id": number, "name": "a", "size": 5, "sha256": digest(b"hello")}
    assert sent == {"type": "ok", "re": "chunk", "upload": number, "received": 5, "id": message["id"],
                    "at": message["at"], "file": file}  # fmt: skip


async def test_text(chat: Chat) -> None:
    alice = await chat.text()
    number = int((await alice.ok("/send_file main a.txt 5")).split()[1])
    assert await alice.ok(chunk(number, b"hel")) == f"upload {number} received 3"
    assert await alice.ok("/send_file main a.txt 5") == f"upload {number} received 3"
    assert (await alice.ok(chunk(number, b"lo"))).endswith(f": file a.txt, 5 bytes; /get_file {number}")


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    number = (await open_upload(alice, bob.name, "a", DATA))["upload"]
    await alice.ok(chunk(number, DATA[:40]))
    for line, code in (
        (f"/chunk {number} aGVs bG8=", "bad_argument"),
        (chunk(number, DATA[:32_769]), "too_large"),
    ):
        assert await alice.code(line) == code, line[:40]
    assert await bob.code(chunk(number, b"hello")) == "unknown_upload"
    opened = await open_upload(alice, bob.name, "a", DATA)
    assert opened["received"] == 40, "nothing of what was refused was taken"
    sent = await send_rest(alice, opened, DATA)
    assert (await fetch(bob, f"/get_file {sent['file']['id']}"))[0] == DATA


async def test_more_than_announced(chat: Chat) -> None:
    alice = await chat.json()
    number = (await alice.ok("/send_file main a 5"))["upload"]
    assert await alice.code(chunk(number, b"hello!")) == "too_large"
    assert (await alice.ok(chunk(number, b"hello")))["received"] == 5
    assert await alice.code(chunk(number, b"!")) == "unknown_upload"


async def test_another_content_than_announced(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    opened = await alice.ok(f"/send_file bob a 5 {digest(b'other')}")
    refused = await alice.refused(chunk(opened["upload"], b"hello"))
    assert refused["code"] == "bad_argument" and digest(b"hello") in refused["text"]
    assert await alice.code(chunk(opened["upload"], b"hello")) == "unknown_upload"
    assert (await alice.ok(f"/send_file bob a 5 {digest(b'other')}"))["received"] == 0
    assert await bob.roundtrip() == []
    assert (await alice.ok("/status"))["limits"]["file_bytes"]["used"] == 5
    await chat.close()
    chat.server.restart()
    await only(chat.server, [], [])


async def test_other_commands_come_between_and_chunks_may_be_pipelined(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    number = (await open_upload(alice, bob.name, "a", DATA))["upload"]
    lines = [chunk(number, DATA[at : at + 7_000]) for at in range(0, len(DATA), 7_000)]
    lines.insert(3, f"/send {bob.name} hi")
    lines.insert(6, "/ping")
    replies = await alice.pipeline(lines)
    assert [reply["re"] for reply in replies] == [line[1:].split()[0] for line in lines]
    assert {reply["type"] for reply in replies} == {"ok"}
    assert [event.get("file", {}).get("sha256") for event in await bob.roundtrip()] == [None, digest(DATA)]


async def test_a_full_chunk_takes_nothing_off_the_rate_of_commands(start: Start) -> None:
    chat = start("--command-rate", "1/1h", "--command-burst", "8")
    alice = await chat.json("alice")
    data = bytes_of(1 << 20)
    sent = await send_rest(alice, await open_upload(alice, "main", "a", data), data)
    assert sent["file"]["sha256"] == digest(data)


async def test_a_banned_user(start: Start) -> None:
    chat = start("--report-limit", "1")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    number = (await alice.ok("/send_file main a 5"))["upload"]
    await bob.ok("/report alice")
    for command in (chunk(number, b"hello"), f"/chunk {number} !!", "/send_file main b 5", "/send_file"):
        assert await alice.code(command) == "banned", command
    assert await bob.roundtrip() == []
    assert await alice.code(f"/cancel_upload {number}") == "ok"


async def test_pushed_messages_come_while_a_file_is_sent(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    number = (await open_upload(alice, bob.name, "a", DATA))["upload"]
    for at in range(0, len(DATA), 10_000):
        await bob.ok(f"/send {alice.name} {at}")
        await alice.ok(chunk(number, DATA[at : at + 10_000]))
    pushed = [json.dumps(line["text"]) for line in await alice.roundtrip()]
    assert pushed == [f'"{at}"' for at in range(0, len(DATA), 10_000)]
