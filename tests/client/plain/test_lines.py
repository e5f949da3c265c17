"""Words as lines: each begins with the mark of its kind, and no text of a user can begin one."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chat_client.common import wording
from chat_client.common.wording import Answer
from chat_client.plain import lines
from chat_client.sdk.local_time import local_now
from chat_server.protocol import EVENTS
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import Closing, Notice
from chat_server.protocol.files import FileChunk
from chat_server.protocol.formats import TEXT
from chat_server.protocol.messages import File, Message
from chat_server.protocol.people import PresenceChanged
from chat_server.protocol.rooms import Approved, Left
from chat_server.protocol.sanitize import clean
from tests.unit.protocol import samples

NOW = 1_795_262_405.0


def test_marks() -> None:
    assert lines.note("error", "no\nway") == ["- no", "    | way"]
    assert lines.note("info", "") == []
    assert lines.answer(Answer("two", ("one\nmore", "two"))) == ["  one", "    | more", "  two", "+ two"]
    assert lines.event(Notice("late", by="bob"), "me", NOW) == ["* announcement by bob: late"]


def test_who_comes_and_goes_may_be_left_out() -> None:
    """In a chat of hundreds a screen reader read nothing else."""
    comes, away = PresenceChanged("bob", True), PresenceChanged("bob", True, away="lunch")
    assert lines.event(comes, "me", NOW) == ["* bob is online"] and lines.event(away, "me", NOW)
    form = lines.LineForm(presence=False)
    assert lines.event(comes, "me", NOW, form) == lines.event(away, "me", NOW, form) == []
    assert lines.event(Left("#x", "bob"), "me", NOW, form) == ["* bob left #x"]


def test_a_reaction_is_told_without_the_message_over_again() -> None:
    """A long message was read aloud once more for each of them."""
    said = Message(7, 7, "main", "alice", "2026-11-21T12:00:00.000Z", "hello\nall", reactions={"👍": ["bob"]})
    now = replace(said, seq=9, reactions={"🎉": ["bob", "carol"]})
    assert lines.reactions(said, now) == [
        "* bob reacts with 🎉 to alice: hello… (#7)",
        "* carol reacts with 🎉 to alice: hello… (#7)",
        "* bob takes 👍 back from alice: hello… (#7)",
    ]
    assert lines.reactions(said, now, lines.LineForm(ids=False)) == [
        line.removesuffix(" (#7)") for line in lines.reactions(said, now) or []
    ]
    for other in (replace(now, text="hello"), replace(now, deleted=True), said):
        assert lines.reactions(said, other) is None


def test_a_message_tells_how_many_answer_it() -> None:
    message = Message(7, 7, "main", "bob", "2026-11-21T12:00:00.000Z", "one\ntwo", replies=2, last_reply=9)
    first, more = lines.event(message, "me", NOW)
    assert first.endswith(" main bob: one (2 replies) (#7)") and more == "    | two"
    bare = lines.event(replace(message, replies=1, text="one"), "me", NOW, lines.LineForm(times=False, ids=False))
    assert bare == ["main bob: one (1 reply)"]


def test_the_first_bytes_of_a_file_stand_behind_its_name() -> None:
    file = File(7, "a.png", 4, "0")
    assert lines.event(FileChunk(7, 0, "AAAA", file), "me", NOW) == ["* file 7 a.png 4", "= AAAA"]
    assert lines.event(FileChunk(7, 4, "AAAA"), "me", NOW) == ["= AAAA"]


# In the words of the client, since they tell what it does next.
OWN_WORDS = (Approved, Closing)


@given(st.one_of(*map(samples.samples, EVENTS)))
def test_every_event_is_told_in_the_servers_words(event: Event) -> None:
    shown = lines.event(event, "me", NOW)
    if isinstance(event, Message):
        event = replace(event, replies=0)
        shown = lines.event(event, "me", NOW)
    if not isinstance(event, OWN_WORDS) and not (isinstance(event, Left) and event.user == "me"):
        told = clean(TEXT.event(event, local_now(NOW)).decode())
        assert "".join(f"{line}\n" for line in shown) == ("" if told == "* \n" else told)


@given(st.one_of(*map(samples.samples, samples.REPLIES)))
def test_every_reply_is_told_in_the_servers_words(reply: Reply) -> None:
    shown = lines.answer(wording.reply(reply, "x", NOW))
    told = clean(TEXT.reply(reply, "", None, local_now(NOW)).decode())
    # An item of which nothing can be seen is no line of a column.
    told = "".join(line for line in told.splitlines(keepends=True) if line.strip())
    assert "".join(f"{line}\n" for line in shown if line.strip()) in (told, told.removesuffix("+ \n"))
