"""/tokens: what signs in to this user's account."""

from datetime import UTC, datetime, timedelta

from tests.conformance.conftest import Start
from tests.conformance.tokens import tokens
from tests.harness import Chat


async def test_json(chat: Chat) -> None:
    alice = await chat.json()
    phone = await chat.json_stranger()
    await phone.ok("/format json phone/2")
    await phone.ok(f"/sign_in {alice.name}")
    newest, own = await tokens(alice)
    assert (newest["client"], newest["address"], newest["connected"]) == ("phone/2", "127.0.0.1", True)
    assert (own.get("this"), "this" in newest) == (True, False)
    assert newest["token_id"] != own["token_id"] and len(str(own["token_id"])) == 8
    assert datetime.now(UTC) - datetime.fromisoformat(str(own["made"])) < timedelta(minutes=1)
    assert alice.token not in str(newest) + str(own)


async def test_text(chat: Chat) -> None:
    alice = await chat.json()
    person = await chat.text(alice.name)
    (line,), reply = await person.command("/tokens")
    (own,) = await tokens(alice)
    assert line.startswith(f"  {own['token_id']}  127.0.0.1  since ") and line.endswith("(connected)")
    assert reply == "+ 1 token; /revoke_token <token_id> ends one"
    # A connection without a token, at nc, adds none.
    only = await chat.text()
    assert await only.command("/tokens") == ([], "+ 0 tokens")


async def test_what_resumes_is_told_anew_and_what_has_ended_is_not(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    (made,) = await tokens(alice)
    await chat.close()
    chat.server.kill()
    chat.server.start()
    laptop = await chat.json_stranger()
    await laptop.ok("/format json laptop")
    await laptop.ok(f"/resume {alice.token}")
    (now,) = await tokens(laptop)
    assert now == made | {"client": "laptop", "used": now["used"]}
    other = await chat.json("alice")
    await other.ok("/sign_out")
    assert [each["token_id"] for each in await tokens(laptop)] == [made["token_id"]]
