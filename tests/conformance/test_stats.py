"""/stats: how much there is, and what the running server has counted."""

from tests.conformance.conftest import Start
from tests.conformance.operating import json_operator, text_operator


async def test_json(start: Start) -> None:
    chat = start("--operator", "boss")
    boss, bob = await json_operator(chat), await chat.json("bob")
    await bob.ok("/send_all hi")
    await boss.ok("/ban bob")
    reply = await boss.ok("/stats")
    # A node of a cluster names the nodes.
    shown = reply.keys() - {"nodes"}
    assert shown == {"type", "re", "users", "banned", "reports", "seq", "database", "at", "live",
                     "texts", "texts_most", "text_quota"}  # fmt: skip
    assert (reply["users"], reply["banned"], reply["reports"], reply["seq"]) == (2, 1, 0, 1)
    assert reply["database"] > 0
    live = reply["live"]
    assert (reply["texts"], reply["texts_most"], reply["text_quota"]) == (2, 2, 50 << 20)
    live.pop("disk_days_left", None)  # known after an hour
    assert live.keys() == {"connections", "users_online", "messages", "deliveries", "uptime_seconds",
                           "disk_free_bytes", "disk_reserve_bytes", "overload_level"}  # fmt: skip
    assert live["disk_free_bytes"] > live["disk_reserve_bytes"] == 256 << 20
    assert (live["connections"], live["users_online"], live["messages"]) == (2, 2, 1)
    await chat.close()
    chat.server.restart()
    again = await (await json_operator(chat)).ok("/stats")
    assert (again["users"], again["banned"], again["live"]["messages"]) == (2, 1, 0)


async def test_text(start: Start) -> None:
    chat = start("--operator", "boss")
    items, reply = await (await text_operator(chat)).command("/stats")
    assert "  connections: 1" in items and "  accounts ever registered: 1" in items
    assert reply.startswith("+ as of ")
