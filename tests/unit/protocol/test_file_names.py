from base64 import b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat_server.errors import Refusal
from chat_server.protocol.arguments import is_one_line
from chat_server.protocol.file_names import (
    CHUNK_BYTES_MAX,
    PIECE_BYTES,
    chunk_data,
    describe_size,
    file_name,
    sha256_hex,
)
from tests.unit.strategies import any_text


def code(function: object, raw: str) -> str:
    with pytest.raises(Refusal) as refused:
        function(raw)  # type: ignore[operator]
    return refused.value.code


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("photo.png", "photo.png"), ("../../etc/passwd", "passwd"), ("C:\\Users\\bob\\a b.png", "a b.png"),
        ("/tmp/dir/", "dir"), ("a/..\\b", "b"), ("  two\twords \n.txt", "two words .txt"), ("x\x1b[2J.png", "x[2J.png"),
        ("a\u202egnp.exe", "agnp.exe"), ("...", "..."), (".hidden", ".hidden"), ("Фото.jpg", "Фото.jpg"),
        ("a/\x07", "a"), ("one\u2028two", "one two"), ("x" * 255, "x" * 255),
    ],
)  # fmt: skip
def test_a_name_is_reduced(raw: str, name: str) -> None:
    assert file_name(raw) == name


@pytest.mark.parametrize("raw", ["", " ", "/", "\\", ".", "..", "a/..", "a/.", ".\x1b.", "\u200b", "/ /", "x" * 256])
def test_a_name_of_which_nothing_is_left_is_refused(raw: str) -> None:
    assert code(file_name, raw) == "bad_argument"


@given(any_text | st.text(max_size=300) | st.text("./\\ \0\x1b\u202e", max_size=8))
@example("a\u2029/..")
def test_no_name_leaves_its_folder_or_its_line(raw: str) -> None:
    try:
        name = file_name(raw)
    except Refusal as refusal:
        assert refusal.code == "bad_argument"
        return
    assert 0 < len(name) <= 255 and is_one_line(name) and name == name.strip()
    assert not set(name) & set("/\\\0\n\t") and name not in (".", "..")
    assert file_name(name) == name


@given(st.binary(min_size=1, max_size=200))
def test_a_chunk_is_what_its_base64_says(data: bytes) -> None:
    assert chunk_data(b64encode(data).decode()) == data


def test_how_large_a_chunk_may_be() -> None:
    assert len(chunk_data(b64encode(b"x" * CHUNK_BYTES_MAX).decode())) == CHUNK_BYTES_MAX
    for more in (1, 2, 3, 8000):
        assert code(chunk_data, b64encode(b"x" * (CHUNK_BYTES_MAX + more)).decode()) == "too_large"
    assert PIECE_BYTES % 3 == 0 and CHUNK_BYTES_MAX - 3 < PIECE_BYTES <= CHUNK_BYTES_MAX


@pytest.mark.parametrize(
    "raw", ["", "a", "abc", "ab=", "a b=", "====", "abcd=", "ab-_", "äöüß", "abcd\n", "abcdab=="[:7]]
)
def test_what_is_not_base64_is_refused(raw: str) -> None:
    assert code(chunk_data, raw) == "bad_argument"


def test_a_sha256() -> None:
    assert sha256_hex("AB" * 32) == "ab" * 32
    for raw in ("", "ab", "x" * 64, "a" * 63, "a" * 65):
        assert code(sha256_hex, raw) == "bad_argument"


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1 KiB"), (1234, "1.2 KiB"), (5 << 20, "5 MiB"),
     (3 << 29, "1.5 GiB"), (1 << 50, "1048576 GiB")],
)  # fmt: skip
def test_how_a_size_reads(size: int, words: str) -> None:
    assert describe_size(size) == words
