"""Each event with what it is in both formats."""

import msgspec

from chat_server.protocol.accounts import Banned, Unbanned
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Closing, Notice
from chat_server.protocol.control import AuditedAct, Record
from chat_server.protocol.files import FileChunk
from chat_server.protocol.messages import DelayedFailed, DelayedSent, Expired, File, Message, ReadMarker
from chat_server.protocol.people import Muted, PreferenceChanged, PreferencesTold, PresenceChanged, Typing
from chat_server.protocol.rooms import (
    Approved,
    Denied,
    Invited,
    Joined,
    JoinRequest,
    Left,
    SlowModeChanged,
    TopicChanged,
)

AT = "2026-11-21T12:00:01.250Z"
EARLIER = "2026-11-20T08:09:10.000Z"


def message(**more: object) -> Message:
    fields: dict[str, object] = {"id": 42, "seq": 42, "chat": "main", "from": "bob", "at": AT, "text": "hi", **more}
    return msgspec.convert({"type": "message", **fields}, Message)


HEAD = '{"type":"message","id":42,"seq":42,"chat":"main","from":"bob","at":"2026-11-21T12:00:01.250Z","text":'
TABLE: list[tuple[Event, str, str]] = [
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
    (PresenceChanged("bob", True), "* bob is online", '{"type":"presence","user":"bob","online":true}'),
    (PresenceChanged("bob", False), "* bob is offline", '{"type":"presence","user":"bob","online":false}'),
    (
        PresenceChanged("bob", True, "at lunch"),
        "* bob is away: at lunch",
        '{"type":"presence","user":"bob","online":true,"away":"at lunch"}',
    ),
    (Muted("main", True), "* main is muted now", '{"type":"muted","chat":"main","muted":true}'),
    (PreferenceChanged("level:#ops", "all"), "", '{"type":"preference","name":"level:#ops","value":"all"}'),
    (PreferenceChanged("level:#ops"), "", '{"type":"preference","name":"level:#ops"}'),
    (PreferencesTold({"a": "b"}), "", '{"type":"preferences","preferences":{"a":"b"}}'),
    (Muted("@bob", False), "* @bob is no longer muted", '{"type":"muted","chat":"@bob","muted":false}'),
    (
        FileChunk(9, 0, "aGVsbG8=", File(9, "a b.png", 1234, "ab")),
        "* file 9 a b.png 1234\n= aGVsbG8=",
        '{"type":"file_chunk","id":9,"offset":0,"data":"aGVsbG8=",'
        '"file":{"id":9,"name":"a b.png","size":1234,"sha256":"ab"}}',
    ),
    (FileChunk(9, 6, "aGVs"), "= aGVs", '{"type":"file_chunk","id":9,"offset":6,"data":"aGVs"}'),
    (
        FileChunk(9, 5, "", File(9, "a", 5, "ab")),
        "* file 9 a 5",
        '{"type":"file_chunk","id":9,"offset":5,"data":"","file":{"id":9,"name":"a","size":5,"sha256":"ab"}}',
    ),
    (
        message(text="a.png", file=File(7, "a.png", 1234, "ab")),
        "[12:00:01] main bob: file a.png, 1.2 KiB; /get_file 7 (#42)",
        '{"type":"message","id":42,"seq":42,"chat":"main","from":"bob","at":"2026-11-21T12:00:01.250Z",'
        '"text":"a.png","file":{"id":7,"name":"a.png","size":1234,"sha256":"ab"}}',
    ),
    (
        message(text="look", file=File(7, "a.png", 1, "ab")),
        "[12:00:01] main bob: look (file a.png, 1 byte; /get_file 7) (#42)",
        '{"type":"message","id":42,"seq":42,"chat":"main","from":"bob","at":"2026-11-21T12:00:01.250Z",'
        '"text":"look","file":{"id":7,"name":"a.png","size":1,"sha256":"ab"}}',
    ),
    (Typing("#team", "bob", True), "", '{"type":"typing","chat":"#team","user":"bob","typing":true}'),
    (ReadMarker("main", 42), "", '{"type":"read","chat":"main","id":42}'),
    (
        Banned(AT, "spam"),
        "* you are banned until 12:00:01 UTC, in 12 h 1 min: spam; you can still read",
        '{"type":"banned","until":"2026-11-21T12:00:01.250Z","reason":"spam"}',
    ),
    (Unbanned(), "* your ban is over: you can write again", '{"type":"unbanned"}'),
    (
        AuditedAct(3, AT, "boss", "ban", "bob", "rude"),
        f"* {AT} boss ban bob (rude)",
        f'{{"type":"act","id":3,"at":"{AT}","who":"boss","act":"ban","whom":"bob","why":"rude"}}',
    ),
    (
        Record("message", {"id": 42, "text": "hi"}),
        "* message: id 42, text hi",
        '{"type":"record","kind":"message","data":{"id":42,"text":"hi"}}',
    ),
    (
        Notice("down at noon", by="boss"),
        "* announcement by boss: down at noon",
        '{"type":"notice","text":"down at noon","by":"boss"}',
    ),
    (
        DelayedSent(3, 42),
        "* your delayed message 3 was sent (#42)",
        '{"type":"delayed_sent","id":3,"message_id":42}',
    ),
    (
        DelayedFailed(3, "unknown_user"),
        "* your delayed message 3 was not sent: its receiver is gone (unknown_user)",
        '{"type":"delayed_failed","id":3,"code":"unknown_user"}',
    ),
    (
        DelayedFailed(3, "unknown_chat"),
        "* your delayed message 3 was not sent: you are no longer in its chat (unknown_chat)",
        '{"type":"delayed_failed","id":3,"code":"unknown_chat"}',
    ),
    (
        Invited("#team", "bob"),
        "* bob invites you to #team; /join #team accepts, /decline #team refuses",
        '{"type":"invited","chat":"#team","by":"bob"}',
    ),
    (
        JoinRequest("#team", "bob"),
        "* bob asks to join #team; /approve #team bob lets them in, /deny #team bob refuses",
        '{"type":"join_request","chat":"#team","user":"bob"}',
    ),
    (Joined("#team", "bob"), "* bob joined #team", '{"type":"joined","chat":"#team","user":"bob"}'),
    (Left("#team", "bob"), "* bob left #team", '{"type":"left","chat":"#team","user":"bob"}'),
    (
        Left("#team", "bob", "anna"),
        "* anna removed bob from #team",
        '{"type":"left","chat":"#team","user":"bob","by":"anna"}',
    ),
    (
        Approved("#team"),
        "* you are in #team now, its owner let you in; /history #team shows what was said",
        '{"type":"approved","chat":"#team"}',
    ),
    (Denied("#team"), "* the owner of #team does not let you in", '{"type":"denied","chat":"#team"}'),
    (
        TopicChanged("#team", "plans", "bob"),
        "* bob set the topic of #team: plans",
        '{"type":"topic","chat":"#team","topic":"plans","by":"bob"}',
    ),
    (
        TopicChanged("#team", "", "bob"),
        "* bob took the topic of #team away",
        '{"type":"topic","chat":"#team","topic":"","by":"bob"}',
    ),
    (
        SlowModeChanged("#team", 90, "bob"),
        "* bob put #team in slow mode: everybody may send one message in 90s",
        '{"type":"slow_mode","chat":"#team","seconds":90,"by":"bob"}',
    ),
    (
        SlowModeChanged("main", 0, "bob"),
        "* bob ended the slow mode of main",
        '{"type":"slow_mode","chat":"main","seconds":0,"by":"bob"}',
    ),
    (
        Notice("bob owns #team now", chat="#team", owner="bob"),
        "* bob owns #team now",
        '{"type":"notice","text":"bob owns #team now","chat":"#team","owner":"bob"}',
    ),
    (Expired("@bob", [41, 42]), "", '{"type":"expired","chat":"@bob","ids":[41,42]}'),
    (Notice("hello"), "* hello", '{"type":"notice","text":"hello"}'),
    (
        Notice("3 unread: main 3", unread={"main": 3}),
        "* 3 unread: main 3",
        '{"type":"notice","text":"3 unread: main 3","unread":{"main":3}}',
    ),
    (Closing("bye", "shutdown"), "* closing: bye", '{"type":"closing","reason":"bye","code":"shutdown"}'),
]
