"""One order: all sessions see main alike, and a reply stands where its command stands in it."""

import asyncio

import pytest

from tests.harness import Chat, Json, JsonClient, ids, messages, texts

SENDERS, EACH = 8, 150


async def _send(client: JsonClient, name: str) -> list[int]:
    """Send without waiting; the ids of the messages and of the own replies, as they came."""
    await client.send(*(f"/send_all {name} {number}" for number in range(EACH)))
    seen: list[int] = []
    while len(seen) < SENDERS * EACH:
        line = await client.next()
        if line["type"] in ("message", "ok"):
            seen.append(line["id"])
    return seen


async def test_all_sessions_see_the_same_order(chat: Chat) -> None:
    senders = [await chat.json() for _ in range(SENDERS)]
    programs, people = [await chat.json() for _ in range(3)], [await chat.text() for _ in range(3)]
    seen_by_senders = await asyncio.gather(*(_send(client, client.name) for client in senders))
    seen = [await client.roundtrip() for client in programs]
    expected = texts(seen[0])
    assert len(expected) == len(set(expected)) == SENDERS * EACH
    assert ids(seen[0]) == sorted(ids(seen[0]))
    for client in senders:
        own = [text for text in expected if text.startswith(f"{client.name} ")]
        assert own == [f"{client.name} {number}" for number in range(EACH)]
    assert all(texts(lines) == expected for lines in seen)
    for person in people:
        assert messages(await person.roundtrip()) == expected
    assert all(each == ids(seen[0]) for each in seen_by_senders), "a reply is not in its message's place"


@pytest.mark.parametrize("form", ["text", "json"])
async def test_direct_messages_and_main_keep_the_order_in_which_they_were_sent(chat: Chat, form: str) -> None:
    alice = await chat.json()
    bob = await (chat.text() if form == "text" else chat.json())
    targets = ["main" if number % 3 else bob.name for number in range(100)]
    replies = await alice.pipeline(f"/send {target} {number}" for number, target in enumerate(targets))
    lines = await bob.roundtrip()
    got = [line["text"] for line in lines if isinstance(line, dict)] or messages(map(str, lines))
    assert got == [str(number) for number in range(100)]
    assert [each["id"] for each in replies] == sorted(each["id"] for each in replies)


async def test_one_who_signs_in_meanwhile_misses_nothing_and_sees_nothing_twice(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    sending = asyncio.create_task(alice.pipeline(f"/send_all {number}" for number in range(5000)))
    arrivals: list[list[int]] = []
    while not sending.done():
        late, shown, _ = await chat.resume(bob.token, bob.position)
        pushed: list[Json] = await late.roundtrip()
        arrivals.append(ids(shown) + ids(pushed))
        await late.close()
    sent = [reply["id"] for reply in await sending]
    for seen in arrivals:
        assert seen == sent[: len(seen)]
    assert arrivals
