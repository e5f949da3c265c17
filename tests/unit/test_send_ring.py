"""The send ring: each socket gets each byte once, and whoever did not take all is named with what it took."""

import ctypes
import os
import random
import socket
import sys
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server import send_ring
from chat_server.send_ring import SendRing, WriteAll, open_write_all, write_one_by_one

# Small, so that the sockets go around it.
ENTRIES = 4
Sockets = list[tuple[socket.socket, socket.socket]]


def ring() -> WriteAll:
    try:
        return SendRing(ENTRIES).write_all
    except OSError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["ring", "one by one"])
def write_all(request: pytest.FixtureRequest) -> WriteAll:
    return ring() if request.param == "ring" else partial(write_one_by_one, os.write)


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    pairs = [socket.socketpair() for _ in range(3 * ENTRIES + 1)]
    for near, far in pairs:
        near.setblocking(False)
        far.setblocking(False)
    yield pairs
    for near, far in pairs:
        near.close()
        far.close()


def test_all_get_all_of_it_in_its_order(write_all: WriteAll, sockets: Sockets) -> None:
    expected = {near.fileno(): b"" for near, _ in sockets}

    # Some of their own, and some the same: as one value, and as another that is equal.
    lines = st.one_of(st.sampled_from([b"for all\n", b"for many\n"]), st.binary(min_size=1, max_size=40))

    @given(st.lists(st.dictionaries(st.sampled_from(list(expected)), lines)))
    def test(batches: list[dict[int, bytes]]) -> None:
        for due in batches:
            assert write_all(due) == {}
            for descriptor, data in due.items():
                expected[descriptor] += data
        for near, far in sockets:
            got, expected[near.fileno()] = expected[near.fileno()], b""
            assert not got or far.recv(1 << 16) == got

    test()


def test_whoever_takes_no_more_is_named_with_what_it_took(write_all: WriteAll, sockets: Sockets) -> None:
    descriptors = [near.fileno() for near, _ in sockets]
    full, data = descriptors[2:5], b"x" * 4_000_000
    short = write_all(dict.fromkeys(full, data))
    assert short.keys() == set(full) and all(0 < took < len(data) for took in short.values())
    # The others do not wait for them.
    assert write_all(dict.fromkeys(descriptors, b"more")) == dict.fromkeys(full, 0)
    assert all(far.recv(99) == b"more" for near, far in sockets if near.fileno() not in full)


def test_a_connection_that_is_gone_takes_nothing(write_all: WriteAll, sockets: Sockets) -> None:
    descriptors = [near.fileno() for near, _ in sockets]
    sockets[1][1].close()
    assert write_all(dict.fromkeys(descriptors, b"line\n")) == {descriptors[1]: 0}


def test_results_are_waited_for_when_a_signal_ends_the_wait(monkeypatch: pytest.MonkeyPatch, sockets: Sockets) -> None:
    ring()
    one = SendRing(ENTRIES)
    call, submitted = one._syscall, list[int]()

    def interrupted(number: int, descriptor: int, submit: int, *rest: int | None) -> int:
        if submit:
            submitted.append(submit)
            return submit
        return int(call(number, descriptor, submitted.pop() if submitted else 0, *rest))

    monkeypatch.setattr(one, "_syscall", interrupted)
    sockets[1][1].close()
    descriptors = [near.fileno() for near, _ in sockets]
    assert one.write_all(dict.fromkeys(descriptors, b"line\n")) == {descriptors[1]: 0}
    assert all(far.recv(99) == b"line\n" for near, far in sockets if near.fileno() != descriptors[1])


class SlowKernel:
    """A kernel that takes some entries, does them late and in any order, and whose indices go past 2**32."""

    def __init__(self, ring: SendRing, chance: random.Random) -> None:
        self.ring, self.chance = ring, chance
        ring._words = memoryview(bytearray(1 << 14)).cast("I")
        ring._results = memoryview(ring._words.obj).cast("i")
        self.taken = 2**32 - chance.randrange(1, 41)
        ring._words[ring._tail] = ring._words[ring._done_head] = ring._words[ring._done_tail] = self.taken
        self.waiting: list[tuple[int, int]] = []
        self.due: dict[int, bytes] = {}
        self.took: dict[int, int] = {}

    def enter(self, number: int, ring: int, submitted: int, *rest: int | None) -> int:
        count = self.chance.choice([submitted, self.chance.randrange(submitted + 1)])
        for _ in range(count):
            at = self.taken % self.ring._size
            words = self.ring._entry_words[16 * at : 16 * at + 16]
            descriptor, size, answer = words[1], words[6], words[8]
            data = ctypes.string_at(self.ring._entries[8 * at + 2], size)
            assert descriptor == answer and data == self.due[descriptor]
            took = self.chance.choice([size, size, 1, -11])
            self.waiting.append((descriptor, took))
            self.taken = (self.taken + 1) & 0xFFFFFFFF
        self.chance.shuffle(self.waiting)
        for _ in range(self.chance.randrange(len(self.waiting) + 1)):
            self._finish(*self.waiting.pop())
        return count or -1

    def _finish(self, descriptor: int, took: int) -> None:
        words, tail = self.ring._words, self.ring._words[self.ring._done_tail]
        at = self.ring._done + 4 * (tail % self.ring._done_size)
        words[at], words[at + 1], self.ring._results[at + 2] = descriptor, 0, took
        words[self.ring._done_tail] = (tail + 1) & 0xFFFFFFFF
        self.took[descriptor] = max(took, 0)


@pytest.mark.parametrize("seed", range(20))
def test_each_is_named_with_what_it_took_whatever_the_kernel_takes_and_when(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    ring()
    chance = random.Random(seed)
    one = SendRing(ENTRIES)
    kernel = SlowKernel(one, chance)
    monkeypatch.setattr(one, "_syscall", kernel.enter)
    for _ in range(10):
        descriptors = chance.sample(range(3000), chance.randrange(4 * ENTRIES))
        kernel.due = {each: b"line\n" * chance.choice([1, 1, 1, 2]) for each in descriptors}
        kernel.took = dict.fromkeys(descriptors, 0)
        short = one.write_all(kernel.due)
        assert short == {each: took for each, took in kernel.took.items() if took != len(kernel.due[each])}
        assert not kernel.waiting


def test_a_descriptor_that_is_none_keeps_nothing_from_the_others(write_all: WriteAll, sockets: Sockets) -> None:
    descriptors = [near.fileno() for near, _ in sockets]
    gone = os.dup(descriptors[0])
    os.close(gone)
    short = write_all(dict.fromkeys([*descriptors[:2], gone, *descriptors[2:]], b"line\n"))
    assert short == {gone: 0}
    assert all(far.recv(99) == b"line\n" for _, far in sockets)


def test_a_few_are_written_to_one_by_one(monkeypatch: pytest.MonkeyPatch, sockets: Sockets) -> None:
    ring()
    calls: list[int] = []

    def note(self: SendRing, due: dict[int, bytes]) -> dict[int, int]:
        calls.append(len(due))
        return {}

    monkeypatch.setattr(SendRing, "write_all", note)
    write, descriptors = open_write_all(os.write), [near.fileno() for near, _ in sockets]
    assert write(dict.fromkeys(descriptors[:2], b"line\n")) == {} and calls == []
    assert sockets[1][1].recv(99) == b"line\n"
    monkeypatch.setattr(send_ring, "_FEW", 2)
    write(dict.fromkeys(descriptors[:3], b"line\n"))
    assert calls == [3]


def test_without_a_ring_each_is_written_to_by_a_call_of_its_own(
    monkeypatch: pytest.MonkeyPatch, sockets: Sockets
) -> None:
    def refuse(self: SendRing) -> None:
        raise PermissionError(1, "there is no io_uring")

    monkeypatch.setattr(SendRing, "__init__", refuse)
    assert open_write_all(os.write)({near.fileno(): b"line\n" for near, _ in sockets}) == {}
    assert all(far.recv(99) == b"line\n" for _, far in sockets)


@pytest.mark.parametrize(("of", "name", "other"), [(sys, "byteorder", "big"), (sys.implementation, "name", "pypy")])
def test_there_is_no_ring_where_its_entries_would_mean_something_else(
    monkeypatch: pytest.MonkeyPatch, of: object, name: str, other: str
) -> None:
    monkeypatch.setattr(of, name, other)
    with pytest.raises(OSError, match="little-endian"):
        SendRing(ENTRIES)


def test_a_ring_that_is_no_longer_used_closes_its_descriptor() -> None:
    ring()
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    write = ring()
    assert set(os.listdir("/proc/self/fd")) > before  # noqa: PTH208
    del write
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
