"""/format: what the connection receives, its own reply included."""

import json

from tests.conformance.verbs import VERBS
from tests.harness import Chat


async def test_there_and_back(chat: Chat) -> None:
    client = await chat.text_stranger()
    await client.send(
        "/ping", "@1 /format json", "/ping", "/nope", "@2 /format TEXT", "/ping", '{"cmd":"format","format":"json"}'
    )
    lines = await client.lines(7)
    assert lines[0] == "+ pong"
    assert json.loads(lines[1])["label"] == "1"
    assert json.loads(lines[2]) == {"type": "ok", "re": "ping"}
    assert json.loads(lines[3])["code"] == "unknown_command"
    assert lines[4] == "+ @2 you receive text from now on"
    assert lines[5] == "+ pong"
    assert json.loads(lines[6])["re"] == "format"


async def test_what_a_program_is_told(chat: Chat) -> None:
    client = await chat.json()
    told = await client.ok("/format json example-client")
    assert (told["server"], told["protocol"]) == ("chat-server", 1)
    assert told["version"]
    assert {each["verb"] for each in told["commands"]} >= VERBS
    for each in told["commands"]:
        assert each["usage"].startswith(f"/{each['verb']}")
        assert each["help"]
        assert all(argument.keys() >= {"name", "kind", "required"} for argument in each["arguments"])
    aliases = {each["verb"]: each["aliases"] for each in told["commands"]}
    assert "connect" in aliases["sign_in"]
    assert set(aliases["quit"]) == {"close", "exit"}
    assert {"send_to", "msg", "w"} <= set(aliases["send"])
    assert told["limits"]["text_max"] == 4096
    assert (await client.ok("/sessions"))["sessions"][0]["client"] == "example-client"


async def test_what_is_pushed_has_the_form_of_its_time(chat: Chat) -> None:
    alice, client = await chat.json(), await chat.text()
    await alice.ok("/send_all one")
    await client.roundtrip()
    await alice.ok("/ping")
    await client.ok("/read main 0")
    await client.send("/format json")
    await client.line()
    await alice.ok("/send_all two")
    assert json.loads(await client.line())["text"] == "two"
    await client.send("/format text")
    assert (await client.line()).startswith("+ ")
    await alice.ok("/send_all three")
    assert " three (#" in await client.line()


async def test_nothing_is_lost_by_switching(chat: Chat) -> None:
    alice, client = await chat.json(), await chat.json()
    await alice.send(*(f"/send_all {number}" for number in range(300)))
    seen: list[str] = []
    await client.send(*(f"/format {form}" for form in ("text", "json") * 30), "/ping end")
    while len(seen) < 300:
        line = await client.line()
        if line.startswith("["):
            seen.append(line.split(": ")[1].split(" (#")[0])
        elif line.startswith('{"type":"message"'):
            seen.append(json.loads(line)["text"])
    assert seen == [str(number) for number in range(300)]
