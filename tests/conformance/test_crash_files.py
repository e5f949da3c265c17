"""kill -9 in the middle of uploads: no message without its bytes, no bytes without a message, nothing half done."""

import asyncio
import contextlib
import random

from tests.conformance.conftest import Start
from tests.conformance.uploads import CHUNK, bytes_of, chunk, digest, fetch, only, open_upload, send_rest
from tests.harness import TIMEOUT_SECONDS, Chat, Json, rounds

ROUNDS = rounds(12)
SENDERS = 4
SIZE = 150_000


class Sender:
    """Someone who sends one file after the other, and keeps what was acknowledged."""

    def __init__(self, number: int) -> None:
        self.name = f"sender{number}"
        self.number = number
        self.files = 0
        self.under_way: Json | None = None  # an upload that was not acknowledged as complete
        self.acknowledged: dict[str, Json] = {}  # the last chunk's ok, by the file's name
        self.received = 0

    def data(self) -> bytes:
        return bytes_of(SIZE, 1000 * self.number + self.files)

    def asked(self) -> Json:
        data = self.data()
        return {"cmd": "send_file", "target": "main", "name": f"{self.name}-{self.files}", "size": len(data),
                "sha256": digest(data), "key": f"{self.name}-{self.files}"}  # fmt: skip

    async def send_until_it_dies(self, chat: Chat, taken: asyncio.Semaphore) -> None:
        with contextlib.suppress(OSError, EOFError):
            client = await chat.json(self.name)
            while True:
                opened = await client.ok(self.asked())
                while "id" not in opened:
                    # What was acknowledged is there, or has become a file.
                    data, at = self.data(), opened["received"]
                    opened = await client.ok(chunk(opened["upload"], data[at : at + CHUNK]))
                    taken.release()
                self.acknowledged[self.asked()["name"]] = opened
                self.files += 1


async def test_nothing_is_left_half_done(start: Start) -> None:
    chat = start("--log-level", "warning")
    chance = random.Random(2)
    senders = [Sender(number) for number in range(SENDERS)]
    for _ in range(ROUNDS):
        taken = asyncio.Semaphore(0)
        running = [asyncio.create_task(sender.send_until_it_dies(chat, taken)) for sender in senders]
        async with asyncio.timeout(TIMEOUT_SECONDS):
            for _ in range(chance.randint(1, 40)):
                await taken.acquire()
        chat.server.kill()
        await asyncio.gather(*running)
        await chat.close()
        chat.server.start()
    reader = await chat.json("reader")
    for sender in senders:
        client = await chat.json(sender.name)
        opened = await client.ok(sender.asked())
        if "id" not in opened:
            await client.ok(f"/cancel_upload {opened['upload']}")
    listed = (await reader.ok("/files main"))["files"]
    names = [each["name"] for each in listed]
    assert names and len(names) == len(set(names))
    for sender in senders:
        for name, sent in sender.acknowledged.items():
            (found,) = [each for each in listed if each["name"] == name]
            assert (found["id"], found["message_id"]) == (sent["file"]["id"], sent["id"])
    for each in listed:
        data, _ = await fetch(reader, f"/get_file {each['id']}")
        assert digest(data) == each["sha256"]
    messages, _ = await reader.command("/history main limit 200")
    assert [message["file"]["id"] for message in messages] == [each["id"] for each in listed]
    await only(chat.server, [each["sha256"] for each in listed], [])


async def test_what_no_row_tells_of_stays(start: Start) -> None:
    """It may be the wrong database."""
    chat = start()
    alice = await chat.json("alice")
    data = bytes_of(50_000, 7)
    opened = await open_upload(alice, "main", "a", data)
    await alice.ok(chunk(opened["upload"], data[:CHUNK]))
    await chat.close()
    chat.server.kill()
    orphan = digest(b"orphan")
    (chat.server.data / "files" / orphan[:2]).mkdir()
    (chat.server.data / "files" / orphan[:2] / orphan).write_bytes(b"orphan")
    (chat.server.data / "uploads" / "99").write_bytes(b"orphan")
    chat.server.start()
    await only(chat.server, [orphan], ["99", str(opened["upload"])])
    alice = await chat.json("alice")
    await send_rest(alice, await open_upload(alice, "main", "a", data), data)
    await only(chat.server, [orphan, digest(data)], ["99"])


async def test_all_bytes_were_there_but_not_the_message(start: Start) -> None:
    """As a kill between the last bytes and the message leaves it."""
    chat = start()
    alice = await chat.json("alice")
    data = bytes_of(50_000, 8)
    opened = await open_upload(alice, "main", "a", data)
    await alice.ok(chunk(opened["upload"], data[:CHUNK]))
    await chat.close()
    chat.server.kill()
    (chat.server.data / "uploads" / str(opened["upload"])).write_bytes(data)
    chat.server.start()
    alice = await chat.json("alice")
    again = await open_upload(alice, "main", "a", data)
    assert again["received"] == len(data) - 1
    sent = await send_rest(alice, again, data)
    assert sent["file"]["sha256"] == digest(data)
