from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.delivery.rendering import (
    EVERYONE,
    Audience,
    BatchRendering,
    RoutedEvent,
    RoutedEvents,
    SharedLines,
)
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Notice
from chat_server.protocol.formats import JSON, TEXT, Format
from chat_server.protocol.formats.wording import EVENTS
from chat_server.protocol.people import PresenceChanged
from tests.unit.protocol.events import TABLE, message

TODAY = "2026-11-21"
ALICE, BOB = 7, 8
# Private chats: who is in which.
TEAM, OTHER = 3, 4
IN = {ALICE: {TEAM, OTHER}, BOB: {TEAM}}
MEMBERS = {TEAM: (ALICE, BOB), OTHER: (ALICE,)}
AUDIENCES = (EVERYONE, Audience(ALICE), Audience(BOB), Audience(0, (TEAM,)), Audience(0, (OTHER,)))

# Each outcome of a batch: its events, each with its audience.
Batch = list[list[tuple[Audience, str]]]
batches = st.lists(
    st.lists(st.tuples(st.sampled_from(AUDIENCES), st.text("abcé", min_size=1)), max_size=3), max_size=8
)  # fmt: skip


def routed(batch: Batch) -> RoutedEvents:
    events, order = RoutedEvents(), 0
    for outcome, pushed in enumerate(batch):
        for audience, text in pushed:
            order += 1
            events.add(audience, RoutedEvent(order, outcome, Notice(text)))
    return events


class Rendered:
    """A batch, and what each user's connections share of it."""

    def __init__(self, batch: Batch) -> None:
        self.events = routed(batch)
        self.rendering = BatchRendering(self.events, TODAY)

    def audience(self, user_id: int) -> Audience:
        return self.events.audiences(MEMBERS).get(user_id, EVERYONE)

    def of(self, user_id: int, format: Format) -> SharedLines:
        return self.rendering.lines_for(self.audience(user_id), format)


def naive(batch: Batch, user_id: int, format: Format, replies: dict[int, bytes]) -> bytes:
    """What a connection receives, said in the plainest way."""
    parts = []
    for index, events in enumerate(batch):
        if index in replies:
            parts.append(replies[index])
            continue
        audiences = (EVERYONE, Audience(user_id), *(Audience(0, (room,)) for room in IN.get(user_id, ())))
        parts += [format.event(Notice(text), TODAY) for audience, text in events if audience in audiences]
    return b"".join(parts)


@pytest.mark.parametrize("format", [TEXT, JSON])
@given(batches, st.sampled_from((ALICE, 99)), st.sets(st.integers(0, 7)))
def test_replies_are_put_in_place_as_if_all_had_been_made_for_one(
    format: Format, batch: Batch, user_id: int, own: set[int]
) -> None:
    replies = {index: f"+ reply {index}\n".encode() for index in sorted(own) if index < len(batch)}
    rendered = Rendered(batch)
    audience, lines = rendered.audience(user_id), rendered.of(user_id, format)
    with_replies, without = naive(batch, user_id, format, replies), naive(batch, user_id, format, {})
    assert lines.with_replies(list(replies.items())) == with_replies
    assert lines.data == lines.with_replies([]) == without
    assert rendered.rendering.data_for(audience, format, list(replies.items())) == with_replies
    assert rendered.rendering.data_for(audience, format) == without


@given(batches)
def test_the_offsets_are_those_of_the_lines(batch: Batch) -> None:
    lines = Rendered(batch).of(ALICE, JSON)
    assert lines.outcomes == sorted(lines.outcomes)
    assert len(lines.offsets) == len(lines.outcomes) + 1
    for start, end in zip(lines.offsets, lines.offsets[1:], strict=False):
        line = lines.data[start:end]
        assert line.endswith(b"\n") and line.count(b"\n") == 1


def test_the_same_audience_shares_the_same_bytes() -> None:
    batch = Rendered([[(EVERYONE, "all")], [(Audience(ALICE), "alice")], [(Audience(0, (TEAM,)), "team")]])
    assert batch.of(99, TEXT) is batch.of(98, TEXT) is batch.rendering.lines_for(EVERYONE, TEXT)
    assert batch.audience(BOB) == Audience(0, (TEAM,)) and batch.audience(99) == EVERYONE
    assert batch.audience(ALICE) == Audience(ALICE, (TEAM,))
    assert batch.of(ALICE, TEXT) is batch.of(ALICE, TEXT)
    assert batch.of(ALICE, TEXT) is not batch.of(ALICE, JSON)


def test_an_event_is_rendered_once_for_each_format(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def as_json(event: Event) -> bytes:
        made.append("json")
        return b"{}"

    def as_words(event: Event, now: str) -> str:
        made.append("text")
        return "line"

    monkeypatch.setattr("chat_server.protocol.formats.json._encode", as_json)
    monkeypatch.setitem(cast(dict[type, Any], EVENTS), Notice, as_words)
    batch = Rendered([[(EVERYONE, "all"), (Audience(ALICE), "alice"), (Audience(0, (TEAM,)), "team")]])
    for user_id in (ALICE, BOB, 99):
        for format in (TEXT, JSON):
            batch.of(user_id, format)
    assert sorted(made) == ["json"] * 3 + ["text"] * 3


def test_what_a_reply_takes_the_place_of_is_not_rendered_for_its_user_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Rendered([[(Audience(ALICE), "own"), (Audience(BOB), "own")], [(Audience(ALICE), "bob's")]])
    made: list[Event] = []

    def render(event: Event, now: str) -> str:
        made.append(event)
        return "line"

    monkeypatch.setitem(cast(dict[type, Any], EVENTS), Notice, render)
    assert batch.rendering.data_for(batch.audience(ALICE), TEXT, [(0, b"+ sent\n")]) == b"+ sent\n* line\n"
    assert made == [Notice("bob's")]


def test_members_of_one_chat_share_their_audience() -> None:
    batch = Rendered([[(Audience(0, (TEAM,)), "team")]])
    found = batch.events.audiences(MEMBERS)
    assert found[ALICE] is found[BOB] and found.keys() == {ALICE, BOB}


def test_members_of_the_same_chats_share_them() -> None:
    """With a tuple for each person and chat, 50 chats of the same 400 people took 20,000 of them a batch."""
    events, rooms = RoutedEvents(), range(1, 51)
    for order, room in enumerate(rooms):
        events.add(Audience(0, (room,)), RoutedEvent(order, order, Notice("hi")))
    for order, user_id in enumerate((101, 102), 50):
        events.add(Audience(user_id), RoutedEvent(order, order, Notice("own")))
    found = events.audiences({room: range(101, 501) for room in rooms})
    assert found[103] == Audience(0, tuple(rooms)) and found[101] == Audience(101, tuple(rooms))
    assert len({id(audience) for user_id, audience in found.items() if user_id > 102}) == 1
    assert len({id(audience.rooms) for audience in found.values()}) == 1


@given(
    st.sets(st.integers(1, 6)),
    st.dictionaries(st.integers(1, 5), st.lists(st.integers(1, 8), unique=True)),
)
def test_an_audience_has_all_chats_of_the_batch_that_its_user_is_in(
    users: set[int], members: dict[int, list[int]]
) -> None:
    events = RoutedEvents()
    for audience in (*map(Audience, users), *(Audience(0, (room,)) for room in members)):
        events.add(audience, RoutedEvent(1, 0, Notice("hi")))
    expected = {}
    for user_id in range(1, 9):
        rooms = tuple(room for room in sorted(members) if user_id in members[room])
        if rooms or user_id in users:
            expected[user_id] = Audience(user_id if user_id in users else 0, rooms)
    assert events.audiences(members) == expected


def test_what_is_not_stored_comes_with_its_notice_in_the_order_of_the_batch() -> None:
    events, order = RoutedEvents(), 0
    for outcome, audience in enumerate((Audience(ALICE), EVERYONE, Audience(0, (TEAM,)), Audience(BOB))):
        for event in (message(), PresenceChanged("bob", True)):
            order += 1
            events.add(audience, RoutedEvent(order, outcome, event, notice=outcome + 1))
    alice = events.audiences({TEAM: [ALICE]})[ALICE]
    assert [each.notice for each in events.not_stored(alice, ())] == [1, 2, 3]
    assert [each.notice for each in events.not_stored(alice, {0, 2})] == [2]
    assert [each.event for each in events.not_stored(EVERYONE, ())] == [PresenceChanged("bob", True)]


@pytest.mark.parametrize(("event", "line", "obj"), TABLE)
def test_an_event_is_rendered_in_the_format_of_its_reader(event: Event, line: str, obj: str) -> None:
    assert TEXT.event(event, TODAY).decode() == (line and line + "\n")
    assert JSON.event(event, TODAY, "7f").decode() == obj[:-1] + ',"label":"7f"}\n'
