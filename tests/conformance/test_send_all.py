"""/send_all: to everyone, in main."""

import re

from tests.conformance.conftest import Start
from tests.harness import Chat, texts, unique


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.text()
    reply = await alice.ok("/send_all hi  there ")
    (line,) = await bob.roundtrip()
    number = reply.removeprefix("sent #")
    assert re.fullmatch(rf"\[\d\d:\d\d:\d\d\] main {alice.name}: hi  there  \(#{number}\)", line)
    assert await alice.roundtrip() == []


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    reply = await alice.ok({"cmd": "send_all", "text": "two\nlines"})
    assert reply == {"type": "ok", "re": "send_all", "id": reply["id"], "at": reply["at"]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", reply["at"])
    message = {"type": "message", "chat": "main", "from": alice.name, "text": "two\nlines"}
    assert await bob.roundtrip() == [{**message, "id": reply["id"], "seq": reply["id"], "at": reply["at"]}]


async def test_a_line_break_cannot_forge_a_line(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.text()
    sent = await alice.ok({"cmd": "send_all", "text": "one\n+ sent #1\n\n* x"})
    first, *more = await bob.roundtrip()
    assert first.endswith(f" main {alice.name}: one (#{sent['id']})")
    assert more == ["    | + sent #1", "    | ", "    | * x"]


async def test_ids_grow(chat: Chat) -> None:
    alice = await chat.json()
    sent = [await alice.ok("/send_all again") for _ in range(3)]
    assert sent[0]["id"] < sent[1]["id"] < sent[2]["id"]


async def test_errors(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    assert await alice.code({"cmd": "send_all", "text": "x" * 4097}) == "too_large"
    assert await alice.code({"cmd": "send_all", "text": "x" * 4096}) == "ok"
    assert texts(await bob.roundtrip()) == ["x" * 4096]


async def test_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice = await chat.json()
    sent = await alice.ok("/send_all for ever")
    await chat.close()
    chat.server.restart()
    bob = await chat.json(unique("bob"))
    returned, _ = await bob.command("/history main")
    assert [(each["id"], each["at"], each["text"]) for each in returned] == [(sent["id"], sent["at"], "for ever")]
