"""Operators: how one becomes one, deleting any message, and that every act is recorded."""

from pathlib import Path

import pytest

from chat_server.protocol.table import TABLE
from tests.conformance.conftest import Start
from tests.conformance.operating import SECRET, done, json_operator, refused, text_operator

LINES = {
    "ban": "/ban bob", "unban": "/unban bob", "ban_address": "/ban_address 192.0.2.7",
    "unban_address": "/unban_address 192.0.2.7", "banned_addresses": "/banned_addresses",
    "kick": "/kick bob", "reports": "/reports", "announce": "/announce hi",
    "stats": "/stats",
}  # fmt: skip


def test_no_command_is_left_out() -> None:
    assert LINES.keys() == {verb for verb, spec in TABLE.items() if spec.who == "operators"}


async def test_only_operators_may(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, bob = await json_operator(chat), await chat.json("bob")
    for line in LINES.values():
        assert await bob.code(line) == "forbidden", line
    assert "operator" not in await bob.ok("/status")
    for line in LINES.values():
        assert await boss.code(line) == "ok", line
    assert (await boss.ok("/status"))["operator"] is True
    assert (await (await text_operator(chat)).ok("/status")).startswith("you are boss, an operator; ")


@pytest.mark.parametrize("how", ["option", "environment", "file"])
async def test_named_by_the_settings_as_long_as_they_name(start: Start, how: str, tmp_path: Path) -> None:
    config = tmp_path / "chat.toml"
    config.write_text('operator = ["boss", "chief"]\n' if how == "file" else "")
    options = ("--operator", "boss", "--operator", "CHIEF") if how == "option" else ()
    environment = {"CHAT_CONFIG": str(config)} | ({"CHAT_OPERATOR": "boss, chief"} if how == "environment" else {})
    chat = start(*options, **environment)
    for name in ("boss", "chief"):
        assert await (await json_operator(chat, name)).code("/stats") == "ok"
    await chat.close()
    chat.server.options = ("--command-rate", "off")
    config.write_text("")
    chat.server.environment.pop("CHAT_OPERATOR", None)
    chat.server.restart()
    assert await (await json_operator(chat)).code("/stats") == "forbidden"


async def test_an_operator_deletes_any_message_and_is_told_nothing_of_it(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, anna, bob = await json_operator(chat), await chat.json("anna"), await chat.json("bob")
    in_main = (await anna.ok("/send_all spam"))["id"]
    private = (await anna.ok("/send bob hidden"))["id"]
    await boss.roundtrip(), await bob.roundtrip()
    assert await bob.code(f"/delete {in_main}") == "forbidden"
    assert await boss.code("/history @bob") == "ok"
    assert await boss.code(f"/thread {private}") == "unknown_message"
    for id_ in (in_main, private):
        _, reply = await boss.command(f"/delete {id_}")
        # Of main, which the operator is in, also what is left of the message.
        assert reply.keys() == {"type", "re", "id", "seq"} | ({"message"} if id_ == in_main else set())
        for reader in (anna, bob):
            event = await reader.event("message", id=id_)
            assert event["deleted"] and "text" not in event
        assert await boss.code(f"/delete {id_}") == "unknown_message"
    assert await boss.code("/delete 999") == "unknown_message"
    assert await boss.roundtrip() == []


async def test_every_act_is_recorded_for_ever(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, bob = await json_operator(chat), await chat.json("bob")
    id_ = (await bob.ok("/send_all hi"))["id"]
    own = (await boss.ok("/send_all own"))["id"]
    for line in ("/ban bob 1h rude", "/unban bob", "/unban bob", "/kick bob why not", "/announce noon", "/reports",
                 f"/delete {id_}", f"/delete {own}"):  # fmt: skip
        await boss.ok(line)
    await boss.code("/ban nobody")
    await chat.close()
    chat.server.kill()
    chat.server.start()
    *acts, end = done(chat.server, "audit").splitlines()
    assert end == "5 acts"
    said = [act.split(" ", 1)[1] for act in acts]
    assert said[0].startswith("boss ban bob (until ") and said[0].endswith(": rude)")
    assert said[1:] == [
        "boss unban bob", "boss kick bob (why not)", "boss announce (noon)", f"boss delete bob (#{id_})"
    ]  # fmt: skip


async def test_named_by_the_command(start: Start) -> None:
    chat = start("--operator", "boss")
    await (await chat.json("bob")).close()
    assert refused(chat.server, "operator", "add", "bob").startswith("password_required: ")
    assert done(chat.server, "password", "bob", said=f"{SECRET}\n").startswith("bob has a new password")
    bob = await json_operator(chat, "bob")
    assert await bob.code("/stats") == "forbidden"
    assert done(chat.server, "operator", "add", "bob") == "bob is an operator now\n"
    assert await bob.code("/stats") == "ok"
    await chat.close()
    chat.server.restart()
    bob = await json_operator(chat, "bob")
    assert await bob.code("/stats") == "ok"
    assert done(chat.server, "operator", "list").splitlines() == [
        "bob  by the command",
        "boss  by the settings  (has no account yet: whoever registers the name is the operator)",
        "2 operators",
    ]
    assert done(chat.server, "operator", "remove", "bob") == "bob is no operator now\n"
    assert await bob.code("/stats") == "forbidden"
    assert refused(chat.server, "operator", "remove", "bob").startswith("bad_argument: ")
    await chat.server.logged("has no account")


async def test_help_shows_them_behind_all_others(start: Start) -> None:
    text = await start().text("bob")
    items, _ = await text.command("/help")
    assert items[-2:] == [
        "  Operators  /ban  /unban  /ban_address  /unban_address  /banned_addresses",
        "             /kick  /reports  /announce  /stats",
    ]
