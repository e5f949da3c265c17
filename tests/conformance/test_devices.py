"""Several connections of one user: each receives everything, the sending one only its reply."""

import json

from tests.conformance.conftest import Start
from tests.harness import Chat, JsonClient, ids, soon, texts, unique


async def test_the_sending_session_gets_its_reply_and_the_others_the_message(chat: Chat) -> None:
    bob, name = await chat.json(), unique("alice")
    sending, program, person = await chat.json(name), await chat.json(name), await chat.text(name)
    sent = [await sending.ok("/send_all hi"), await sending.ok(f"/send {bob.name} psst")]
    assert await sending.roundtrip() == []
    pushed = await program.roundtrip()
    assert [(line["id"], line["chat"], line["from"]) for line in pushed] == [
        (sent[0]["id"], "main", name),
        (sent[1]["id"], f"@{bob.name}", name),
    ]
    first, second = await person.roundtrip()
    assert first[10:] == f" main {name}: hi (#{sent[0]['id']})"
    assert second[10:] == f" to @{bob.name}: psst (#{sent[1]['id']})"
    assert [line["chat"] for line in await bob.roundtrip()] == ["main", f"@{name}"]


async def test_what_others_send_reaches_all(chat: Chat) -> None:
    bob, name = await chat.json(), unique("alice")
    one, other = await chat.json(name), await chat.json(name)
    await bob.ok("/send_all hi")
    await bob.ok(f"/send {name} psst")
    assert await one.roundtrip() == await other.roundtrip() != []


async def _read_event(reading: JsonClient, other: JsonClient, line: str, chat: str, id_: int) -> None:
    await reading.command(line)
    assert await reading.roundtrip() == []
    assert await other.roundtrip() == [{"type": "read", "chat": chat, "id": id_}], line


async def test_read_markers_follow(chat: Chat) -> None:
    bob, name = await chat.json(), unique("alice")
    reading, other, person = await chat.json(name), await chat.json(name), await chat.text(name)
    sent = [await bob.ok(f"/send {target} hi") for target in ("main", name, "main", name)]
    for client in (reading, other, person):
        assert len(await client.roundtrip()) == 4
    # What a person's window has shown is read too, once something is typed there: that is the pings of `roundtrip`.
    for client in (reading, other):
        assert [await client.event("read") for _ in range(2)] == [
            {"type": "read", "chat": "main", "id": sent[2]["id"]},
            {"type": "read", "chat": f"@{bob.name}", "id": sent[3]["id"]},
        ]
    await person.close()
    first, second, third = [await bob.ok(f"/send {target} hi") for target in ("main", "main", name)]
    for client in (reading, other):
        await client.roundtrip()
    await _read_event(reading, other, f"/read main {first['id']}", "main", first["id"])
    await _read_event(reading, other, "/messages main", "main", second["id"])
    await _read_event(reading, other, f"/get_chat_with {bob.name}", f"@{bob.name}", third["id"])
    # Backwards, or where it stands already: nothing to tell.
    await reading.ok(f"/read main {sent[0]['id']}")
    await reading.command("/messages main")
    assert await other.roundtrip() == []


async def test_a_read_event_is_no_line_for_a_person(chat: Chat) -> None:
    bob, name = await chat.json(), unique("alice")
    reading, person = await chat.json(name), await chat.text(name)
    sent = await bob.ok("/send_all hi")
    await reading.ok(f"/read main {sent['id']}")
    assert len(await person.roundtrip()) == 1


async def test_a_ban_is_told_to_all(start: Start) -> None:
    chat = start("--report-limit", "1")
    one, other, person = await chat.json("mallory"), await chat.json("mallory"), await chat.text("mallory")
    await (await chat.json("bob")).ok("/report mallory")
    for client in (one, other):
        (event,) = await client.roundtrip()
        assert event["type"] == "banned"
    (line,) = await person.roundtrip()
    assert line.startswith("* you are banned until ")
    for each in (one, other, person):
        assert await each.code("/send_all hi") == "banned"


async def test_a_delayed_message_is_told_to_all(chat: Chat) -> None:
    bob, name = await chat.json(), unique("alice")
    one, other = await chat.json(name), await chat.json(name)
    delayed = await one.ok(f"/send_delayed {bob.name} {soon()} hi")
    told = [await client.event("delayed_sent") for client in (one, other)]
    assert (
        told[0] == told[1] == {"type": "delayed_sent", "id": delayed["delayed_id"], "message_id": told[0]["message_id"]}
    )
    assert [ids(await client.roundtrip()) for client in (one, other, bob)] == [[told[0]["message_id"]]] * 3


async def test_text_and_json_and_many(chat: Chat) -> None:
    name = unique("alice")
    sessions = [await chat.json(name) for _ in range(20)]
    for number, session in enumerate(sessions):
        await session.ok(f"/send_all {number}")
    for number, session in enumerate(sessions):
        assert texts(await session.roundtrip()) == [str(other) for other in range(20) if other != number]


async def test_the_session_that_moved_a_marker_is_not_told_of_it(chat: Chat) -> None:
    """`read` goes to the same user's other sessions."""
    bob, alice = await chat.json(), await chat.text()
    await bob.ok("/send_all hi")
    await alice.line()
    await alice.send("/format json", "/read main 0")
    assert [json.loads(line)["type"] for line in await alice.lines(2)] == ["ok", "ok"]
