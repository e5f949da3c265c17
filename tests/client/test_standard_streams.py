"""Streams that are closed, full, or of another encoding: one clear line, a status that tells what was done, no loss."""

import asyncio
import os
import signal
from collections.abc import Mapping
from typing import cast

import pytest

from chat_client import standard_streams
from chat_client.plain import script
from chat_client.sdk.chat import Chat
from chat_client.sdk.errors import Disconnected
from chat_client.signals import EndedBySignal, until_ended
from tests.client.conftest import Home
from tests.harness import TIMEOUT_SECONDS


async def shell(
    home: Home, line: str, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] = {}
) -> tuple[int, str, str]:
    """A line of a shell, in which `$@` is the client of bob, who may not have an account yet."""
    if {"--send", "--follow"} & set(arguments):
        arguments = ("--register", *arguments)
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", line, "sh", *home.arguments("--register", *arguments, user="bob"),
        env=home.environment | dict(environment),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(TIMEOUT_SECONDS):
        out, error = await process.communicate(stdin)
    assert process.returncode is not None and b"Traceback" not in out + error
    return process.returncode, out.decode(errors="backslashreplace"), error.decode(errors="backslashreplace")


async def said(home: Home) -> list[str]:
    alice = await home.chat.json("alice")
    lines, _ = await alice.command("/history main")
    await alice.close()
    return [line["text"] for line in lines]


@pytest.mark.thorough
async def test_send_says_what_was_done_whatever_is_closed_or_full(home: Home) -> None:
    forms = [">&-", "2>&-", "<&-", ">&- 2>&-", ">/dev/full", "2>/dev/full", ">&- 2>&- <&-"]
    for number, form in enumerate(forms):
        assert (await shell(home, f'"$@" {form}', "--send", "main", f"text {number}"))[0] == 0, form
    assert await said(home) == [f"text {number}" for number in range(len(forms))], "each once"
    for form in (">&-", "2>&-", ">/dev/full", "2>/dev/full"):
        assert (await shell(home, f'"$@" {form}', "--send", "nobody", "text"))[0] == 1, form
    status, out, error = await shell(home, '"$@" <&-', "--send", "main")
    assert (status, out, error) == (2, "", "chat-client: there is nothing to send: stdin is closed\n")


@pytest.mark.parametrize("mode", [("--follow", "main"), ("--plain",)])
async def test_what_cannot_be_printed_is_told(home: Home, mode: tuple[str, ...]) -> None:
    status, _, error = await shell(home, '"$@" >&-', *mode)
    assert (status, error) == (2, "chat-client: stdout is closed: there is nowhere to print to\n")
    assert (await shell(home, '"$@" >&- 2>&-', *mode))[0] == 2
    if mode == ("--plain",):
        status, out, error = await shell(home, '"$@" >/dev/full', *mode, stdin=b"hi\n")
        assert (status, error) == (5, "chat-client: cannot write to stdout: No space left on device\n")
        status, out, error = await shell(home, '"$@" <&-', *mode)
        assert (status, error) == (0, "") and "* connected to" in out


async def test_lines_that_are_not_utf_8_are_told_and_the_others_sent(home: Home) -> None:
    status, out, _ = await shell(home, '"$@"', "--plain", stdin="one\ncaf\udce9\nüé\n".encode(errors="surrogateescape"))
    assert status == 1 and "- line 2 is not UTF-8: not sent\n" in out
    assert await said(home) == ["one", "üé"]


async def test_arguments_that_are_not_utf_8(home: Home) -> None:
    for arguments, words in [
        (("--send", "main", "caf\udce9"), "the text is not UTF-8"),
        (("--send", "caf\udce9", "x"), "the word behind --send is not UTF-8"),
        (("--user", "caf\udce9", "--send", "main", "x"), "the word behind --user is not UTF-8"),
        (("--bogus\udce9",), "unrecognized arguments"),
        (("--config", "caf\udce9", "--send", "main", "x"), "cannot read caf"),
    ]:
        status, out, error = await shell(home, '"$@"', *arguments)
        assert (status, out) == (2, "") and words in error and error.count("\n") == 1, arguments


async def test_in_a_locale_of_iso_8859_1(home: Home) -> None:
    """Python is told of it directly: few machines have such a locale."""
    settings = home.folder / ".config/chat-client"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text("downloads = '/tmp/\N{SNOWMAN}'\n", encoding="utf-8")
    environment = {"PYTHONIOENCODING": "iso-8859-1", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert (await shell(home, '"$@"', "--send", "main", "snow \N{SNOWMAN}", environment=environment))[0] == 0
    status, out, error = await shell(home, '"$@"', "--plain", stdin="ü \N{SNOWMAN}\n".encode(), environment=environment)
    assert (status, error) == (0, "") and r"\xfc \u2603 (#2)" in out, "what cannot be shown stands there by its number"
    assert await said(home) == ["snow \N{SNOWMAN}", "ü \N{SNOWMAN}"]
    follower = await asyncio.create_subprocess_exec(
        *home.arguments("--follow", "main", "--json", user="bob"), env=home.environment | environment,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert follower.stdout is not None
    alice = await home.chat.json("alice")
    await alice.ok("/presence on")
    while "bob" not in (await alice.ok("/status"))["active"]:
        await alice.event("presence", user="bob", online=True)
    await alice.ok("/send_all \N{SNOWMAN}")
    assert rb'"text": "\u2603"' in await asyncio.wait_for(follower.stdout.readline(), 20)
    follower.send_signal(signal.SIGTERM)
    assert await follower.wait() == 143


class Unanswering:
    """A chat in which a message has gone out, and no answer comes."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self._answer = asyncio.get_running_loop().create_future()

    async def send(self, target: str, text: str) -> None:
        self.begun.set()
        await self._answer

    async def close(self) -> None:
        self._answer.set_exception(Disconnected("no connection; it is not known whether it was sent", None))


async def test_a_script_that_is_ended_says_what_is_not_known() -> None:
    chat = Unanswering()
    sending = asyncio.create_task(script.send(cast(Chat, chat), "main", "two"))
    await chat.begun.wait()
    sending.cancel()
    with pytest.raises(Disconnected, match="not known") as raised:
        await sending
    assert raised.value.done is None


async def test_ended_by_a_signal() -> None:
    async def script_of(words: str) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            if words:
                raise Disconnected(words, None)
        return 0

    for words in ("", "it is not known whether it was sent"):
        with pytest.raises(EndedBySignal) as raised:
            await until_ended(script_of(words))
        assert (raised.value.status, raised.value.words) == (143, words)


def test_text_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locale.getencoding", lambda: "ISO-8859-1")
    assert (standard_streams.decode(b"caf\xc3\xa9"), standard_streams.decode(b"caf\xe9")) == ("café", "café")
    for encoding in ("UTF-8", "ANSI_X3.4-1968", "nonsense"):
        monkeypatch.setattr("locale.getencoding", lambda: encoding)  # noqa: B023
        with pytest.raises(UnicodeDecodeError):
            standard_streams.decode(b"caf\xe9")
