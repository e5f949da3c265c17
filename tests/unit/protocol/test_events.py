"""The round-trip table: each event, its text line, its JSON line."""

import msgspec
import pytest

from chat_server.protocol import events as e
from chat_server.protocol import json, text
from tests.unit.protocol.samples import EVENTS

TODAY = "2026-11-21"
AT = "2026-11-21T12:00:01.250Z"
EARLIER = "2026-11-20T08:09:10.000Z"


def message(**more: object) -> e.Message:
    fields: dict[str, object] = {"id": 42, "seq": 42, "chat": "main", "from": "bob", "at": AT, "text": "hi", **more}
    return msgspec.convert({"type": "message", **fields}, e.Message)


HEAD = '{"type":"message","id":42,"seq":42,"chat":"main","from":"bob","at":"2026-11-21T12:00:01.250Z","text":'
TABLE: list[tuple[e.Event, str, str]] = [
    (message(), "[12:00:01] main bob: hi (#42)", HEAD + '"hi"}'),
    (
        message(text="one\n\ttwo\n"),
        "[12:00:01] main bob: one (#42)\n    | \ttwo\n    | ",
        HEAD + '"one\\n\\ttwo\\n"}',
    ),
    (
        message(chat="@bob", at=EARLIER),
        "[2026-11-20 08:09:10] @bob: hi (#42)",
        '{"type":"message","id":42,"seq":42,"chat":"@bob","from":"bob","at":"2026-11-20T08:09:10.000Z","text":"hi"}',
    ),
    (
        message(chat="@bob", **{"from": "anna"}),
        "[12:00:01] to @bob: hi (#42)",
        '{"type":"message","id":42,"seq":42,"chat":"@bob","from":"anna","at":"2026-11-21T12:00:01.250Z","text":"hi"}',
    ),
    (message(delayed=True), "[12:00:01] main bob: hi (delayed) (#42)", HEAD + '"hi","delayed":true}'),
    (message(reply_to=7), "[12:00:01] main bob: hi (on #7) (#42)", HEAD + '"hi","reply_to":7}'),
    (message(edited=AT), "[12:00:01] main bob: hi (edited) (#42)", HEAD + f'"hi","edited":"{AT}"}}'),
    (
        message(deleted=True, seq=50, text=None),
        "[12:00:01] main bob: (deleted) (#42)",
        '{"type":"message","id":42,"seq":50,"chat":"main","from":"bob","at":"2026-11-21T12:00:01.250Z","deleted":true}',
    ),
    (e.Presence("bob", True), "* bob is online", '{"type":"presence","user":"bob","online":true}'),
    (e.Presence("bob", False), "* bob is offline", '{"type":"presence","user":"bob","online":false}'),
    (
        e.Presence("bob", True, "at lunch"),
        "* bob is away: at lunch",
        '{"type":"presence","user":"bob","online":true,"away":"at lunch"}',
    ),
    (e.Muted("main", True), "* main is muted now", '{"type":"muted","chat":"main","muted":true}'),
    (e.Muted("@bob", False), "* @bob is no longer muted", '{"type":"muted","chat":"@bob","muted":false}'),
    (
        e.FileChunk(9, 0, "aGVsbG8=", e.File(9, "a b.png", 1234, "ab")),
        "* file 9 a b.png 1234\n= aGVsbG8=",
        '{"type":"file_chunk","id":9,"offset":0,"data":"aGVsbG8=",'
        '"file":{"id":9,"name":"a b.png","size":1234,"sha256":"ab"}}',
    ),
    (e.FileChunk(9, 6, "aGVs"), "= aGVs", '{"type":"file_chunk","id":9,"offset":6,"data":"aGVs"}'),
    (
        e.FileChunk(9, 5, "", e.File(9, "a", 5, "ab")),
        "* file 9 a 5",
        '{"type":"file_chunk","id":9,"offset":5,"data":"","file":{"id":9,"name":"a","size":5,"sha256":"ab"}}',
    ),
    (
        message(text="a.png", file=e.File(7, "a.png", 1234, "ab")),
        "[12:00:01] main bob: file a.png, 1.2 KiB; /get_file 7 (#42)",
        '{"type":"message","id":42,"seq":42,"chat":"main","from":"bob","at":"2026-11-21T12:00:01.250Z",'
        '"text":"a.png","file":{"id":7,"name":"a.png","size":1234,"sha256":"ab"}}',
    ),
    (
        message(text="look", file=e.File(7, "a.png", 1, "ab")),
        "[12:00:01] main bob: look (file a.png, 1 byte; /get_file 7) (#42)",
        '{"type":"message","id":42,"seq":42,"chat":"main","from":"bob","at":"2026-11-21T12:00:01.250Z",'
        '"text":"look","file":{"id":7,"name":"a.png","size":1,"sha256":"ab"}}',
    ),
    (e.ReadMarker("main", 42), "", '{"type":"read","chat":"main","id":42}'),
    (
        e.Banned(AT, "spam"),
        "* you are banned until 12:00:01 UTC, in 12 h 1 min: spam; you can still read",
        '{"type":"banned","until":"2026-11-21T12:00:01.250Z","reason":"spam"}',
    ),
    (e.Unbanned(), "* your ban is over: you can write again", '{"type":"unbanned"}'),
    (
        e.Act(3, AT, "boss", "ban", "bob", "rude"),
        f"* {AT} boss ban bob (rude)",
        f'{{"type":"act","id":3,"at":"{AT}","who":"boss","act":"ban","whom":"bob","why":"rude"}}',
    ),
    (
        e.Record("message", {"id": 42, "text": "hi"}),
        "* message: id 42, text hi",
        '{"type":"record","kind":"message","data":{"id":42,"text":"hi"}}',
    ),
    (
        e.Notice("down at noon", by="boss"),
        "* announcement by boss: down at noon",
        '{"type":"notice","text":"down at noon","by":"boss"}',
    ),
    (
        e.DelayedSent(3, 42),
        "* your delayed message 3 was sent (#42)",
        '{"type":"delayed_sent","id":3,"message_id":42}',
    ),
    (
        e.DelayedFailed(3, "unknown_user"),
        "* your delayed message 3 was not sent: its receiver is gone (unknown_user)",
        '{"type":"delayed_failed","id":3,"code":"unknown_user"}',
    ),
    (
        e.DelayedFailed(3, "unknown_chat"),
        "* your delayed message 3 was not sent: you are no longer in its chat (unknown_chat)",
        '{"type":"delayed_failed","id":3,"code":"unknown_chat"}',
    ),
    (
        e.Invited("#team", "bob"),
        "* bob invites you to #team; /join #team accepts, /decline #team refuses",
        '{"type":"invited","chat":"#team","by":"bob"}',
    ),
    (
        e.JoinRequest("#team", "bob"),
        "* bob asks to join #team; /approve #team bob lets them in, /deny #team bob refuses",
        '{"type":"join_request","chat":"#team","user":"bob"}',
    ),
    (e.Joined("#team", "bob"), "* bob joined #team", '{"type":"joined","chat":"#team","user":"bob"}'),
    (e.Left("#team", "bob"), "* bob left #team", '{"type":"left","chat":"#team","user":"bob"}'),
    (
        e.Left("#team", "bob", "anna"),
        "* anna removed bob from #team",
        '{"type":"left","chat":"#team","user":"bob","by":"anna"}',
    ),
    (
        e.Approved("#team"),
        "* you are in #team now, its owner let you in; /history #team shows what was said",
        '{"type":"approved","chat":"#team"}',
    ),
    (e.Denied("#team"), "* the owner of #team does not let you in", '{"type":"denied","chat":"#team"}'),
    (
        e.TopicChanged("#team", "plans", "bob"),
        "* bob set the topic of #team: plans",
        '{"type":"topic","chat":"#team","topic":"plans","by":"bob"}',
    ),
    (
        e.TopicChanged("#team", "", "bob"),
        "* bob took the topic of #team away",
        '{"type":"topic","chat":"#team","topic":"","by":"bob"}',
    ),
    (
        e.Notice("bob owns #team now", chat="#team", owner="bob"),
        "* bob owns #team now",
        '{"type":"notice","text":"bob owns #team now","chat":"#team","owner":"bob"}',
    ),
    (e.Expired("@bob", [41, 42]), "", '{"type":"expired","chat":"@bob","ids":[41,42]}'),
    (e.Notice("hello"), "* hello", '{"type":"notice","text":"hello"}'),
    (
        e.Notice("3 unread: main 3", unread={"main": 3}),
        "* 3 unread: main 3",
        '{"type":"notice","text":"3 unread: main 3","unread":{"main":3}}',
    ),
    (e.Closing("bye", "shutdown"), "* closing: bye", '{"type":"closing","reason":"bye","code":"shutdown"}'),
]


@pytest.mark.parametrize(("event", "line", "obj"), TABLE)
def test_it_reads_as(event: e.Event, line: str, obj: str) -> None:
    assert text.event(event, TODAY).decode() == (line and line + "\n")
    assert json.event(event).decode() == obj + "\n"
    assert msgspec.json.decode(obj, type=e.AnyEvent) == event


def test_every_event_stands_in_the_table() -> None:
    assert {type(event) for event, _, _ in TABLE} == set(EVENTS)


def test_any_event_can_be_read_back() -> None:
    assert set(EVENTS) == set(e.AnyEvent.__args__)
