"""/password: sets or changes it; all else that is signed in ends."""

from tests.conformance.conftest import Start
from tests.harness import Chat


async def enters(chat: Chat, name: str, password: str = "") -> str:
    return await (await chat.json_stranger()).code(f"/sign_in {name} {password}".rstrip())


async def test_setting_and_changing(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    assert await alice.ok("/password first") == {"type": "ok", "re": "password"}
    assert [await enters(chat, "alice", word) for word in ("", "wrong", "first")] == [
        "password_required", "wrong_password", "ok",
    ]  # fmt: skip
    assert await alice.code({"cmd": "password", "old": "first", "new": "second one"}) == "ok"
    assert await enters(chat, "alice", "first") == "wrong_password"
    await chat.close()
    chat.server.kill()
    chat.server.start()
    assert await enters(chat, "alice", "first") == "wrong_password"
    assert await enters(chat, "alice", '"second one"') == "ok"


async def test_text(chat: Chat) -> None:
    alice = await chat.text()
    assert (
        await alice.ok("/password secret")
        == "the password is set; your other connections are closed, and need it to come back"
    )
    assert await enters(chat, alice.name) == "password_required"


async def test_all_else_that_is_signed_in_ends(chat: Chat) -> None:
    """After a theft: the thief's token, connections with and without one, and one by the owner's own token."""
    alice = await chat.json()
    other, person = await chat.json(alice.name), await chat.text(alice.name)
    copy, _, _ = await chat.resume(alice.token)
    bob = await chat.json()
    assert await alice.ok("/password secret") == {"type": "ok", "re": "password"}
    for thief in (other, copy):
        assert (await thief.event("closing"))["code"] == "signed_out"
        assert await thief.rest() == []
    assert (await person.rest())[-1].startswith("* closing: the password was changed")
    assert [await each.code("/status") for each in (alice, bob)] == ["ok", "ok"]
    assert await (await chat.json_stranger()).code(f"/resume {other.token}") == "bad_token"
    assert await (await chat.json_stranger()).code(f"/resume {alice.token}") == "ok"


async def test_errors(chat: Chat) -> None:
    alice = await chat.json()
    assert await alice.code("/password old new") == "wrong_password"
    await alice.ok("/password secret")
    assert await alice.code("/password new") == "password_required"
    assert await alice.code("/password wrong new") == "wrong_password"
    assert await enters(chat, alice.name, "new") == "wrong_password"
    assert await enters(chat, alice.name, "secret") == "ok"


async def test_two_changes_at_once_leave_one_password(chat: Chat) -> None:
    """One of the two is done, and closes the other's connection."""
    alice = await chat.json()
    await alice.ok("/password old")
    other = await chat.json_stranger()
    await other.enter(f"/sign_in {alice.name} old")
    await alice.send("/password old one")
    await other.send("/password old other")
    lines = [await client.next() for client in (alice, other)]
    (done,) = [word for line, word in zip(lines, ("one", "other"), strict=True) if line["type"] == "ok"]
    loser = other if done == "one" else alice
    assert (lines[1 if done == "one" else 0]["type"] == "closing") or (await loser.event("closing"))
    assert await enters(chat, alice.name, done) == "ok"
