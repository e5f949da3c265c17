"""`mentions`: whom a text calls by name."""

from tests.conformance.conftest import Start
from tests.harness import Chat, soon


async def test_they_stand_in_the_message_wherever_it_is_shown(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    sent = await alice.ok(f"/send_all hi @{bob.name.upper()}, @nobody and me@{alice.name}")
    pushed = await bob.event("message")
    assert pushed["mentions"] == [bob.name]
    ((read,), _) = await bob.command(f"/history main around {sent['id']} limit 1")
    assert read == pushed
    _, shown, _ = await chat.resume(bob.token, bob.position)
    assert shown == [pushed]


async def test_where_no_user_is_named_the_field_is_absent(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await alice.ok("/send_all hi @nobody")
    assert "mentions" not in await bob.event("message")


async def test_comments_edits_delayed_ones_and_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    sent = await alice.ok({"cmd": "send_all", "text": f"one\n@{bob.name}"})
    await alice.ok(f"/reply {sent['id']} @{bob.name}")
    await alice.ok(f"/send {bob.name} @{bob.name}")
    await alice.ok(f"/send_delayed {bob.name} {soon(0.1)} @{bob.name}")
    for _ in range(4):
        assert (await bob.event("message"))["mentions"] == [bob.name]
    await alice.ok(f"/edit {sent['id']} @{alice.name}")
    assert (await bob.event("message"))["mentions"] == [alice.name]
    await alice.ok(f"/edit {sent['id']} nobody")
    assert "mentions" not in await bob.event("message")


async def test_who_is_not_in_the_chat_is_not_called(chat: Chat) -> None:
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    sent = await alice.ok(f"/send {bob.name} @{carol.name}")
    assert (await bob.event("message"))["mentions"] == []
    ((read,), _) = await bob.command(f"/history {alice.name} around {sent['id']} limit 1")
    assert read["mentions"] == []
    assert await carol.roundtrip() == []


async def test_who_has_blocked_the_author_is_not_called(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await bob.ok(f"/block {alice.name}")
    sent = await alice.ok(f"/send_all @{bob.name}")
    assert (await bob.event("message"))["mentions"] == []
    changed = (await alice.ok(f"/edit {sent['id']} @{bob.name} again"))["message"]
    assert changed["mentions"] == (await bob.event("message"))["mentions"] == []


async def test_over_a_restart(start: Start) -> None:
    chat = start()
    alice, _ = await chat.json("alice"), await chat.json("Bob")
    await alice.ok("/send_all @bob")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    ((read,), _) = await (await chat.json("Bob")).command("/history main")
    assert read["mentions"] == ["Bob"]
