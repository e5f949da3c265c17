"""The send ring: to each of many sockets what is for it, by one call of the kernel, through io_uring.

A call of `os.write` for each of 400 receivers takes 430,000 instructions of the interpreter, besides 400 entries into
the kernel. With one call for all a message takes 15 % less of the processor with one in flight, and 13 % with ten, user
and system time together; the other threads have the interpreter meanwhile. A few are written to one by one: the call
and its results take 12 µs for one receiver where a write takes 6, and 47 for 12 where 12 writes take as much. In the
server, where all else that it does has emptied the caches meanwhile, it is as dear as 30 writes for 30, and takes 5 %
less for 50, 10 % less for 150, and 20 % less for 400.

Where the kernel has none (before Linux 5.7), or forbids it as containers do, all receivers are written to one by one.
Every call waits for all that it submitted: no buffer and no descriptor is in use once it has returned. The kernel looks
at the ring only within the call (no SQPOLL), so that no barriers are needed between the two.
"""

import ctypes
import mmap
import os
import struct
import sys
import weakref
from array import array
from collections.abc import Callable
from contextlib import suppress
from functools import partial

# Linux, include/uapi/asm-generic/unistd.h and io_uring.h. Alpha and mips number calls otherwise: the first one fails.
_SETUP, _ENTER, _GET_EVENTS, _SQES_OFFSET = 425, 426, 1, 0x10000000
_SEND = 26
_FAST_POLL = 1 << 5  # a feature of Linux 5.7
# MSG_DONTWAIT and MSG_NOSIGNAL.
_FLAGS = 0x4040
# Where the bytes of CPython's `bytes` begin: behind all but the last of what an empty one has, the zero at the end.
_BYTES_AT = bytes.__basicsize__ - 1
_ENTRIES = 1024
_FEW = 32
_PARAMETERS = struct.Struct("=7I12x8IQ8IQ")

WriteNow = Callable[[int, bytes], int]
"""Hands bytes to the kernel and returns how many it took, as `os.write` does. Raises OSError."""

WriteAll = Callable[[dict[int, bytes]], dict[int, int]]
"""Writes to each descriptor what is for it; returns how much those took, by descriptor, that did not take it all."""


def open_write_all(write_now: WriteNow) -> WriteAll:
    """The way to write to many sockets; tests have a `write_now` of their own, without real ones."""
    if write_now is os.write:
        with suppress(OSError):
            return partial(_write_by_ring_if_many, SendRing())
    return partial(write_one_by_one, write_now)


def write_one_by_one(write_now: WriteNow, due: dict[int, bytes]) -> dict[int, int]:
    """See `WriteAll`."""
    short = dict[int, int]()
    # A hot loop: to keep the size of bytes that many get takes no less than to ask for it each time.
    for descriptor, data in due.items():
        try:
            sent = write_now(descriptor, data)
        except OSError:
            # Nothing fits, or the connection is gone, which its transport finds out.
            sent = 0
        if sent != len(data):
            short[descriptor] = sent
    return short


def _write_by_ring_if_many(ring: "SendRing", due: dict[int, bytes]) -> dict[int, int]:
    """See `WriteAll`."""
    if len(due) <= _FEW:
        return write_one_by_one(os.write, due)
    return ring.write_all(due)


class SendRing:
    """A ring of the kernel's. Raises OSError where there is none to be had."""

    def __init__(self, entries: int = _ENTRIES) -> None:
        if sys.platform != "linux" or sys.byteorder != "little" or sys.implementation.name != "cpython":
            raise OSError("entries are put together for Linux on little-endian processors, and by CPython, alone")
        # A function of any arguments: each fills a register, as the kernel takes it.
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.argtypes = [ctypes.c_long] * 5 + [ctypes.c_void_p, ctypes.c_long]
        self._syscall.restype = ctypes.c_long
        parameters = ctypes.create_string_buffer(_PARAMETERS.size)
        self._ring = self._syscall(_SETUP, entries, ctypes.addressof(parameters), 0, 0, None, 0)
        if self._ring < 0:
            raise OSError(ctypes.get_errno(), "there is no io_uring")
        weakref.finalize(self, os.close, self._ring)
        found = _PARAMETERS.unpack(parameters)
        self._size, self._done_size, features, sent, done = found[0], found[1], found[5], found[7:16], found[16:25]
        if not features & _FAST_POLL:
            raise OSError("io_uring is older than Linux 5.7")
        room = max(sent[6] + 4 * self._size, done[5] + 16 * self._done_size)
        shared = memoryview(mmap.mmap(self._ring, room))
        self._words, self._results = shared.cast("I"), shared.cast("i")
        entries_room = memoryview(mmap.mmap(self._ring, 64 * self._size, offset=_SQES_OFFSET))
        self._entry_words, self._entries = entries_room.cast("I"), entries_room.cast("Q")
        self._tail, self._done = sent[1] // 4, done[5] // 4
        self._done_head, self._done_tail = done[0] // 4, done[1] // 4
        self._words[sent[6] // 4 : sent[6] // 4 + self._size] = array("I", range(self._size))
        # What all have in common stays in them.
        self._entry_words[0::16] = array("I", [_SEND]) * self._size
        self._entry_words[7::16] = array("I", [_FLAGS]) * self._size

    def write_all(self, due: dict[int, bytes]) -> dict[int, int]:
        """See `WriteAll`."""
        short: dict[int, int] = {}
        descriptors, lines = array("I", list(due)), list(due.values())
        for start in range(0, len(lines), self._size):
            to, part = descriptors[start : start + self._size], lines[start : start + self._size]
            sizes = list(map(len, part))
            taken = self._submit(to, _addresses_of(part), array("I", sizes))
            self._collect(taken, sum(sizes[:taken]), due, short)
            # Memory ran out: they go on through their transports.
            short.update(dict.fromkeys(to[taken:], 0))
        return short

    def _submit(self, descriptors: "array[int]", addresses: "array[int]", sizes: "array[int]") -> int:
        """Return how many the kernel took; it is done with these.

        An entry has 64 bytes. Of its words of four, the second is the descriptor, the fifth and sixth are the address,
        the seventh is the size, and the ninth, again the descriptor, is what the kernel answers with.
        """
        count, tail = len(sizes), self._words[self._tail]
        for at, begin, end in _stretches(tail, count, self._size):
            stop = at + end - begin
            to = descriptors[begin:end]
            self._entry_words[16 * at + 1 : 16 * stop : 16] = self._entry_words[16 * at + 8 : 16 * stop : 16] = to
            self._entries[8 * at + 2 : 8 * stop : 8] = addresses[begin:end]
            self._entry_words[16 * at + 6 : 16 * stop : 16] = sizes[begin:end]
        self._words[self._tail] = (tail + count) & 0xFFFFFFFF
        taken: int = max(self._syscall(_ENTER, self._ring, count, count, _GET_EVENTS, None, 0), 0)
        # What it did not take is not taken by the next call either.
        self._words[self._tail] = (tail + taken) & 0xFFFFFFFF
        # None waits for its socket, so all are done by now; the kernel promises that only of a wait to its end, and a
        # signal ends one, as does memory for a part alone.
        while (self._words[self._done_tail] - self._words[self._done_head]) & 0xFFFFFFFF < taken:
            self._syscall(_ENTER, self._ring, 0, taken, _GET_EVENTS, None, 0)
        return taken

    def _collect(self, count: int, size: int, due: dict[int, bytes], short: dict[int, int]) -> None:
        """Look at the results of so many, who were to take `size` bytes together; note those that took less."""
        head = self._words[self._done_head]
        stretches = [
            (self._done + 4 * at, self._done + 4 * (at + end - begin))
            for at, begin, end in _stretches(head, count, self._done_size)
        ]
        # None takes more than its own, so that the sum tells whether each took it all.
        if sum(sum(self._results[begin + 2 : end : 4].tolist()) for begin, end in stretches) != size:
            for begin, end in stretches:
                results = zip(self._words[begin:end:4], self._results[begin + 2 : end : 4], strict=True)
                short.update((each, max(took, 0)) for each, took in results if took != len(due[each]))
        self._words[self._done_head] = (head + count) & 0xFFFFFFFF


def _addresses_of(lines: list[bytes]) -> "array[int]":
    """Where the bytes of each begin; what those at the end share is found once: 50 µs with 400 receivers."""
    shared = lines[-1]
    alone = len(lines) - lines.count(shared)
    if lines.index(shared) != alone:
        alone = len(lines)
    addresses = array("Q", [id(data) + _BYTES_AT for data in lines[:alone]])
    return addresses + array("Q", [id(shared) + _BYTES_AT]) * (len(lines) - alone)


def _stretches(place: int, count: int, size: int) -> list[tuple[int, int, int]]:
    """Go around a ring of a size: where each stretch begins in it, and from where to where in what is to be there."""
    at = place % size
    first = min(count, size - at)
    return [(at, 0, first), (0, first, count)] if first < count else [(at, 0, count)]
