"""The rate of commands: of one connection, and of all connections of a user or of an address together."""

from chat_server.frontend.pipeline import NAMES_A_COMMAND
from chat_server.frontend.rate_limits import ADDRESS_FACTOR, USER_FACTOR
from tests.conformance.conftest import Start
from tests.harness import REMOTE, Chat, TextClient

BURST = 3
# Nothing is earned back while a test runs.
LIMITS = ("--command-rate", "1/1h", "--command-burst", str(BURST), "--connections-per-address", "off")


async def get_pongs(client: TextClient, count: int) -> None:
    await client.send(*["/ping"] * count)
    assert await client.lines(count) == ["+ pong"] * count


async def assert_that_they_wait(chat: Chat, waiting: list[TextClient], other: TextClient) -> None:
    """Those who wait are told nothing while somebody else is served, and are not refused either."""
    for _ in range(BURST - 1):
        await get_pongs(other, 1)
    chat.server.terminate()
    for client in waiting:
        assert [line for line in await client.rest() if not line.startswith("* ")] == []


async def test_commands_over_the_rate_wait_and_nothing_is_refused(start: Start) -> None:
    chat = start(*LIMITS)
    client, other = await chat.text_stranger(), await chat.text_stranger()
    await get_pongs(client, BURST)
    await client.send(*["/ping"] * 10)
    await assert_that_they_wait(chat, [client], other)


async def test_the_connections_of_a_user_share_a_rate(start: Start) -> None:
    chat = start(*LIMITS)
    clients = [await chat.text_stranger() for _ in range(USER_FACTOR * BURST)]
    for client in clients:
        await client.send("/sign_in alice")
        while not (await client.line()).startswith("+ "):
            pass
    # A connection has BURST - 1 left, and all of them together USER_FACTOR * BURST.
    served = USER_FACTOR * BURST // (BURST - 1)
    for client in clients[:served]:
        await client.send(*["/ping"] * (BURST - 1))
        assert [line for line in await client.lines(BURST - 1) if not line.startswith("* ")] == ["+ pong"] * (BURST - 1)
    for client in clients[served:]:
        await client.send("/ping")
    await assert_that_they_wait(chat, clients[served:], await chat.text_stranger())


async def test_a_change_that_tells_many_names_counts_more(start: Start) -> None:
    """Somebody's flips of one reaction on a message with 4,500 kept the others waiting for two seconds."""
    people, emojis, burst = 13, [chr(0x1F600 + number) for number in range(20)], 50
    chat = start("--command-rate", "1/1h", "--command-burst", str(burst))
    for number in range(people):
        reader = await chat.json_stranger()
        await reader.ok(f"/sign_in reader{number}")
        if not number:
            await reader.ok("/send_all hello")
        await reader.pipeline(f"/react 1 {emoji}" for emoji in emojis)
    assert people * len(emojis) >= NAMES_A_COMMAND
    client = await chat.text_stranger()
    await client.send("/sign_in alice", "/presence off")
    # A sign-in and one more; then each takes two.
    for number in range((burst - 2) // 2):
        await client.send(f"/{'unreact' if number % 2 else 'react'} 1 {emojis[0]}")
        while not (await client.line()).startswith("+ changed"):
            pass
    await client.send("/ping")
    await assert_that_they_wait(chat, [client], await chat.text_stranger())


async def test_the_connections_of_a_remote_address_share_a_rate(start_remote: Start) -> None:
    chat = start_remote(*LIMITS)
    clients = [await chat.text_stranger(source=REMOTE) for _ in range(ADDRESS_FACTOR + 3)]
    for client in clients[:ADDRESS_FACTOR]:
        await get_pongs(client, BURST)
    for client in clients[ADDRESS_FACTOR:]:
        await client.send("/ping")
    await assert_that_they_wait(chat, clients[ADDRESS_FACTOR:], await chat.text_stranger())
