import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.errors import CODES, Refusal
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import HelpText, Pong, SessionInfo, SessionList
from chat_server.protocol.files import FileChunk, FileInChat, FileList, FileSent, Upload, UploadCancelled
from chat_server.protocol.formats import TEXT, wording
from chat_server.protocol.messages import (
    Changed,
    DelayedList,
    DelayedSet,
    Expired,
    File,
    Message,
    MessagesShown,
    QuietMessage,
    ReadMarker,
    Sent,
    Talking,
    ThreadShown,
)
from chat_server.protocol.operators import StatsReport
from chat_server.protocol.people import ONLY_HERE, PreferenceChanged, PreferencesTold, Typing, WhoReport
from tests.unit.protocol.samples import EVENTS, REPLIES, samples
from tests.unit.strategies import cleaned, few

TODAY = "2026-11-21"
NOW = "2026-11-21T12:00:00.000Z"
FILE = FileInChat(id=7, name="a.png", size=1, sha256="ab", message_id=42, from_="bob", at="2026-11-21T12:00:01.000Z")
KINDS = ("    | ", "  ", "+ ", "- ", "* ", "[", "= ")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_MESSAGE = re.compile(r"\[[0-9 :-]{8,19}\] \S+( \S+)?: ")


def kinds(data: bytes) -> list[str]:
    """The kind of each line; there MUST be nothing else."""
    if not data:
        return []
    assert data.endswith(b"\n")
    assert not _CONTROL.search(data.decode())
    return [_kind(line) for line in data.decode()[:-1].split("\n")]


def _kind(line: str) -> str:
    kind = next((kind for kind in KINDS if line.startswith(kind)), None)
    assert kind is not None, line
    return kind


def without_more(data: bytes) -> list[str]:
    return [kind for kind in kinds(data) if kind != "    | "]


@pytest.mark.parametrize("cls", EVENTS, ids=lambda cls: cls.__name__)
@few
@given(data=st.data())
def test_no_text_of_a_user_forges_a_line_in_an_event(cls: type[Event], data: st.DataObject) -> None:
    event = data.draw(samples(cls))
    first = "[" if cls is Message else "* "
    wanted = [] if cls in (ReadMarker, Expired, Typing, PreferencesTold, PreferenceChanged) else [first]
    if isinstance(event, FileChunk):
        wanted = [*(["* "] if event.file else []), "= "]
    assert without_more(TEXT.event(event, TODAY)) == wanted


@pytest.mark.parametrize("cls", REPLIES, ids=lambda cls: cls.__name__)
@few
@given(data=st.data(), label=st.none() | st.just("7f"))
def test_no_text_of_a_user_forges_a_line_in_a_reply(cls: type[Reply], data: st.DataObject, label: str | None) -> None:
    reply = data.draw(samples(cls))
    *items, last = without_more(TEXT.reply(reply, "", label, TODAY))
    assert last == "+ " and set(items) <= ({"* "} if cls is Sent else {"  "})


@given(cleaned, st.sampled_from(sorted(CODES)), st.none() | st.just("7f"))
def test_no_text_of_a_user_forges_a_line_in_a_refusal(words: str, code: str, label: str | None) -> None:
    data = TEXT.refusal(Refusal(code, words), "", label)
    assert without_more(data) == ["- "]
    assert data.startswith(f"- {'@7f ' if label else ''}{code}: ".encode())


@given(samples(Message))
def test_a_message_can_be_told_apart_and_its_text_read_back(message: Message) -> None:
    head, *more = TEXT.event(message, TODAY).decode()[:-1].split("\n")
    assert _MESSAGE.match(head) and head.endswith(f" (#{message.id})")
    if not (
        message.file or message.deleted or message.edited or message.delayed or message.reply_to or message.reactions
    ):
        first = _MESSAGE.sub("", head, count=1).removesuffix(f" (#{message.id})")
        assert "\n".join([first, *(line.removeprefix("    | ") for line in more)]) == (message.text or "")


def test_every_event_and_reply_has_a_rendering() -> None:
    assert {Message, FileChunk, *wording.EVENTS} == {*EVENTS, QuietMessage}
    assert set(wording.REPLIES) == set(REPLIES)


@pytest.mark.parametrize(
    ("reply", "lines"),
    [
        (Sent(42, "2026-11-21T12:00:01.250Z"), "+ sent #42\n"),
        (Sent(42, "2026-11-21T12:00:01.250Z", "5 of 20 left"), "* 5 of 20 left\n+ sent #42\n"),
        (Changed(42, 50), "+ changed #42\n"),
        (Changed(42, 50, Message(42, 50, "main", "bob", "2026-11-21T12:00:01.250Z", text="hi")), "+ changed #42\n"),
        (Changed(42, 50, note="nothing changed: …"), "+ nothing changed: …\n"),
        (ThreadShown(42, "main", 0), "+ 0 comments on #42 in main\n"),
        (ThreadShown(42, "@bob", 1), "+ 1 comment on #42 in @bob\n"),
        (Pong(), "+ pong\n"),
        (HelpText(["/x", "last"]), "  /x\n+ last\n"),
        (DelayedList([]), "+ 0 waiting\n"),
        (Upload(7, 0), "+ upload 7\n"),
        (Upload(7, 32768), "+ upload 7 received 32768\n"),
        (Upload(7, 5, 42, "", File(7, "a.png", 5, "ab")), "+ sent #42: file a.png, 5 bytes; /get_file 7\n"),
        (UploadCancelled(7), "+ upload 7 is cancelled; nothing of it was sent\n"),
        (FileSent(7, "a.png", 5 << 20, "ab"), "+ file 7 a.png, 5 MiB, sha256 ab\n"),
        (FileList("main", []), "+ no files in main\n"),
        (FileList("main", [FILE]),
         "  7  a.png, 1 byte, from bob, 12:00:01 UTC (#42)\n+ 1 file in main; /get_file <file_id> fetches one\n"),
        (FileList("main", [FILE, FILE], "/files main before 7"),
         "  7  a.png, 1 byte, from bob, 12:00:01 UTC (#42)\n" * 2
         + "+ 2 files in main; /files main before 7 for more\n"),
        (WhoReport("bob", False, NOW, note=ONLY_HERE),
         f"+ bob is offline, not seen yet; {ONLY_HERE}\n"),
        (SessionList([SessionInfo(1001, "::1", NOW)], ["n2"], "no answer from n2: connections to it are missing here"),
         "  1001  ::1  since 12:00:00 UTC\n+ 1 connection; /sign_out <session> ends one; no answer from n2:"
         " connections to it are missing here\n"),
        (StatsReport(3, 0, 0, 9, 1 << 20, 5, 5, 50, NOW, {"connections": 7}, {"n1": {"connections": 7, "x_bytes": 5}}),
         "  accounts ever registered: 3\n  banned now: 0\n  reports in 24 h: 0\n  last id or change: 9\n"
         "  size of the database: 1.0 MB\n  stored texts: 5 bytes, of one user at most 5 bytes of 50 bytes\n"
         "  connections: 7\n  node n1: connections 7, x bytes 5 bytes\n+ as of 12:00:00 UTC\n"),
        (Talking(), "+ lines without a slash go nowhere now\n"),
        (MessagesShown("main", 1), "+ 1 message of main\n"),
        (MessagesShown("main", 2, unread=3, more="/messages main"),
         "+ 2 messages of main, 3 still unread; /messages main for more\n"),
        (MessagesShown("@bob", 0, unread=0, more="/history @bob"),
         "+ nothing unread in @bob; /history @bob shows what was said\n"),
        (DelayedSet(3, "2026-11-22T12:00:01.250Z"),
         "+ delayed message 3 goes out at 2026-11-22 12:00:01 UTC; /cancel_delayed 3 cancels it\n"),
    ],
)  # fmt: skip
def test_replies_read_as(reply: Reply, lines: str) -> None:
    assert TEXT.reply(reply, "", None, TODAY).decode() == lines


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "hi (#7)"),
        ({"reply_to": 5}, "hi (on #5) (#7)"),
        ({"edited": "2026-11-21T12:00:02.000Z"}, "hi (edited) (#7)"),
        ({"reactions": {"👍": ["bob", "carol"], "+1": ["dave"]}}, "hi (👍 bob carol) (+1 dave) (#7)"),
        ({"reply_to": 5, "edited": "2026-11-21T12:00:02.000Z", "delayed": True, "reactions": {"👍": ["bob"]}},
         "hi (on #5) (edited) (delayed) (👍 bob) (#7)"),
        ({"reply_to": 5, "deleted": True, "text": None}, "(deleted) (on #5) (#7)"),
        ({"text": "a.png", "file": File(9, "a.png", 1300, "ab"), "reply_to": 5},
         "file a.png, 1.3 KiB; /get_file 9 (on #5) (#7)"),
        ({"text": "a\nb", "file": File(9, "a.png", 2, "ab")}, "a (file a.png, 2 bytes; /get_file 9) (#7)\n    | b"),
        ({"text": "hi\nthere", "reply_to": 5}, "hi (on #5) (#7)\n    | there"),
    ],
)  # fmt: skip
def test_a_message_shows_what_came_of_it(fields: dict[str, Any], line: str) -> None:
    message = {"id": 7, "seq": 9, "chat": "main", "from_": "al", "at": "2026-11-21T12:00:01.250Z", "text": "hi"}
    assert TEXT.event(Message(**{**message, **fields}), TODAY).decode() == f"[12:00:01] main al: {line}\n"


def test_a_label_stands_after_the_mark() -> None:
    assert TEXT.reply(Pong(), "ping", "7f", TODAY) == b"+ @7f pong\n"
    assert TEXT.refusal(Refusal("busy", "later"), "ping", "7f") == b"- @7f busy: later\n"
