"""/members: who is in a private chat."""

from tests.conformance.rooms import make_room, outside, room_of
from tests.harness import Chat, unique


async def test_text(chat: Chat) -> None:
    alice, bob, room = await chat.text(), await chat.text(), unique("#room")
    await alice.ok(f"/create_chat {room}")
    await alice.ok(f"/invite {room} {bob.name}")
    await bob.ok(f"/join {room}")
    for verb in ("/members", "/names"):
        assert await bob.command(f"{verb} {room}") == (
            [f"  {alice.name} (the owner)", f"  {bob.name}"], f"+ 2 in {room}"
        )  # fmt: skip


async def test_json_as_they_came(chat: Chat) -> None:
    room, clients = await room_of(chat, "", "", "")
    names = [client.name for client in clients]
    wanted = {"type": "ok", "re": "members", "chat": room, "owner": names[0], "members": names}
    assert await clients[2].ok({"cmd": "members", "chat": room}) == wanted
    assert (await clients[2].ok(f"/members {room} {names[0]}"))["members"] == names[1:]
    await clients[1].ok(f"/delete_account {names[1]}")
    assert (await clients[2].ok(f"/members {room}"))["members"] == [names[0], names[2]]


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    room = await make_room(alice)
    await outside(bob, room, "/members {}")
    assert await alice.code(f"/members {room} {bob.name}") == "unknown_user"
