"""What was missed: the numbers and the end of each chat, and nothing marked as read that was not shown."""

from typing import Any

from chat_client.plain.app import Plain
from chat_client.plain.lines import LineForm
from chat_client.plain.missed import SHOWN_MAX, Missed
from chat_client.sdk.chat import connect
from chat_client.sdk.events import Connected, Connecting, Ended
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.connection import Notice
from chat_server.protocol.messages import ReadMarker
from tests.client.conftest import Home
from tests.client.people import said
from tests.client.plain.lines import Lines, plain

CONNECTED = Connected("a:1", SignedIn("alice", False, 1, "h", [], [], []), False)


def caught_up(*messages: Any) -> tuple[Missed, Any]:
    missed = Missed()
    assert missed.follow(Connecting("a:1", 1)) is None
    assert all(missed.hold(message) for message in messages)
    shown = missed.follow(CONNECTED)
    assert shown is not None and not missed.hold(said(9999)), "what is pushed now is shown at once"
    return missed, shown


def test_a_few_are_all_shown_in_their_order() -> None:
    messages = [said(1), said(2, chat="#ops"), said(3)]
    missed, shown = caught_up(*messages)
    assert (shown.events, shown.left_out) == (messages, {})
    assert missed.may_mark_read("main") and missed.may_mark_read("#ops")


def test_what_stands_between_the_messages_stays_there() -> None:
    events = [Notice("welcome"), *(said(id) for id in range(1, 31)), Notice("no password")]
    _, shown = caught_up(*events)
    assert shown.events == [events[0], *events[11:]] and shown.left_out == {"main": 10}


def test_of_many_the_last_of_each_chat_are_shown() -> None:
    missed, shown = caught_up(*(said(id, chat="#ops" if id % 10 == 0 else "main") for id in range(1, 101)))
    assert shown.left_out == {"main": 90 - SHOWN_MAX}
    ids = [message.id for message in shown.events]
    assert ids == sorted(ids) and len(ids) == 10 + SHOWN_MAX and ids[-1] == 100
    assert missed.may_mark_read("#ops") and not missed.may_mark_read("main")


def test_a_chat_is_marked_again_when_what_was_left_out_is_read() -> None:
    missed, shown = caught_up(*(said(id) for id in range(1, 31)))
    assert shown.left_out == {"main": 10}
    missed.follow(ReadMarker("main", 9))
    missed.follow(ReadMarker("#ops", 99))
    assert not missed.may_mark_read("main")
    missed.follow(ReadMarker("main", 10))
    assert missed.may_mark_read("main")


def test_what_has_come_is_shown_where_the_connection_ends_meanwhile() -> None:
    missed = Missed()
    missed.follow(Connecting("a:1", 1))
    assert missed.hold(said(1))
    shown = missed.follow(Ended("account_deleted", "gone"))
    assert shown is not None and shown.events == [said(1)]


async def test_in_the_client(home: Home) -> None:
    alice = await home.chat.json("alice")
    await home.chat.json("bob")
    await alice.pipeline({"cmd": "send_all", "text": f"number {number}"} for number in range(1, 31))
    for _ in range(2):  # the second start shows the same: nothing was read by the first one
        status, lines = await plain(home, "bob", ("connected to", "/ping here"), ("here", "/ping there"))
        assert status == 0
        told = lines.index("* main: 10 more unread before these; /messages main shows them")
        assert lines[told - 1] == "* 30 unread: main 30" and "number 11 " in lines[told + 1]
        assert [line.split(": ")[1].split(" (")[0] for line in lines if line.startswith("[")] == [
            f"number {number}" for number in range(11, 31)
        ]
    _, lines = await plain(
        home, "bob", ("connected to", "/messages"), ("number 20", "/messages"), ("+ 10 messages", "/ping here")
    )
    _, lines = await plain(home, "bob", ("connected to", "/ping here"))
    assert not [line for line in lines if "number" in line]


async def test_time_and_id_may_be_left_out(home: Home) -> None:
    alice = await home.chat.json("alice")
    source = Lines(("connected to", "hello"), ("bob: hello", "/ping"), ("alice: two", "/ping done"))
    async with connect(home.address, user="bob") as chat:
        await alice.ok({"cmd": "send", "target": "bob", "text": "two\nlines [x] (#1)"})
        await Plain(chat, home.folder, source.write, form=LineForm(times=False, ids=False)).run(source)
    assert {"main bob: hello", "@alice: two", "    | lines [x] (#1)"} <= set(source.said)
