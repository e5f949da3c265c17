"""What the tests of private chats share."""

from typing import Any

from tests.harness import Chat, JsonClient, unique


async def make_room(owner: JsonClient, *members: JsonClient) -> str:
    """A new private chat with these in it, who were told all there was to tell."""
    room = unique("#room")
    await owner.ok(f"/create_chat {room}")
    for member in members:
        await owner.ok(f"/invite {room} {member.name}")
        await member.ok(f"/join {room}")
    for client in (owner, *members):
        await client.roundtrip()
    return room


async def room_of(chat: Chat, *names: str) -> tuple[str, list[JsonClient]]:
    """A private chat of new users; the first one owns it."""
    clients = [await chat.json(name or None) for name in names]
    return await make_room(*clients), clients


async def code_for(client: JsonClient, room: str) -> str:
    return str((await client.ok(f"/invite_link {room}"))["code"])


async def chats_of(client: JsonClient) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in (await client.ok("/status"))["chats"]}


async def outside(client: JsonClient, room: str, line: str) -> None:
    """To who is not in the chat it answers as if there were none."""
    there, none = await client.refused(line.format(room)), await client.refused(line.format("#none"))
    assert there["code"] == "unknown_chat"
    assert there == {**none, "text": none["text"].replace("#none", room)}, line
