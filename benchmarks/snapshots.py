"""What a snapshot does to others: how long their messages take while one is made, and without, in turns.

    .venv/bin/python -m benchmarks.snapshots [MiB [ROUNDS]]

Three NATS servers and three nodes on this machine; one user fills the database, and another one sends to `main`. Turns
make up for what else the machine does; it should do nothing else, all the same.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.nodes import LocalCluster
from tests.harness import Chat, JsonClient

TEXT_BYTES = 3800
QUIET_SECONDS_MIN = 3.0


def percentile(seconds: list[float], share: float) -> float:
    """In milliseconds."""
    return 1000 * sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


async def send_until(sender: JsonClient, is_over: "asyncio.Future[int] | None", seconds: float) -> list[float]:
    """How long each message took."""
    took: list[float] = []
    end = time.monotonic() + seconds
    while not is_over.done() if is_over else time.monotonic() < end:
        begun = time.monotonic()
        await sender.ok("/send_all hi")
        took.append(time.monotonic() - begun)
        await asyncio.sleep(0.01)
    return took


async def measure(cluster: LocalCluster, mebibytes: int, rounds: int) -> None:
    chats = [Chat(node) for node in cluster.nodes]
    filler, receiver = await chats[0].json("filler"), await chats[1].json("receiver")
    receiver.reset()
    for _ in range(mebibytes * (1 << 20) // (50 * TEXT_BYTES)):
        await filler.pipeline([f"/send receiver {os.urandom(TEXT_BYTES // 2).hex()}" for _ in range(50)])
    sender = await chats[0].json("sender")
    node = cluster.nodes[0]
    words = [sys.executable, "-m", "chat_server", "cluster", "snapshot", *node.options, "--data", str(node.data)]
    during: list[float] = []
    without: list[float] = []
    for number in range(rounds):
        begun = time.monotonic()
        making = asyncio.ensure_future(asyncio.to_thread(subprocess.call, words))
        during += await send_until(sender, making, 0)
        seconds = time.monotonic() - begun
        without += await send_until(sender, None, max(QUIET_SECONDS_MIN, seconds))
        print(f"round {number + 1}: the snapshot took {seconds:.1f} s", flush=True)
    for what, took in (("during a snapshot", during), ("without", without)):
        median, p99 = percentile(took, 0.5), percentile(took, 0.99)
        print(f"{what}: {len(took)} messages, median {median:.1f} ms, p99 {p99:.1f} ms")
    times = percentile(during, 0.99) / percentile(without, 0.99)
    print(f"p99 {times:.2f} times as long; load {os.getloadavg()[0]:.1f}")


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    mebibytes, rounds = [*given, *(40, 5)[len(given) :]]
    with tempfile.TemporaryDirectory() as directory:
        cluster = LocalCluster(Path(directory), "--main-rate-limit", "off", "--command-rate", "off")
        try:
            cluster.start()
            asyncio.run(measure(cluster, mebibytes, rounds))
        finally:
            cluster.close()


if __name__ == "__main__":
    main()
