"""/reply: comments on a message, in its chat."""

import re

import pytest

from tests.conformance.conftest import Start
from tests.harness import Chat, texts, unique


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.text()
    on = (await alice.ok("/send_all lunch?")).removeprefix("sent #")
    await bob.roundtrip()
    reply = await bob.ok(f"/reply #{on} at one")
    (line,) = await alice.roundtrip()
    (id_,) = re.fullmatch(r"sent #(\d+)", reply).groups()  # type: ignore[union-attr]
    assert line[10:] == f" main {bob.name}: at one (on #{on}) (#{id_})"


async def test_what_is_answered_counts_its_replies_for_everybody_who_reads_it(chat: Chat) -> None:
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    on = (await alice.ok("/send_all lunch?"))["id"]
    replies = [(await each.ok(f"/reply {on} yes"))["id"] for each in (bob, carol, alice)]
    for each in (alice, bob, carol):
        ((shown, *_), _) = await each.command(f"/thread {on}")
        assert (shown["replies"], shown["last_reply"]) == (3, replies[-1])
    # The comment itself tells all who are there; what is answered is not sent again, and has its old seq.
    assert [line["id"] for line in await bob.roundtrip() if line["type"] == "message"] == [on, *replies[1:]]
    changed = (await alice.ok(f"/edit {on} supper?"))["message"]
    assert (changed["replies"], changed["last_reply"]) == (3, replies[-1])
    ((one,), _) = await bob.command(f"/history main around {replies[0]} limit 1")
    assert "replies" not in one and "last_reply" not in one


async def test_json(chat: Chat) -> None:
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    on = (await alice.ok("/send_all lunch?"))["id"]
    await bob.roundtrip()
    reply = await bob.ok({"cmd": "reply", "id": on, "text": "at one\nor two"})
    assert reply.keys() == {"type", "re", "id", "at"}
    fields = {"id": reply["id"], "seq": reply["id"], "at": reply["at"], "reply_to": on}
    expected = {"type": "message", "chat": "main", "from": bob.name, "text": "at one\nor two", **fields}
    assert await alice.roundtrip() == [expected]
    assert await bob.roundtrip() == []
    assert (await carol.roundtrip())[-1] == expected


@pytest.mark.parametrize("verb", ["reply", "comment", "Comment"])
async def test_aliases_between_two(chat: Chat, verb: str) -> None:
    bob, carol, name = await chat.json(), await chat.json(), unique("alice")
    alice, device = await chat.json(name), await chat.json(name)
    on = (await alice.ok(f"/send {bob.name} psst"))["id"]
    await device.event("message", id=on)
    reply = await alice.ok(f"/{verb} {on} and more")
    assert reply["re"] == "reply"
    event = await device.event("message", id=reply["id"])
    assert (event["chat"], event["reply_to"]) == (f"@{bob.name}", on)
    assert (await bob.event("message", id=reply["id"]))["chat"] == f"@{name}"
    assert await alice.roundtrip() == await carol.roundtrip() == []


async def test_for_who_is_offline(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    on = (await bob.ok("/send_all question"))["id"]
    await bob.close()
    await alice.ok(f"/reply {on} answer")
    back = await chat.json_stranger()
    shown, _ = await back.command(f"/sign_in {bob.name}")
    assert (texts(shown), shown[-1]["reply_to"]) == (["answer"], on)


async def test_errors(chat: Chat) -> None:
    alice, bob, stranger = await chat.json(), await chat.json(), await chat.json()
    secret = (await alice.ok(f"/send {bob.name} psst"))["id"]
    hidden, nothing = await stranger.refused(f"/reply {secret} hi"), await stranger.refused("/reply 99999999 hi")
    assert hidden["code"] == "unknown_message"
    assert hidden == {**nothing, "text": nothing["text"].replace("99999999", str(secret))}
    await alice.ok(f"/delete {secret}")
    assert await bob.code(f"/reply {secret} hi") == "unknown_message"
    on = (await bob.ok("/send_all hi"))["id"]
    assert await bob.code(f"/reply {on} {'x' * 4097}") == "too_large"


async def test_an_account_that_is_gone_gets_no_comments(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    between = (await bob.ok(f"/send {alice.name} psst"))["id"]
    own = (await alice.ok(f"/send {bob.name} psst"))["id"]
    public = (await bob.ok("/send_all hi"))["id"]
    await bob.ok(f"/delete_account {bob.name}")
    assert await alice.code(f"/reply {own} hi") == "unknown_user"
    # Its own texts are gone, and with them what could be commented on.
    assert [await alice.code(f"/reply {id_} hi") for id_ in (between, public)] == ["unknown_message"] * 2


async def test_the_same_key_comments_once(start: Start) -> None:
    chat = start("--report-limit", "1")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    on, other = (await alice.ok("/send_all hi"))["id"], (await alice.ok("/send_all there"))["id"]
    command = {"cmd": "reply", "id": on, "text": "yes", "key": "k1"}
    first = await bob.ok(command)
    await chat.close()
    chat.server.kill()
    chat.server.start()
    bob = await chat.json("bob")
    assert await bob.ok(command) == first
    assert await bob.code({**command, "id": other}) == await bob.code({**command, "text": "no"}) == "bad_argument"
    assert await bob.code({"cmd": "send_all", "text": "yes", "key": "k1"}) == "bad_argument"
    await (await chat.json("carol")).ok("/report bob")
    assert await bob.ok(command) == first, "the key is looked up before the ban"
    assert await bob.code({**command, "key": "k2"}) == "banned"
    assert await bob.code("/reply 99999 hi") == "banned"
    shown, _ = await bob.command("/history main")
    assert texts(shown) == ["hi", "there", "yes"]


async def test_comments_count_in_the_limit_of_main(start: Start) -> None:
    chat = start("--main-rate-limit", "2/1h")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    on = (await alice.ok("/send_all hi"))["id"]
    await alice.ok(f"/reply {on} one")
    refused = await alice.refused(f"/reply {on} two")
    assert (refused["code"], "retry_at" in refused) == ("rate_limited", True)
    assert await alice.code("/send_all two") == "rate_limited"
    assert texts(await bob.roundtrip()) == ["hi", "one"]
    direct = (await alice.ok("/send bob psst"))["id"]
    assert await alice.code(f"/reply {direct} as many as one likes") == "ok"
    # A change is no message.
    assert [await alice.code(f"/{line}") for line in (f"edit {on} x", f"react {on} +1", f"delete {on}")] == ["ok"] * 3


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    on = (await alice.ok("/send_all hi"))["id"]
    sent = await alice.ok(f"/reply {on} there")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    shown, _ = await (await chat.json("bob")).command("/history main")
    assert [(line["id"], line.get("reply_to")) for line in shown] == [(on, None), (sent["id"], on)]
