"""Lines: every way in which one can be bad, labels, quotes, the JSON form, and the end of a connection."""

import json

import pytest

from tests.harness import Chat, TextClient, texts, unique

LINE_MAX, STRANGER_LINE_MAX, UNENDED_MAX = 64 << 10, 4 << 10, 1 << 20


async def answers(client: TextClient, data: bytes, count: int) -> list[str]:
    """The replies to these bytes: exactly so many, since the pong of a ping that follows comes next."""
    await client.send_bytes(data)
    lines = await client.lines(count)
    assert await client.roundtrip() == []
    return lines


def codes(lines: list[str]) -> list[str]:
    return [line[2:].partition(":")[0] if line.startswith("- ") else line for line in lines]


# ---- ends, lengths, encodings


async def test_lines_end_with_lf_or_crlf_and_empty_ones_are_ignored(chat: Chat) -> None:
    stranger = await chat.text_stranger()
    assert await answers(stranger, b"/ping a\r\n\r\n\n\n/ping b\n", 2) == ["+ pong a", "+ pong b"]


async def test_however_the_bytes_are_cut(chat: Chat) -> None:
    stranger = await chat.text_stranger()
    for byte in "/ping ä\r\n\n/nope\n/ping b\n".encode():
        await stranger.send_bytes(bytes([byte]))
    assert codes(await stranger.lines(3)) == ["+ pong ä", "unknown_command", "+ pong b"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
async def test_too_long_before_signing_in(chat: Chat, end: bytes) -> None:
    stranger = await chat.text_stranger()
    longest = b"/ping ".ljust(STRANGER_LINE_MAX - len(end), b"x")
    assert (await answers(stranger, longest + end, 1))[0].startswith("+ pong xxx")
    assert codes(await answers(stranger, longest + b"x" + end, 1)) == ["line_too_long"]


@pytest.mark.parametrize("size", [LINE_MAX, LINE_MAX + 1, 5 * LINE_MAX, UNENDED_MAX - 1])
async def test_too_long_after_signing_in(chat: Chat, size: int) -> None:
    alice, bob = await chat.text(), await chat.json()
    longest = b"/ping ".ljust(LINE_MAX - 1, b"x") + b"\n"
    assert (await answers(alice, longest, 1))[0].startswith("+ pong xxx")
    # What stands behind the limit is thrown away too, though it looks like a command.
    too_long = b"/send_all ".ljust(size - 16, b"x") + b" /send_all secret"[: size - LINE_MAX + 17]
    assert codes(await answers(alice, too_long.ljust(LINE_MAX, b"x") + b"\n/ping\n", 2)) == ["line_too_long", "+ pong"]
    assert await bob.roundtrip() == []


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_mebibyte_without_an_end_closes(chat: Chat, form: str) -> None:
    stranger = await (chat.text_stranger() if form == "text" else chat.json_stranger())
    await stranger.send_bytes(b"x" * (UNENDED_MAX + 1))
    (line,) = await stranger.rest()
    if form == "text":
        assert line.startswith("* closing: ")
    else:
        assert json.loads(line)["type"] == "closing"
        assert json.loads(line)["code"] == "line_too_long"


async def test_the_last_line_comes_though_more_was_sent_than_is_read(chat: Chat) -> None:
    stranger = await chat.text_stranger()
    await stranger.send_bytes(b"x" * 8 * UNENDED_MAX)
    (line,) = await stranger.rest()
    assert line.startswith("* closing: ")
    alice = await chat.text()
    other = await chat.text(alice.name)
    await alice.send_bytes(b"/ping\n" * (UNENDED_MAX // 6))
    await other.ok("/sign_out all")
    assert (await alice.rest())[-1].startswith("* closing: ")


@pytest.mark.parametrize(
    "bad",
    [
        b"/ping \xff",
        b"/ping \xc3",
        b"/ping \xed\xa0\x80",
        b"/ping \xc0\xaf",
        b"/ping \0",
        b"\0",
        b"/ping a\rb",
        b"\r\r",
    ],
)
@pytest.mark.parametrize("signed_in", [False, True])
async def test_bad_encoding(chat: Chat, bad: bytes, signed_in: bool) -> None:
    client = await (chat.text() if signed_in else chat.text_stranger())
    lines = await answers(client, bad + b"\n/ping ok\n", 2)
    assert codes(lines) == ["bad_encoding", "+ pong ok"]


async def test_a_bad_line_executes_nothing(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.json()
    lines = await answers(alice, b"/send_all a\0b\n/send_all a\rb\n/send_all \xff\n@l /send_all \0\n", 4)
    assert codes(lines) == ["bad_encoding"] * 4
    assert await bob.roundtrip() == []


# ---- commands


async def test_a_verb_is_case_insensitive(chat: Chat) -> None:
    assert await (await chat.text_stranger()).ok("/PiNg") == "pong"


@pytest.mark.parametrize(
    ("line", "hint"), [("/send_al hi", "/send_all"), ("/SEND_ALLL", "/send_all"), ("/pin", "/ping")]
)
async def test_an_unknown_verb_names_the_nearest(chat: Chat, line: str, hint: str) -> None:
    _, reply = await (await chat.text_stranger()).command(line)
    assert reply.startswith("- unknown_command: ")
    assert f"did you mean {hint}?" in reply


@pytest.mark.parametrize(
    "line", ["hi", "@7f hi", "[1]", "* x", "+ x", "@" + "l" * 33 + " /ping", "@a/b /ping", " /ping"]
)
async def test_anything_else_is_not_a_command(chat: Chat, line: str) -> None:
    stranger = await chat.text_stranger()
    (reply,) = await answers(stranger, line.encode() + b"\n", 1)
    assert reply.startswith(
        "- not_a_command: commands start with /; to talk to everyone: /send_all <text>, or /talk main and just type"
    )


async def test_labels(chat: Chat) -> None:
    stranger = await chat.text_stranger()
    longest = "aZ09_.-".ljust(32, "x")
    lines = await answers(stranger, f"@7f /ping\n@{longest} /ping x\n@n /nope\n@s /status\n/ping\n".encode(), 5)
    assert lines[:2] == ["+ @7f pong", f"+ @{longest} pong x"]
    assert lines[2].startswith("- @n unknown_command: ")
    assert lines[3].startswith("- @s not_signed_in: ")
    assert lines[4] == "+ pong"


async def test_quotes(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.json()
    assert await alice.ok('/ping "two words"') == "pong two words"
    assert await alice.code(f'/send "{bob.name}" "as it is"  "') == "ok"
    assert texts(await bob.roundtrip()) == ['"as it is"  "']
    assert await alice.code('/ping "open') == "bad_argument"
    assert await alice.code('/who ""') == "bad_argument"


async def test_an_id_may_have_its_mark(chat: Chat) -> None:
    alice = await chat.json()
    sent = (await alice.ok("/send_all hi"))["id"]
    for written in (str(sent), f"#{sent}"):
        assert (await alice.ok(f"/read main {written}"))["id"] == sent
        assert (await alice.ok({"cmd": "read", "chat": "main", "id": written}))["id"] == sent
    assert (await alice.ok({"cmd": "read", "chat": "main", "id": sent}))["id"] == sent
    for bad in ("-1", "x", "1.5", "##1", "9" * 20, "١"):
        assert await alice.code(f"/read main {bad}") == "bad_argument", bad


@pytest.mark.parametrize(
    "line", ["/ping a b", "/status x y", "/format", "/format xml", "/history main limit x", "/read main"]
)
async def test_a_wrong_argument_answers_with_the_usage(chat: Chat, line: str) -> None:
    _, reply = await (await chat.text()).command(line)
    assert reply.startswith("- bad_argument: ")
    assert f"usage: {line.split()[0]}" in reply


# ---- the JSON form


async def test_a_json_command_on_a_text_connection(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.json()
    reply = await alice.ok({"cmd": "SEND_ALL", "text": "two\nlines"})
    assert reply.startswith("sent #")
    assert texts(await bob.roundtrip()) == ["two\nlines"]
    (reply,) = await answers(alice, b'{"cmd":"ping","label":"7f","word":null}\n', 1)
    assert reply == "+ @7f pong"


@pytest.mark.parametrize(
    "line",
    [
        "{", "{}", "{]",
        '{"cmd":"ping"', '{"cmd":"ping"} x', '{"cmd":"ping",}', '{"cmd":5}', '{"cmd":null}', "{'cmd':1}",
        '{"cmd":"ping","label":"a b"}', '{"cmd":"ping","label":7}', '{"cmd":"ping","label":""}', '{"cmd":"ping","x":1}',
        '{"cmd":"ping","word":[]}', '{"cmd":"ping","word":5}', '{"cmd":"sign_in"}', '{"cmd":"format","format":true}',
        '{"cmd":"ping","word":"\t"}', '{"cmd":"ping","word":"\\x"}', '{"cmd":"ping","word":NaN}',
        '{"a":' * 500, '{"a":' * 700 + "[" * 500,
        '{"cmd":"resume","token":"x","position":1e400}', '{"cmd":"resume","token":"x","position":1.5}',
        '{"cmd":"resume","token":"x","position":' + "9" * 300 + "}", '{"cmd":"resume","token":"x","position":-1}',
    ],
)  # fmt: skip
async def test_malformed_json(chat: Chat, line: str) -> None:
    stranger = await chat.text_stranger()
    assert codes(await answers(stranger, line.encode() + b"\n", 1)) == ["bad_argument"]


async def test_an_unknown_json_command(chat: Chat) -> None:
    stranger = await chat.json_stranger()
    assert (await stranger.refused({"cmd": "snd_all"}))["code"] == "unknown_command"


async def test_deep_json_does_no_harm(chat: Chat) -> None:
    alice = await chat.text()
    assert (
        codes(await answers(alice, b'{"a":' * 13_000 + b"\n" + b'{"a":' + b"[" * 60_000 + b"\n", 2))
        == ["bad_argument"] * 2
    )


# ---- what texts may hold


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("a\x07\x08\x0b\x0c\x7fb", "ab"),
        ("a\x80\x9b\x9fb", "ab"),
        ("a\u202eb\u202ac\u2066d\u2069e", "abcde"),
        ("a\tb", "a\tb"),
        ("a\u2028b\u2029c", "a\nb\nc"),
        ("👩‍👩‍👧 é العربية", "👩‍👩‍👧 é العربية"),
    ],
)
async def test_control_characters_are_removed(chat: Chat, sent: str, stored: str) -> None:
    alice, bob = await chat.json(), await chat.json()
    await alice.ok(f"/send_all {sent}")
    await alice.ok({"cmd": "send_all", "text": sent})
    await alice.ok({"cmd": "send", "target": bob.name, "text": sent})
    await alice.send(json.dumps({"cmd": "send_all", "text": sent}, ensure_ascii=False))
    await alice.roundtrip()
    assert texts(await bob.roundtrip()) == [stored] * 4


async def test_nothing_of_a_text_is_control_for_a_person(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.text()
    await alice.ok({"cmd": "send_all", "text": "a\r\nb\x1b]0;x\x07\u2028- c"})
    first, *more = await bob.roundtrip()
    assert " a (#" in first
    assert more == ["    | b]0;x", "    | - c"]


@pytest.mark.parametrize("empty", ["\x1b", "\u202e \u2069", "\u2028\u2029", "\t\n", "\u00a0", "\x07 \x07"])
async def test_a_text_that_is_empty_without_them_is_refused(chat: Chat, empty: str) -> None:
    alice = await chat.json()
    for command in ({"cmd": "send_all"}, {"cmd": "send_delayed", "target": "main", "delay": 60}):
        assert await alice.code({**command, "text": empty}) == "bad_argument"


@pytest.mark.parametrize(
    "line", ["/\x1b[31m", "/who \x1b[31m\u202e", "/help \x9b", "/ping \x1b", "/send \x1b hi", '{"\\u001b":1}']
)
async def test_what_is_said_back_has_no_control(chat: Chat, line: str) -> None:
    _, reply = await (await chat.text()).command(line) if line[0] == "/" else (0, (await _said(chat, line)))
    assert reply.isprintable()


async def _said(chat: Chat, line: str) -> str:
    client = await chat.text()
    await client.send(line)
    return await client.line()


@pytest.mark.parametrize("text", ["\\ud800", "a\\udc00b", "\\ud83d"])
async def test_a_lone_surrogate_harms_nobody(chat: Chat, text: str) -> None:
    alice, bob = await chat.json(), await chat.json()
    await alice.send(f'{{"cmd":"send_all","text":"{text}"}}', "/ping")
    first, second = await alice.next(), await alice.next()
    assert first["type"] == "ok" or first["code"] in ("bad_argument", "bad_encoding")
    assert second["re"] == "ping"
    assert all(not "\ud800" <= char <= "\udfff" for said in texts(await bob.roundtrip()) for char in said)


# ---- the end


async def test_half_close_executes_and_answers_everything(chat: Chat) -> None:
    watcher = await chat.json()
    client, name = await chat.text_stranger(), unique("printf")
    client.writer.write(f"/sign_in {name} secret\n/send_all hi\n/status\n/quit_not\n/ping last\n".encode())
    lines = await client.end()
    finals = [line for line in lines if line.startswith(("+ ", "- "))]
    assert finals[0].startswith(f"+ signed in as {name}")
    assert finals[1].startswith("+ sent #")
    assert finals[2].startswith(f"+ you are {name}")
    assert [*codes(finals[3:4]), *finals[4:]] == ["unknown_command", "+ pong last"]
    assert lines[-1] == "+ pong last"
    assert texts(await watcher.roundtrip()) == ["hi"]


async def test_half_close_after_hundreds_of_lines(chat: Chat) -> None:
    client, name = await chat.text_stranger(), unique("printf")
    numbers = range(2000)
    client.writer.write(f"/sign_in {name}\n".encode() + b"".join(b"/ping %d\n" % number for number in numbers))
    lines = await client.end()
    assert [line for line in lines if line.startswith("+ pong")] == [f"+ pong {number}" for number in numbers]


@pytest.mark.parametrize("last", ["/send_all never", "/ping never", "never", "\0", '{"cmd":"ping"}'])
async def test_an_unended_last_line_is_not_executed(chat: Chat, last: str) -> None:
    watcher, client = await chat.json(), await chat.text()
    client.writer.write(f"/ping first\n{last}".encode())
    assert await client.end() == ["+ pong first"]
    assert await watcher.roundtrip() == []


@pytest.mark.parametrize("hidden", ["\u3164", "\u2800", "\u200e", "\ufff9", "\U000e0041", "\ue000"], ids=ascii)
async def test_nothing_that_cannot_be_seen_is_said(chat: Chat, hidden: str) -> None:
    alice = await chat.json()
    await alice.ok(f"/create_chat #{unique('Team').lower()}")
    (team,) = [each["name"] for each in (await alice.ok("/status"))["chats"] if each["name"] != "main"]
    id_ = (await alice.ok("/send_all hi"))["id"]
    for line in (f"/send_all {hidden}", f"/edit {id_} {hidden}", f"/react {id_} {hidden}", f"/react {id_} +{hidden}",
                 f"/topic {team} {hidden}", f"/send_file main {hidden} 1", f"/reply {id_} {hidden}"):  # fmt: skip
        assert await alice.code(line) == "bad_argument", line
    for name in (hidden, f"a{hidden}b", f"ab{hidden}"):
        assert await alice.code(f"/create_chat #{name}") == "bad_name"
        assert await (await chat.json_stranger()).code(f"/sign_in {name}") == "bad_name"
