import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.delivery.blocks import EVERYONE, Block, Blocks, room_channel
from chat_server.protocol.base import Event
from chat_server.protocol.connection import Notice
from chat_server.protocol.formats import FORMATS, JSON, TEXT
from chat_server.protocol.people import PresenceChanged
from tests.unit.protocol.test_events import TABLE, message

TODAY = "2026-11-21"
ALICE, BOB = 7, 8
# Private chats: who is in which.
TEAM, OTHER = 3, 4
IN = {ALICE: {TEAM, OTHER}, BOB: {TEAM}}
CHANNELS = (EVERYONE, ALICE, BOB, room_channel(TEAM), room_channel(OTHER))

# Each outcome of a batch: its events, each with its channel.
outcomes = st.lists(st.lists(st.tuples(st.sampled_from(CHANNELS), st.text("abcé", min_size=1)), max_size=3), max_size=8)


def filled(batch: list[list[tuple[int, str]]]) -> Blocks:
    blocks = Blocks(TODAY)
    for index, events in enumerate(batch):
        for channel, text in events:
            blocks.add(channel, index, Notice(text))
    return blocks


def block_of(blocks: Blocks, user_id: int, format: str) -> Block:
    return blocks.block(blocks.channels(user_id, IN.get(user_id, set())), FORMATS[format])


def naive(batch: list[list[tuple[int, str]]], user_id: int, format: str, replies: dict[int, bytes]) -> bytes:
    """What a connection receives, said in the plainest way."""
    parts = []
    for index, events in enumerate(batch):
        if index in replies:
            parts.append(replies[index])
            continue
        channels = (EVERYONE, user_id, *map(room_channel, IN.get(user_id, ())))
        parts += [FORMATS[format].event(Notice(text), TODAY) for channel, text in events if channel in channels]
    return b"".join(parts)


@pytest.mark.parametrize("format", ["text", "json"])
@given(outcomes, st.sampled_from((EVERYONE, ALICE, 99)), st.sets(st.integers(0, 7)))
def test_a_block_is_cut_as_if_it_had_been_made_for_one(
    format: str, batch: list[list[tuple[int, str]]], user_id: int, own: set[int]
) -> None:
    replies = {index: f"+ reply {index}\n".encode() for index in sorted(own) if index < len(batch)}
    block = block_of(filled(batch), user_id, format)
    assert block.cut(list(replies.items())) == naive(batch, user_id, format, replies)
    assert block.data == block.cut([])


@given(outcomes)
def test_the_offsets_are_those_of_the_lines(batch: list[list[tuple[int, str]]]) -> None:
    block = block_of(filled(batch), ALICE, "json")
    assert block.indexes == sorted(block.indexes)
    assert len(block.offsets) == len(block.indexes) + 1
    for start, end in zip(block.offsets, block.offsets[1:], strict=False):
        line = block.data[start:end]
        assert line.endswith(b"\n") and line.count(b"\n") == 1


def test_the_same_receivers_share_one_block() -> None:
    team = room_channel(TEAM)
    blocks = filled([[(EVERYONE, "all")], [(ALICE, "alice")], [(team, "team")]])
    assert block_of(blocks, 99, "text") is block_of(blocks, 98, "text") is block_of(blocks, EVERYONE, "text")
    assert blocks.block(blocks.channels(BOB, {TEAM}), TEXT) is blocks.block(blocks.channels(99, {TEAM, 12}), TEXT)
    assert block_of(blocks, ALICE, "text") is block_of(blocks, ALICE, "text")
    assert block_of(blocks, ALICE, "text") is not block_of(blocks, ALICE, "json")
    assert blocks.users == [ALICE] and blocks.rooms == {TEAM} and blocks.has_lines_for_everyone()
    assert not filled([[(ALICE, "x")], [(team, "x")]]).has_lines_for_everyone()


def test_what_is_no_message_is_told_apart_with_its_notice_in_the_order_of_the_batch() -> None:
    blocks = Blocks(TODAY)
    events: list[Event] = [message(), PresenceChanged("bob", True)]
    for index, channel in enumerate((ALICE, EVERYONE, room_channel(TEAM), BOB)):
        for event in events:
            blocks.add(channel, index, event, channel)
    notices = [notice for _, notice in blocks.other_events(blocks.channels(ALICE, {TEAM}), ())]
    assert notices == [ALICE, EVERYONE, room_channel(TEAM)]
    assert blocks.other_events(blocks.channels(ALICE, {TEAM}), {0, 2}) == [(PresenceChanged("bob", True), EVERYONE)]
    assert blocks.other_events(blocks.channels(99, set()), ()) == [(PresenceChanged("bob", True), EVERYONE)]


@pytest.mark.parametrize(("event", "line", "obj"), TABLE)
def test_an_event_is_rendered_in_the_format_of_its_reader(event: Event, line: str, obj: str) -> None:
    assert TEXT.event(event, TODAY).decode() == (line and line + "\n")
    assert JSON.event(event, TODAY, "7f").decode() == obj[:-1] + ',"label":"7f"}\n'
