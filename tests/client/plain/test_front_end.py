"""The local commands in one column: each does something, or says in one line why it cannot."""

from pathlib import Path

import pytest

from chat_client.common.local_commands import LOCAL
from chat_client.plain.app import Plain
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import AnyEvent, Connecting, Outgoing
from chat_server.protocol.messages import Message
from tests.client.conftest import Home
from tests.client.people import said
from tests.client.plain.lines import Lines, plain
from tests.client.recording_chat import RecordingChat


class Column:
    def __init__(self, folder: Path) -> None:
        self.chat, self.source = RecordingChat(), Lines()
        self.plain = Plain(self.chat, folder, self.source.write)  # type: ignore[arg-type]

    async def type(self, *lines: str) -> list[str]:
        """What is said to these lines."""
        self.source.said.clear()
        self.source._lines = tuple(("", line) for line in lines)
        self.source.said.append("")  # nothing is awaited
        await self.plain._type(self.source)
        await self.plain._send_last(1)
        return self.source.said[1:]


@pytest.fixture
def column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Column:
    def open_file(path: Path) -> None:
        raise Refused("bad_argument", f"opened {path.name}")

    monkeypatch.setattr("chat_client.common.transfers.open_file", open_file)
    return Column(tmp_path)


@pytest.mark.parametrize("verb", [verb for verb in LOCAL if verb != "quit"])
async def test_every_local_command_does_something_or_says_why_not(column: Column, verb: str) -> None:
    said = await column.type(LOCAL[verb].form.example)
    assert said or column.chat.asked
    refusals = [line for line in said if line.startswith("- ")]
    assert len(refusals) <= 1 and all("usage" not in line for line in refusals)


async def test_quit_leaves(column: Column) -> None:
    assert await column.type("/quit", "never said") == [] and column.chat.asked == []


@pytest.mark.parametrize("verb", ["unread", "first_unread", "copy", "bare", "sides", "clear", "redraw", "cancel"])
async def test_what_one_column_lacks_it_says_in_one_line(column: Column, verb: str) -> None:
    (line,) = await column.type(LOCAL[verb].form.example)
    assert line.startswith("- bad_argument: ")


async def test_moving_between_chats(column: Column) -> None:
    """As in the full screen: the list is main, the private chats, those of two."""
    for chat in ("@bob", "#team"):
        column.plain._recent.note(Message(1, 1, chat, "bob", "2026-11-21T12:00:00.000Z", "hi"))
    opened = []
    for line in ("/next", "/next", "/next", "/previous", "/last", "/open main"):
        await column.type(line)
        opened.append(column.plain.front_end.open)
    assert opened == ["#team", "@bob", "main", "@bob", "main", "main"]
    assert await column.type("/open") == ["- bad_argument: which chat? /open <chat>: main, #team, @bob"]


async def test_help_tells_what_there_is_here(column: Column) -> None:
    said = await column.type("/help")
    assert any(line.startswith("  Write: /send_all") for line in said)
    assert any(line.startswith("  Client: /open") for line in said)
    assert (await column.type("/help /open"))[0] == "  /open <chat>"


async def test_a_day_is_asked_for_in_the_open_chat(column: Column, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat_client.sdk.clock.now", lambda: 1_795_000_000.0)
    monkeypatch.setattr("chat_client.plain.front_end.days.moment", lambda words, now: f"{words} {now:.0f}")
    column.plain.front_end.open = "#team"
    assert not [line for line in await column.type("/goto yesterday") if line.startswith("- ")]
    assert column.chat.asked[-1].startswith("/history #team since yesterday 1795000000")
    column.plain.front_end.open = ""
    assert (await column.type("/goto yesterday"))[0].startswith("- bad_argument: no chat is open")


async def test_a_chat_of_which_something_was_not_shown_is_not_marked_as_read(column: Column) -> None:
    missed = [said(id, chat="main" if id < 30 else "#ops") for id in range(1, 32)]
    events: list[AnyEvent] = [Connecting("a:1", 1), *missed, column.chat.state]
    for event in events:
        column.plain._take(event)
    await column.type("/ping")
    assert [asked for asked in column.chat.asked if asked.startswith("read")] == ["read {'chat': '#ops', 'id': 31}"]


async def test_all_chats_are_marked_as_read_up_to_their_newest_messages(home: Home) -> None:
    alice, bob = await home.chat.json("alice"), await home.chat.json("bob")
    for line in ("/send_all one", "/send_all two", "/send bob three"):
        await alice.ok(line)
    await bob.close()
    status, said = await plain(home, "bob", ("connected to", "/read_all"), ("marked 2 chats as read", "/read_all"))
    assert status == 0 and said[-1] == "* nothing is unread"
    again = await home.chat.json("bob")
    assert [chat["unread"] for chat in (await again.ok("/status"))["chats"]] == [0, 0]


async def test_what_waits_is_listed(column: Column) -> None:
    column.chat.outgoing = [Outgoing("k", "send", {"target": "bob", "text": "hi"}, 0, "held")]
    assert await column.type("/waiting") == ["  @bob: hi (held)", "+ 1 waiting to be sent"]
