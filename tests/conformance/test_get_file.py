"""/get_file: the bytes of a file for whoever may read its message, in lines that nc, sed and base64 take."""

import asyncio
import subprocess

import pytest

from tests.conformance.conftest import Start
from tests.conformance.uploads import bytes_of, digest, fetch, only, open_upload, send_file, send_rest
from tests.harness import TIMEOUT_SECONDS, Chat, unique

DATA = bytes_of(100_000, 2)


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    number = (await send_file(alice, bob.name, "a.bin", DATA))["file"]["id"]
    lines, reply = await bob.command({"cmd": "get_file", "file_id": number})
    assert [line["offset"] for line in lines] == [0, 32_766, 65_532, 98_298]
    assert reply == {
        "type": "ok", "re": "get_file", "id": number, "name": "a.bin", "size": len(DATA), "sha256": digest(DATA)
    }  # fmt: skip
    assert lines[0]["file"] == {"id": number, "name": "a.bin", "size": len(DATA), "sha256": digest(DATA)}
    assert set(lines[1]) == {"type", "id", "offset", "data"}
    assert (await fetch(bob, f"/get_file {number}"))[0] == DATA
    assert (await fetch(alice, f"/get_file {number} 99999"))[0] == DATA[99_999:]
    assert (await fetch(bob, f"/get_file {number} 5 40000"))[0] == DATA[5:40_005]
    assert (await fetch(bob, f"/get_file {number} {len(DATA)}"))[0] == b""


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.text()
    number = (await send_file(alice, "main", "my photo.png", b"hello"))["file"]["id"]
    lines, reply = await bob.command(f"/get_file {number}")
    assert lines == [f"* file {number} my photo.png 5", "= aGVsbG8="]
    assert reply == f"+ file {number} my photo.png, 5 bytes, sha256 {digest(b'hello')}"


@pytest.mark.parametrize("size", [1, 2, 3, 32_766, 32_767, 200_000])
async def test_with_nc_and_sed_and_base64(chat: Chat, size: int) -> None:
    alice = await chat.json()
    data = bytes_of(size, size)
    number = (await send_file(alice, "main", "a.bin", data))["file"]["id"]
    script = (
        f"printf '/sign_in {unique('somebody')}\\n/get_file {number}\\n' | nc -N 127.0.0.1 {chat.server.port}"
        " | sed -n 's/^= //p' | base64 -d"
    )
    done = await asyncio.to_thread(subprocess.run, ["sh", "-c", script], capture_output=True, timeout=TIMEOUT_SECONDS)
    assert (done.stdout, done.stderr) == (data, b"")


async def test_errors(chat: Chat) -> None:
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    sent = await send_file(alice, bob.name, "a", b"hello")
    number = sent["file"]["id"]
    assert await carol.code(f"/get_file {number}") == "unknown_file"
    assert await bob.code(f"/get_file {number} 6") == "bad_argument"
    await alice.ok(f"/delete {sent['id']}")
    assert await bob.code(f"/get_file {number}") == "unknown_file"
    (message,), _ = await bob.command(f"/history {alice.name}")
    assert message["deleted"] and "file" not in message


async def test_what_is_unread_shows_its_file(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await bob.close()
    sent = await send_file(alice, bob.name, "a", b"hello")
    client = await chat.json_stranger()
    shown, _ = await client.command(f"/sign_in {bob.name}")
    assert [line["file"] for line in shown if line["type"] == "message"] == [sent["file"]]


async def test_the_same_bytes_are_there_until_the_last_message_goes(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    one, other = await send_file(alice, "main", "a", DATA), await send_file(bob, "alice", "b", DATA)
    await only(chat.server, [digest(DATA)], [])
    await alice.ok(f"/delete {one['id']}")
    await chat.close()
    chat.server.restart()
    bob = await chat.json("bob")
    assert (await fetch(bob, f"/get_file {other['file']['id']}"))[0] == DATA
    await bob.ok("/delete_account bob")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    chat.server.restart()
    await only(chat.server, [], [])


async def test_a_slow_reader_costs_little_and_gets_all(start: Start) -> None:
    chat = start("--file-size-max", "32MB")
    data = bytes_of(8 << 20)
    alice = await chat.json("alice")
    number = (await send_file(alice, "main", "a", data))["file"]["id"]
    slow = await chat.json("slow", receive_buffer=1 << 14)
    before = chat.server.resident_bytes()
    await slow.send(f"/get_file {number}")
    for _ in range(20):
        await alice.roundtrip()
    assert chat.server.resident_bytes() - before < 3 << 20


async def test_twenty_at_once(chat: Chat) -> None:
    files = [bytes_of(150_000, 100 + number) for number in range(20)]
    clients = [await chat.json() for _ in range(20)]
    talker = await chat.json()

    async def transfer(number: int) -> None:
        client, data = clients[number], files[number]
        opened = await open_upload(client, talker.name, "a", data)
        sent = await send_rest(client, opened, data, size=20_000)
        assert (await fetch(client, f"/get_file {sent['file']['id']}"))[0] == data

    running = asyncio.gather(*map(transfer, range(20)))
    for number in range(50):
        await talker.ok(f"/send_all {number}")
    await running
    received = [line["file"]["sha256"] for line in await talker.roundtrip() if "file" in line]
    assert sorted(received) == sorted(map(digest, files))


async def test_what_has_expired_is_off_the_disk(start: Start) -> None:
    chat = start("--message-ttl", "1s")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    number = (await send_file(alice, "bob", "a", DATA))["file"]["id"]
    await bob.ok("/messages alice")
    await bob.event("expired")
    assert await bob.code(f"/get_file {number}") == "unknown_file"
    await only(chat.server, [], [])
    assert (await alice.ok("/status"))["limits"]["file_bytes"]["used"] == 0
