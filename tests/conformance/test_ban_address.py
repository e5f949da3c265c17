"""/ban_address, /unban_address and /banned_addresses: operators keep networks out, and the bans outlast a restart."""

import pytest

from tests.conformance.conftest import Start
from tests.conformance.operating import json_operator, text_operator


async def test_json(start: Start) -> None:
    chat = start("--operator", "boss")
    boss = await json_operator(chat)
    said = await boss.ok({"cmd": "ban_address", "address": "192.0.2.7", "duration": "2d", "reason": "floods"})
    assert said.pop("until") and said == {
        "type": "ok", "re": "ban_address", "address": "192.0.2.7/32", "reason": "floods"
    }  # fmt: skip
    said = await boss.ok({"cmd": "ban_address", "address": "2001:db8::1"})
    assert said == {
        "type": "ok", "re": "ban_address", "address": "2001:db8::/64", "reason": "by an operator"
    }, "a user with one address has its /64"  # fmt: skip
    listed = (await boss.ok({"cmd": "banned_addresses"}))["bans"]
    assert [(each["address"], each["by"], "until" in each) for each in listed] == [
        ("192.0.2.7/32", "boss", True), ("2001:db8::/64", "boss", False)
    ]  # fmt: skip
    said = await boss.ok({"cmd": "unban_address", "address": "2001:db8::/64"})
    assert said == {"type": "ok", "re": "unban_address", "address": "2001:db8::/64"}


async def test_text(start: Start) -> None:
    chat = start("--operator", "boss")
    boss = await text_operator(chat)
    assert await boss.ok("/ban_address 192.0.2.9/24 bots") == "192.0.2.0/24 is banned for good: bots"
    assert (await boss.ok("/ban_address 198.51.100.1 2h")).startswith("198.51.100.1/32 is banned until ")
    assert await boss.ok("/unban_address 192.0.2.0/24") == "the ban of 192.0.2.0/24 is over"
    assert await boss.ok("/unban_address 192.0.2.0/24") == (
        "192.0.2.0/24 is not banned; /banned_addresses lists those that are"
    )
    assert await boss.ok("/banned_addresses") == "1 network is banned"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.0/8", "::1", "nobody", "192.0.2.0/40", "0.0.0.0/0", "::/0"])
async def test_what_cannot_be_banned(start: Start, address: str) -> None:
    chat = start("--operator", "boss")
    boss = await json_operator(chat)
    assert await boss.code(f"/ban_address {address}") == "bad_argument"


async def test_a_ban_outlasts_a_restart(start: Start) -> None:
    chat = start("--operator", "boss")
    boss = await json_operator(chat)
    await boss.ok("/ban_address 192.0.2.0/24 bots")
    await chat.close()
    chat.server.restart()
    boss = await json_operator(chat)
    assert [each["address"] for each in (await boss.ok("/banned_addresses"))["bans"]] == ["192.0.2.0/24"]
