"""Words as lines: each begins with the mark of its kind, and no text of a user can begin one."""

from hypothesis import given
from hypothesis import strategies as st

from chat_client.common import wording
from chat_client.common.wording import Answer
from chat_client.plain import lines
from chat_client.sdk.local_time import local_now
from chat_server.protocol import EVENTS
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import Closing, Notice
from chat_server.protocol.formats import TEXT
from chat_server.protocol.rooms import Approved, Left
from chat_server.protocol.sanitize import clean
from tests.unit.protocol import samples

NOW = 1_795_262_405.0


def test_marks() -> None:
    assert lines.note("error", "no\nway") == ["- no", "    | way"]
    assert lines.note("info", "") == []
    assert lines.answer(Answer("two", ("one\nmore", "two"))) == ["  one", "    | more", "  two", "+ two"]
    assert lines.event(Notice("late", by="bob"), "me", NOW) == ["* announcement by bob: late"]


# In the words of the client, since they tell what it does next.
OWN_WORDS = (Approved, Closing)


@given(st.one_of(*map(samples.samples, EVENTS)))
def test_every_event_is_told_in_the_servers_words(event: Event) -> None:
    shown = lines.event(event, "me", NOW)
    if not isinstance(event, OWN_WORDS) and not (isinstance(event, Left) and event.user == "me"):
        assert "".join(f"{line}\n" for line in shown) == clean(TEXT.event(event, local_now(NOW)).decode())


@given(st.one_of(*map(samples.samples, samples.REPLIES)))
def test_every_reply_is_told_in_the_servers_words(reply: Reply) -> None:
    shown = lines.answer(wording.reply(reply, "x", NOW))
    told = clean(TEXT.reply(reply, "", None, local_now(NOW)).decode())
    assert "".join(f"{line}\n" for line in shown) in (told, told.removesuffix("+ \n"))
