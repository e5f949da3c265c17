"""Streams of a replicated log on real NATS servers: what they promise, also while servers are killed and stopped."""

import asyncio
import secrets
from pathlib import Path

import pytest

from chat_server.errors import StartError
from chat_server.log import jetstream
from chat_server.log.codec import BATCH_BYTES_MAX
from chat_server.log.jetstream import JetStreamChain
from chat_server.log.jetstream_api import call
from chat_server.log.nats_connection import Nats, NatsAccess
from chat_server.log.nats_objects import NatsObjects
from chat_server.log.stream import FateUnknown, NotAppended, Position, StreamLost
from chat_server.runtime import SystemRuntime
from tests.cluster.conftest import Connect
from tests.cluster.servers import NatsServers
from tests.cluster.streams import WAIT_SECONDS, appended, begin, client_of, leader, numbers, pieces, settled, take

# ---- streams


@pytest.mark.smoke
async def test_messages_are_read_in_order_with_their_node_and_time(one_server: NatsServers, connect: Connect) -> None:
    chain, stream = await begin(await connect(one_server.urls))
    for number in range(100):
        assert await chain.append(stream, f"n{number % 3}", b"%d" % number, f"u{number}") == number + 1
    records = chain.read(Position(stream, 0))
    read = await take(records, 100)
    assert [each.data for each in read] == [b"%d" % number for number in range(100)]
    assert [each.position for each in read] == [Position(stream, number + 1) for number in range(100)]
    assert [each.node for each in read] == [f"n{number % 3}" for number in range(100)]
    message = await call(chain._connection, f"STREAM.MSG.GET.log-{stream}", {"seq": 7})
    assert f".{read[6].at_ms % 1000:03}" in message["message"]["time"].replace("Z", "000Z")
    assert [each.data for each in await take(chain.read(Position(stream, 98)), 2)] == [b"98", b"99"]
    records.close()


async def test_a_message_that_is_appended_while_the_end_is_read_comes_at_once(
    one_server: NatsServers, connect: Connect
) -> None:
    chain, stream = await begin(await connect(one_server.urls))
    records = chain.read(Position(stream, 0))
    # More than are asked for ahead, one by one.
    for number in range(3 * jetstream.PULLED_MAX):
        await chain.append(stream, "n1", b"%d" % number, f"{number}")
        assert (await take(records, 1))[0].data == b"%d" % number


async def test_a_repetition_is_stored_once_and_has_the_first_ones_sequence(
    one_server: NatsServers, connect: Connect
) -> None:
    chain, stream = await begin(await connect(one_server.urls))
    assert [await chain.append(stream, "n1", b"x", "same") for _ in range(3)] == [1, 1, 1]
    assert await chain.last(stream) == 1


async def test_a_message_that_has_to_follow_another_one_than_the_last_is_certainly_not_taken(
    one_server: NatsServers, connect: Connect
) -> None:
    chain, stream = await begin(await connect(one_server.urls))
    assert await chain.append(stream, "n1", b"first", "1", 0) == 1
    for number, after in enumerate((0, 2)):
        with pytest.raises(NotAppended, match="wrong last sequence"):
            await chain.append(stream, "n2", b"other", f"other {number}", after)
    assert await chain.append(stream, "n2", b"second", "2", 1) == 2
    assert await chain.last(stream) == 2


async def test_a_message_for_a_stream_that_is_not_there_is_certainly_not_taken(
    one_server: NatsServers, connect: Connect
) -> None:
    chain = JetStreamChain(await connect(one_server.urls))
    with pytest.raises(NotAppended):
        await chain.append(999, "n1", b"x", "u")
    with pytest.raises(StreamLost):
        await chain.last(999)
    with pytest.raises(StreamLost):
        await chain.read(Position(999, 0)).next()


async def test_the_largest_batch_is_taken_and_the_connection_lives_on(
    one_server: NatsServers, connect: Connect
) -> None:
    connection = await connect(one_server.urls)
    chain, stream = await begin(connection)
    data = secrets.token_bytes(BATCH_BYTES_MAX)
    client = client_of(connection)
    await chain.append(stream, "n1", data, "u" * 1000)
    assert (await take(chain.read(Position(stream, 0)), 1))[0].data == data
    assert client_of(connection) is client and client.is_connected


async def test_a_stream_that_takes_no_more_refuses_for_certain(one_server: NatsServers, connect: Connect) -> None:
    connection = await connect(one_server.urls)
    chain, stream = JetStreamChain(connection), next(numbers)
    config = {"name": f"log-{stream}", "subjects": [f"log.{stream}.*"], "discard": "new", "max_msg_size": 10}
    await call(connection, f"STREAM.CREATE.log-{stream}", config)
    with pytest.raises(NotAppended, match="exceeds maximum"):
        await chain.append(stream, "n1", b"x" * 11, "u")
    assert await chain.last(stream) == 0


async def test_streams_are_listed_in_order_and_a_deleted_one_is_gone(tmp_path: Path, connect: Connect) -> None:
    servers = NatsServers(tmp_path, 1)
    servers.start()
    try:
        connection = await connect(servers.urls)
        chain = JetStreamChain(connection)
        assert await chain.list() == []
        for stream in (2, 10, 1):
            await chain.begin(stream)
            await chain.begin(stream)
        await NatsObjects(connection).begin("bucket")
        assert await chain.list() == [1, 2, 10]
        await chain.delete(2)
        await chain.delete(2)
        assert await chain.list() == [1, 10]
    finally:
        servers.close()


@pytest.mark.parametrize(
    "change", [{"max_age": 3_600_000_000_000}, {"storage": "memory"}, {"discard": "old"}, {"max_msgs": 5}]
)
async def test_a_stream_of_another_configuration_is_not_used(
    one_server: NatsServers, connect: Connect, change: dict[str, object]
) -> None:
    connection = await connect(one_server.urls)
    stream = next(numbers)
    await call(
        connection,
        f"STREAM.CREATE.log-{stream}",
        {"name": f"log-{stream}", "subjects": [f"log.{stream}.*"], "discard": "new", **change},
    )
    (key,) = change
    with pytest.raises(StartError, match=f"log-{stream} in NATS is not as .*{key}"):
        await JetStreamChain(connection).begin(stream)


async def test_a_stream_that_takes_the_same_subjects_is_named_as_the_reason(
    one_server: NatsServers, connect: Connect
) -> None:
    connection = await connect(one_server.urls)
    stream = next(numbers)
    await call(connection, "STREAM.CREATE.foreign", {"name": "foreign", "subjects": [f"log.{stream}.>"]})
    with pytest.raises(StartError, match="another stream"):
        await JetStreamChain(connection).begin(stream)
    await call(connection, "STREAM.DELETE.foreign")


async def test_a_reading_ends_where_messages_are_gone(one_server: NatsServers, connect: Connect) -> None:
    connection = await connect(one_server.urls)
    chain, stream = JetStreamChain(connection), next(numbers)
    await call(connection, f"STREAM.CREATE.log-{stream}", {"name": f"log-{stream}", "subjects": [f"log.{stream}.*"]})
    for number in range(5):
        await chain.append(stream, "n1", b"%d" % number, f"{number}")
    await call(connection, f"STREAM.MSG.DELETE.log-{stream}", {"seq": 3})
    records = chain.read(Position(stream, 0))
    assert [each.data for each in await take(records, 2)] == [b"0", b"1"]
    with pytest.raises(StreamLost, match="message 4 after 2"):
        await records.next()


async def test_a_reading_ends_where_the_stream_was_made_anew(one_server: NatsServers, connect: Connect) -> None:
    chain, stream = await begin(await connect(one_server.urls))
    await chain.append(stream, "n1", b"x", "u")
    records = chain.read(Position(stream, 0))
    await take(records, 1)
    await chain.delete(stream)
    await chain.begin(stream)
    for number in range(3):
        await chain.append(stream, "n1", b"y", f"u{number}")
    with pytest.raises(StreamLost, match="made anew"):
        async with asyncio.timeout(WAIT_SECONDS):
            await records.next()


@pytest.mark.smoke
async def test_a_reading_outlives_lost_consumers_and_connections(one_server: NatsServers, connect: Connect) -> None:
    connection = await connect(one_server.urls)
    chain, stream = await begin(connection)
    records = chain.read(Position(stream, 0))
    for number in range(4):
        await appended(chain, stream, b"%d" % number)
        assert (await take(records, 1))[0].data == b"%d" % number
        if number == 0:
            await call(connection, f"CONSUMER.DELETE.log-{stream}.{records._consumer}")
        elif number == 1:
            await client_of(connection).close()
        elif number == 2:
            one_server.all[0].kill()
            one_server.all[0].start()


async def test_a_connection_that_is_closed_while_it_is_made_ends(one_server: NatsServers) -> None:
    """The package takes a cancellation for itself in some of its turns."""
    for turns in range(60):
        connection = Nats(SystemRuntime(), NatsAccess(one_server.urls), "n1")
        connection.listen("bus.nodes.*", lambda message: None)
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(WAIT_SECONDS):
            await connection.close()


async def test_a_reading_that_is_closed_ends_whoever_waits_for_it(one_server: NatsServers, connect: Connect) -> None:
    connection = await connect(one_server.urls)
    chain, stream = await begin(connection)
    for lose_connection in (False, True):
        records = chain.read(Position(stream, 0))
        waiting = asyncio.create_task(records.next())
        while records._inbox is None:
            await asyncio.sleep(0.01)
        if lose_connection:
            await client_of(connection).close()
        records.close()
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.wait([waiting])
        assert waiting.cancelled()


async def test_a_message_that_the_package_drops_is_read_all_the_same(one_server: NatsServers, connect: Connect) -> None:
    chain, stream = await begin(await connect(one_server.urls))
    records = chain.read(Position(stream, 0))
    await chain.append(stream, "n1", b"first", "first")
    await take(records, 1)
    assert records._inbox is not None
    # A subscription that nobody takes from drops what is past this.
    records._inbox._subscription._pending_bytes_limit = 10
    for number in range(5):
        await chain.append(stream, "n1", b"%d" % number * 9, f"{number}")
    assert [each.data for each in await take(records, 5)] == [b"%d" % number * 9 for number in range(5)]


# ---- when servers are away


@pytest.mark.smoke
async def test_nothing_is_appended_while_no_server_is_connected(tmp_path: Path, connect: Connect) -> None:
    servers = NatsServers(tmp_path, 1)
    servers.start()
    try:
        chain, stream = await begin(await connect(servers.urls))
        await chain.append(stream, "n1", b"before", "before")
        servers.all[0].kill()
        async with asyncio.timeout(WAIT_SECONDS):
            while chain.is_connected:
                await asyncio.sleep(0.05)
        with pytest.raises(NotAppended, match="NATS"):
            await chain.append(stream, "n1", b"never", "never")
        servers.all[0].start()
        await appended(chain, stream, b"after")
        assert [each.data for each in await take(chain.read(Position(stream, 0)), 2)] == [b"before", b"after"]
    finally:
        servers.close()


async def test_an_append_that_a_stopped_server_may_have_is_of_unknown_fate(tmp_path: Path, connect: Connect) -> None:
    servers = NatsServers(tmp_path, 1)
    servers.start()
    try:
        chain, stream = await begin(await connect(servers.urls))
        servers.all[0].pause()
        with pytest.raises(FateUnknown):
            await chain.append(stream, "n1", b"x", "u")
        servers.all[0].resume()
        assert await appended(chain, stream, b"x", "u") == 1
        assert await chain.last(stream) == 1
    finally:
        servers.close()


@pytest.mark.parametrize("how", [pytest.param("kill", marks=pytest.mark.smoke), "pause"])
async def test_the_loss_of_the_leader_loses_repeats_and_reorders_nothing(
    three_servers: NatsServers, connect: Connect, how: str
) -> None:
    connection = await connect(three_servers.urls)
    chain, stream = await begin(connection)
    reader = JetStreamChain(await connect(three_servers.urls, "n2"))
    count = 300
    fates: dict[str, set[int]] = {"certain": set(), "refused": set()}

    async def write() -> None:
        for number in range(count):
            try:
                await chain.append(stream, "n1", b"%d" % number, f"{number}")
                fates["certain"].add(number)
            except NotAppended:
                fates["refused"].add(number)
                await asyncio.sleep(0.05)
            except FateUnknown:
                pass
            if number == 100:
                lost = await leader(connection, three_servers, stream)
                getattr(lost, how)()
        lost.resume()
        three_servers.start()
        await appended(chain, stream, b"end")

    writing = asyncio.create_task(write())
    read: list[int] = []
    records = reader.read(Position(stream, 0))
    async with asyncio.timeout(3 * WAIT_SECONDS):
        while (record := await records.next()).data != b"end":
            read.append(int(record.data))
    await writing
    assert read == sorted(set(read))
    assert fates["certain"] <= set(read)
    assert not fates["refused"] & set(read)
    # A second reading, from another place, is the same.
    again = await take(chain.read(Position(stream, 50)), len(read) - 50)
    assert [int(each.data) for each in again] == read[50:]


async def test_the_end_of_a_stream_without_a_leader_is_not_known(tmp_path: Path, connect: Connect) -> None:
    servers = NatsServers(tmp_path, 3)
    servers.start()
    try:
        chain, stream = await begin(await connect(servers.urls))
        await appended(chain, stream, b"x")
        for server in servers.all[1:]:
            server.kill()
        async with asyncio.timeout(2 * WAIT_SECONDS):
            with pytest.raises(NotAppended):
                while True:
                    assert await chain.last(stream) == 1  # until the leader has noticed
                    await asyncio.sleep(0.5)
        servers.start()
        assert await settled(chain.last, stream) == 1
    finally:
        servers.close()


async def test_a_deleted_stream_and_bucket_leave_no_byte_in_the_files(
    three_servers: NatsServers, connect: Connect
) -> None:
    connection = await connect(three_servers.urls)
    chain, stream = await begin(connection)
    objects = NatsObjects(connection)
    await settled(objects.begin, "secret")
    kept, gone = secrets.token_hex(16).encode(), [secrets.token_hex(16).encode() for _ in range(2)]
    await appended(chain, stream, gone[0])
    await objects.put("secret", "object", pieces(gone[1] * 10))
    following = next(numbers)
    await settled(chain.begin, following)
    await appended(chain, following, kept)
    assert len(three_servers.files_with(gone)) >= 6
    await settled(chain.delete, stream)
    await settled(objects.delete_bucket, "secret")
    async with asyncio.timeout(WAIT_SECONDS):
        while three_servers.files_with(gone):
            await asyncio.sleep(0.1)
    assert len(three_servers.files_with([kept])) >= 3
