"""/preference: what clients keep with an account, for all of its user's devices."""

from tests.conformance.conftest import Start
from tests.harness import Chat, unique


async def test_all_devices_follow_at_once_and_text_says_nothing_of_it(chat: Chat) -> None:
    name = unique("alice")
    one, other, person = await chat.json(name), await chat.json(name), await chat.text(name)
    assert await one.ok("/preference level:#ops all") == {
        "type": "ok", "re": "preference", "name": "level:#ops", "value": "all",
    }  # fmt: skip
    assert await other.event("preference") == {"type": "preference", "name": "level:#ops", "value": "all"}
    await other.ok({"cmd": "preference", "name": "level:#ops"})
    assert await one.event("preference") == {"type": "preference", "name": "level:#ops"}
    assert await person.roundtrip() == []
    assert await person.ok("/preference ignore:bob Bob") == "ignore:bob is “Bob” on all your devices"
    assert await person.ok("/preference ignore:bob") == "ignore:bob is not kept any more"


async def test_each_sign_in_and_resume_tells_all_before_the_messages(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    await alice.ok("/preference ignore:bob Bob")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    await (await chat.json("bob")).ok("/send_all hello")
    assert bob.token
    again = await chat.json_stranger()
    shown, reply = await again.command("/sign_in alice")
    assert [line["type"] for line in shown] == ["preferences", "notice", "message"]
    assert shown[0]["preferences"] == {"ignore:bob": "Bob"}
    _, resumed, _ = await chat.resume(alice.token, reply["seq"] - 1)
    assert [line["type"] for line in resumed] == ["preferences", "message"]
    person = await chat.text_stranger()
    said, _ = await person.command("/sign_in alice")
    assert not any("ignore" in line for line in said)
