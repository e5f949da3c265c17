"""The files in tests/data/log/ guard the format; `tests.golden` makes them."""

import json
from typing import Any, Literal

import msgspec
import pytest
from msgspec import Struct

from chat_server.cluster.heartbeats import Heartbeat
from chat_server.cluster.snapshots import Description
from chat_server.log import versions
from chat_server.log.codec import decode, encode, encode_entry
from chat_server.log.entries import LOGGED, Configure, Entry, RaiseVersion
from chat_server.log.stream import Position, StreamRecord
from chat_server.log.versions import ADDED, OLDEST, VERSION, version_needed
from chat_server.protocol.arguments import Text
from chat_server.protocol.messages import SendAll
from chat_server.store.schema import MIGRATIONS
from tests import golden
from tests.unit.chat import LIMITS

ADVICE = (
    "what nodes write has changed: raise VERSION in chat_server/log/versions.py, name what was added there,"
    " and run python -m tests.golden; only a version that was never released is replaced (--replace)"
)
known = pytest.mark.parametrize("version", [each for each in golden.versions() if each >= OLDEST])


def test_what_is_written_is_what_the_file_of_the_version_says() -> None:
    assert golden.path_of(VERSION).exists(), ADVICE
    assert {**golden.load(VERSION), "schema": 0} == {**golden.build(), "schema": 0}, ADVICE


def test_a_migration_comes_with_a_version() -> None:
    """Nodes of one version have the same tables. The first version is that of the first release."""
    if golden.versions() != [VERSION]:
        assert golden.load(VERSION)["schema"] == len(MIGRATIONS), ADVICE


def test_each_type_of_entry_has_its_sample() -> None:
    assert set(golden.load(VERSION)["entries"]) == {each.__name__ for each in LOGGED}


def test_a_version_has_added_what_the_table_says() -> None:
    files = [golden.load(version) for version in golden.versions()]
    for version, before, after in zip(golden.versions()[1:], files, files[1:], strict=False):
        assert golden.additions(before, after) == {name for name, since in ADDED.items() if since == version}
    assert set(ADDED.values()) <= set(golden.versions()[1:])


@known
def test_what_was_written_reads_back_and_is_written_alike(version: int) -> None:
    """So a newer program writes what an older one reads, as long as nothing newer is used."""
    found = golden.load(version)
    decode_entry = msgspec.msgpack.Decoder(Entry).decode
    for name, encoded in found["entries"].items():
        for each in encoded:
            entry = decode_entry(bytes.fromhex(each))
            assert type(entry.command).__name__ == name and encode_entry(entry).hex() == each
            assert version_needed(entry) <= version
    for each in found["batches"]:
        data = bytes.fromhex(each)
        batch = decode(StreamRecord(Position(1, 1), "text", 0, data), None)
        assert batch.version == version and encode(batch) == data


@known
def test_what_was_said_or_described_can_be_read(version: int) -> None:
    found = golden.load(version)
    types: dict[str, Any] = {cls.__name__: cls for cls in golden.ON_THE_BUS}
    assert set(found["said"]) <= set(types)
    for name, encoded in found["said"].items():
        for each in encoded:
            msgspec.msgpack.decode(bytes.fromhex(each), type=types[name])
    for text in found["descriptions"]:
        assert msgspec.json.decode(text, type=Description).schema == json.loads(text)["schema"]


@pytest.mark.parametrize("cls", sorted(golden.logged_types(), key=str), ids=str)
def test_nothing_unknown_is_passed_over_and_nothing_unused_is_written(cls: type[Struct]) -> None:
    config = cls.__struct_config__
    assert config.forbid_unknown_fields
    assert config.omit_defaults or config.array_like or not msgspec.structs.fields(cls)


# ---- what the checks above rest on


class Limits(Struct, frozen=True, omit_defaults=True):
    most: int
    least: int = 3


class Named(Struct, frozen=True, omit_defaults=True):
    kind: Literal["a", "b"]
    limits: Limits | None = None


def of(*types: type[Struct]) -> dict[str, Any]:
    return {"types": {each.__name__: golden.described_type(each) for each in types}}


def changed(name: str, fields: list[Any]) -> type[Struct]:
    return msgspec.defstruct(name, fields, frozen=True)


def test_additions_are_told_from_other_changes() -> None:
    before = of(Limits)
    assert golden.additions(before, of(Limits)) == set()
    assert golden.additions(before, of(Limits, Named)) == {"Named"}
    more = changed("Limits", [("most", int), ("least", int, 3), ("page", int | None, None)])
    assert golden.additions(before, of(more)) == {"Limits.page"}
    wider = changed("Named", [("kind", Literal["a", "b", "c"]), ("limits", Limits | None, None)])
    assert golden.additions(of(Named), of(wider)) == {"Named.kind=c"}


@pytest.mark.parametrize(
    "fields",
    [
        [("most", int)],
        [("most", str), ("least", int, 3)],
        [("most", int), ("least", int, 4)],
        [("least", int, 3), ("most", int, 1)],
        [("most", int), ("page", int, 1), ("least", int, 3)],
    ],
    ids=["gone", "of another type", "another default", "another order", "not behind"],
)
def test_what_is_no_addition_is_refused(fields: list[Any]) -> None:
    with pytest.raises(AssertionError, match="Limits"):
        golden.additions(of(Limits), of(changed("Limits", fields)))


def test_a_field_without_a_default_is_no_addition() -> None:
    required = msgspec.defstruct("Limits", [("most", int), ("least", int, 3), ("page", int)], kw_only=True)
    with pytest.raises(AssertionError, match=r"Limits\.page needs a default"):
        golden.additions(of(Limits), of(required))
    with pytest.raises(AssertionError, match="gone"):
        golden.additions(of(Limits, Named), of(Limits))


def test_a_command_needs_the_version_of_the_newest_that_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    added = {"SendAll.key": 6, "Limits.least": 7, "Named.kind=b": 8, "RaiseVersion": 9, "Limits.chats_max": 7}
    monkeypatch.setattr(versions, "ADDED", added)
    assert version_needed(SendAll(Text("hi"))) == OLDEST
    assert version_needed(SendAll(Text("hi"), "k")) == 6  # type: ignore[arg-type]
    assert version_needed(Named("a", Limits(1))) == OLDEST
    assert version_needed(Named("a", Limits(1, 4))) == 7
    assert version_needed([Named("b", Limits(1, 4))]) == 8
    assert version_needed(Entry(RaiseVersion(3))) == 9
    assert version_needed(Configure(LIMITS)) == OLDEST
    assert version_needed(Configure(msgspec.structs.replace(LIMITS, chats_max=1))) == 7


def test_a_heartbeat_that_says_more_is_understood() -> None:
    data = msgspec.msgpack.encode({
        "type": "beat", "node": "n1", "incarnation": 1, "number": 2, "more": 1,
        "vitals": {"position": [1, 2], "version": 9, "more": {"a": 1}},
    })  # fmt: skip
    assert msgspec.msgpack.decode(data, type=Heartbeat).vitals.version == 9
