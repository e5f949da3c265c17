"""--plain in this process: files with their progress, how it ends. The rest is in test_terminal, test_command."""

import asyncio
from pathlib import Path

import pytest

from chat_client.common.listening import HIDDEN_TEXT
from chat_client.common.reading_log import ReadingLog
from chat_client.exit_status import ExitStatus
from chat_client.plain.app import Plain, _stop
from chat_client.sdk.chat import connect
from tests.client.conftest import Home
from tests.client.fake import AT, FakeServer, message
from tests.client.plain.lines import Lines, plain
from tests.client.programs import written
from tests.client.sdk.played import Client, client, server
from tests.harness import TIMEOUT_SECONDS

__all__ = ["client", "server"]  # fixtures

DATA = bytes(range(256)) * 4096


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desktop's opener that moves what it opens to here: so one can wait for it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("xdg-open", "open"):
        (programs / name).write_text(f'#!/bin/sh\nmv "$1" {tmp_path}/opened\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    return tmp_path / "opened"


async def test_a_file_there_and_back(home: Home, opened: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_client.plain.column.PROGRESS_SECONDS", 0)
    await home.chat.json("alice")
    path = home.folder / "a photo.png"
    path.write_bytes(DATA)
    status, said = await plain(home, "bob", ("connected to", f'/send_file alice "{path}"'))
    assert status == 0 and "+ sent #1: a photo.png" in said
    told = [line for line in said if line.startswith("* a photo.png: ")]
    assert len(told) > 10 and " % of 1 MiB, " in told[0] and "/cancel cancels it" in told[0]
    status, said = await plain(home, "alice", ("connected to", "/get_file 1"), ("+ file 1 is ", "/open_file #1"))
    assert status == 0
    assert [Path(line.split(" is ")[1]).name for line in said if line.startswith("+ ")] == [
        "a photo.png", "a photo (2).png",
    ]  # fmt: skip
    assert written(opened) == DATA
    assert [each.name for each in (home.folder / "downloads").iterdir()] == ["a photo.png"], "only what was asked for"


async def test_cancelling(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_client.plain.column.PROGRESS_SECONDS", 0)
    alice = await home.chat.json("alice")
    path = home.folder / "a.png"
    path.write_bytes(DATA)
    sent = ("connected to", f"/send_file alice {path}")
    status, said = await plain(home, "bob", sent, (" % of ", "/cancel"), ("cancelled", "/cancel"))
    assert status == 1 and "* a.png: cancelled" in said and "- bad_argument: no file is on its way" in said
    assert await alice.roundtrip() == []


async def test_ones_own_changes_are_told_once(home: Home) -> None:
    """The answer tells what was done; of a message there is also a line that shows it as it is now."""
    alice = await home.chat.json("alice")
    await alice.ok("/send_all hello")
    steps = [
        ("connected to", "mine"),
        ("mine (#", "/edit 2 changed"),
        ("changed (edited) (#2)", "/react 1 👍"),
        ("bob reacts with 👍 to alice: hello (#1)", "/create #team"),
        ("#team", "/open #team"),
        ("goes to #team", "/topic #team plans"),
        ("plans", "/mute #team"),
        ("muted", "/leave #team"),
        ("what you type goes to main", "/quit"),
    ]
    status, said = await plain(home, "bob", *steps)
    assert status == 0
    for shown in ("changed (edited)", "changed #2", "* bob reacts with 👍", "+ changed #1", "plans", "muted"):
        assert sum(shown in line for line in said) == 1, (shown, said)
    assert sum("#team" in line for line in said if line.startswith("* ")) == 1, "where what is typed goes"


@pytest.mark.parametrize("opens", ["/open bob", "/open @nobody"])
async def test_what_is_typed_right_behind_the_opening_of_a_chat_is_meant_for_that(home: Home, opens: str) -> None:
    """A person's lines do not wait for each other, and the server's word on the chat takes a round trip."""
    await home.chat.json("bob")
    reader = await home.chat.json("reader")
    then = "a secret (#1)" if "bob" in opens else "nothing was sent"
    source = Lines(("connected to", opens), ("connected to", "a secret"), (then, "/quit"))
    source.attended = True
    async with connect(home.address, user="alice") as chat:
        await Plain(chat, home.folder / "downloads", source.write).run(source)
    assert not any(each["type"] == "message" for each in await reader.roundtrip())


async def test_what_was_meant_for_a_chat_that_is_gone_goes_nowhere_else(home: Home) -> None:
    """Neither after a removal, nor where the chat that is to be opened does not exist: a script would go on in main."""
    alice = await home.chat.json("alice")
    await alice.ok("/create #team")
    bob = await home.chat.json("bob")
    await alice.ok("/invite #team bob")
    await bob.ok("/join #team")

    source = Lines(
        ("connected to", "/open #team"),
        ("goes to #team", "removed yet?"),
        ("no longer in #team", "a secret of the team"),
        ("no chat is open", "/open @nobody"),
        ("unknown_user", "a secret of two"),
    )
    async with connect(home.address, user="bob") as chat:
        running = asyncio.create_task(Plain(chat, home.folder / "downloads", source.write).run(source))
        await alice.event("message", text="removed yet?")
        await alice.ok("/remove #team bob")
        assert await running == 1
    assert sum("nothing was sent" in line for line in source.said) == 2
    assert (await alice.ok("/history main"))["count"] == 0


async def test_who_is_ignored_is_not_printed_and_a_level_says_what_rings(home: Home) -> None:
    alice, mallory = await home.chat.json("alice"), await home.chat.json("mallory")
    source = Lines(
        ("connected to", "/ignore mallory"),
        ("mallory is hidden in main", "/level all"),
        ("every message in main calls you", "/ping ready"),
        ("main alice: louder", "/level none"),
        ("+ main is muted", "/level main"),
        ("nothing in main calls you", "/history"),
        ("@mallory: psst", "/ignore"),
    )
    rung: list[str] = []
    async with connect(home.address, user="bob") as chat:
        log = ReadingLog(home.folder / "log")
        plain = Plain(chat, home.folder, source.write, lambda call: rung.append(call.text), log=log)
        other_device = await home.chat.json("bob")
        running = asyncio.create_task(plain.run(source))
        await other_device.event("preference", name="ignore:mallory", value="mallory")
        await other_device.event("preference", name="level:main", value="all")
        await mallory.ok("/send_all buy this")
        await alice.ok("/send_all louder")
        await mallory.ok("/send bob psst")
        assert await running == 0
    assert not [line for line in source.said if "buy this" in line or HIDDEN_TEXT in line]
    assert "HIDDEN" not in (home.folder / "log" / "main.log").read_text().replace(HIDDEN_TEXT, "HIDDEN")
    assert rung == ["louder"], "calls are a second apart"
    assert "  mallory" in source.said


@pytest.mark.parametrize("goes_out", [True, False])
async def test_the_exit_status_tells_what_is_not_sent_from_what_is_not_known(
    server: FakeServer, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, goes_out: bool
) -> None:
    """A script tries again what was not sent; what is in doubt would come twice."""
    monkeypatch.setattr("chat_client.plain.app.LAST_SECONDS_MAX", 0)
    chat, link = await client.sign_in(server)
    if not goes_out:
        link.lose()
    source = Lines(("", "hello")) if goes_out else Lines(("no connection", "hello"))
    source.said.append("* begun")
    running = asyncio.create_task(Plain(chat, tmp_path, source.write).run(source))
    if goes_out:
        await link.expect("send")  # and no answer comes
    status = await asyncio.wait_for(running, TIMEOUT_SECONDS)
    if goes_out:
        assert status == ExitStatus.NOT_KNOWN and source.said[-1] == "- it is not known whether this was sent: hello"
    else:
        assert status == ExitStatus.NO_CONNECTION and source.said[-1] == "- not sent: hello"


async def test_a_command_whose_fate_is_not_known_outweighs_a_refusal(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    chat, link = await client.sign_in(server)
    source = Lines(("", "first"), ("banned", "second"), ("internal", "third"))
    source.said.append("* begun")
    running = asyncio.create_task(Plain(chat, tmp_path, source.write).run(source))
    for code in ("banned", "internal", "banned"):
        link.refuse(await link.expect("send"), code)
    assert await asyncio.wait_for(running, TIMEOUT_SECONDS) == ExitStatus.NOT_KNOWN


async def test_what_came_too_soon_goes_back_into_the_prompt(server: FakeServer, client: Client, tmp_path: Path) -> None:
    chat, link = await client.sign_in(server)
    source = Lines(("", "first"), ("rate_limited", "second"), ("banned", ""))
    source.said.append("* begun")
    app = Plain(chat, tmp_path, source.write)
    back: list[str] = []
    app.put_back = back.append
    running = asyncio.create_task(app.run(source))
    for code in ("rate_limited", "banned"):
        link.refuse(await link.expect("send"), code)
    await asyncio.wait_for(running, TIMEOUT_SECONDS)
    assert back == ["first"], "what is refused for another reason would only be refused again"


async def test_what_has_no_answer_when_the_server_ends_it_is_told(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    """The connection ends while one types."""
    chat, link = await client.sign_in(server)
    source = Lines(("", "hello"), ("never said", ""))
    source.said.append("* begun")
    running = asyncio.create_task(Plain(chat, tmp_path, source.write).run(source))
    await link.expect("send")
    chat._supervisor.finish("signed_out", "signed out")
    assert await asyncio.wait_for(running, TIMEOUT_SECONDS) == ExitStatus.NOT_KNOWN
    assert "- it is not known whether this was sent: hello" in source.said


async def test_what_is_under_way_has_ended_when_it_returns(client: Client, server: FakeServer, tmp_path: Path) -> None:
    chat, _ = await client.sign_in(server)
    ended: list[str] = []

    async def lasting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("as it should")

    source = Lines(("never said", ""))
    plain = Plain(chat, tmp_path, source.write)
    plain._spawn(lasting())
    chat._supervisor.finish("signed_out", "signed out")
    await plain.run(source)
    assert ended == ["as it should"]


async def test_stopping_a_task_lets_a_cancellation_through() -> None:
    may_end = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    task = asyncio.create_task(stubborn())
    begun = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(begun.set_result, None)
    await begun
    stopping = asyncio.create_task(_stop(task))
    asyncio.get_running_loop().call_soon(stopping.cancel)
    with pytest.raises(asyncio.CancelledError):
        await stopping
    may_end.set()
    await asyncio.wait({task})


async def test_a_message_whose_answer_was_lost_is_shown_once(server: FakeServer, client: Client) -> None:
    """It comes by itself, as from another device; then its key is sent again, and answered."""
    chat, link = await client.sign_in(server)
    source = Lines(("hi (#11)", "/quit"))
    running = asyncio.create_task(Plain(chat, Path(), source.write).run(source))
    chat.post("send", target="main", text="hi")
    link.refuse(await link.expect("send"), "unavailable")
    again = await link.expect("send")
    link.write(message(11, sender="bob", text="hi"))
    link.ok(again, id=11, at=AT)
    link.ok(await link.expect("quit"))
    link.lose()
    await running
    assert sum("hi (#11)" in line for line in source.said) == 1, source.said
