"""The live outboxes of one format; where nothing waits, they are written to past their transports.

A write through asyncio's transport goes through half a dozen objects of its connection, which are no longer in the
processor's caches: the kernel's work for the connection before has pushed them out. With nothing but descriptors one
message in flight to 400 receivers took 290 µs less of the processor, of 3,530, of which the kernel needs 2,270 for the
writes; a loop in C over the same descriptors took no less.

A socket that did not take all goes on through its transport, and so does one that was written to through it, until
nothing waits there. So nothing is reordered, and the transport alone counts what waits and ends what has failed. A
descriptor is used only while its outbox is live: asyncio and uvloop close a socket after they have said that the
connection is lost.
"""

from collections.abc import Collection, Iterator

from chat_server.delivery.outbox import Outbox
from chat_server.send_ring import WriteAll

# Past so many bytes, what is due is written before the batch ends. Each of those who write in a batch has bytes of its
# own: with 1,000 of them they were 78 MB at its end, and up to half of `--outbox-max` for each.
DUE_BYTES_MAX = 1 << 20


class LiveOutboxes:
    def __init__(self, write_all: WriteAll) -> None:
        self._write_all = write_all
        # Written to through their transports: something may wait there, or there is no socket to write to.
        self._queued: dict[Outbox, None] = {}
        # The others, by their descriptors.
        self._clear: dict[int, Outbox] = {}
        # What these get of the batch that is being written, until `flush`, and how much of it is their own.
        self._due: dict[int, bytes] = {}
        self._due_bytes = 0

    def __len__(self) -> int:
        return len(self._queued) + len(self._clear)

    def __iter__(self) -> Iterator[Outbox]:
        """As of now: a write may pause its connection, which leaves then."""
        return iter([*self._clear.values(), *self._queued])

    def add(self, outbox: Outbox) -> None:
        self._queued[outbox] = None

    def remove(self, outbox: Outbox) -> None:
        if outbox.descriptor >= 0:
            self._forget_descriptor(outbox)
        else:
            self._queued.pop(outbox, None)

    def queue(self, outbox: Outbox) -> None:
        """It is going to be written to through its transport."""
        self._queued[outbox] = None
        self._forget_descriptor(outbox)

    def write(self, outbox: Outbox, data: bytes) -> None:
        """Write what one of them receives of a batch, at once if something waits, otherwise with `flush`.

        It MUST NOT be written to again before `flush`: that would take the place of what is due.
        """
        if not data:
            return
        descriptor = outbox.descriptor
        if descriptor < 0:
            descriptor = self._look_again(outbox)
        if descriptor >= 0:
            self._due[descriptor] = data
            self._due_bytes += len(data)
            if self._due_bytes > DUE_BYTES_MAX:
                self.flush()
        else:
            outbox.send(data)

    def write_to_others(self, data: bytes, done: Collection[Outbox]) -> None:
        """Write what all receive of a batch, but for those that are `done` with it: as `write` does."""
        # Found out before anything is written: a queue that ends within this batch would be written to twice.
        queued = [each for each in list(self._queued) if each not in done and self._look_again(each) < 0]
        # With 400 receivers a look at each, whether it is done, took 150,000 instructions more than these copies.
        others = dict.fromkeys(self._clear, data)
        for outbox in done:
            others.pop(outbox.descriptor, None)
        self._due |= others
        for outbox in queued:
            outbox.send(data)

    def flush(self) -> None:
        """Write what is due, all of it at once; called at the end of each batch."""
        if not self._due:
            return
        due, self._due, self._due_bytes = self._due, {}, 0
        for descriptor, sent in self._write_all(due).items():
            self._clear[descriptor].write(due[descriptor][sent:])

    def _look_again(self, outbox: Outbox) -> int:
        """The descriptor of one that was queued, if nothing waits there any more; -1 otherwise."""
        descriptor = outbox.find_descriptor()
        if descriptor >= 0:
            outbox.descriptor = descriptor
            del self._queued[outbox]
            self._clear[descriptor] = outbox
        return descriptor

    def _forget_descriptor(self, outbox: Outbox) -> None:
        """What was due is written before whatever comes now."""
        descriptor, outbox.descriptor = outbox.descriptor, -1
        del self._clear[descriptor]
        due = self._due.pop(descriptor, b"")
        if due:
            outbox.send(due)
