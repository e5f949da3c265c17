import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.delivery.blocks import EVERYONE, Blocks, render
from chat_server.protocol.events import Event, Notice, Presence
from tests.unit.protocol.test_events import TABLE, message

TODAY = "2026-11-21"
ALICE, BOB = 7, 8

# Each outcome of a batch: its events, each with its channel.
outcomes = st.lists(
    st.lists(st.tuples(st.sampled_from((EVERYONE, ALICE, BOB)), st.text("abcé", min_size=1)), max_size=3), max_size=8
)


def filled(batch: list[list[tuple[int, str]]]) -> Blocks:
    blocks = Blocks(TODAY)
    for index, events in enumerate(batch):
        for channel, text in events:
            blocks.add(channel, index, Notice(text))
    return blocks


def naive(
    batch: list[list[tuple[int, str]]], user_id: int, format: str, replies: dict[int, bytes], everyone_first: bool
) -> bytes:
    """What a connection receives, said in the plainest way."""
    parts = []
    for index, events in enumerate(batch):
        if index in replies:
            parts.append(replies[index])
            continue
        mine = [(channel, text) for channel, text in events if channel in (EVERYONE, user_id)]
        if everyone_first:
            mine.sort(key=lambda each: each[0])
        parts += [render(Notice(text), format, TODAY) for _, text in mine]
    return b"".join(parts)


@pytest.mark.parametrize("format", ["text", "json"])
@given(outcomes, st.sampled_from((EVERYONE, ALICE, 99)), st.sets(st.integers(0, 7)))
def test_a_block_is_cut_as_if_it_had_been_made_for_one(
    format: str, batch: list[list[tuple[int, str]]], user_id: int, own: set[int]
) -> None:
    replies = {index: f"+ reply {index}\n".encode() for index in sorted(own) if index < len(batch)}
    block = filled(batch).block(user_id, format)
    assert block.cut(list(replies.items())) == naive(batch, user_id, format, replies, everyone_first=True)
    assert block.data == block.cut([])


@given(outcomes)
def test_the_offsets_are_those_of_the_lines(batch: list[list[tuple[int, str]]]) -> None:
    block = filled(batch).block(ALICE, "json")
    assert block.indexes == sorted(block.indexes)
    assert len(block.offsets) == len(block.indexes) + 1
    for start, end in zip(block.offsets, block.offsets[1:], strict=False):
        line = block.data[start:end]
        assert line.endswith(b"\n") and line.count(b"\n") == 1


def test_the_same_receivers_share_one_block() -> None:
    blocks = filled([[(EVERYONE, "all")], [(ALICE, "alice")]])
    assert blocks.block(BOB, "text") is blocks.block(99, "text") is blocks.block(EVERYONE, "text")
    assert blocks.block(ALICE, "text") is blocks.block(ALICE, "text")
    assert blocks.block(ALICE, "text") is not blocks.block(ALICE, "json")
    assert blocks.users == [ALICE] and blocks.has_lines_for_everyone()
    assert not filled([[(ALICE, "x")]]).has_lines_for_everyone()


def test_what_is_no_message_is_told_apart_with_its_notice() -> None:
    blocks = Blocks(TODAY)
    events: list[Event] = [message(), Presence("bob", True)]
    for channel in (EVERYONE, ALICE):
        for index, event in enumerate(events):
            blocks.add(channel, index, event, channel)
    assert blocks.other_events(ALICE, ()) == [(Presence("bob", True), 0), (Presence("bob", True), ALICE)]
    assert blocks.other_events(BOB, ()) == [(Presence("bob", True), 0)]


@pytest.mark.parametrize(("event", "line", "obj"), TABLE)
def test_an_event_is_rendered_in_the_format_of_its_reader(event: Event, line: str, obj: str) -> None:
    assert render(event, "text", TODAY).decode() == (line and line + "\n")
    assert render(event, "json", TODAY, "7f").decode() == obj[:-1] + ',"label":"7f"}\n'
