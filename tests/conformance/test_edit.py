"""/edit: changes the text of a message of one's own."""

from tests.conformance.conftest import Start
from tests.harness import Chat, ids, messages, texts, unique


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.text()
    id_ = (await alice.ok("/send_all helo")).removeprefix("sent #")
    (before,) = await bob.roundtrip()
    assert await alice.ok(f"/edit #{id_} hello there") == f"changed #{id_}"
    assert await bob.roundtrip() == [before.replace("helo", "hello there (edited)")]
    assert await alice.roundtrip() == []


async def test_json_on_every_device(chat: Chat) -> None:
    bob, stranger, name = await chat.json(), await chat.json(), unique("alice")
    alice, device, person = await chat.json(name), await chat.json(name), await chat.text(name)
    for target, chats in (("main", ("main", "main")), (bob.name, (f"@{bob.name}", f"@{name}"))):
        sent = await alice.ok(f"/send {target} helo")
        for client in (device, person, bob, stranger):
            await client.roundtrip()
        reply = await alice.ok({"cmd": "edit", "id": sent["id"], "text": "hello\nthere"})
        changed = reply.pop("message")
        assert reply == {"type": "ok", "re": "edit", "id": sent["id"], "seq": reply["seq"]}
        assert reply["seq"] > sent["id"]
        for client, seen_as in ((device, chats[0]), (bob, chats[1])):
            (event,) = [line for line in await client.roundtrip() if line["type"] == "message"]
            assert client is bob or changed == event
            edited = event.pop("edited")
            assert sent["at"] <= edited and len(edited) == len(sent["at"])
            assert event == {
                "type": "message", "id": sent["id"], "seq": reply["seq"], "chat": seen_as, "from": name,
                "at": sent["at"], "text": "hello\nthere",
            }  # fmt: skip
        where = f"main {name}" if target == "main" else f"to @{bob.name}"
        first, more = await person.roundtrip()
        assert (first[10:], more) == (f" {where}: hello (edited) (#{sent['id']})", "    | there")
        assert ids(await alice.roundtrip()) == []
        assert len(await stranger.roundtrip()) == (target == "main")


async def test_it_is_no_new_message(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    id_ = (await alice.ok(f"/send {bob.name} one"))["id"]
    await bob.ok(f"/read {alice.name} {id_}")
    await alice.ok(f"/edit {id_} two")
    _, reply = await bob.command(f"/messages {alice.name}")
    assert reply["unread"] == 0
    shown, _ = await bob.command(f"/history {alice.name}")
    assert (ids(shown), texts(shown)) == ([id_], ["two"])


async def test_errors(chat: Chat) -> None:
    alice, bob, stranger = await chat.json(), await chat.json(), await chat.json()
    main, secret = (await alice.ok("/send_all hi"))["id"], (await alice.ok(f"/send {bob.name} psst"))["id"]
    assert [await bob.code(f"/edit {id_} mine") for id_ in (main, secret)] == ["forbidden"] * 2
    hidden, nothing = await stranger.refused(f"/edit {secret} x"), await stranger.refused("/edit 99999999 x")
    assert hidden["code"] == "unknown_message"
    assert hidden == {**nothing, "text": nothing["text"].replace("99999999", str(secret))}
    assert await alice.code(f"/edit {main} {'x' * 4097}") == "too_large"
    await alice.ok(f"/delete {main}")
    assert await alice.code(f"/edit {main} back") == "unknown_message"


async def test_what_is_missed_comes_once_by_seq(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    one, two = [(await alice.ok(f"/send_all {text}"))["id"] for text in ("one", "two")]
    for id_ in (one, two):
        await bob.event("message", id=id_)
    await bob.close()
    await alice.ok(f"/edit {two} second")
    await alice.ok(f"/edit {one} firstly")
    three = (await alice.ok("/send_all three"))["id"]
    last = await alice.ok(f"/edit {one} first")
    again, shown, reply = await chat.resume(bob.token, two)
    assert [(line["id"], line["text"]) for line in shown] == [(two, "second"), (three, "three"), (one, "first")]
    assert [line["seq"] for line in shown] == sorted(line["seq"] for line in shown)
    assert reply["seq"] == shown[-1]["seq"] == last["seq"]
    assert await again.roundtrip() == []
    _, shown, _ = await chat.resume(bob.token, reply["seq"])
    assert shown == []


async def test_a_sign_in_shows_the_newest_state(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.text()
    await bob.close()
    id_ = (await alice.ok(f"/send {bob.name} helo"))["id"]
    await alice.ok(f"/edit {id_} hello")
    back = await chat.text_stranger()
    shown, _ = await back.command(f"/sign_in {bob.name}")
    assert messages(shown) == ["hello (edited)"]


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    id_ = (await alice.ok("/send_all helo"))["id"]
    seq = (await alice.ok(f"/edit {id_} hello"))["seq"]
    await chat.close()
    chat.server.kill()
    chat.server.start()
    bob = await chat.json("bob")
    (message,) = (await bob.command("/history main"))[0]
    assert (message["seq"], message["text"], "edited" in message) == (seq, "hello", True)
    assert (await bob.ok("/send_all next"))["id"] > seq
