"""/sign_in: registers a name, or signs in under it."""

import re

import pytest

from tests.conformance.conftest import Start
from tests.harness import Chat, texts, unique


async def test_text(chat: Chat) -> None:
    client, name = await chat.text_stranger(), unique("Anna")
    assert (await client.ok(f"/sign_in {name}")).startswith(f"signed in as {name}, for the first time; ")
    again = await chat.text_stranger()
    shown, reply = await again.command(f"/sign_in {name}")
    assert (shown, reply) == (["* nothing unread"], f"+ signed in as {name}")


async def test_json(chat: Chat) -> None:
    client, name = await chat.json_stranger(), unique("Anna")
    reply = await client.ok({"cmd": "sign_in", "username": name})
    expected = {"type": "ok", "re": "sign_in", "user": name, "new": True, "invitations": [], "join_requests": []}
    assert {key: reply[key] for key in expected} == expected
    assert reply.keys() - expected.keys() == {"token", "seq", "history", "chats"}
    assert len(reply["token"]) >= 22
    assert reply["chats"] == [{"name": "main", "read": reply["chats"][0]["read"], "unread": 0, "muted": False}]
    again = await chat.json_stranger()
    second = await again.ok(f"/sign_in {name}")
    assert (second["new"], second["history"]) == (False, reply["history"])
    assert second["token"] != reply["token"]


async def test_the_alias_and_the_mark_of_a_name(chat: Chat) -> None:
    client, name = await chat.text_stranger(), unique("anna")
    assert await client.code(f"/connect @{name}") == "ok"
    assert (await client.ok("/status")).startswith(f"you are {name}; ")


async def test_a_newcomers_marker_stands_at_the_newest_message(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json_stranger()
    sent = await alice.ok("/send_all before")
    shown, reply = await bob.command(f"/sign_in {unique('bob')}")
    assert texts(shown)[-1] == "before"
    assert reply["chats"] == [{"name": "main", "read": sent["id"], "unread": 0, "muted": False}]
    assert reply["seq"] >= sent["id"]


async def test_already_signed_in(chat: Chat) -> None:
    client = await chat.json()
    assert await client.code(f"/sign_in {client.name}") == "already_signed_in"
    assert await client.code(f"/sign_in {unique('other')} password") == "already_signed_in"


# ---- passwords


async def test_an_account_with_a_password_asks_for_it_ever_after(start: Start) -> None:
    chat = start()
    await (await chat.json_stranger()).enter("/sign_in anna correct-horse")
    for _ in range(2):
        stranger = await chat.json_stranger()
        assert await stranger.code("/sign_in anna") == "password_required"
        for wrong in ("wrong", "correct-horse2", "CORRECT-HORSE", "' OR 1=1", '""', "anna"):
            assert await stranger.code({"cmd": "sign_in", "username": "ANNA", "password": wrong}) == "wrong_password"
            assert await stranger.code("/send_all in") == "not_signed_in"
            if wrong == "CORRECT-HORSE":
                break
        assert await stranger.code("/sign_in anna correct-horse") == "ok"
        await chat.close()
        chat.server.restart()


async def test_an_account_without_one_signs_in_without_any(chat: Chat) -> None:
    name = (await chat.json()).name
    assert await (await chat.json_stranger()).code(f"/sign_in {name} any") == "wrong_password"


async def test_beyond_loopback_an_account_needs_a_password(start: Start) -> None:
    chat = start("--host", "0.0.0.0")
    stranger = await chat.json_stranger()
    assert await stranger.code("/sign_in anna") == "password_required"
    assert await stranger.code("/sign_in anna secret") == "ok"
    allowed = start("--host", "0.0.0.0", "--allow-passwordless")
    assert await (await allowed.json_stranger()).code("/sign_in anna") == "ok"


async def test_many_wrong_passwords_are_slowed_down(start: Start) -> None:
    chat = start("--sign-in-tries", "3/10m")
    await (await chat.json_stranger()).enter("/sign_in bob secret")
    await (await chat.json_stranger()).enter("/sign_in anna secret")
    codes = [await (await chat.json_stranger()).code("/sign_in anna wrong") for _ in range(4)]
    assert codes == ["wrong_password"] * 3 + ["too_fast"]
    stranger = await chat.json_stranger()
    refused = await stranger.refused("/sign_in anna secret")
    assert refused["code"] == "too_fast"
    assert "retry_at" in refused
    assert await stranger.code("/sign_in bob secret") == "ok"


# ---- names

BAD_NAMES = (
    "main", "ALL", "Server", "system", "me", "you", "-a", "a-", ".a", "a.", "_", "x" * 33, "a b", "a/b", "a@b", "a#b",
    "аnna", "anna\u202e", "an\u200bna", "☃", "ma\u1d62n/", "ｍain", "a\tb", "a\x1bb",
)  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_a_bad_name(chat: Chat, name: str) -> None:
    assert await (await chat.json_stranger()).code({"cmd": "sign_in", "username": name}) == "bad_name"


@pytest.mark.parametrize(
    "name", ["a", "x" * 32, "José", "Владимир", "花子", "さくら花子", "김철수", "a.b-c_d", "7up", "Ωmega"[1:]]
)
async def test_a_good_name(chat: Chat, name: str) -> None:
    assert (await (await chat.json_stranger()).ok({"cmd": "sign_in", "username": name}))["user"] == name


@pytest.mark.parametrize(("first", "second"), [("Straße", "STRASSE"), ("Zoë", "ZOE\u0308"), ("ｗide", "wide")])
async def test_names_are_compared_after_nfkc_and_case_folding(chat: Chat, first: str, second: str) -> None:
    one, other = await chat.json_stranger(), await chat.json_stranger()
    assert (await one.ok(f"/sign_in {first}"))["new"] is True
    reply = await other.ok(f"/sign_in {second}")
    assert (reply["new"], reply["user"]) == (False, (await one.ok("/status"))["user"])


@pytest.mark.parametrize(
    ("first", "second"), [("scope", "ѕсоре"), ("hello", "he11o"), ("corn", "c0rn"), ("paypal", "раураl")]
)
async def test_a_look_alike_of_an_existing_name(chat: Chat, first: str, second: str) -> None:
    assert await (await chat.json_stranger()).code(f"/sign_in {first}") == "ok"
    assert await (await chat.json_stranger()).code(f"/sign_in {second}") == "bad_name"


async def test_many_at_once_under_one_name_are_one_account(chat: Chat) -> None:
    strangers, name = [await chat.json_stranger() for _ in range(10)], unique("anna")
    for stranger in strangers:
        await stranger.send(f"/sign_in {name}")
    replies = [(await stranger.replies(1))[0] for stranger in strangers]
    assert all(reply["type"] == "ok" for reply in replies)
    assert sum(reply["new"] for reply in replies) == 1
    assert re.fullmatch(r"[0-9a-f]+", replies[0]["history"])


async def test_right_passwords_at_once_are_no_failures(chat: Chat) -> None:
    """Someone with many devices comes back with all of them, as after a restart of the server."""
    strangers, name = [await chat.json_stranger() for _ in range(10)], unique("anna")
    await (await chat.json_stranger()).enter(f"/sign_in {name} secret")
    for stranger in strangers:
        await stranger.send(f"/sign_in {name} secret")
    replies = [(await stranger.replies(1))[0] for stranger in strangers]
    assert [reply.get("code", "ok") for reply in replies] == ["ok"] * 10


async def test_a_new_name_is_refused_where_none_is_to_be_registered(chat: Chat) -> None:
    client, name = await chat.json_stranger(), unique("typo")
    for more in ({}, {"password": "secret"}):
        refusal = await client.refused({"cmd": "sign_in", "username": name, "register": False, **more})
        assert (refusal["code"], name in refusal["text"]) == ("unknown_user", True)
    assert await (await chat.json()).code(f"/who {name}") == "unknown_user"
    assert (await client.ok({"cmd": "sign_in", "username": name, "register": True}))["new"] is True
    again = await chat.json_stranger()
    assert (await again.ok({"cmd": "sign_in", "username": name, "register": False}))["new"] is False
