"""How many connections there may be, and what becomes of those that are too many."""

import resource
from time import monotonic

from tests.conformance.conftest import Start
from tests.conformance.uploads import fetch, send_file
from tests.harness import REMOTE


async def test_connections_of_one_address(start_remote: Start) -> None:
    chat = start_remote("--connections-per-address", "2")
    for _ in range(2):
        await chat.json(source=REMOTE)
    refused = await chat.connection(source=REMOTE)
    assert (await refused.rest()) == ["* closing: your address has all the 2 connections that one may have"]
    await chat.json(source="127.0.0.3")
    for _ in range(4):
        await chat.json()


async def test_where_descriptors_run_out_those_who_are_in_notice_nothing(start: Start) -> None:
    """Most of what there is room for is taken away while it runs, and strangers try to take the rest."""
    chat = start("--log-level", "warning")
    alice, bob = await chat.json(), await chat.json()
    file = (await send_file(alice, "main", "x.txt", b"x" * 1000))["id"]
    process = chat.server.process
    assert process is not None
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    begun = monotonic()
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (60, limits[1]))
    strangers = [await chat.connection() for _ in range(120)]
    await chat.server.logged("few open files are left")
    assert (await alice.ok("/send_all still here"))["id"]
    assert (await fetch(bob, f"/get_file {file}"))[0] == b"x" * 1000
    assert (await bob.ok(f"/delete_account {bob.name}"))["user"] == bob.name
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
    for stranger in strangers:
        stranger.reset()
    again = monotonic()
    await chat.json()
    assert monotonic() - again < 2
    assert chat.server.log.count("few open files are left") <= monotonic() - begun + 1
