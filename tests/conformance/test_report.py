"""/report: a reporter counts once for a target; the third one bans (see also test_bans)."""

from tests.conformance.conftest import Start
from tests.harness import Chat


async def test_json(chat: Chat) -> None:
    mallory, one, two = await chat.json(), await chat.json(), await chat.json()
    reply = await one.ok({"cmd": "report", "username": mallory.name, "reason": "floods"})
    assert reply == {"type": "ok", "re": "report", "user": mallory.name, "reports": 1, "limit": 3}
    assert (await two.ok(f"/report @{mallory.name.upper()}"))["reports"] == 2
    assert await mallory.roundtrip() == []


async def test_text(chat: Chat) -> None:
    mallory, alice = await chat.text(), await chat.text()
    reply = await alice.ok(f"/report {mallory.name} says {mallory.name} things")
    assert reply == f"reported {mallory.name}: 1 of the 3 reports that ban"
    assert await mallory.roundtrip() == []


async def test_someone_who_is_offline(chat: Chat) -> None:
    mallory, alice = await chat.json(), await chat.json()
    await mallory.close()
    assert (await alice.ok(f"/report {mallory.name}"))["reports"] == 1


async def test_once_a_day(chat: Chat) -> None:
    mallory, alice = await chat.json(), await chat.json()
    assert await alice.code(f"/report {mallory.name}") == "ok"
    assert await alice.code(f"/report {mallory.name} again") == "already_reported"


async def test_at_most_10_users_a_day(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    for number in range(12):
        await (await chat.json(f"mallory.{number}")).ok("/quit")
    codes = [await alice.code(f"/report mallory.{number}") for number in range(11)]
    assert codes == ["ok"] * 10 + ["too_many"]
    await chat.close()
    chat.server.restart()
    assert await (await chat.json("alice")).code("/report mallory.11") == "too_many"


async def test_a_young_account_does_not_count(start: Start) -> None:
    chat = start("--report-min-age", "1h", "--report-limit", "1")
    mallory, alice = await chat.json("mallory"), await chat.json("alice")
    reply = await alice.ok("/report mallory")
    assert reply["reports"] == 0
    assert "note" in reply
    assert await mallory.code("/send_all hi") == "ok"


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    await chat.json("mallory")
    await (await chat.json("alice")).ok("/report mallory")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    assert await (await chat.json("alice")).code("/report mallory") == "already_reported"
    assert (await (await chat.json("bob")).ok("/report mallory"))["reports"] == 2


async def test_a_banned_user_may_not_be_silenced_about_others(chat: Chat) -> None:
    """A report is seen by nobody else, so a ban does not refuse it."""
    mallory, other = await chat.json(), await chat.json()
    for _ in range(3):
        await (await chat.json()).ok(f"/report {mallory.name}")
    assert await mallory.code("/send_all hi") == "banned"
    assert await mallory.code(f"/report {other.name}") == "ok"
