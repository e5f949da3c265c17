"""What transfers of files cost the chat: the p99 of sending and of receiving, without and with 20 of them at once.

One sender in main, one message at a time; 50 others receive. Then the same beside 10 uploads and 10 downloads that go
as fast as they may. The server has one core, everything else the other. Rounds of both in turn; medians.

    python -m benchmarks.files [--transfers 20] [--messages 500] [--rounds 3]
"""

import argparse
import asyncio
import hashlib
import os
import re
import statistics
import tempfile
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

from benchmarks.programs import OUR_SERVER, pinned, running, running_beside

RECEIVERS = 50
FILE_BYTES = 5 << 20
CHUNK = 32_766
LINE_MAX = 1 << 20
PAUSE_SECONDS = 0.004


class Peer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def come(cls, port: int, name: str) -> "Peer":
        peer = cls(*await asyncio.open_connection("127.0.0.1", port, limit=LINE_MAX))
        await peer.reader.readline()
        await peer.say(f"/sign_in {name}")
        await peer.say("/presence off")
        return peer

    async def say(self, line: str) -> str:
        """Its final reply; what comes before that is thrown away."""
        self.writer.write(f"{line}\n".encode())
        while not (said := await self.reader.readline()).startswith((b"+", b"-")):
            pass
        assert said.startswith(b"+"), said
        return said.decode()

    async def messages(self, seen: Callable[[bytes], None]) -> None:
        while line := await self.reader.readline():
            if line.startswith(b"["):
                seen(line)


async def upload(port: int, number: int) -> None:
    """One file after the other, and each deleted again, so that the quota lasts."""
    peer = await Peer.come(port, f"up{number}")
    data = hashlib.shake_256(str(number).encode()).digest(FILE_BYTES)
    lines = [b64encode(data[at : at + CHUNK]).decode() for at in range(0, FILE_BYTES, CHUNK)]
    while True:
        opened = (await peer.say(f"/send_file up{number}-box a.bin {FILE_BYTES}")).split()[2]
        for line in lines:
            said = await peer.say(f"/chunk {opened} {line}")
        await peer.say(f"/delete {said.split()[2].rstrip(':')}")


async def download(port: int, number: int, file: str) -> None:
    peer = await Peer.come(port, f"down{number}")
    while True:
        await peer.say(f"/get_file {file}")


async def transfer(port: int, count: int) -> None:
    first = await Peer.come(port, "files")
    opened = (await first.say(f"/send_file main a.bin {FILE_BYTES}")).split()[2]
    piece = b64encode(b"x" * CHUNK).decode()
    for _ in range(FILE_BYTES // CHUNK):
        await first.say(f"/chunk {opened} {piece}")
    await first.say(f"/chunk {opened} {b64encode(b'x' * (FILE_BYTES % CHUNK)).decode()}")
    boxes = [await Peer.come(port, f"up{number}-box") for number in range(count // 2)]
    running: list[Awaitable[None]] = [upload(port, number) for number in range(count // 2)]
    running += [download(port, number, opened) for number in range(count - count // 2)]
    running += [box.messages(lambda line: None) for box in boxes]
    await asyncio.gather(*running)


def transfers(port: int, count: int) -> None:
    asyncio.run(transfer(port, count))


async def latencies(port: int, messages: int) -> tuple[float, float]:
    """p99 of the sender's answer and of the deliveries, in milliseconds."""
    sender = await Peer.come(port, "sender")
    receivers = [await Peer.come(port, f"r{number}") for number in range(RECEIVERS)]
    sent = 0.0
    acks: list[float] = []
    deliveries: list[float] = []
    running = [asyncio.create_task(each.messages(lambda _: deliveries.append(time.perf_counter() - sent)))
               for each in receivers]  # fmt: skip
    for number in range(messages):
        sent = time.perf_counter()
        await sender.say(f"/send_all {number}")
        acks.append(time.perf_counter() - sent)
        while len(deliveries) < (number + 1) * RECEIVERS:
            await asyncio.sleep(0)
        await asyncio.sleep(PAUSE_SECONDS)
    for task in running:
        task.cancel()
    return p99_ms(acks), p99_ms(deliveries)


def p99_ms(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98] * 1000


def one(messages: int, count: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as data:
        options = ["--port", "0", "--data", data, "--log-level", "warning"]
        options += ["--command-rate", "off", "--main-rate-limit", "off"]
        with running(pinned("0", *OUR_SERVER, *options)) as said:
            found = re.search(r":(\d+)$", said.strip())
            assert found, said
            port = int(found[1])
            with running_beside(2.0, transfers, port, count) if count else nullcontext():
                return asyncio.run(latencies(port, messages))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--transfers", type=int, default=20)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    alone, beside = [], []
    for _ in range(options.rounds):
        alone.append(one(options.messages, 0))
        beside.append(one(options.messages, options.transfers))
        print("ack, delivery, p99 in ms: alone {:.1f} {:.1f}, beside {:.1f} {:.1f}".format(*alone[-1], *beside[-1]))
    for what, place in (("ack", 0), ("delivery", 1)):
        quiet, busy = (statistics.median(each[place] for each in runs) for runs in (alone, beside))
        print(
            f"{what}: p99 {quiet:.1f} ms alone, {busy:.1f} ms beside {options.transfers} transfers: {busy / quiet:.2f}"
        )


if __name__ == "__main__":
    main()
