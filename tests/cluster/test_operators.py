"""What operators and users decide at one node holds at all: bans of addresses, slow mode, tokens that end."""

import asyncio
from pathlib import Path

from tests.cluster.nodes import ChatNode, LocalCluster, running
from tests.conformance.operating import SECRET, done, json_operator
from tests.conformance.rooms import chats_of
from tests.conformance.tokens import tokens
from tests.harness import REMOTE, RemoteServer


class RemoteNode(ChatNode, RemoteServer):
    """A node for which 127.0.0.2 is another machine."""


async def test_what_is_decided_at_one_node_holds_at_all(tmp_path: Path) -> None:
    options = ("--main-rate-limit", "off", "--operator", "boss")
    cluster = LocalCluster(tmp_path, *options, servers=1, nodes=2, node_type=RemoteNode)
    async with running(cluster) as (one, two):
        boss = await json_operator(one)
        there = await two.json_stranger(source=REMOTE)
        await there.ok(f"/sign_in mallory {SECRET}")
        bob = await two.json("bob")

        await boss.ok(f"/ban_address {REMOTE} bots")
        assert (await there.event("closing"))["code"] == "banned"
        for chat in (one, two):
            assert b"your address is banned: bots" in await (await chat.connection(source=REMOTE)).reader.read()

        await boss.ok("/slow_mode main 1h")
        assert (await bob.event("slow_mode"))["seconds"] == 3600
        await bob.ok("/send_all one")
        elsewhere = await one.json("bob")
        assert await elsewhere.code("/send_all two") == "rate_limited"

        (own, other) = await tokens(elsewhere)
        assert (own["connected"], other["connected"]) == (True, True)
        assert (await elsewhere.ok(f"/revoke_token {other['token_id']}"))["closed"] == 1
        assert (await bob.event("closing"))["code"] == "signed_out"

        node = cluster.nodes[1]
        node.kill()
        await asyncio.to_thread(node.start)
        assert b"banned: bots" in await (await two.connection(source=REMOTE)).reader.read()
        bob = await two.json("bob")
        assert await bob.code("/send_all two") == "rate_limited"
        assert (await chats_of(bob))["main"]["slow_mode"] == 3600
        assert "the ban of" in await asyncio.to_thread(done, node, "unban-address", REMOTE)
        await boss.roundtrip()
        for chat in (one, two):
            await chat.text_stranger(source=REMOTE)
