"""/revoke_token: one token ends, with the connections that came in by it."""

from tests.conformance.tokens import tokens
from tests.harness import Chat


async def test_its_connections_are_told_why(chat: Chat) -> None:
    alice = await chat.json()
    phone = await chat.json(alice.name)
    copy, _, _ = await chat.resume(phone.token)
    person = await chat.text(alice.name)
    (id,) = (each["token_id"] for each in await tokens(alice) if "this" not in each)
    assert await alice.ok(f"/revoke_token {str(id).upper()}") == {
        "type": "ok", "re": "revoke_token", "token_id": id, "closed": 2,
    }  # fmt: skip
    for closed in (phone, copy):
        assert (await closed.event("closing"))["code"] == "signed_out"
        assert await closed.rest() == []
    assert await (await chat.json_stranger()).code(f"/resume {phone.token}") == "bad_token"
    assert [each["token_id"] for each in await tokens(alice)] != [id]
    assert await alice.code(f"/revoke_token {id}") == "bad_token"
    assert await person.code("/status") == "ok"
    assert await (await chat.json_stranger()).code(f"/resume {alice.token}") == "ok"


async def test_text(chat: Chat) -> None:
    person = await chat.text()
    phone = await chat.json(person.name)
    (each,) = await tokens(phone)
    words = f"nobody signs in with the token {each['token_id']} any more; 1 connection closed"
    assert await person.ok(f"/revoke_token {each['token_id']}") == words
    assert (await phone.event("closing"))["reason"] == "signed out from another connection"


async def test_a_token_that_is_not_connected(chat: Chat) -> None:
    person = await chat.text()
    phone = await chat.json(person.name)
    (each,) = await tokens(phone)
    await phone.close()
    assert await person.code(f"/revoke_token {each['token_id']}") == "ok"
    assert await (await chat.json_stranger()).code(f"/resume {phone.token}") == "bad_token"


async def test_neither_ones_own_nor_those_of_others(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    ((own,), (others,)) = (await tokens(alice), await tokens(bob))
    refusal = await alice.refused(f"/revoke_token {own['token_id']}")
    assert (refusal["code"], "/sign_out" in refusal["text"]) == ("bad_argument", True)
    assert await alice.code(f"/revoke_token {others['token_id']}") == "bad_token"
    assert await bob.code("/status") == "ok"
