"""`chat-server verify` beside the nodes of a cluster: it compares them, and its exit status says whether they agree."""

import asyncio
import contextlib
from pathlib import Path

import apsw

from tests.cluster.nodes import LocalCluster, running
from tests.conformance.operating import done, word


async def test_nodes_are_compared_at_one_batch(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path, "--main-rate-limit", "off", "--command-rate", "off", servers=1)
    async with running(cluster) as chats:
        alice = await chats[0].json("alice")
        verifying = asyncio.create_task(asyncio.to_thread(done, cluster.nodes[1], "verify"))
        while not verifying.done():
            await alice.ok("/send_all on and on")
        assert verifying.result().startswith("all nodes hold the same; n1, n2, n3: digest "), verifying.result()

        with contextlib.closing(apsw.Connection(str(cluster.nodes[2].data / "chat.db"))) as db:
            db.set_busy_timeout(5_000)
            db.execute("UPDATE users SET shape = 'flipped'")
        for node in cluster.nodes:
            ended = await asyncio.to_thread(word, node, "verify")
            assert (ended.returncode, ended.stderr) == (1, "")
            assert "n3 differs in users\n" in ended.stdout and "most nodes hold the same" in ended.stdout
        cluster.nodes[2].pause()
        ended = await asyncio.to_thread(word, cluster.nodes[0], "verify")
        cluster.nodes[2].resume()
        # It counts as gone once it has been silent for five seconds.
        assert ended.returncode == ("n3" in ended.stdout), ended
