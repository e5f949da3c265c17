"""/talk: lines without a slash go there from now on."""

import pytest

from tests.harness import Chat, TextClient, texts


async def say(client: TextClient, *lines: str) -> list[str]:
    """Lines as a person types them; the replies."""
    await client.send(*lines)
    return await client.lines(len(lines))


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.json()
    assert (await alice.ok("/talk main")).startswith("talking to main")
    replies = await say(alice, "hello", "  two  spaces ", "@7f no label", "// no command", "* not forged")
    assert [reply[:8] for reply in replies[:3]] == ["+ sent #"] * 3
    assert replies[3].startswith("- unknown_command: ")
    pushed = await bob.roundtrip()
    assert texts(pushed) == ["hello", "  two  spaces ", "@7f no label", "* not forged"]
    assert {line["chat"] for line in pushed} == {"main"}
    await alice.ok("/talk")
    assert (await say(alice, "hello"))[0].startswith("- not_a_command: ")
    assert await bob.roundtrip() == []


@pytest.mark.parametrize("mark", ["", "@"])
async def test_to_a_user(chat: Chat, mark: str) -> None:
    alice, bob, carol = await chat.text(), await chat.json(), await chat.json()
    await alice.ok(f"/talk {mark}{bob.name}")
    await say(alice, "psst")
    assert [(line["chat"], line["text"]) for line in await bob.roundtrip()] == [(f"@{alice.name}", "psst")]
    assert await carol.roundtrip() == []


async def test_json(chat: Chat) -> None:
    alice = await chat.json()
    assert await alice.ok({"cmd": "talk", "target": "main"}) == {"type": "ok", "re": "talk", "target": "main"}
    await alice.send("hello")
    assert (await alice.replies(1))[0]["re"] == "send_all"
    assert await alice.ok("/talk") == {"type": "ok", "re": "talk"}


async def test_pipelined_it_holds_for_the_lines_after_it(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await alice.send("/talk main", "one", "/talk", "two", "/talk main", "three")
    assert [reply.get("code", "ok") for reply in await alice.replies(6)] == [
        "ok",
        "ok",
        "ok",
        "not_a_command",
        "ok",
        "ok",
    ]
    assert texts(await bob.roundtrip()) == ["one", "three"]


async def test_it_is_this_connections_alone_and_ends_with_the_sign_in(chat: Chat) -> None:
    alice = await chat.json()
    other = await chat.json(alice.name)
    await alice.ok("/talk main")
    await other.send("hello")
    assert (await other.replies(1))[0]["code"] == "not_a_command"
    await alice.ok("/sign_out")
    await alice.enter(f"/sign_in {alice.name}")
    await alice.send("hello")
    assert (await alice.replies(1))[0]["code"] == "not_a_command"


async def test_what_is_refused_changes_nothing(chat: Chat) -> None:
    alice = await chat.json()
    await alice.ok("/talk main")
    assert await alice.code("/talk nobody") == "unknown_user"
    await alice.send("still to main")
    assert (await alice.replies(1))[0]["re"] == "send_all"


async def test_an_empty_text(chat: Chat) -> None:
    alice = await chat.text()
    await alice.ok("/talk main")
    assert (await say(alice, "   "))[0].startswith("- bad_argument: ")


async def test_commands_mean_the_open_chat(chat: Chat) -> None:
    """By the one who did it and by the others: what is done is done in that chat."""
    alice, bob = await chat.text(), await chat.json()
    room = f"#{alice.name}s"
    await alice.ok(f"/create_chat {room}")
    await alice.ok(f"/talk {room}")
    await alice.ok(f"/invite {bob.name}")
    assert [(line["type"], line["chat"]) for line in await bob.roundtrip()] == [("invited", room)]
    await bob.ok({"cmd": "join", "chat": room})
    assert room in await alice.ok("/topic the autumn release")
    assert (await bob.roundtrip())[-1]["topic"] == "the autumn release"
    assert room in await alice.ok("/mute")
    await alice.send("/leave")
    assert (await alice.lines(1))[0].startswith(
        f"- bad_argument: which one? If you mean the open chat, say /leave {room};"
    )
    assert alice.name in (await bob.ok({"cmd": "members", "chat": room}))["members"]
    assert await bob.code({"cmd": "mute"}) == "bad_argument"
    await alice.ok("/talk")
    await alice.send("/mute")
    assert (await alice.lines(1))[0].startswith("- bad_argument: ")
