"""/resume: signs in with a token, and brings all that was missed."""

import pytest

from tests.conformance.conftest import Start
from tests.harness import Chat, ids, messages, soon, texts, unique


async def test_json_with_a_position(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await bob.ok("/send_all seen")
    position = (await alice.event("message"))["seq"]
    await alice.close()
    await bob.ok("/send_all missed")
    await bob.ok(f"/send {alice.name} psst")
    again, shown, reply = await chat.resume(alice.token, position)
    assert texts(shown) == ["missed", "psst"]
    assert [line["type"] for line in shown] == ["message"] * 2
    assert (reply["re"], reply["user"], reply["new"], reply["token"]) == ("resume", alice.name, False, alice.token)
    assert reply["seq"] == ids(shown)[-1]
    assert await again.roundtrip() == []
    # What one has sent oneself from elsewhere was missed too; what is read stays in.
    await again.ok(f"/read main {ids(shown)[0]}")
    own = await again.ok("/send_all mine")
    _, shown, _ = await chat.resume(alice.token, position)
    assert texts(shown) == ["missed", "psst", "mine"]
    _, shown, _ = await chat.resume(alice.token, own["id"])
    assert shown == []


async def test_without_a_position_the_unread_ones(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await bob.ok("/send_all one")
    await alice.ok(f"/read main {(await bob.ok('/send_all two'))['id']}")
    await bob.ok("/send_all three")
    _, shown, _ = await chat.resume(alice.token)
    assert [shown[0]["unread"], *texts(shown)] == [{"main": 1}, "three"]


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await bob.ok("/send_all one")
    await bob.ok("/send_all two")
    first = (await alice.event("message"))["id"]
    person = await chat.text_stranger()
    shown, reply = await person.command(f"/resume {alice.token} {first}")
    assert (messages(shown), reply) == (["two"], f"+ signed in as {alice.name}")


@pytest.mark.parametrize("token", ["x", "A" * 32, "''", "%00"])
async def test_a_bad_token(chat: Chat, token: str) -> None:
    stranger = await chat.json_stranger()
    assert await stranger.code(f"/resume {token}") == "bad_token"
    assert await stranger.code("/send_all hi") == "not_signed_in"


async def test_already_signed_in(chat: Chat) -> None:
    alice = await chat.json()
    assert await alice.code(f"/resume {alice.token}") == "already_signed_in"


async def test_a_token_is_its_users_own_and_ends(chat: Chat) -> None:
    alice, name = await chat.json(), unique("bob")
    bob = await chat.json(name)
    await alice.ok("/sign_out")
    stranger = await chat.json_stranger()
    assert await stranger.code(f"/resume {alice.token}") == "bad_token"
    assert (await stranger.ok(f"/resume {bob.token}"))["user"] == name


async def test_a_token_outlives_the_server(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    await bob.ok("/send_all missed")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    _, shown, reply = await chat.resume(alice.token, alice.position)
    assert texts(shown) == ["missed"]
    assert reply["user"] == "alice"


async def test_a_token_has_a_life(start: Start) -> None:
    chat = start("--token-ttl", "2s")
    alice, watcher = await chat.json(), await chat.json()
    await alice.send("/quit")
    await alice.rest()
    await watcher.ok(f"/send_delayed {alice.name} {soon(2.5)} the time is over")
    await watcher.event("delayed_sent")
    assert await (await chat.json_stranger()).code(f"/resume {alice.token}") == "bad_token"
    assert await (await chat.json_stranger()).code(f"/resume {watcher.token}") == "ok", "who stays uses it"


async def test_changes_come_by_seq(chat: Chat) -> None:
    """A message that changed since comes again, in its newest state."""
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    kept = [await bob.ok("/send_all going"), await carol.ok("/send_all staying")]
    await alice.roundtrip()
    await bob.ok(f"/delete_account {bob.name}")
    _, shown, reply = await chat.resume(alice.token, kept[1]["id"])
    (changed,) = [line for line in shown if line["type"] == "message"]
    assert (changed["id"], changed["deleted"], "text" in changed) == (kept[0]["id"], True, False)
    assert changed["seq"] > kept[1]["id"]
    assert reply["seq"] >= changed["seq"]
    # From the beginning: each once, by seq, in its newest state.
    _, shown, _ = await chat.resume(alice.token, alice.position)
    assert [line["id"] for line in shown if line["type"] == "message"] == [kept[1]["id"], kept[0]["id"]]
