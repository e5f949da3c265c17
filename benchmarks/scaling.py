"""The figures of docs/scaling.md: what one stream carries, what a node executes, and what several nodes do to that.

    python -m benchmarks.scaling stream         batches of several sizes into real NATS servers, one and three
    python -m benchmarks.scaling execution      CPU of a message in a node's own process, by size of batch
    python -m benchmarks.scaling nodes          whole servers: alone, and one and two nodes behind one port
    python -m benchmarks.scaling communities    one log for all, and a log for each community, with the real rules

Only ratios of one run mean something. CPU times say more than seconds where the machine does other things, too.
"""

import argparse
import asyncio
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from chat_server.errors import Refusal
from chat_server.log.codec import encode, encode_entry
from chat_server.log.entries import Batch, Entry
from chat_server.log.jetstream import JetStreamChain
from chat_server.log.jetstream_api import open_nats
from chat_server.log.nats_connection import NatsAccess
from chat_server.runtime import SystemRuntime
from tests.cluster.nodes import ChatNode
from tests.cluster.servers import NatsServers
from tests.harness import Server
from tests.ports import free_port
from tests.unit.chat import Chat

TEXT = "as long as what people say to each other in a chat usually is"
TICKS = os.sysconf("SC_CLK_TCK")


def show(*cells: object) -> None:
    print(
        "| " + " | ".join(f"{each:,.0f}" if isinstance(each, float) else str(each) for each in cells) + " |", flush=True
    )


# ---- what one stream carries


async def measure_stream(options: argparse.Namespace) -> None:
    show("NATS servers", "nodes", "messages in a batch", "KiB", "batches/s", "messages/s", "p50 ms", "p99 ms")
    for count in (1, 3):
        with tempfile.TemporaryDirectory() as directory:
            servers = NatsServers(Path(directory), count)
            servers.start()
            try:
                await fill_stream(servers, options)
            finally:
                servers.close()


async def fill_stream(servers: NatsServers, options: argparse.Namespace) -> None:
    runtime = SystemRuntime()
    connections = [await open_nats(runtime, NatsAccess(servers.urls), f"n{number}", 30) for number in range(10)]
    chains = [JetStreamChain(each) for each in connections]
    await asyncio.sleep(2)  # the servers elect their leaders
    await chains[0].begin(1)
    for nodes in (1, 3, 10):
        for messages in (1, 100, 1000):
            data = batch_of(messages)
            seconds: list[float] = []
            ends_at = time.perf_counter() + options.seconds

            async def send(
                number: int, data: bytes = data, ends_at: float = ends_at, seconds: list[float] = seconds
            ) -> None:
                while (begun := time.perf_counter()) < ends_at:
                    await chains[number].append(1, f"n{number}", data, os.urandom(8).hex())
                    seconds.append(time.perf_counter() - begun)

            await asyncio.gather(*map(send, range(nodes)))
            rate = len(seconds) / options.seconds
            p50, p99 = (statistics.quantiles(seconds, n=100)[at] * 1000 for at in (49, 98))
            show(
                len(servers.all),
                nodes,
                messages,
                f"{len(data) / 1024:.1f}",
                rate,
                rate * messages,
                f"{p50:.1f}",
                f"{p99:.1f}",
            )
    for connection in connections:
        await connection.close()


def batch_of(messages: int) -> bytes:
    """The batch of a node with so many messages, as it stands in the stream."""
    with tempfile.TemporaryDirectory() as directory:
        chat = Chat(Path(directory) / "chat")
        chat.sign_in("alice")
        entries = [chat.entry("alice", f"/send_all {TEXT}") for _ in range(messages)]
        chat.close()
    return encode(Batch("history-1", "n1", 1, b"nonce123", 1, 0, entries), [encode_entry(each) for each in entries])


# ---- what a node executes


def measure_execution(options: argparse.Namespace) -> None:
    """Users write to each other in turn; the CPU is that of the rules, the store and the commit."""
    show("messages in a batch", "us of CPU a message", "messages/s of a core")
    for size in (1, 10, 100, 500):
        with tempfile.TemporaryDirectory() as directory:
            chat = Chat(Path(directory) / "chat")
            users = [f"user{number}" for number in range(200)]
            chat.sign_in(*users)
            entries = list(said(chat, users, max(2000, 4 * size)))
            begun = time.process_time()
            for start in range(0, len(entries), size):
                outcomes = chat.batch(*entries[start : start + size]).outcomes
                assert not any(isinstance(outcome.result, Refusal) for outcome in outcomes)
            seconds = (time.process_time() - begun) / len(entries)
            chat.close()
        show(size, f"{seconds * 1e6:.0f}", 1 / seconds)


def said(chat: Chat, users: list[str], count: int) -> Iterator[Entry]:
    for number in range(count):
        sender, other = users[number % len(users)], users[(number + 1) % len(users)]
        yield chat.entry(sender, f"/send {other} {TEXT}")


# ---- whole servers


OPEN = ("--main-rate-limit", "off", "--command-rate", "off", "--log-level", "warning", "--presence-max", "off")


async def measure_nodes(options: argparse.Namespace) -> None:
    """What bounds a cluster is the CPU of its busiest node. The rate here is bounded by the load, too."""
    show(
        "what is said",
        "servers",
        "messages/s",
        "CPU us a message, busiest",
        "all",
        "of it user",
        "NATS",
        "p50 ms",
        "p99 ms",
    )
    for _ in range(options.rounds):
        for load in (talk_in_pairs, tell_many):
            for name, nodes in (("a lone server", 0), ("1 node", 1), ("2 nodes", 2)):
                with tempfile.TemporaryDirectory() as directory:
                    await measure_servers(Path(directory), load, name, nodes, options)


async def measure_servers(directory: Path, load: "Load", name: str, nodes: int, options: argparse.Namespace) -> None:
    nats = NatsServers(directory / "nats", 1)
    port = free_port()
    servers: list[Server] = [Server(directory / "alone", *OPEN)]
    if nodes:
        nats.start()
        way = (*OPEN, "--reuse-port", "--port", str(port))
        servers = [ChatNode(directory / f"n{number}", f"n{number}", nats, *way) for number in range(nodes)]
    try:
        for server in servers:
            await asyncio.to_thread(server.start)
        pids = [server.process.pid for server in servers if server.process is not None]
        before: list[tuple[float, float]] = []

        def begin() -> None:
            before.extend(cpu(pid) for pid in (*pids, *([nats.all[0].pid] if nodes else [])))

        seconds = await load(servers[0].port, options, begin)
        now = [cpu(pid) for pid in (*pids, *([nats.all[0].pid] if nodes else []))]
        used = [
            (1e6 * (n[0] - b[0]) / len(seconds), 1e6 * (n[1] - b[1]) / len(seconds))
            for n, b in zip(now, before, strict=True)
        ]
        of_nodes, of_nats = used[: len(pids)], sum(map(sum, used[len(pids) :]))
        sums = [sum(each) for each in of_nodes]
        p50, p99 = (statistics.quantiles(seconds, n=100)[at] * 1000 for at in (49, 98))
        show(
            load.__name__, name, len(seconds) / options.seconds, max(sums), sum(sums),
            sum(user for user, _ in of_nodes), of_nats, f"{p50:.1f}", f"{p99:.1f}",
        )  # fmt: skip
    finally:
        for server in servers:
            server.close()
        nats.close()


# Puts messages into a server; how long each took until it was there. It calls the function once all are signed in.
Load = Callable[[int, argparse.Namespace, Callable[[], None]], Awaitable[list[float]]]
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def talk_in_pairs(port: int, options: argparse.Namespace, begin: Callable[[], None]) -> list[float]:
    pairs = [(await come(port, f"left{n}"), await come(port, f"right{n}"), f"right{n}") for n in range(options.pairs)]
    begin()
    ends_at = time.perf_counter() + options.seconds
    return [each for talked in await asyncio.gather(*(talk(*each, ends_at) for each in pairs)) for each in talked]


async def tell_many(port: int, options: argparse.Namespace, begin: Callable[[], None]) -> list[float]:
    """Five say something to all in main again and again, each once all readers have had their last one."""
    readers = [await come(port, f"reader{number}") for number in range(options.readers)]
    senders = [await come(port, f"sender{number}") for number in range(5)]
    has_all = asyncio.Event()
    counts = dict.fromkeys(range(len(readers)), 0)

    async def read(number: int) -> None:
        while data := await readers[number][0].read(1 << 16):
            counts[number] += data.count(TEXT.encode())
            has_all.set()

    tasks = [asyncio.create_task(read(number)) for number in counts]
    tasks += [asyncio.create_task(ignore(reader)) for reader, _ in senders]
    begin()
    seconds: list[float] = []
    ends_at = time.perf_counter() + options.seconds
    while (begun := time.perf_counter()) < ends_at:
        for _, writer in senders:
            writer.write(f"/send_all {TEXT}\n".encode())
        while min(counts.values()) < len(seconds) + len(senders):
            has_all.clear()
            await has_all.wait()
        seconds += [time.perf_counter() - begun] * len(senders)
    for task in tasks:
        task.cancel()
    return seconds


async def come(port: int, name: str) -> Stream:
    """Sign in."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(f"/sign_in {name}\n".encode())
    while not (line := await reader.readline()).startswith(b"+"):
        assert line and not line.startswith(b"-"), line
    return reader, writer


async def ignore(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 16):
        pass


async def talk(one: Stream, other: Stream, name: str, ends_at: float) -> list[float]:
    """One says something and waits until the other has it, again and again; how long each took."""
    seconds = []
    line = f"/send {name} {TEXT}\n".encode()
    while (begun := time.perf_counter()) < ends_at:
        one[1].write(line)
        while not (await one[0].readline()).startswith(b"+"):
            pass
        while TEXT.encode() not in await other[0].readline():
            pass
        seconds.append(time.perf_counter() - begun)
    return seconds


def cpu(pid: int) -> tuple[float, float]:
    """The seconds of a process in its own code, and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


# ---- a log for each community


def measure_communities(options: argparse.Namespace) -> None:
    """The same messages in one chat with a room for each community, and in a chat of its own for each.

    With one log each node executes all of it. With a log for each community a node executes those that it holds.
    """
    show("communities", "messages", "CPU s of a node, one log", "of the busiest of as many nodes, a log each", "ratio")
    for count in (1, 4, 16):
        whole, histories = run_one_log(count, options.messages)
        parts, own_histories = run_log_each(count, options.messages)
        assert all(histories) and histories == own_histories, (
            "what was said in each community does not depend on whose log it is in"
        )
        show(count, options.messages, f"{whole:.2f}", f"{max(parts):.2f}", f"{whole / max(parts):.1f}")


MEMBERS, BATCH = 10, 50


def run_one_log(count: int, messages: int) -> tuple[float, list[list[str]]]:
    with tempfile.TemporaryDirectory() as directory:
        chat = Chat(Path(directory) / "chat")
        rooms = [f"#room{number}" for number in range(count)]
        for number, room in enumerate(rooms):
            people = [f"c{number}m{member}" for member in range(MEMBERS)]
            chat.sign_in(*people)
            chat.say(people[0], f"/create_chat {room}")
            for name in people[1:]:
                chat.say(people[0], f"/invite {room} {name}")
                chat.say(name, f"/join {room}")
        entries = [
            chat.entry(f"c{number % count}m{number // count % MEMBERS}", f"/send {rooms[number % count]} text {number}")
            for number in range(messages)
        ]
        seconds = execute(chat, entries)
        histories = [history(chat, f"c{number}m0", room) for number, room in enumerate(rooms)]
        chat.close()
    return seconds, histories


def run_log_each(count: int, messages: int) -> tuple[list[float], list[list[str]]]:
    seconds, histories = [], []
    for community in range(count):
        with tempfile.TemporaryDirectory() as directory:
            chat = Chat(Path(directory) / "chat")
            people = [f"c{community}m{member}" for member in range(MEMBERS)]
            chat.sign_in(*people)
            chat.say(people[0], "/create_chat #room")
            for name in people[1:]:
                chat.say(people[0], f"/invite #room {name}")
                chat.say(name, "/join #room")
            entries = [
                chat.entry(people[number // count % MEMBERS], f"/send #room text {number}")
                for number in range(community, messages, count)
            ]
            seconds.append(execute(chat, entries))
            histories.append(history(chat, people[0], "#room"))
            chat.close()
    return seconds, histories


def execute(chat: Chat, entries: list[Entry]) -> float:
    """The seconds of CPU that it takes."""
    begun = time.process_time()
    for start in range(0, len(entries), BATCH):
        outcomes = chat.batch(*entries[start : start + BATCH]).outcomes
        assert not any(isinstance(outcome.result, Refusal) for outcome in outcomes)
    return time.process_time() - begun


def history(chat: Chat, name: str, room: str) -> list[str]:
    return [text or "" for text in chat.say(name, f"/history {room} limit 200").texts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["stream", "execution", "nodes", "communities"])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=50, help="pairs of users who talk")
    parser.add_argument("--readers", type=int, default=200, help="readers in main")
    parser.add_argument("--messages", type=int, default=8000)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if options.what == "stream":
        asyncio.run(measure_stream(options))
    elif options.what == "nodes":
        asyncio.run(measure_nodes(options))
    else:
        (measure_execution if options.what == "execution" else measure_communities)(options)


if __name__ == "__main__":
    main()
