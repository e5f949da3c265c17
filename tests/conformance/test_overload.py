"""Overload over sockets: a disk that gets slower and slower, and what is shed meanwhile, in which order, for whom.

The server notices it in a tenth of the time: see `tests/overloaded.py`. `make test-all` alone runs this, for 20 s.
"""

import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.conformance.failing_server import LOG, FailingServer, library
from tests.conformance.operating import SECRET
from tests.conformance.senders import Sender, all_of_main, check
from tests.harness import REMOTE, Chat, JsonClient

__all__ = ["library"]

pytestmark = pytest.mark.thorough

SENDERS = 20
TOO_MUCH = "the server has more to do than it can: "


class SlowServer(FailingServer):
    """It notices overload early, and each batch waits for its disk as long as the test says."""

    program = (str(Path(__file__).parents[1] / "overloaded.py"),)

    def delay(self, ms: int) -> None:
        self.fail(*([("fsync", -ms, LOG)] if ms else []))


async def keep_sending(sender: Sender, client: JsonClient, refusals: Counter[str]) -> None:
    while True:
        (reply,) = await client.pipeline([sender.command(sender.sent)])
        if reply["type"] == "ok":
            sender.take(reply)
            sender.sent += 1
        else:
            refusals[f"{reply['code']}: {reply['text']}"] += 1
            await asyncio.sleep(0.05)


async def test_what_people_miss_least_goes_first(tmp_path: Path, library: Path) -> None:
    metrics = tmp_path / "chat.prom"
    server = SlowServer(
        tmp_path / "data", library, "--operator", "boss", "--allow-passwordless", "--accounts-per-address", "off",
        "--metrics-file", str(metrics),
    )  # fmt: skip
    server.start()
    chat = Chat(server)
    boss, here = await chat.json_stranger(source=REMOTE), await chat.json("here")
    await boss.ok(f"/sign_in boss {SECRET}")
    alice = await chat.json("alice", source=REMOTE)
    senders, refusals = [Sender(f"sender{number}") for number in range(SENDERS)], Counter[str]()
    clients = [await chat.json(sender.name, source=REMOTE) for sender in senders]
    tasks = [
        asyncio.create_task(keep_sending(sender, client, refusals))
        for sender, client in zip(senders, clients, strict=True)
    ]

    async def begins(level: int, words: str) -> None:
        log = await server.logged(f"overload, level {level} of 4: commands wait for ")
        assert re.search(rf"overload, level {level} of 4: commands wait for \d+\.\d s; {words}\n", log), log

    async def is_refused(client: JsonClient, line: str, words: str) -> None:
        refusal = await client.refused(line)
        assert refusal["code"] == "busy" and refusal["text"].startswith(TOO_MUCH + words), refusal

    server.delay(120)
    await begins(2, "history, searches and files are refused")
    await is_refused(alice, "/history main", "history, searches and files have to wait, and messages go on; try again")
    for somebody in (boss, here):
        await somebody.ok("/history main limit 1")
    assert not refusals

    server.delay(300)
    await begins(3, "sign-ins of strangers are refused")
    stranger = await chat.json_stranger(source=REMOTE)
    await is_refused(stranger, "/sign_in somebody", "only those are let in who have a token, or come from a network")
    await stranger.ok(f"/resume {alice.token}")
    assert not refusals

    server.delay(1100)
    await begins(4, "new messages are refused")
    await is_refused(alice, "/send_all tea", "no new messages are taken; try again in 10 s")
    await is_refused(alice, "/history main", "history, searches and files have to wait, and no new messages are taken")
    assert (await boss.ok("/stats"))["live"]["overload_level"] == 4
    await boss.ok("/send_all the disk is slow")

    # Twenty senders may be too much by themselves where other tests take the processor.
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    server.delay(0)
    await begins(0, "nothing is put off or refused")
    await alice.ok("/send_all tea")
    assert [*refusals] == [f"busy: {TOO_MUCH}no new messages are taken; try again in 10 s"]
    begun = list(dict.fromkeys(re.findall(r"overload, level (\d)", server.log)))
    assert begun in (["1", "2", "3", "4", "0"], ["2", "3", "4", "1", "0"]), begun

    await chat.close()
    assert server.terminate() == 0
    told = dict(line.split() for line in metrics.read_text().splitlines() if line and not line.startswith("#"))
    assert float(told['chat_refusals_total{code="busy"}']) >= refusals.total() + 4
    assert float(told["chat_overload_level"]) == 0
    server.start()
    stored = await all_of_main(chat)
    for sender in senders:
        assert sender.acknowledged
        check(sender, stored)
    await chat.close()
    server.close()


async def test_a_stuck_disk_refuses_what_it_would_have_to_store(tmp_path: Path, library: Path) -> None:
    server = SlowServer(tmp_path / "data", library, "--allow-passwordless")
    server.start()
    chat = Chat(server)
    alice, bob = await chat.json("alice", source=REMOTE), await chat.json("bob", source=REMOTE)
    server.delay(2500)
    asking = asyncio.create_task(bob.ok("/send_all one"))
    await server.logged("overload, level 4 of 4: commands wait for ")
    refusal = await alice.refused("/send_all two")
    assert refusal["code"] == "busy" and "no new messages" in refusal["text"]
    await alice.ok("/history main")
    assert not asking.done()
    server.delay(0)
    assert (await asking)["id"], "what was taken is done"
    await server.logged("overload, level 0 of 4")
    await alice.ok("/send_all two")
    await chat.close()
    server.close()
