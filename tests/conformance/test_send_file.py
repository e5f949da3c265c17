"""/send_file: opening an upload, going on with it, and what is refused before any data."""

from tests.conformance.conftest import Start
from tests.conformance.uploads import bytes_of, chunk, digest, fetch, only, open_upload, send_file, send_rest
from tests.harness import Chat, unique

DATA = bytes_of(100_000)


async def test_json(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    reply = await alice.ok({"cmd": "send_file", "target": bob.name, "name": "../a b.png", "size": len(DATA)})
    assert reply == {"type": "ok", "re": "send_file", "upload": reply["upload"], "received": 0}
    sent = await send_rest(alice, reply, DATA)
    file = {"id": sent["file"]["id"], "name": "a b.png", "size": len(DATA), "sha256": digest(DATA)}
    assert sent["file"] == file
    assert await bob.roundtrip() == [
        {"type": "message", "id": sent["id"], "seq": sent["id"], "chat": f"@{alice.name}", "from": alice.name,
         "at": sent["at"], "text": "a b.png", "file": file}
    ]  # fmt: skip
    assert await alice.roundtrip() == [], "who sent it has the ok"


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.text()
    opened = await alice.ok(f'/send_file {bob.name} "my photo.png" 5')
    number = int(opened.removeprefix("upload "))
    sent = await alice.ok(chunk(number, b"hello"))
    assert sent.startswith("sent #") and sent.endswith(f": file my photo.png, 5 bytes; /get_file {number}")
    (line,) = await bob.roundtrip()
    id_ = sent.split()[1][:-1]
    assert line.endswith(f"@{alice.name}: file my photo.png, 5 bytes; /get_file {number} ({id_})")


async def test_errors(chat: Chat) -> None:
    alice = await chat.json()
    for line, code in (
        ("main a.png 5242881", "too_large"),
        ("main a.png 0", "bad_argument"),
    ):
        assert await alice.code(f"/send_file {line}") == code, line


async def test_goes_on_after_a_lost_connection(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    opened = await open_upload(alice, bob.name, "a.bin", DATA)
    await alice.ok(chunk(opened["upload"], DATA[:30_000]))
    alice.reset()
    again = await chat.json(alice.name)
    assert await again.code(chunk(opened["upload"], DATA[:10])) == "unknown_upload"
    assert await open_upload(again, bob.name, "a.bin", DATA) == {**opened, "received": 30_000}
    sent = await send_rest(again, {**opened, "received": 30_000}, DATA)
    assert (await fetch(bob, f"/get_file {sent['file']['id']}"))[0] == DATA


async def test_two_connections_do_not_mix(chat: Chat) -> None:
    one = await chat.json()
    other = await chat.json(one.name)
    opened = await open_upload(one, "main", unique("a"), DATA)
    await one.ok(chunk(opened["upload"], DATA[:10]))
    name = (await open_upload(one, "main", unique("b"), DATA))["upload"]
    taken = await open_upload(other, "main", f"a{0}", DATA)
    assert taken["upload"] not in (opened["upload"], name)
    mixed = {"cmd": "send_file", "target": "main", "name": "same", "size": len(DATA), "sha256": digest(DATA)}
    first, second = await one.ok(mixed), await other.ok(mixed)
    assert first == second
    refused = await one.refused(chunk(first["upload"], DATA[:10]))
    assert (refused["code"], "/send_file" in refused["text"]) == ("unknown_upload", True)
    sent = await send_rest(other, second, DATA)
    assert (await fetch(one, f"/get_file {sent['file']['id']}"))[0] == DATA


async def test_goes_on_after_a_restart_and_a_kill(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    opened = await open_upload(alice, "main", "a.bin", DATA)
    await alice.ok(chunk(opened["upload"], DATA[:30_000]))
    for end in (chat.server.terminate, chat.server.kill):
        await chat.close()
        end()
        chat.server.start()
        alice = await chat.json("alice")
        assert await open_upload(alice, "main", "a.bin", DATA) == {**opened, "received": 30_000}
    sent = await send_rest(alice, {**opened, "received": 30_000}, DATA)
    await chat.close()
    chat.server.restart()
    alice = await chat.json("alice")
    assert (await fetch(alice, f"/get_file {sent['file']['id']}"))[0] == DATA
    (message,), _ = await alice.command("/history main")
    assert message["file"] == sent["file"]
    await only(chat.server, [digest(DATA)], [])


async def test_a_key(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    asked = {"cmd": "send_file", "target": bob.name, "name": "a", "size": 5, "key": "k"}
    opened = await alice.ok(asked)
    assert await alice.ok(asked) == opened
    sent = await alice.ok(chunk(opened["upload"], b"hello"))
    assert await alice.ok(asked) == {**sent, "re": "send_file"}
    assert await alice.code({**asked, "size": 6}) == "bad_argument"
    assert len(await bob.roundtrip()) == 1


async def test_a_key_of_an_upload_under_way_is_taken(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    asked = {"cmd": "send_file", "target": bob.name, "name": "a", "size": 5, "key": "k"}
    opened = await alice.ok(asked)
    message = {"cmd": "send", "target": bob.name, "text": "hi", "key": "k"}
    delayed = {**message, "cmd": "send_delayed", "delay": "1h"}
    for other in (message, delayed, {**asked, "size": 6}):
        assert await alice.code(other) == "bad_argument"
    sent = await alice.ok(chunk(opened["upload"], b"hello"))
    assert (await alice.ok(asked))["id"] == sent["id"]
    # Of one that ended without a message it is free again.
    cancelled = await alice.ok({**asked, "key": "l"})
    assert await alice.code({**message, "key": "l"}) == "bad_argument"
    await alice.ok(f"/cancel_upload {cancelled['upload']}")
    assert await alice.code({**message, "key": "l"}) == "ok"


async def test_an_upload_to_a_chat_ends_with_it_whatever_is_called_so_later(chat: Chat) -> None:
    alice, bob, room = await chat.json(), await chat.json(), unique("#r")
    await alice.ok(f"/create_chat {room}")
    opened = await alice.ok(f"/send_file {room} a 5")
    await alice.ok(f"/leave {room}")
    await bob.ok(f"/create_chat {room}")
    await bob.ok(f"/invite {room} {alice.name}")
    await alice.ok(f"/join {room}")
    assert await alice.code(chunk(opened["upload"], b"hello")) == "unknown_upload"
    assert (await alice.command(f"/history {room}"))[0] == []


async def test_the_quota_and_the_size_can_be_set(start: Start) -> None:
    chat = start("--file-size-max", "10", "--file-quota", "15")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    limits = (await alice.ok("/format json"))["limits"]
    assert (limits["file_size_max"], limits["file_quota"]) == (10, 15)
    assert await alice.code("/send_file main a 11") == "too_large"
    sent = await send_file(alice, "main", "a", b"0123456789")
    waiting = await alice.ok("/send_file main b 5")
    refused = await alice.refused("/send_file main c 1")
    assert refused["code"] == "too_large" and "/delete" in refused["text"]
    assert (await alice.ok("/status"))["limits"]["file_bytes"] == {"used": 15, "max": 15}
    assert await bob.code("/send_file main c 1") == "ok"
    await alice.ok(f"/cancel_upload {waiting['upload']}")
    await alice.ok(f"/delete {sent['id']}")
    assert await alice.code("/send_file main d 10") == "ok"


async def test_it_counts_in_the_limit_of_main(start: Start) -> None:
    chat = start("--main-rate-limit", "2/1h")
    alice = await chat.json("alice")
    await send_file(alice, "main", "a", b"hello")
    waiting = await alice.ok("/send_file main b 5")
    await alice.ok("/send_all hi")
    refused = await alice.refused("/send_file main c 5")
    assert refused["code"] == "rate_limited" and refused["retry_at"]
    assert await alice.code(chunk(waiting["upload"], b"hello")) == "rate_limited"
    assert (await alice.refused("/send_all ho"))["retry_at"] == refused["retry_at"]
