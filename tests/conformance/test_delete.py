"""/delete: takes a message of one's own away."""

from tests.conformance.conftest import Start
from tests.harness import Chat, ids, messages, texts, unique


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.text()
    id_ = (await alice.ok("/send_all oops")).removeprefix("sent #")
    (before,) = await bob.roundtrip()
    assert await alice.ok(f"/delete #{id_}") == f"changed #{id_}"
    assert await bob.roundtrip() == [before.replace("oops", "(deleted)")]
    assert await alice.roundtrip() == []


async def test_json_on_every_device(chat: Chat) -> None:
    bob, stranger, name = await chat.json(), await chat.json(), unique("alice")
    alice, device = await chat.json(name), await chat.json(name)
    sent = await alice.ok(f"/send {bob.name} oops")
    await alice.ok(f"/edit {sent['id']} ooops")
    await bob.ok(f"/react {sent['id']} 👍")
    for client in (alice, device, bob):
        await client.roundtrip()
    reply = await alice.ok({"cmd": "delete", "id": sent["id"]})
    changed = reply.pop("message")
    assert reply == {"type": "ok", "re": "delete", "id": sent["id"], "seq": sent["id"] + 3}
    for client, other in ((device, bob.name), (bob, name)):
        deleted = {"type": "message", "id": sent["id"], "seq": reply["seq"], "chat": f"@{other}", "from": name,
                   "at": sent["at"], "deleted": True}  # fmt: skip
        assert await client.roundtrip() == [deleted]
        assert client is bob or changed == deleted
    assert await alice.roundtrip() == await stranger.roundtrip() == []


async def test_the_text_is_gone_and_the_message_keeps_its_place(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    sent = [(await alice.ok(f"/send {bob.name} {text}"))["id"] for text in ("one", "two", "three")]
    await alice.ok(f"/delete {sent[1]}")
    shown, _ = await bob.command(f"/history {alice.name}")
    assert (ids(shown), texts(shown)) == (sent, ["one", "three"])
    shown, _ = await bob.command(f"/messages {alice.name}")
    assert ids(shown) == sent


async def test_errors(chat: Chat) -> None:
    alice, bob, stranger = await chat.json(), await chat.json(), await chat.json()
    main, secret = (await alice.ok("/send_all hi"))["id"], (await alice.ok(f"/send {bob.name} psst"))["id"]
    assert [await bob.code(f"/delete {id_}") for id_ in (main, secret)] == ["forbidden"] * 2
    hidden, nothing = await stranger.refused(f"/delete {secret}"), await stranger.refused("/delete 99999999")
    assert hidden["code"] == "unknown_message"
    assert hidden == {**nothing, "text": nothing["text"].replace("99999999", str(secret))}
    await alice.ok(f"/delete {main}")
    for client in (alice, bob):
        assert await client.code(f"/delete {main}") == "unknown_message"


async def test_a_banned_user_may_still_take_back_what_is_theirs(start: Start) -> None:
    chat = start("--report-limit", "1")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    own, other = (await alice.ok("/send_all hi"))["id"], (await bob.ok("/send_all hi"))["id"]
    await bob.ok("/report alice")
    assert await alice.code(f"/delete {other}") == "forbidden"
    assert await alice.code(f"/delete {own}") == "ok"


async def test_what_is_missed_comes_once_by_seq(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    one, two = [(await alice.ok(f"/send_all {text}"))["id"] for text in ("one", "two")]
    await bob.event("message", id=two)
    await bob.close()
    three = (await alice.ok("/send_all three"))["id"]
    for id_ in (three, one):
        await alice.ok(f"/delete {id_}")
    _, shown, reply = await chat.resume(bob.token, two)
    assert [(line["id"], line["deleted"]) for line in shown] == [(three, True), (one, True)]
    _, shown, _ = await chat.resume(bob.token, reply["seq"])
    assert shown == []


async def test_a_newcomer_sees_that_something_was_there(chat: Chat) -> None:
    alice = await chat.json()
    await alice.ok(f"/delete {(await alice.ok('/send_all oops'))['id']}")
    stranger = await chat.text_stranger()
    shown, _ = await stranger.command(f"/sign_in {unique('newcomer')}")
    assert messages(shown)[-1] == "(deleted)"


async def test_stays_over_a_restart_and_nothing_of_the_text_is_kept(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    id_ = (await alice.ok("/send_all oops"))["id"]
    await alice.ok(f"/delete {id_}")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    (message,) = (await (await chat.json("bob")).command("/history main"))[0]
    assert (message["id"], message["deleted"], "text" in message) == (id_, True, False)
