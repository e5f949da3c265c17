import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.store.blobs import Blobs

DATA = b"some bytes of a file"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path)


def list_blobs(blobs: Blobs) -> list[str]:
    return [name for folder in blobs.folders() for name in folder]


def put(blobs: Blobs, upload: int, data: bytes = DATA) -> str:
    blobs.append(upload, data)
    sha256 = blobs.seal(upload)
    blobs.place(upload, sha256)
    return sha256


def test_a_part_becomes_a_blob_and_is_deleted(blobs: Blobs) -> None:
    assert blobs.received_bytes(1, len(DATA)) == 0
    assert blobs.append(1, DATA[:5]) == 5
    assert blobs.received_bytes(1, len(DATA)) == 5
    assert blobs.append(1, DATA[5:]) == len(DATA)
    assert blobs.seal(1) == SHA256
    blobs.place(1, SHA256)
    assert blobs.uploads() == [] and list_blobs(blobs) == [SHA256]
    assert blobs.read(SHA256, 5, 7) == DATA[5:12]
    assert blobs.read(SHA256, len(DATA), 7) == b""
    assert blobs.discard(1) == [SHA256]
    blobs.delete(SHA256)
    assert list_blobs(blobs) == []


def test_equal_bytes_are_stored_once(blobs: Blobs) -> None:
    assert put(blobs, 1) == put(blobs, 2)
    assert list_blobs(blobs) == [SHA256] and blobs.uploads() == []


def test_a_blob_in_place_stays_until_its_upload_is_over(blobs: Blobs) -> None:
    put(blobs, 1)
    put(blobs, 2)
    blobs.discard(1)
    blobs.delete(SHA256)
    assert list_blobs(blobs) == [SHA256], "upload 2 is about to become a file"
    blobs.discard(2)
    blobs.delete(SHA256)
    assert list_blobs(blobs) == []


def test_blobs_are_not_deleted_during_a_backup(blobs: Blobs) -> None:
    blobs.append(1, DATA)
    blobs.seal(1)
    blobs.place(1, SHA256)
    blobs.discard(1)
    for _ in range(2):
        blobs.hold()
    blobs.delete(SHA256)
    assert blobs.release() == [] and blobs.read(SHA256, 0, 100) == DATA
    assert blobs.release() == [SHA256] and list_blobs(blobs) == [SHA256]
    blobs.delete(SHA256)
    assert list_blobs(blobs) == []


def test_the_last_byte_completes_an_upload(blobs: Blobs) -> None:
    """A server that was killed once all bytes were there has the last one sent again."""
    blobs.append(1, DATA)
    assert blobs.received_bytes(1, len(DATA)) == len(DATA) - 1
    assert blobs.append(1, DATA[-1:]) == len(DATA)
    assert blobs.seal(1) == SHA256


def test_a_chunk_without_room_leaves_the_part_unchanged(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    blobs.append(1, b"before")
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    with pytest.raises(OSError):
        blobs.append(1, b"more than fits")
    assert blobs.received_bytes(1, 1000) == len(b"before")


def test_an_unknown_upload_or_blob_has_nothing(blobs: Blobs) -> None:
    assert blobs.discard(7) == []
    blobs.delete(SHA256)
    with pytest.raises(FileNotFoundError):
        blobs.read(SHA256, 0, 1)


@given(data=st.binary(min_size=1, max_size=300), cuts=st.lists(st.integers(1, 60)), lost=st.sets(st.integers(0, 20)))
def test_an_upload_is_the_same_however_it_is_cut_and_resumed(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cuts: list[int], lost: set[int]
) -> None:
    """If `lost`, the sender has forgotten its position and asks; the store may have been opened anew."""
    path = tmp_path_factory.mktemp("blobs")
    blobs, position, steps = Blobs(path), 0, 0
    while position < len(data):
        if steps in lost:
            blobs = Blobs(path)
            assert blobs.received_bytes(1, len(data)) == position
        size = cuts[steps % len(cuts)] if cuts else 7
        position = blobs.append(1, data[position : position + size])
        steps += 1
    assert blobs.seal(1) == hashlib.sha256(data).hexdigest()
