"""/ban_address, /unban_address and /banned_addresses: operators keep networks out, and the bans outlast a restart."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from tests.conformance.conftest import Start
from tests.conformance.operating import done, json_operator, refused, text_operator
from tests.harness import REMOTE, TIMEOUT_SECONDS, Chat
from tests.samples import numbers


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


async def is_turned_away(chat: Chat, words: str) -> None:
    connection = await chat.connection(source=REMOTE)
    assert await connection.reader.read() == f"* closing: {words}\n".encode()


async def test_everybody_from_there_goes_and_nobody_comes(start_remote: Start, tmp_path: Path) -> None:
    metrics = tmp_path / "chat.prom"
    chat = start_remote("--operator", "boss", "--allow-passwordless", "--metrics-file", str(metrics))
    boss, here = await json_operator(chat), await chat.text("mallory")
    there, stranger = await chat.json("mallory", source=REMOTE), await chat.text_stranger(source=REMOTE)
    await boss.roundtrip()
    await boss.ok(f"/ban_address {REMOTE} bots")
    reason = "your address is banned: bots"
    assert await there.event("closing") == {"type": "closing", "reason": reason, "code": "banned"}
    assert await there.rest() == []
    assert await stranger.rest() == [f"* closing: {reason}"]
    # It is the address that is kept out, not the account.
    assert await here.ok("/send_all still here")
    await is_turned_away(chat, reason)
    token = there.token
    await chat.close()
    chat.server.restart()
    await is_turned_away(chat, reason)
    boss = await json_operator(chat)
    await boss.ok(f"/unban_address {REMOTE}")
    again = await chat.json_stranger(source=REMOTE)
    await again.ok(f"/resume {token}")
    assert chat.server.terminate() == 0
    assert numbers(metrics)["chat_connections_banned_total"] == 1


async def test_a_connection_whose_handshake_outlasts_the_ban_is_closed(start_remote: Start, tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(chain))
    chat = start_remote("--operator", "boss", "--tls-cert", str(chain), "--tls-key", str(chain), "--tls-port", "0")
    boss = await json_operator(chat)
    port = int(chat.server.listening.partition(" (TLS)")[0].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(REMOTE, 0))
    # A second one is accepted behind the first.
    await (await asyncio.open_connection("127.0.0.1", port))[1].start_tls(
        trusting(authority), server_hostname="localhost"
    )
    await boss.ok(f"/ban_address {REMOTE} bots")
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await writer.start_tls(trusting(authority), server_hostname="localhost")
        lines = (await reader.read()).decode().splitlines()
    writer.close()
    assert lines[-1] == "* closing: your address is banned: bots"


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_whoever_runs_the_server_may_do_it_too(start_remote: Start) -> None:
    chat = start_remote("--allow-passwordless")
    there = await chat.text(source=REMOTE)
    assert done(chat.server, "ban-address", REMOTE, "2h", "many", "bots").startswith(f"{REMOTE}/32 is banned until ")
    assert done(chat.server, "ban-address", "2001:db8::1") == "2001:db8::/64 is banned for good: by an operator\n"
    assert (await there.rest())[-1].endswith(": many bots")
    await chat.close()
    chat.server.terminate()
    listed = done(chat.server, "banned-addresses")
    assert f"{REMOTE}/32 until " in listed and ", by server: many bots\n" in listed
    assert listed.endswith("2 networks are banned\n")
    assert done(chat.server, "ban-address", "192.0.2.7") == "192.0.2.7/32 is banned for good: by an operator\n"
    chat.server.start()
    assert (await (await chat.connection(source=REMOTE)).reader.read()).endswith(b": many bots\n")
    assert done(chat.server, "unban-address", REMOTE) == f"the ban of {REMOTE}/32 is over\n"
    assert await chat.text(source=REMOTE)
    assert refused(chat.server, "ban-address", "127.0.0.1").startswith("bad_argument: ")
    for wrong in ("192.0.2.1 1h", "", "192.0.2.0/24\n/stats"):
        assert refused(chat.server, "ban-address", wrong, status=2).endswith(" is no address")
    assert refused(chat.server, "ban-address", "192.0.2.1", "a\n/stats", status=2) == "a reason is one line"
    assert "ban_address" in done(chat.server, "audit")
