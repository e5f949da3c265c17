"""/sign_out: here, everywhere, or on one of one's connections."""

from tests.conformance.conftest import Start
from tests.harness import Chat, JsonClient


async def sessions(client: JsonClient) -> list[int]:
    return [each["session"] for each in (await client.ok("/sessions"))["sessions"]]


async def test_here(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    other = await chat.json(alice.name)
    assert await alice.ok("/sign_out") == {"type": "ok", "re": "sign_out", "closed": 0}
    assert await alice.code("/send_all hi") == "not_signed_in"
    await bob.ok("/send_all hi")
    assert await alice.roundtrip() == []
    assert len(await other.roundtrip()) == 1
    assert await (await chat.json_stranger()).code(f"/resume {alice.token}") == "bad_token"
    assert await (await chat.json_stranger()).code(f"/resume {other.token}") == "ok"
    # The connection stays, for whoever signs in next.
    assert await alice.code(f"/sign_in {bob.name}") == "ok"


async def test_text(chat: Chat) -> None:
    alice = await chat.text()
    assert await alice.ok("/sign_out") == "signed out; /sign_in <username> signs in again"
    assert await alice.code("/status") == "not_signed_in"


async def test_everywhere(chat: Chat) -> None:
    alice = await chat.json()
    program, person = await chat.json(alice.name), await chat.text(alice.name)
    assert (await alice.ok("/sign_out all"))["closed"] == 2
    closing = await program.event("closing")
    assert closing["code"] == "signed_out"
    assert await program.rest() == []
    assert (await person.rest())[-1].startswith("* closing: ")
    assert await alice.code("/status") == "not_signed_in"
    for token in (alice.token, program.token):
        assert await (await chat.json_stranger()).code(f"/resume {token}") == "bad_token"


async def test_all_that_came_in_by_the_token_end(chat: Chat) -> None:
    """Resumed twice with one token: it is one device, or a thief's copy."""
    alice = await chat.json()
    copy, _, _ = await chat.resume(alice.token)
    other = await chat.json(alice.name)
    assert (await alice.ok("/sign_out"))["closed"] == 1
    assert (await copy.event("closing"))["code"] == "signed_out"
    assert await other.code("/status") == "ok"
    again, _, _ = await chat.resume(other.token)
    number = next(each["session"] for each in (await again.ok("/sessions"))["sessions"] if "this" not in each)
    # The token of the other one is one's own.
    assert (await again.ok(f"/sign_out {number}"))["closed"] == 1
    assert await again.code("/status") == "not_signed_in"


async def test_another_one_by_its_number(chat: Chat) -> None:
    alice = await chat.json()
    other, third = await chat.json(alice.name), await chat.json(alice.name)
    number = (await sessions(alice))[1]
    assert (await alice.ok({"cmd": "sign_out", "session": number}))["closed"] == 1
    assert (await other.event("closing"))["code"] == "signed_out"
    assert await (await chat.json_stranger()).code(f"/resume {other.token}") == "bad_token"
    assert await (await chat.json_stranger()).code(f"/resume {third.token}") == "ok"
    assert await alice.code("/status") == "ok"


async def test_only_ones_own(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    (number,) = await sessions(bob)
    for line in (f"/sign_out {number}", "/sign_out 999999", "/sign_out 0"):
        assert await alice.code(line) == "bad_argument", line
    assert await bob.code("/status") == "ok"


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    await alice.ok("/sign_out all")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    assert await (await chat.json_stranger()).code(f"/resume {alice.token}") == "bad_token"
