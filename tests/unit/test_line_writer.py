"""Lines that nobody takes: whoever writes them goes on, what is too much is counted, and the end does not wait."""

import os
from collections.abc import Iterator

import pytest

from chat_server.line_writer import WAITING_BYTES_MAX, LineWriter

LINE = "x" * 999 + "\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def read(descriptor: int, end: str) -> str:
    """All that comes, until it ends so."""
    said = b""
    while not said.endswith(end.encode()):
        said += os.read(descriptor, 1 << 20)
    return said.decode()


def test_lines_come_in_order(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    for number in range(100):
        print(number, "\udcff", file=writer)
    assert writer.drain()
    assert read(pipe[0], "99 \\udcff\n").splitlines() == [f"{number} \\udcff" for number in range(100)]


def test_what_nobody_takes_is_bounded_counted_and_told(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1], drop_notice="and {} more\n".format)
    sent = 4 * WAITING_BYTES_MAX // len(LINE)
    for _ in range(sent):
        writer.write(LINE)
    assert not writer.drain(), "it does not wait for ever"
    assert writer._waiting_bytes <= WAITING_BYTES_MAX
    said, dropped = "", 0
    while said.count(LINE) + dropped < sent:
        said += read(pipe[0], "\n")
        dropped = sum(int(line.split()[1]) for line in said.splitlines() if line.startswith("and "))
    assert dropped > 0 and said.count(LINE) + dropped == sent
    writer.write("again\n")
    assert read(pipe[0], "again\n") == "again\n"


def test_what_cannot_be_written_is_told_once_it_can(monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]) -> None:
    failed: list[str | None] = []
    full = os.open("/dev/full", os.O_WRONLY)
    writer = LineWriter(
        full, drop_notice="{} are missing\n".format, on_failure=lambda error: failed.append(error.strerror)
    )
    writer.write("a\nb\n")
    assert writer.drain()
    writer.write("c\n")
    assert writer.drain()
    assert failed == ["No space left on device"] * 2
    os.dup2(pipe[1], full)
    writer.write("d\n")
    assert read(pipe[0], "missing\n") == "d\n3 are missing\n"
    os.close(full)


def test_a_descriptor_that_another_program_made_non_blocking(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    writer = LineWriter(pipe[1])
    writer.write(LINE * 500)
    writer.write("end\n")
    assert read(pipe[0], "end\n") == LINE * 500 + "end\n"
