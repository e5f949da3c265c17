"""Exactly one final reply to each command, in the order in which they were sent."""

import asyncio

import pytest

from tests.harness import Chat, Json, unique

# A line, and the kind of its reply.
MIXED = [
    ("/ping", True),
    ("/send_all hi", True),
    ("/status", True),
    ("/nope", False),
    ("/history main limit 5", True),
    ("/send nobody hi", False),
    ("/messages main", True),
    ("/read main 1", True),
    ("/talk", True),
    ("/help", True),
    ("/help nope", False),
    ("/who nobody", False),
    ("/send_delayed main 1h later", True),
    ("/delayed", True),
    ("/cancel_delayed 999999", False),
    ("/sign_in other", False),
    ("/presence off", True),
    ("/sessions", True),
    ("/password", False),
    ("/resume x", False),
    ("not a command", False),
]
TIMES = 25


async def test_text(chat: Chat) -> None:
    client = await chat.text()
    lines = [f"@{number} {line}" for number, (line, _) in enumerate(MIXED * TIMES) if line.startswith("/")]
    await client.send(*lines, "/ping end")
    finals: list[str] = []
    while (line := await client.line()) != "+ pong end":
        if line.startswith(("+ ", "- ")):
            finals.append(line)
    done = [done for line, done in MIXED * TIMES if line.startswith("/")]
    assert [line.split()[:2] for line in finals] == [
        ["+" if well else "-", line.split()[0]] for line, well in zip(lines, done, strict=True)
    ]


async def test_json_while_others_talk(chat: Chat) -> None:
    """Returned lines have the label of their command, and stand before its reply; pushed ones never have one."""
    client, others = await chat.json(), [await chat.json() for _ in range(3)]
    talking = [asyncio.create_task(other.pipeline(f"/send_all {n}" for n in range(500))) for other in others]
    lines = [
        (f"@{number} {line}", number, done) for number, (line, done) in enumerate(MIXED * TIMES) if line.startswith("/")
    ]
    await client.send(*(line for line, _, _ in lines))
    pushed: list[Json] = []
    for _, number, done in lines:
        while (line := await client.next())["type"] not in ("ok", "error"):
            assert line.get("label", str(number)) == str(number)
            if "label" not in line:
                pushed.append(line)
        assert (line["label"], line["type"]) == (str(number), "ok" if done else "error"), line
    await asyncio.gather(*talking)
    pushed += await client.roundtrip()
    seen = [line["id"] for line in pushed]
    assert len(seen) == 1500
    assert seen == sorted(set(seen))


async def test_a_reply_names_its_command(chat: Chat) -> None:
    client = await chat.json()
    assert (await client.ok("/PING"))["re"] == "ping"
    assert (await client.refused("/whois nobody"))["re"] == "who"
    await client.send("/nope", "nope")
    assert "re" not in await client.next()
    assert (await client.next())["code"] == "not_a_command"


async def test_those_in_flight_are_answered_each_by_its_own(chat: Chat) -> None:
    client = await chat.json()
    asked = [{"cmd": verb, **fields, "label": f"{number}-{verb}"} for number in range(20) for verb, fields in (
        ("send_all", {"text": "hi"}), ("read", {"chat": "main", "id": 1}), ("mute", {"chat": "main"}), ("away", {}),
    )]  # fmt: skip
    replies = await client.pipeline(asked)
    assert [(line["re"], line["label"]) for line in replies] == [(each["cmd"], each["label"]) for each in asked]


async def test_commands_before_and_after_a_sign_in_keep_their_order(chat: Chat) -> None:
    client, name = await chat.json_stranger(), unique("alice")
    await client.send("/send_all a", f"/sign_in {name} secret", "/send_all b", "/sign_out", "/send_all c", "/ping")
    replies = [reply.get("code", "ok") for reply in await client.replies(6)]
    assert replies == ["not_signed_in", "ok", "ok", "ok", "not_signed_in", "ok"]


@pytest.mark.parametrize("command", ["/password {0} new", "/sign_out all"])
async def test_what_takes_long_holds_back_the_later_ones(chat: Chat, command: str) -> None:
    client, name = await chat.json_stranger(), unique("alice")
    await client.send(f"/sign_in {name} secret", command.format("secret"), "/ping 1", "/ping 2")
    finals = await client.replies(4)
    assert [line["re"] for line in finals] == ["sign_in", command[1:].split()[0], "ping", "ping"]
    assert all(line["type"] == "ok" for line in finals)
