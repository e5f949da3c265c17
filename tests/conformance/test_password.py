"""/password: sets or changes it; other tokens end."""

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
    assert await alice.ok("/password secret") == "the password is set; your other sign-ins need it from now on"
    assert await enters(chat, alice.name) == "password_required"


async def test_other_tokens_end(chat: Chat) -> None:
    alice = await chat.json()
    other = await chat.json(alice.name)
    await alice.ok("/password secret")
    assert await (await chat.json_stranger()).code(f"/resume {other.token}") == "bad_token"
    assert await (await chat.json_stranger()).code(f"/resume {alice.token}") == "ok"


async def test_errors(chat: Chat) -> None:
    alice = await chat.json()
    assert await alice.code("/password old new") == "wrong_password"
    for bad in ("/password", "/password a b c", '/password ""'):
        assert await alice.code(bad) == "bad_argument", bad
    for bad_text in ("", "a\nb", "a\x1bb"):
        assert await alice.code({"cmd": "password", "new": bad_text}) == "bad_argument"
    await alice.ok("/password secret")
    assert await alice.code("/password new") == "password_required"
    assert await alice.code("/password wrong new") == "wrong_password"
    assert await enters(chat, alice.name, "new") == "wrong_password"
    assert await enters(chat, alice.name, "secret") == "ok"


async def test_not_signed_in(chat: Chat) -> None:
    assert await (await chat.json_stranger()).code("/password new") == "not_signed_in"


async def test_two_changes_at_once_leave_one_password(chat: Chat) -> None:
    alice = await chat.json()
    other = await chat.json(alice.name)
    await alice.ok("/password old")
    await alice.send("/password old one")
    await other.send("/password old other")
    replies = [(await client.replies(1))[0] for client in (alice, other)]
    done = [word for reply, word in zip(replies, ("one", "other"), strict=True) if reply["type"] == "ok"]
    assert len(done) == 1
    assert await enters(chat, alice.name, done[0]) == "ok"
