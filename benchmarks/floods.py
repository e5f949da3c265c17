"""What one user costs all the others: the p99 of honest people's answers, without and with a flood beside them.

Ten people each send eight messages a second to a friend. Each flood is what one account does with default limits as
fast as the server lets it. Both are measured against the same server in turn; medians of the rounds.

    python -m benchmarks.floods [--rounds 3] [--seconds 5] [flood ...]
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator

from benchmarks.programs import OUR_SERVER, pinned, running, running_beside

PEOPLE = 10
PAUSE_SECONDS = 0.125
LINE_MAX = 1 << 20
TEXT = "x" * 4096
# The limits of commands and connections are the defaults; those that would end a flood after twenty messages are off.
OPTIONS = ("--main-rate-limit", "off", "--message-ttl", "off", "--text-max", "8192")
FILLING = (*OPTIONS, "--command-rate", "off")


class Peer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def come(cls, port: int, name: str, *, programs: bool = True) -> "Peer":
        peer = cls(*await asyncio.open_connection("127.0.0.1", port, limit=LINE_MAX))
        if programs:
            await peer.say("/format json")
        await peer.say(f"/sign_in {name}")
        return peer

    async def answer(self) -> str:
        """The next final reply; what comes before that is thrown away."""
        while line := await self.reader.readline():
            if line.startswith((b"+", b"-", b'{"type":"ok"', b'{"type":"error"')):
                return line.decode()
        raise ConnectionError("the server hung up")

    async def say(self, *lines: str) -> str:
        """The last one's reply."""
        self.writer.write("".join(f"{line}\n" for line in lines).encode())
        for _ in lines:
            reply = await self.answer()
        return reply

    async def ignore(self) -> None:
        while await self.reader.read(1 << 18):
            pass


# ---- floods: each is one account's; it goes on until its process is ended


async def edits(port: int) -> None:
    """One message of 4 KB edited over 64 connections, with 200 readers of main."""
    readers = [await Peer.come(port, f"reader{number}") for number in range(200)]
    peers = [await Peer.come(port, "flooder") for _ in range(64)]
    sent = json.loads(await peers[0].say(f"/send_all {TEXT}"))["id"]

    async def edit(peer: Peer, number: int) -> None:
        while True:
            await peer.say(f"/edit {sent} {number} {TEXT[:4000]}")

    await asyncio.gather(*(reader.ignore() for reader in readers), *(edit(peer, at) for at, peer in enumerate(peers)))


async def connections(port: int) -> None:
    """500 connections of one user, each of which asks for its status."""
    peers = [await Peer.come(port, "flooder") for _ in range(500)]

    async def ask(peer: Peer) -> None:
        while True:
            await peer.say("/status")

    await asyncio.gather(*map(ask, peers))


async def unread(port: int) -> None:
    """100,000 unread messages fetched three times at once, again and again."""

    async def fetch() -> None:
        while True:
            peer = await Peer.come(port, "late")
            peer.writer.close()

    await asyncio.gather(*(fetch() for _ in range(3)))


async def thread(port: int) -> None:
    """A thread of 20,000 comments, over three connections."""
    peers = [await Peer.come(port, "flooder") for _ in range(3)]

    async def ask(peer: Peer) -> None:
        while True:
            await peer.say("/thread 1")

    await asyncio.gather(*map(ask, peers))


async def search(port: int) -> None:
    """Searches over 100 connections."""
    peers = [await Peer.come(port, "flooder") for _ in range(100)]

    async def ask(peer: Peer) -> None:
        while True:
            await peer.say("/search message filler 7777")

    await asyncio.gather(*map(ask, peers))


async def deletion(port: int) -> None:
    """An account with 100,000 messages deletes itself beside 50 programs that read along."""
    readers = [await Peer.come(port, f"reader{number}") for number in range(50)]
    listening = [asyncio.create_task(reader.ignore()) for reader in readers]
    peer = await Peer.come(port, "leaver")
    print(await peer.say("/delete_account leaver"), file=sys.stderr)
    await asyncio.gather(*listening)


FLOODS: dict[str, Callable[[int], Awaitable[None]]] = {
    each.__name__: each for each in (edits, connections, unread, thread, search, deletion)
}


# ---- what is there before


async def fill(port: int) -> None:
    filler = await Peer.come(port, "filler", programs=False)
    await Peer.come(port, "late")
    await filler.say("/send_all the first of a thread")
    await pour(filler, (f"/reply 1 a comment {number}" for number in range(20_000)))
    await pour(filler, (f"/send_all a message of the filler {number}" for number in range(80_000)))
    leaver = await Peer.come(port, "leaver", programs=False)
    await Peer.come(port, "friend0")
    await pour(leaver, (f"/send friend0 a message of the leaver {number}" for number in range(100_000)))


async def pour(peer: Peer, lines: Iterator[str]) -> None:
    async def send() -> None:
        for line in lines:
            peer.writer.write(f"{line}\n".encode())
            await peer.writer.drain()
        peer.writer.write(b"/ping end\n")

    sending = asyncio.create_task(send())
    while not (await peer.answer()).endswith("end\n"):
        pass
    await sending


# ---- honest people


async def latencies(port: int, seconds: float) -> list[float]:
    """Milliseconds from each message to its answer."""
    found: list[float] = []

    async def talk(number: int) -> None:
        peer = await Peer.come(port, f"honest{number}", programs=False)
        ends = time.perf_counter() + seconds
        await asyncio.sleep(PAUSE_SECONDS * number / PEOPLE)
        while (begun := time.perf_counter()) < ends:
            reply = await peer.say(f"/send friend{number} hello")
            assert reply.startswith("+"), reply
            found.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(max(0.0, begun + PAUSE_SECONDS - time.perf_counter()))
        peer.writer.close()

    await asyncio.gather(*(talk(number) for number in range(PEOPLE)))
    return found


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def flood(name: str, port: int) -> None:
    asyncio.run(FLOODS[name](port))  # type: ignore[arg-type]


def seconds_to_come(name: str) -> float:
    """Until the connections of a flood have come."""
    return 0.2 if name == "deletion" else 2.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("floods", nargs="*", default=list(FLOODS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        server = [*OUR_SERVER, "--port", "0", "--data", data]
        with running([*server, *FILLING]) as first:
            port = port_of(first)
            asyncio.run(fill(port))
            asyncio.run(people(port))
        for name in chosen.floods:
            with running(pinned("0", *server, *OPTIONS)) as first:
                port = port_of(first)
                alone, beside = [], []
                for _ in range(1 if name == "deletion" else chosen.rounds):
                    alone.append(p99(asyncio.run(latencies(port, chosen.seconds))))
                    with running_beside(seconds_to_come(name), flood, name, port):
                        beside.append(p99(asyncio.run(latencies(port, chosen.seconds))))
                before, after = statistics.median(alone), statistics.median(beside)
                print(
                    f"{name:12} p99 {before:6.1f} ms alone, {after:6.1f} ms beside it ({after / before:.1f})",
                    flush=True,
                )


async def people(port: int) -> None:
    for number in range(PEOPLE):
        await Peer.come(port, f"honest{number}", programs=False)
        await Peer.come(port, f"friend{number}", programs=False)


def port_of(first: str) -> int:
    found = re.search(r":(\d+)", first)
    assert found, first
    return int(found[1])


if __name__ == "__main__":
    main()
