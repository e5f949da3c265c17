"""The example bot, and the connection, at a real server that is killed under them."""

import asyncio
import sys
from pathlib import Path

from chat_client.sdk.backoff import Backoff
from chat_client.sdk.chat import connect
from chat_client.sdk.events import AnyEvent
from chat_server.protocol.messages import Message, MessagesShown
from tests.client.conftest import Home
from tests.harness import TIMEOUT_SECONDS

ROOT = Path(__file__).parents[2]
BOT = ROOT / "examples" / "bot.py"
KILLS, MESSAGES = 5, 300


async def test_the_example_rolls_dice(home: Home) -> None:
    alice = await home.chat.json("alice")
    bot = await asyncio.create_subprocess_exec(
        sys.executable, str(BOT), home.address, env=home.environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        await alice.ok("/presence on")
        while "dice-bot" not in (await alice.ok("/status"))["active"]:
            await alice.event("presence", user="dice-bot", online=True)
        await alice.ok("/send_all !roll 2d6")
        assert (await alice.event("message"))["text"].startswith("alice rolls [")
        await alice.ok("/send dice-bot !roll 1d9")
        assert (await alice.event("message", chat="@dice-bot"))["text"].startswith("alice rolls [")
    finally:
        bot.terminate()
        _, error = await bot.communicate()
    assert error == b""


def test_the_example_is_as_long_as_is_said() -> None:
    code = BOT.read_text().split("\n\n\n", 1)[1].split("\n\n\nif __name__")[0]
    assert len(code.splitlines()) <= 20


async def test_nothing_is_lost_or_doubled_over_kills(home: Home) -> None:
    """One sends while the server dies again and again, another one reads: each message once, in order."""
    backoff = Backoff(0.01, 0.05)
    wanted = [f"message {number}" for number in range(MESSAGES)]
    async with (
        connect(home.address, user="alice", backoff=backoff) as alice,
        connect(home.address, user="bob", backoff=Backoff(0.01, 0.05)) as bob,
    ):
        seen: list[AnyEvent] = []

        async def read() -> None:
            async for event in bob:
                if isinstance(event, Message):
                    seen.append(event)
                    if len(seen) == MESSAGES:
                        return

        async def drop() -> None:
            async for _ in alice:
                pass

        reading, dropping = asyncio.create_task(read()), asyncio.create_task(drop())
        for part in range(KILLS):
            each = MESSAGES // KILLS
            sending = [
                asyncio.create_task(alice.send("main", text)) for text in wanted[part * each : (part + 1) * each]
            ]
            await sending[each // 3]
            home.server.kill()
            home.server.start()
            replies = [await sent for sent in sending]
            assert len({reply.id for reply in replies}) == each  # type: ignore[attr-defined]
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await reading
        assert [event.text for event in seen if isinstance(event, Message)] == wanted
        # Bob's connection may be one of the server that was killed, which had told him all.
        async with connect(home.address, user="carol") as carol:
            lines, reply = await carol.command("history", chat="main", limit=200)
        assert (
            isinstance(reply, MessagesShown)
            and [line.text for line in lines if isinstance(line, Message)] == wanted[-200:]
        )
        dropping.cancel()
