from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chat_server.log.codec import ENTRIES_BYTES_MAX, MAGIC, NotOurs, decode, encode, encode_entry
from chat_server.log.entries import Batch, Due, Enter, Entry, ForgetNotices, Origin, SetPassword, WrongBatch
from chat_server.log.stream import Position, StreamRecord
from chat_server.log.versions import OLDEST, VERSION
from chat_server.protocol.arguments import Key, Text
from chat_server.protocol.messages import SendAll
from chat_server.protocol.names import check

COMMANDS: list[Any] = [
    Due(), ForgetNotices([1, 2]), SetPassword(0, "h1", b"\0\xff"), Enter(check("Анна"), 0, "h", True, b"t"),
    SendAll(Text("hi 👋"), Key("key-1")),
]  # fmt: skip
ENTRIES = [Entry(command, 1, Origin("n1", 2, 3, 4), "192.0.2.1", False) for command in COMMANDS] + [Entry(Due())]
BATCH = Batch("h1", "n1", 2, b"nonce", 3, 12, ENTRIES)


def record(data: bytes, node: str = "n1") -> StreamRecord:
    return StreamRecord(Position(1, 7), node, 34, data)


def test_a_batch_reads_back_however_its_entries_were_encoded() -> None:
    data = encode(BATCH)
    assert decode(record(data), None) == BATCH
    assert encode(BATCH, [encode_entry(entry) for entry in ENTRIES]) == data


def test_a_batch_without_entries_reads_back() -> None:
    assert decode(record(encode(replace(BATCH, entries=[]))), None).entries == []


def test_what_is_around_the_entries_stays_in_its_bound() -> None:
    """The longest names there are, and numbers of 64 bits."""
    most = (1 << 63) - 1
    batch = Batch("h" * 64, "n" * 64, most, b"n" * 64, most, most, [])
    entries = [b"\xc0" * (ENTRIES_BYTES_MAX // 100)] * 100
    assert len(encode(batch, entries)) < 512 << 10


@pytest.mark.parametrize(
    "data",
    [
        b"", b"hello", MAGIC, MAGIC[:-1] + b"!" + encode(BATCH)[len(MAGIC) :], encode(BATCH)[:-1],
        encode(BATCH) + b"!", encode(BATCH).replace(b"\xa2h1", b"\xa2h\xff"),
    ],
    ids=lambda data: repr(data[:12]),
)  # fmt: skip
def test_what_no_node_has_written_is_told_from_batches(data: bytes) -> None:
    with pytest.raises(NotOurs):
        decode(record(data), None)


NEST = b"\x91" * 100_000


@given(st.binary(max_size=60), st.integers(0, len(encode(BATCH))), st.sampled_from([b"", NEST]))
def test_no_bytes_are_a_fault_of_this_program(data: bytes, start: int, deep: bytes) -> None:
    """Nodes execute the same, so none may fail where another does not."""
    whole = encode(BATCH)
    header = MAGIC + VERSION.to_bytes(2)
    for made in (header + data, header + deep, whole[:start] + data + whole[start + len(data) :], whole + data):
        with suppress(NotOurs, WrongBatch):
            decode(record(made), None)


def test_a_batch_that_says_two_versions_is_nobody_s() -> None:
    other = encode(replace(BATCH, version=VERSION + 1))
    begin = len(MAGIC) + 2
    with pytest.raises(NotOurs, match="two versions"):
        decode(record(encode(BATCH)[:begin] + other[begin:]), None)


def test_a_sender_that_the_subject_does_not_name_is_nobody() -> None:
    with pytest.raises(NotOurs, match="'n1' sent it"):
        decode(record(encode(BATCH), node="n2"), None)


@pytest.mark.parametrize("rest", [b"", b"\xff\xff", b"\xff" * 100, b"\0\x09\x92\xa2h1\xa2n2", b"\0\x09\x91\xa2h1"])
def test_rubbish_behind_the_magic_stops_nobody(rest: bytes) -> None:
    with pytest.raises(NotOurs):
        decode(record(MAGIC + rest), None)


@pytest.mark.parametrize("version", [OLDEST - 1, VERSION + 1, 65_535])
def test_another_version_stops_the_node_before_its_entries_are_read(version: int) -> None:
    """All versions begin with the chat and the node; what they have behind it no version of today can read."""
    data = MAGIC + version.to_bytes(2) + b"\x94\xa2h1\xa2n1\xc0\xc0"
    with pytest.raises(WrongBatch, match=f"batch 1/7 .* has version {version}"):
        decode(record(data), None)


def test_a_batch_of_another_chat_is_nobodys_whatever_it_holds() -> None:
    for data in (encode(BATCH), encode(BATCH).replace(b"due", b"duo")):
        with pytest.raises(NotOurs, match="of the chat 'h1'"):
            decode(record(data), "h2")
    assert decode(record(encode(BATCH)), "h1") == BATCH


def longer(entry: bytes) -> bytes:
    """With one more field behind the others."""
    return bytes([entry[0] + 1]) + entry[1:] + b"\xc3"


@pytest.mark.parametrize(
    "entry",
    [
        encode_entry(Entry(Due())).replace(b"due", b"duo"),
        encode_entry(Entry(Due())).replace(b"\x81\xa3cmd\xa3due", b"\x82\xa3cmd\xa3due\xa3new\x01"),
        encode_entry(Entry(ForgetNotices([1]))).replace(b"notices", b"notised"),
        encode_entry(Entry(ForgetNotices([1]))).replace(b"\x91\x01", b"\x91\xa1x"),
        longer(encode_entry(Entry(Due()))),
    ],
    ids=["type", "field", "name of a field", "value", "field of the entry"],
)
def test_an_entry_that_is_not_known_stops_the_node(entry: bytes) -> None:
    """A node that passed it over would differ from those that know it."""
    with pytest.raises(WrongBatch, match=f"batch 1/7 .* node n1, has version {VERSION}, and yet holds what this prog"):
        decode(record(encode(BATCH, [encode_entry(Entry(Due())), entry])), "h1")
