from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.errors import Refusal
from chat_server.protocol.lines import UNENDED_BYTES_MAX, LineBuffer, UnendedLine, decode

LIMIT = 16


def take_all(buffer: LineBuffer, limit: int = LIMIT) -> list[bytes | str]:
    """The lines that wait; the code of the refusal in place of one that was too long."""
    taken: list[bytes | str] = []
    while buffer.has_line():
        try:
            line = buffer.take(limit)
        except Refusal as refusal:
            taken.append(refusal.code)
        else:
            assert line is not None
            taken.append(line)
    return taken


def naive(data: bytes, limit: int) -> list[bytes | str]:
    """What the lines are, said in the plainest way; empty ones are none."""
    lines = [line for line in data.split(b"\n")[:-1] if line not in (b"", b"\r")]
    return [line.removesuffix(b"\r") if len(line) + 1 <= limit else "line_too_long" for line in lines]


streams = st.lists(st.sampled_from((b"a", b"\r", b"\n", b"\r\n", b"x" * 7, b"y" * 17)), max_size=40).map(b"".join)


@given(streams, st.lists(st.integers(0, 200), max_size=12))
def test_however_the_bytes_are_cut_the_lines_are_the_same(data: bytes, cuts: list[int]) -> None:
    buffer = LineBuffer(LIMIT)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in pairwise(places):
        assert buffer.feed(data[start:end]) == (b"\n" in data[start:end])
    assert take_all(buffer) == naive(data, LIMIT)


@given(streams)
def test_byte_by_byte_is_the_same_as_whole(data: bytes) -> None:
    whole, bytewise = LineBuffer(LIMIT), LineBuffer(LIMIT)
    whole.feed(data)
    for place in range(len(data)):
        bytewise.feed(data[place : place + 1])
    assert take_all(whole) == take_all(bytewise)


@given(streams, st.integers(1, LIMIT))
def test_the_limit_is_that_of_the_time_of_taking(data: bytes, limit: int) -> None:
    buffer = LineBuffer(LIMIT)
    buffer.feed(data)
    assert take_all(buffer, limit) == naive(data, limit)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_of_exactly_the_limit_with_its_end_passes_and_one_byte_more_does_not(end: bytes) -> None:
    buffer = LineBuffer(LIMIT)
    fits = b"x" * (LIMIT - len(end))
    buffer.feed(fits + end + b"x" + fits + end + b"on" + end)
    assert take_all(buffer) == [fits, "line_too_long", b"on"]


def test_the_refusal_names_the_limit_that_held() -> None:
    buffer = LineBuffer(LIMIT)
    buffer.feed(b"x" * 100 + b"\n" + b"x" * 10 + b"\n")
    with pytest.raises(Refusal, match="at most 16 bytes"):
        buffer.take(4096)
    with pytest.raises(Refusal, match="at most 8 bytes"):
        buffer.take(8)


def test_nothing_waits_nothing_is_taken() -> None:
    buffer = LineBuffer(LIMIT)
    assert buffer.take(LIMIT) is None
    assert not buffer.feed(b"not yet")
    assert buffer.take(LIMIT) is None and not buffer.has_line()


@given(st.lists(st.integers(1, 40), max_size=30))
def test_no_more_than_the_limit_is_held_of_a_line_that_does_not_end(sizes: list[int]) -> None:
    buffer = LineBuffer(LIMIT)
    for size in sizes:
        buffer.feed(b"x" * size)
        assert buffer.pending_bytes <= LIMIT


@given(streams)
def test_the_bytes_that_wait_are_counted_and_come_back_to_zero(data: bytes) -> None:
    buffer = LineBuffer(LIMIT)
    buffer.feed(data)
    assert buffer.pending_bytes <= len(data)
    take_all(buffer)
    buffer.feed(b"\n")
    take_all(buffer)
    assert buffer.pending_bytes == 0


def test_a_flood_of_empty_lines_is_one_step() -> None:
    buffer = LineBuffer(LIMIT)
    assert buffer.feed(b"\r\n\n" * 20_000)
    assert not buffer.has_line() and buffer.pending_bytes == 0


def test_one_mebibyte_without_a_line_end_is_the_end() -> None:
    buffer = LineBuffer(LIMIT)
    buffer.feed(b"x" * (UNENDED_BYTES_MAX - 1))
    buffer.feed(b"x")
    with pytest.raises(UnendedLine):
        buffer.feed(b"x")


def test_a_long_line_that_ended_leaves_nothing_behind() -> None:
    buffer = LineBuffer(LIMIT)
    buffer.feed(b"x" * UNENDED_BYTES_MAX)
    buffer.feed(b"\n" + b"y" * UNENDED_BYTES_MAX)
    assert take_all(buffer) == ["line_too_long"]


@pytest.mark.parametrize("line", [b"\xff", b"caf\xc3", b"a\0b", b"a\rb", b"\xed\xa0\x80", b"\xc0\xaf"])
def test_what_is_no_text_is_bad_encoding(line: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        decode(line)
    assert refused.value.code == "bad_encoding"


def test_the_first_byte_that_is_wrong_is_named() -> None:
    with pytest.raises(Refusal, match="byte 4 of this one is not"):
        decode(b"caf\xe9s")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n")))
def test_text_comes_through_as_it_is(text: str) -> None:
    assert decode(text.encode()) == text


IAC_DO, IAC_SB = b"\xff\xfd\x03", b"\xff\xfa\x1f\x00P\x00\x18\xff\xf0"


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"\xef\xbb\xbf/ping\r\n/ping\n", [b"/ping", b"/ping"]),
        (IAC_DO + IAC_SB + b"/ping\r\n", [b"/ping"]),
        (IAC_DO + b"\xef\xbb\xbf/ping\n", [b"/ping"]),
        # Ctrl-C at telnet, and what it says before a line that is empty then.
        (b"\xff\xf4\xff\xfd\x06\r\n/ping" + IAC_DO + b" a\n", [b"/ping a"]),
        (b"\xef\xbb\xbf\n\xef\xbb\xbf\r\n", []),
        # A window of 255 columns: IAC stands twice where it is a parameter.
        (b"\xff\xfa\x1f\x00\xff\xff\x00\x18\xff\xf0/ping\n", [b"/ping"]),
        # Enter where telnet sends each key at once. It says so first: elsewhere a NUL is refused.
        (b"\xff\xfd\x03\xff\xfd\x01/ping\r\0/ping a\r\0\r\0/ping b\r\n", [b"/ping", b"/ping a", b"/ping b"]),
        (b"/ping\r\0/ping\n", [b"/ping\r\0/ping"]),
        (b"\xff\xfd\x03a\0b\n", [b"a\0b"]),
        # Keys in front of a command: arrows, Home, F1, Delete, Ctrl-D. A text is cleaned where it is read.
        (b"\x1b[A\x1b[1;5C\x1bOH\x1bOP\x1b[3~\x04/ping\n\x04{}\n", [b"/ping", b"{}"]),
        (b"\x1b[31mred /ping\n\x04a\n", [b"\x1b[31mred /ping", b"\x04a"]),
        # Not telnet's, and no UTF-8: refused when it is read as text.
        (b"\xff a\n\xff\n", [b"\xff a", b"\xff"]),
    ],
)
def test_what_programs_put_before_a_line_is_not_of_it(data: bytes, lines: list[bytes]) -> None:
    whole, bytewise = LineBuffer(100), LineBuffer(100)
    whole.feed(data)
    for place in range(len(data)):
        bytewise.feed(data[place : place + 1])
    assert take_all(whole, 100) == take_all(bytewise, 100) == lines


def test_telnet_that_waits_for_a_mark_is_noticed() -> None:
    buffer = LineBuffer(100)
    buffer.feed(b"\xff\xfd\x03/ping\r\n")
    assert not buffer.is_mark_wanted
    buffer.feed(b"\xff\xf4\xff\xfd\x06")
    assert buffer.is_mark_wanted


def test_of_a_strangers_line_no_more_is_kept_than_it_may_have() -> None:
    buffer = LineBuffer(65_536)
    for _ in range(100):
        buffer.feed(b"x" * 1000, 4096)
        assert buffer.pending_bytes <= 4096
    assert buffer.feed(b"\nnext\n", 4096)
    with pytest.raises(Refusal, match="at most 4096 bytes"):
        buffer.take(4096)
    assert buffer.take(4096) == b"next"


@pytest.mark.parametrize("piece", [b"\xff\xfa", b"\xff\xff\xfa", b"\xff\xfaa", b"\xff"])
def test_telnet_parameters_without_an_end_are_looked_through_once(piece: bytes) -> None:
    buffer = LineBuffer(65_536)
    begun = process_time()
    buffer.feed(b"\xff\xfa" + piece * (65_000 // len(piece)) + b"\n")
    assert buffer.has_line()
    assert process_time() - begun < 1, "each beginning was followed to the end: 30 s"
