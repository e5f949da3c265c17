"""The life of messages: what all have read goes after its time, everywhere."""

import asyncio
import time

from tests.conformance.conftest import Start
from tests.harness import TIMEOUT_SECONDS, Chat, Client, Json, JsonClient, Server, ids, texts

TTL = ("--message-ttl", "1s")
# What the protocol allows until it is gone everywhere.
GONE_SECONDS = 10.0


async def until_gone(client: JsonClient, chat: str) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while (await client.command(f"/history {chat}"))[0]:
            pass


def in_files(server: Server, *words: str) -> set[str]:
    """Those of these words that stand in any file of the data directory."""
    data = b"".join(path.read_bytes() for path in server.data.iterdir() if path.is_file())
    return {word for word in words if word.encode() in data}


async def until_in_no_file(chat: Chat, client: Client[Json], *words: str) -> None:
    async with asyncio.timeout(GONE_SECONDS):
        while in_files(chat.server, *words):
            await client.roundtrip()


async def test_json(start: Start) -> None:
    chat = start(*TTL)
    alice, bob = await chat.json("alice"), await chat.json("bob")
    sent = [await alice.ok(f"/send_all {number}") for number in range(3)]
    read_at = time.monotonic()
    await bob.ok("/read main 3")
    for client in (alice, bob, await chat.json("bob")):
        event = await client.event("expired")
        assert event == {"type": "expired", "chat": "main", "ids": [each["id"] for each in sent]}
        assert time.monotonic() - read_at >= 1
        assert await client.command("/history main") == (
            [], {"type": "ok", "re": "history", "chat": "main", "count": 0}
        )  # fmt: skip
    for line in ("/thread 2", "/reply 2 late", "/edit 2 late", "/react 2 👍"):
        assert await alice.code(line) == "unknown_message"


async def test_both_sides_are_told_by_their_own_name_for_the_chat(start: Start) -> None:
    chat = start(*TTL)
    alice, bob, carol = await chat.json("alice"), await chat.json("bob"), await chat.json("carol")
    sent = await alice.ok("/send bob hi")
    await bob.command("/messages alice")
    assert (await alice.event("expired"))["chat"] == "@bob"
    assert await bob.event("expired") == {"type": "expired", "chat": "@alice", "ids": [sent["id"]]}
    assert await carol.roundtrip() == []
    assert await alice.code("/send bob and on it goes") == "ok"


async def test_people_are_not_bothered_with_it(start: Start) -> None:
    chat = start(*TTL)
    alice, bob = await chat.json("alice"), await chat.text("bob")
    await alice.ok("/send_all hi")
    assert len(await bob.roundtrip()) == 1
    await bob.ok("/ping")
    await alice.event("expired")
    assert await bob.roundtrip() == []
    assert await bob.ok("/history main") == "no messages in main"


async def test_what_is_unread_waits(start: Start) -> None:
    chat = start(*TTL)
    alice, bob, carol = await chat.json("alice"), await chat.json("bob"), await chat.json("carol")
    await alice.ok("/send_all one")
    await alice.ok("/send_all two")
    await bob.ok("/read main 2")
    await carol.ok("/read main 1")
    await carol.close()
    assert (await alice.event("expired"))["ids"] == [1]
    # A message of later that goes: what is read before it would have gone before it.
    third = await alice.ok("/send bob three")
    await bob.ok("/read alice 99")
    assert (await alice.event("expired"))["ids"] == [third["id"]]
    back = await chat.json_stranger()
    assert texts(await back.enter("/sign_in carol")) == ["two"]
    await back.ok("/read main 99")
    assert (await alice.event("expired"))["ids"] == [2]


async def test_a_newcomer_and_who_has_left_for_ever_hold_nothing_back(start: Start) -> None:
    chat = start(*TTL)
    alice, bob, carol = await chat.json("alice"), await chat.json("bob"), await chat.json("carol")
    await alice.ok("/send_all hi")
    await bob.ok("/read main 9")
    dora = await chat.json("dora")
    await carol.send("/delete_account carol")
    assert (await alice.event("expired"))["ids"] == [1]
    assert (await dora.event("expired"))["ids"] == [1]


async def test_who_is_absent_holds_nothing_back(start: Start) -> None:
    chat = start(*TTL, "--absent-after", "1s")
    alice, bob, _ = await chat.json("alice"), await chat.json("bob"), await chat.json("carol")
    sent_at = time.monotonic()
    await alice.ok("/send_all hi")
    await bob.ok("/read main 9")
    assert (await alice.event("expired"))["ids"] == [1]
    assert time.monotonic() - sent_at >= 2


async def test_comments_outlive_what_they_are_on_and_deletion_marks_go(start: Start) -> None:
    chat = start(*TTL)
    alice, bob = await chat.json("alice"), await chat.json("bob")
    await alice.ok("/send_all root")
    await alice.ok("/send_all to be deleted")
    await alice.ok("/delete 2")
    await alice.ok("/react 1 👍")
    await bob.ok("/read main 2")
    comment = await bob.ok("/reply 1 comment")
    assert (await alice.event("expired"))["ids"] == [1, 2]
    returned, _ = await alice.command("/history main")
    assert [(each["id"], each["reply_to"]) for each in returned] == [(comment["id"], 1)]
    returned, reply = await alice.command(f"/thread {comment['id']}")
    assert ids(returned) == [comment["id"]] and reply["comments"] == 0


async def test_resume_brings_what_is_left(start: Start) -> None:
    chat = start(*TTL)
    alice, bob = await chat.json("alice"), await chat.json("bob")
    token, position = bob.token, bob.position
    await alice.ok("/send_all one")
    await bob.ok("/read main 1")
    await alice.ok("/send_all two")
    await alice.event("expired")
    await bob.close()
    _, shown, _ = await chat.resume(token, position)
    assert texts(shown) == ["two"]


async def test_it_is_in_no_file_any_more(start: Start) -> None:
    chat = start(*TTL)
    alice, bob = await chat.json("alice"), await chat.json("bob")
    await alice.ok("/send_all FIRST-SECRET")
    await alice.ok("/send bob SECOND-SECRET " + "long " * 700)
    await alice.ok("/send_all KEPT-WORD")
    assert in_files(chat.server, "FIRST-SECRET", "SECOND-SECRET") == {"FIRST-SECRET", "SECOND-SECRET"}
    await bob.ok("/read main 1")
    await bob.ok("/read alice 99")
    await alice.event("expired", chat="main")
    await until_in_no_file(chat, alice, "FIRST-SECRET", "SECOND-SECRET")
    assert in_files(chat.server, "KEPT-WORD")


async def test_what_was_edited_or_deleted_is_in_no_file_either(start: Start) -> None:
    chat = start()
    alice = await chat.json()
    for number, word in enumerate(("EDITED-SECRET", "DELETED-SECRET"), 1):
        assert (await alice.ok(f"/send_all {word}"))["id"] == number
    await alice.ok("/edit 1 better")
    await alice.ok("/delete 2")
    await until_in_no_file(chat, alice, "EDITED-SECRET", "DELETED-SECRET")


async def test_it_goes_on_after_a_kill(start: Start) -> None:
    """Read before it, gone after it; and what was unread is still there."""
    chat = start(*TTL)
    alice, bob = await chat.json("alice"), await chat.json("bob")
    await alice.ok("/send bob READ-SECRET")
    await bob.ok("/read alice 1")
    await alice.ok("/send_all unread")
    chat.server.kill()
    await chat.close()
    chat.server.start()
    again = await chat.json("alice")
    await until_gone(again, "bob")
    await until_in_no_file(chat, again, "READ-SECRET")
    assert texts((await again.command("/history main"))[0]) == ["unread"]


async def test_a_kill_in_the_middle_leaves_nothing_half_done(start: Start) -> None:
    chat = start(*TTL)
    alice, bob = await chat.json("alice"), await chat.json("bob")
    count = 7000
    await alice.pipeline(f"/send_all {number}" for number in range(count))
    await alice.pipeline(f"/react {number} 👍" for number in range(1, count, 7))
    await bob.ok(f"/read main {count}")
    gone = set((await bob.event("expired"))["ids"])
    chat.server.kill()
    await chat.close()
    chat.server.start()
    again = await chat.json("bob")
    page, _ = await again.command("/history main after 0 limit 200")
    assert not gone & set(ids(page))
    for message in page:
        assert message["text"] == str(message["id"] - 1)
        assert ("reactions" in message) == (message["id"] % 7 == 1)
    await until_gone(again, "main")
    await alice.close()
