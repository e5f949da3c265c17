"""/delete_account: the account and its texts go; the name stays taken."""

from tests.conformance.conftest import Start
from tests.harness import Chat, soon, texts


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    other = await chat.text(alice.name)
    await alice.ok("/password secret")
    kept = await bob.ok("/send_all staying")
    sent = [await alice.ok("/send_all going"), await alice.ok(f"/send {bob.name} going too")]
    await alice.ok(f"/send_delayed {bob.name} 1h never")
    await bob.roundtrip()
    assert await alice.ok("/delete_account secret") == {"type": "ok", "re": "delete_account", "user": alice.name}
    assert (await alice.event("closing"))["code"] == "account_deleted"
    assert (await other.rest())[-1].startswith("* closing: ")
    changed = [line for line in await bob.roundtrip() if line["type"] == "message"]
    assert [(line["id"], line["deleted"], "text" in line) for line in changed] == [
        (each["id"], True, False) for each in sent
    ]
    assert [line["seq"] for line in changed] == sorted(line["seq"] for line in changed)
    assert changed[0]["seq"] > sent[1]["id"]
    returned, _ = await bob.command(f"/get_chat_with {alice.name}")
    assert [(line["id"], line.get("deleted")) for line in returned] == [(sent[1]["id"], True)]
    returned, _ = await bob.command(f"/history main around {kept['id']}")
    assert next(line for line in returned if line["id"] == kept["id"])["text"] == "staying"


async def test_a_person_is_told_in_one_line(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.text()
    await alice.ok("/send_all going")
    await bob.roundtrip()
    assert await alice.ok(f"/delete_account {alice.name}") == f"the account {alice.name} and its texts are gone"
    lines = await bob.roundtrip()
    assert len(lines) == 1
    assert lines[0].startswith("* ")
    returned, _ = await bob.command("/history main limit 1")
    assert "(deleted)" in returned[0]
    assert "going" not in returned[0]


async def test_the_name_stays_taken(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await alice.ok("/password secret")
    await alice.ok("/delete_account secret")
    stranger = await chat.json_stranger()
    for line in (f"/sign_in {alice.name}", f"/sign_in {alice.name} secret", f"/sign_in {alice.name.upper()}"):
        assert await stranger.code(line) == "bad_name", line
    assert await stranger.code(f"/resume {alice.token}") == "bad_token"
    assert await bob.code(f"/send {alice.name} hi") == "unknown_user"
    assert await bob.code(f"/who {alice.name}") == "unknown_user"
    status = await bob.ok("/status")
    assert alice.name not in status["active"] + status["inactive"]


async def test_errors(chat: Chat) -> None:
    alice = await chat.json()
    assert await alice.code("/delete_account wrong") == "wrong_password"
    await alice.ok("/password secret")
    assert await alice.code(f"/delete_account {alice.name}") == "wrong_password"
    assert await alice.code("/send_all still here") == "ok"


async def test_stays_gone_over_a_restart(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    sent = await alice.ok("/send_all a secret thing")
    await alice.ok(f"/send_delayed main {soon()} never to be said")
    await alice.ok("/delete_account alice")
    await bob.ok(f"/send_delayed main {soon()} later")
    assert (await bob.event("delayed_sent"))["message_id"]
    await chat.close()
    chat.server.restart()
    carol = await chat.json("carol")
    returned, _ = await carol.command("/history main")
    assert texts(returned) == ["later"]
    assert [line["id"] for line in returned if line.get("deleted")] == [sent["id"]]
    assert await (await chat.json_stranger()).code("/sign_in alice") == "bad_name"
