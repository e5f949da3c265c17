"""Same key, one message."""

import pytest

from tests.conformance.conftest import Start
from tests.harness import Chat, Json, texts, unique


def command(name: str, bob: str, text: str = "hi", key: str = "k") -> Json:
    fields: dict[str, Json] = {
        "send_all": {},
        "send": {"target": bob},
        "send_delayed": {"target": bob, "delay": "1h"},
    }
    return {"cmd": name, **fields[name], "text": text, "key": key}


@pytest.mark.parametrize("name", ["send_all", "send"])
async def test_the_first_answer_comes_again_and_nothing_is_sent_again(chat: Chat, name: str) -> None:
    alice, bob = await chat.json(), await chat.json()
    first = await alice.ok(command(name, bob.name))
    assert texts(await bob.roundtrip()) == ["hi"]
    assert await alice.ok(command(name, bob.name)) == first
    assert (await alice.refused(command(name, bob.name, "other")))["code"] == "bad_argument"
    other_session = await chat.json(alice.name)
    assert await other_session.ok(command(name, bob.name)) == first
    assert await bob.roundtrip() == []


async def test_a_delayed_message_waits_once(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    first = await alice.ok(command("send_delayed", bob.name))
    assert await alice.ok(command("send_delayed", bob.name)) == first
    assert len((await alice.ok("/delayed"))["delayed"]) == 1
    assert await alice.code(command("send_delayed", bob.name, "other")) == "bad_argument"
    assert await alice.code({**command("send_delayed", bob.name), "delay": "2h"}) == "bad_argument"


async def test_pipelined_in_one_go(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    replies = await alice.pipeline([command("send_all", "")] * 50)
    assert all(reply == replies[0] for reply in replies)
    assert len(await bob.roundtrip()) == 1


async def test_another_command_or_target_is_another_content(chat: Chat) -> None:
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    await alice.ok(command("send", bob.name))
    assert await alice.code(command("send", carol.name)) == "bad_argument"
    assert await alice.code(command("send_all", "")) == "bad_argument"
    assert await alice.code(command("send", f"@{bob.name.upper()}")) == "ok"
    assert texts(await bob.roundtrip()) == ["hi"]


async def test_keys_are_each_users_own(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    first, second = await alice.ok(command("send_all", "")), await bob.ok(command("send_all", ""))
    assert first["id"] != second["id"]


async def test_a_refused_command_uses_up_no_key(chat: Chat) -> None:
    alice, name = await chat.json(), unique("later")
    assert await alice.code(command("send", name)) == "unknown_user"
    later = await chat.json(name)
    assert await alice.code(command("send", name)) == "ok"
    assert texts(await later.roundtrip()) == ["hi"]


async def test_a_key_has_1_to_64_characters(chat: Chat) -> None:
    alice = await chat.json()
    for key in ("k", "k" * 64, "ключ 🔑"):
        assert await alice.code(command("send_all", "", key=key)) == "ok"


async def test_it_is_looked_up_before_any_limit(start: Start) -> None:
    chat = start("--main-rate-limit", "1/1h", "--report-limit", "1")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    first = await alice.ok(command("send_all", ""))
    limited = await alice.refused(command("send_all", "", "more", "k2"))
    assert limited["code"] == "rate_limited"
    assert "retry_at" in limited
    assert await alice.ok(command("send_all", "")) == first
    await bob.ok("/report alice")
    assert await alice.ok(command("send_all", "")) == first
    assert await alice.code(command("send", "bob", key="k3")) == "banned"


async def test_over_a_restart(start: Start) -> None:
    chat = start()
    alice, bob = await chat.json("alice"), await chat.json("bob")
    first, delayed = await alice.ok(command("send", "bob")), await alice.ok(command("send_delayed", "bob", key="d"))
    await bob.roundtrip()
    await chat.close()
    chat.server.kill()
    chat.server.start()
    alice = await chat.json("alice")
    assert await alice.ok(command("send", "bob")) == first
    assert await alice.ok(command("send_delayed", "bob", key="d")) == delayed
    assert await alice.code(command("send", "bob", "other")) == "bad_argument"
    bob = await chat.json("bob")
    returned, _ = await bob.command("/get_chat_with alice")
    assert texts(returned) == ["hi"]
