"""A disk that takes no more: nothing that it did not take is acknowledged, and the server says why and stops."""

import asyncio
import resource

from tests.conformance.conftest import Start
from tests.conformance.test_crash import ID_MAX, Sender, all_of_main, check

ROOM_BYTES = 200_000


async def test_what_the_disk_did_not_take_is_not_acknowledged(start: Start) -> None:
    chat = start("--log-level", "warning")
    sender = Sender("sender")
    client = await chat.json(sender.name)
    assert (await client.pipeline(sender.command(number) for number in range(5)))[-1]["type"] == "ok"
    process = chat.server.process
    assert process is not None
    written = max(path.stat().st_size for path in chat.server.data.iterdir() if path.is_file())
    # A file that would grow past this is not written any further, as on a full disk.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (written + ROOM_BYTES, resource.RLIM_INFINITY))
    await sender.send_until_it_dies(client, asyncio.Semaphore(0))
    assert process.wait(20) == 1
    sent, sender.sent = sender.sent, 0
    assert 0 < len(sender.acknowledged) < sent, "the disk took none, or all"
    told = [line for line in chat.server.log.splitlines() if "the disk failed" in line]
    assert len(told) == 2 and "CRITICAL" in told[0] and told[1].startswith("chat-server: the disk failed")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    check(sender, await all_of_main(chat))
    again = await chat.json(sender.name)
    await again.ok(f"/read main {ID_MAX}")
    await again.ok("/send_all it goes on")
