"""A disk that takes no more: what it did not take is refused, and certainly not done; all else goes on."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chat_server.protocol.table import TABLE
from tests.conformance.conftest import UNLIMITED, Start
from tests.conformance.failing_server import assert_not_done
from tests.conformance.senders import ID_MAX, Sender, all_of_main, check
from tests.conformance.uploads import bytes_of, chunk, open_upload, send_file, send_rest
from tests.disks import ServerOnDisk, SmallDisk
from tests.harness import TIMEOUT_SECONDS, Chat, JsonClient, soon

ROOM_BYTES = 200_000
DISK_BYTES = 32 << 20
TEXT = "x" * 4000

StartOnDisk = Callable[..., tuple[Chat, SmallDisk]]


@pytest.fixture
async def start_on_disk(tmp_path: Path) -> AsyncIterator[StartOnDisk]:
    """A server on a small disk."""
    made: list[tuple[Chat, SmallDisk]] = []

    def start(*options: str) -> tuple[Chat, SmallDisk]:
        disk = SmallDisk(tmp_path / f"disk{len(made)}", DISK_BYTES)
        made.append((Chat(ServerOnDisk(disk, *UNLIMITED, *options)), disk))
        made[-1][0].server.start()
        return made[-1]

    yield start
    for chat, disk in made:
        await chat.close()
        chat.server.close()
        disk.close()
        assert "Traceback" not in chat.server.log


async def until(client: JsonClient, command: str, code: str) -> None:
    """The server looks at its disk a hundred times a second."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while await client.code(command) != code:
            pass


async def test_below_the_reserve_nothing_new_is_taken_and_all_else_goes_on(start_on_disk: StartOnDisk) -> None:
    chat, disk = start_on_disk("--disk-reserve", "2MB", "--operator", "boss")
    bob, anna = await chat.json("bob"), await chat.json("anna")
    for _ in range(3):
        sent = await anna.ok(f"/send_all {TEXT}")
    await anna.ok("/create_chat #team")
    await anna.ok("/topic #team something long")
    upload = await open_upload(anna, "main", "file", bytes_of(100))
    await anna.ok(f"/send_delayed main {soon(2)} this is due")
    disk.fill(leaving=1 << 20)
    await until(anna, "/send_all too late", "unavailable")
    for spec in TABLE.values():
        if spec.adds:
            assert_not_done(await anna.refused(spec.example))
    assert_not_done(await anna.refused(f"/edit {sent['id']} {TEXT}longer"))
    assert_not_done(await anna.refused("/topic #team something much longer"))
    assert_not_done(await anna.refused("/away for long"))
    assert_not_done(await (await chat.json_stranger()).refused("/sign_in newcomer"))
    await chat.server.logged(" ERROR chat.outlook the disk is nearly full: ")
    newcomer = await chat.text_stranger()
    assert (await newcomer.command("/sign_in newcomer"))[1].startswith("- unavailable: nothing was done")
    for line in (
        f"/edit {sent['id']} shorter", f"/delete {sent['id'] - 1}", "/history main", f"/read main {ID_MAX}",
        "/topic #team short", f"/cancel_upload {upload['upload']}", "/password secret", "/leave #team",
    ):  # fmt: skip
        assert await anna.code(line) == "ok", line
    assert (await bob.event("message", text="this is due"))["delayed"]
    await (await chat.json_stranger()).ok("/sign_in anna secret")
    disk.empty()
    await until(anna, "/send_all it goes on", "ok")
    await bob.event("message", text="it goes on")


async def test_a_file_for_which_there_is_no_room_is_not_begun(start_on_disk: StartOnDisk) -> None:
    chat, disk = start_on_disk("--disk-reserve", "1MB")
    anna = await chat.json("anna")
    data = bytes_of(400_000)
    opened = await open_upload(anna, "main", "file", data)
    disk.fill(leaving=(1 << 20) + 200_000)
    await until(anna, "/send_file main other 300000", "unavailable")
    assert_not_done(await anna.refused("/send_file main other 300000"))
    disk.fill(leaving=512 << 10)
    await until(anna, "/send_all too late", "unavailable")
    assert_not_done(await anna.refused(chunk(opened["upload"], data[:100])))
    disk.empty()
    await until(anna, "/send_all there is room", "ok")
    await send_rest(anna, await open_upload(anna, "main", "file", data), data)


async def test_on_a_full_disk_one_can_read_delete_and_start(start_on_disk: StartOnDisk) -> None:
    chat, disk = start_on_disk("--disk-reserve", "2MB", "--message-ttl", "1s")
    anna, bob = await chat.json("anna"), await chat.json("bob")
    sent = [(await anna.ok(f"/send_all {number} {TEXT}"))["id"] for number in range(20)]
    await send_file(anna, "main", "file", bytes_of(300_000))
    # Another program takes all that there is, and the spare file's room is not for what is new.
    disk.fill()
    assert await anna.code(f"/delete {sent[0]}") == "ok"
    for end in (chat.server.terminate, chat.server.kill):
        assert_not_done(await anna.refused("/send_all no"))
        await chat.close()
        end()
        disk.fill()
        chat.server.start()
        anna, bob = await chat.json("anna"), await chat.json("bob")
        assert len((await anna.command("/history main"))[0]) == 20
        sent.pop()
        assert await anna.code(f"/delete {sent[-1]}") == "ok"
    await bob.ok(f"/read main {ID_MAX}")
    await bob.event("expired", chat="main")
    free = disk.free_bytes()
    assert free > 0
    disk.empty()
    await until(anna, "/send_all it goes on", "ok")


async def test_what_the_disk_did_not_take_is_refused_and_the_server_goes_on(start: Start) -> None:
    chat = start("--log-level", "warning", "--disk-reserve", "off")
    sender = Sender("sender")
    await chat.json("reader")
    client = await chat.json(sender.name)
    process = chat.server.process
    assert process is not None
    written = max(path.stat().st_size for path in chat.server.data.iterdir() if path.is_file())
    # A file that would grow past this is not written any further, as on a full disk.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (written + ROOM_BYTES, resource.RLIM_INFINITY))
    replies = await client.pipeline(sender.command(number) for number in range(600))
    for reply in replies:
        if reply["type"] == "ok":
            sender.take(reply)
        else:
            assert_not_done(reply)
    assert 0 < len(sender.acknowledged) < 600, "the disk took none, or all"
    check(sender, stored := await all_of_main(chat))
    assert len(stored) == len(sender.acknowledged), "what was refused is there"
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert {reply["type"] for reply in await client.pipeline(map(sender.command, range(600)))} == {"ok"}
    await chat.server.logged("the disk is full")
    assert process.poll() is None
    await chat.close()
    chat.server.kill()
    chat.server.start()
    assert len(await all_of_main(chat)) == 600
