"""--registration, --accounts-per-address and `chat-server invite`: who may make an account."""

import re

import pytest

from tests.conformance.conftest import Start
from tests.conformance.operating import done, refused, word
from tests.harness import REMOTE, Chat


def drawn(chat: Chat) -> str:
    """A code; what else is said stands on stderr."""
    ended = word(chat.server, "invite")
    assert ended.returncode == 0 and re.fullmatch(r"[\w-]{22,}\n", ended.stdout), ended
    code = ended.stdout.strip()
    assert ended.stderr.startswith("code ") and f"/sign_in <username> <password> {code}" in ended.stderr
    return code


async def test_by_invitation(start: Start) -> None:
    chat = start("--registration", "invite")
    code, other = drawn(chat), drawn(chat)
    person, program = await chat.text_stranger(), await chat.json_stranger()
    _, reply = await person.command("/sign_in alice secret")
    assert reply.startswith("- forbidden: ") and "chat-server invite" in reply
    assert await person.code("/sign_in alice secret wrong-code") == "forbidden"
    assert (await person.ok(f"/sign_in alice secret {code}")).startswith("signed in as alice, for the first time")
    refusal = await program.refused({"cmd": "sign_in", "username": "bob", "code": code})
    assert refusal["code"] == "forbidden" and "was used" in refusal["text"]
    assert (await program.ok({"cmd": "sign_in", "username": "bob", "code": other}))["new"] is True
    assert await (await chat.json_stranger()).code("/sign_in alice secret") == "ok", "who is there needs none"


async def test_codes_without_a_server_and_over_a_restart(start: Start) -> None:
    chat = start("--registration", "invite")
    first = drawn(chat)
    chat.server.terminate()
    second = drawn(chat)
    third = drawn(chat)
    lines = done(chat.server, "invite", "list").splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "3"] and lines[-1] == "3 codes to be used"
    assert done(chat.server, "invite", "revoke", "2") == "code 2 lets nobody in any more\n"
    assert refused(chat.server, "invite", "revoke", "2").startswith("bad_argument: no code 2")
    for wrong in (("revoke",), ("revoke", "x"), ("list", "1")):
        assert refused(chat.server, "invite", *wrong, status=2).startswith("say: invite")
    chat.server.start()
    codes = [
        await (await chat.json_stranger()).code(f"/sign_in u{n} x {code}") for n, code in enumerate((first, third))
    ]
    assert codes == ["ok", "ok"]
    assert await (await chat.json_stranger()).code(f"/sign_in u3 x {second}") == "forbidden"
    stored = b"".join(path.read_bytes() for path in chat.server.data.glob("chat.db*"))
    assert not any(code.encode() in stored for code in (first, second, third)), "their hashes alone are stored"


async def test_closed(start: Start) -> None:
    chat = start()
    await chat.json("alice")
    await chat.close()
    chat.server.options += ("--registration", "closed")
    chat.server.restart()
    assert "registration is closed" in word(chat.server, "invite").stderr
    stranger = await chat.json_stranger()
    assert await stranger.code("/sign_in bob secret") == "forbidden"
    assert (await stranger.ok("/format json"))["limits"]["registration"] == "closed"
    assert await stranger.code("/sign_in alice") == "ok"


async def test_accounts_per_address(start_remote: Start) -> None:
    chat = start_remote("--accounts-per-address", "2/1h")
    await chat.json("alice", source=REMOTE)
    await chat.json("bob", source=REMOTE)
    await chat.close()
    chat.server.kill()
    chat.server.start()
    stranger = await chat.json_stranger(source=REMOTE)
    refusal = await stranger.refused("/sign_in carol secret")
    assert refusal["code"] == "rate_limited" and refusal["retry_at"] and "2 accounts" in refusal["text"]
    assert await stranger.code("/sign_in alice") == "ok"
    for name, source in (("dora", "127.0.0.3"), ("emil", None), ("fritz", None), ("gero", None)):
        await chat.json(name, source=source)


async def test_one_password_at_many_accounts(start_remote: Start) -> None:
    """Each account counts for itself, and an address for all accounts that it is new to."""
    chat = start_remote("--wrong-passwords-per-address", "3/1h")
    names = ("alice", "bob", "carol", "dora")
    for name in names:
        await (await chat.json_stranger(source="127.0.0.3")).enter(f"/sign_in {name} secret")
    guesser = await chat.json_stranger(source=REMOTE)
    codes = [await guesser.code(f"/sign_in {name} guess") for name in names]
    assert codes == ["wrong_password"] * 3 + ["too_fast"]
    refusal = await (await chat.json_stranger(source=REMOTE)).refused("/sign_in alice secret")
    assert refusal["code"] == "too_fast" and refusal["retry_at"] and 3590 < refusal["retry_in"] <= 3600
    assert "3 wrong passwords came from your address" in refusal["text"]
    for source in ("127.0.0.3", "127.0.0.4"):
        assert await (await chat.json_stranger(source=source)).code("/sign_in alice secret") == "ok"
    known = await chat.json_stranger(source="127.0.0.3")
    codes = [await known.code(f"/sign_in {name} guess") for name in names]
    assert codes == ["wrong_password"] * 4, "who was there before is bound by the account's own limit alone"
    local = await chat.json_stranger()
    assert [await local.code(f"/sign_in {name} guess") for name in names] == ["wrong_password"] * 4


@pytest.mark.parametrize("way", ["registered", "signed in", "resumed"])
async def test_nobody_who_guesses_keeps_the_owner_out(start_remote: Start, way: str) -> None:
    """From where the owner was before, over a restart; and a device with a token comes in from wherever."""
    chat = start_remote("--sign-in-tries", "2/1h")
    registered = await chat.json_stranger(source="127.0.0.2" if way == "registered" else "127.0.0.3")
    await registered.enter("/sign_in alice secret")
    token = registered.token
    if way == "signed in":
        await (await chat.json_stranger(source="127.0.0.2")).enter("/sign_in alice secret")
    elif way == "resumed":
        assert await (await chat.json_stranger(source="127.0.0.2")).code(f"/resume {token}") == "ok"
    await chat.close()
    chat.server.restart()
    guesser = await chat.json_stranger(source="127.0.0.9")
    assert [await guesser.code("/sign_in alice guess") for _ in range(3)] == ["wrong_password"] * 2 + ["too_fast"]
    assert await (await chat.json_stranger(source="127.0.0.8")).code("/sign_in alice secret") == "too_fast"
    assert await (await chat.json_stranger(source="127.0.0.2")).code("/sign_in alice secret") == "ok"
    device = await chat.json_stranger(source="127.0.0.7")
    assert await device.code(f"/resume {token}") == "ok"
    assert await device.code("/password secret secret2") == "ok", "nor from what is signed in"
