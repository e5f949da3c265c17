"""/status: who is here, the chats one is in, one's limits and ban."""

from datetime import datetime

from chat_server.protocol.formats.wording import _LIMITS
from tests.conformance.conftest import Start
from tests.harness import Chat, JsonClient


async def test_json(start: Start) -> None:
    chat = start("--main-rate-limit", "20/1h")
    alice, bob, carol = await chat.json("alice"), await chat.json("Bob"), await chat.json("carol")
    await carol.ok("/quit")
    await carol.rest()
    await bob.ok("/send_all hi")
    await bob.ok("/send alice hi")
    told = await alice.ok("/status")
    assert (told["user"], told["active"], told["inactive"], told["invitations"]) == (
        "alice",
        ["alice", "Bob"],
        ["carol"],
        [],
    )
    assert [(each["name"], each["unread"]) for each in told["chats"]] == [("main", 1), ("@Bob", 1)]
    assert "ban" not in told
    assert set(told["limits"]["main_messages"]) == {"used", "max"}
    used = (await bob.ok("/status"))["limits"]["main_messages"]
    assert (used["used"], used["max"]) == (1, 20)
    assert datetime.fromisoformat(used["until"]) > datetime.fromisoformat(told["at"])


async def test_the_members_of_a_one_to_one_chat_are_told(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await alice.ok(f"/send {bob.name} hi")
    (direct,) = [each for each in (await alice.ok("/status"))["chats"] if each["name"] == f"@{bob.name}"]
    assert sorted(direct["members"]) == sorted([alice.name, bob.name])


async def test_text(start: Start) -> None:
    chat = start()
    alice, bob = await chat.text("alice"), await chat.json("bob")
    await bob.ok("/send alice hi")
    await chat.json("carol")
    await alice.roundtrip()
    await alice.ok("/read main 0")  # what was typed before it has marked the message
    lines, reply = await alice.command("/status")
    assert reply == "+ you are alice; 3 online, 0 offline"
    assert lines[:2] == ["  online: alice, bob, carol", "  offline: nobody"]
    assert [line.split()[-3:] for line in lines[2:4]] == [["main:", "all", "read"], ["@bob:", "all", "read"]]
    assert (await alice.command("/status carol"))[0][:2] == ["  online: nobody", "  offline: nobody"]


async def test_online_is_told_of_all_users_connections(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    other = await chat.json(bob.name)
    assert await _online(alice, bob.name)
    await bob.ok("/quit")
    await bob.rest()
    assert await _online(alice, bob.name)
    await other.ok("/sign_out")
    assert not await _online(alice, bob.name)


async def _online(client: JsonClient, name: str) -> bool:
    told = await client.ok("/status")
    assert (name in told["active"]) != (name in told["inactive"])
    return name in told["active"]


async def test_over_a_restart(start: Start) -> None:
    chat = start()
    alice, _ = await chat.json("alice"), await chat.json("bob")
    await alice.ok("/send bob hi")
    before = await alice.ok("/status")
    await chat.close()
    chat.server.restart()
    after = await (await chat.json("alice")).ok("/status")
    assert (after["active"], after["inactive"], after["chats"]) == (["alice"], ["bob"], before["chats"])


async def test_every_limit_is_told_in_words(chat: Chat) -> None:
    """Each limit that a program is told has a name for people."""
    alice = await chat.json()
    limits = (await alice.ok("/status"))["limits"]
    assert limits.keys() <= _LIMITS.keys() and all("_" not in words for words in _LIMITS.values())
    person = await chat.text()
    await person.ok("/send_all hi")
    items, _ = await person.command("/status")
    assert any(item.startswith("  stored texts: ") for item in items)
