"""What someone who comes in is shown, and what moves the read markers."""

import contextlib
import re

import pytest

from tests.conformance.conftest import Start
from tests.harness import Chat, Json, JsonClient, TextClient, ids, messages, texts, unique


async def unread(chat: Chat, name: str) -> dict[str, int]:
    """What is unread by this user, as a program that signs in is told: that moves nothing."""
    client = await chat.json_stranger()
    shown, reply = await client.command(f"/sign_in {name}")
    counts = {each["name"]: each["unread"] for each in reply["chats"] if each["unread"]}
    assert shown[0].get("unread", {}) == counts
    assert len(ids(shown)) == sum(counts.values())
    await client.command("/quit")
    return counts


async def gone(observer: JsonClient, name: str) -> None:
    """Wait until this user has no connection."""
    while (await observer.ok(f"/who {name}"))["online"]:
        pass


async def person(chat: Chat, name: str) -> tuple[TextClient, list[str]]:
    """A text session that has sent nothing since its sign-in, and what that showed."""
    client = await chat.text_stranger()
    shown, _ = await client.command(f"/sign_in {name}")
    return client, shown


# ---- what is shown


async def test_a_newcomer_sees_the_last_20_of_25(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    await alice.pipeline(f"/send_all {number}" for number in range(1, 26))
    expected = [str(number) for number in range(6, 26)]
    program = await chat.json_stranger()
    shown, reply = await program.command("/sign_in bob")
    assert texts(shown) == expected
    assert ids(shown) == sorted(ids(shown))
    assert reply["new"] is True
    assert [(each["name"], each["unread"]) for each in reply["chats"]] == [("main", 0)]
    _, lines = await person(chat, "carol")
    assert messages(lines) == expected
    # Only the first time; and what was shown then counts as read.
    assert await unread(chat, "bob") == {}


async def _leave_33_unread(chat: Chat) -> tuple[JsonClient, str, str, list[str]]:
    """Thirty in main and three direct ones, mixed, for somebody who was here before and is away."""
    bob, alice = await chat.json(unique("bob")), await chat.json(unique("alice"))
    await alice.close()
    await gone(bob, alice.name)
    targets = [alice.name if number % 11 == 5 else "main" for number in range(33)]
    await bob.pipeline(f"/send {target} {number}" for number, target in enumerate(targets))
    return bob, alice.name, bob.name, [str(number) for number in range(33)]


async def test_33_unread_in_two_chats_come_back_in_order_once(chat: Chat) -> None:
    _, alice, bob, expected = await _leave_33_unread(chat)
    program = await chat.json_stranger()
    shown, reply = await program.command(f"/sign_in {alice}")
    notice, *lines = shown
    assert notice == {"type": "notice", "text": f"33 unread: main 30, @{bob} 3", "unread": {"main": 30, f"@{bob}": 3}}
    assert texts(lines) == expected
    assert ids(lines) == sorted(ids(lines))
    assert [line["chat"] for line in lines if line["text"] in ("4", "5")] == ["main", f"@{bob}"]
    assert reply["new"] is False
    assert await program.roundtrip() == []


async def test_33_unread_for_a_person(chat: Chat) -> None:
    _, alice, bob, expected = await _leave_33_unread(chat)
    client, lines = await person(chat, alice)
    assert lines[0] == f"* 33 unread: main 30, @{bob} 3"
    assert messages(lines) == expected
    assert re.fullmatch(rf"\[\S+\] @{bob}: 5 \(#\d+\)", lines[6])
    assert await client.roundtrip() == []
    await client.command("/ping")
    assert await unread(chat, alice) == {}


async def test_over_a_restart(start: Start) -> None:
    chat = start()
    _, alice, bob, expected = await _leave_33_unread(chat)
    await chat.close()
    chat.server.kill()
    chat.server.start()
    program = await chat.json_stranger()
    shown, _ = await program.command(f"/sign_in {alice}")
    assert texts(shown) == expected
    await program.ok(f"/read main {max(ids(shown))}")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    assert await unread(chat, alice) == {f"@{bob}": 3}


async def test_ones_own_messages_are_never_unread(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await alice.ok("/send_all mine")
    await alice.ok(f"/send {bob.name} mine")
    assert await unread(chat, alice.name) == {}
    assert await unread(chat, bob.name) == {"main": 1, f"@{alice.name}": 1}


# ---- programs


async def test_a_program_moves_its_marker_by_commands_alone(chat: Chat) -> None:
    bob, alice = await chat.json(), await chat.json()
    sent = [(await bob.ok(f"/send main {number}"))["id"] for number in range(30)]
    await bob.ok(f"/send {alice.name} psst")
    for command in ("/ping", "/status", "/history main limit 200", f"/send {bob.name} hi", "/send_all hi", "/who me"):
        await alice.command(command)
    await alice.close()
    assert await unread(chat, alice.name) == {"main": 30, f"@{bob.name}": 1}
    alice = await chat.json(alice.name)
    await alice.ok(f"/read main #{sent[4]}")
    assert await unread(chat, alice.name) == {"main": 25, f"@{bob.name}": 1}
    await alice.ok("/messages main")
    assert await unread(chat, alice.name) == {"main": 5, f"@{bob.name}": 1}
    await alice.ok(f"/get_chat_with {bob.name}")
    assert await unread(chat, alice.name) == {"main": 5}
    assert {each["name"]: each["unread"] for each in (await alice.ok("/status"))["chats"]} == {
        "main": 5,
        f"@{bob.name}": 0,
    }


# ---- people


@pytest.mark.parametrize("typed", ["/ping", "not a command", "/nope", '{"cmd":"ping"}', "/history main", ""])
async def test_what_a_person_was_sent_is_read_once_a_line_is_typed(chat: Chat, typed: str) -> None:
    bob, alice = await chat.json(), (await chat.text()).name
    client, _ = await person(chat, alice)
    await bob.ok("/send_all one")
    await bob.ok(f"/send {alice} two")
    await client.lines(2)
    assert await unread(chat, alice) == {"main": 1, f"@{bob.name}": 1}
    await client.send(typed, "/ping barrier")
    while await client.line() != "+ pong barrier":
        pass
    assert await unread(chat, alice) == {}


@pytest.mark.parametrize("line", ["/messages main", "/status"])
async def test_the_line_itself_finds_it_read(chat: Chat, line: str) -> None:
    """The marker moves when the line is sent, so what the line asks for is told after that."""
    bob, alice = await chat.json(), await chat.text()
    await bob.ok("/send_all shown already")
    await alice.line()
    await alice.send(line)
    told = [await alice.line()]
    while not told[-1].startswith("+ "):
        told.append(await alice.line())
    assert not any("1 unread" in each or "shown already" in each for each in told), told


async def _read_two(chat: Chat) -> tuple[JsonClient, str, TextClient]:
    """Somebody who was sent two messages and has typed nothing since."""
    bob, alice = await chat.json(), await chat.json()
    await alice.close()
    await gone(bob, alice.name)
    await bob.ok("/send_all while away")
    client, shown = await person(chat, alice.name)
    assert messages(shown) == ["while away"]
    await bob.ok("/send_all live")
    await client.line()
    return bob, alice.name, client


async def test_a_person_who_closes_in_order_has_read_it(chat: Chat) -> None:
    for how in ("close", "half-close", "quit"):
        bob, alice, client = await _read_two(chat)
        if how == "close":
            await client.close()
        elif how == "half-close":
            await client.end()
        else:
            await client.command("/quit")
            await client.rest()
        await gone(bob, alice)
        assert await unread(chat, alice) == {}, how


async def test_a_person_who_is_cut_off_is_shown_it_again(chat: Chat) -> None:
    bob, alice, client = await _read_two(chat)
    client.reset()
    await gone(bob, alice)
    assert await unread(chat, alice) == {"main": 2}


async def test_what_came_since_the_last_line_stays_unread_when_cut_off(chat: Chat) -> None:
    bob, alice, client = await _read_two(chat)
    await client.roundtrip()
    await bob.ok("/send_all after it")
    await client.line()
    client.reset()
    await gone(bob, alice)
    assert await unread(chat, alice) == {"main": 1}


@pytest.mark.parametrize("how", ["kill", "terminate"])
async def test_when_the_server_dies_what_a_person_was_sent_stays_unread(start: Start, how: str) -> None:
    chat = start()
    _, alice, client = await _read_two(chat)
    if how == "kill":
        chat.server.kill()
    else:
        chat.server.terminate()
    with contextlib.suppress(OSError):
        await client.rest()
    await chat.close()
    chat.server.start()
    assert await unread(chat, alice) == {"main": 2}


async def test_what_comes_with_the_sign_in_is_shown_once(chat: Chat) -> None:
    """A message that arrives while the unread ones are being shown."""
    bob, alice, _, expected = await _leave_33_unread(chat)
    client = await chat.json_stranger()
    await client.send(f"/sign_in {alice}")
    await bob.pipeline(f"/send_all {number}" for number in range(33, 133))
    seen: list[Json] = []
    while len(texts(seen)) < 133:
        seen.append(await client.next())
    seen += await client.roundtrip()
    assert texts(seen) == expected + [str(number) for number in range(33, 133)]
