"""/history: a page of a chat, old or new; marks nothing."""

from tests.conformance.conftest import Start
from tests.conformance.missed import fill, unread
from tests.harness import Chat, Json, JsonClient, ids, messages, texts


async def filled(start: Start) -> tuple[JsonClient, list[int]]:
    """A reader, and the ids of the hundred messages of main."""
    chat = start()
    sender, reader = await chat.json("sender"), await chat.json("reader")
    replies = await sender.pipeline(f"/send_all {number}" for number in range(100))
    return reader, [reply["id"] for reply in replies]


async def test_pages(start: Start) -> None:
    reader, sent = await filled(start)

    async def page(rest: str) -> tuple[list[int], Json]:
        returned, reply = await reader.command(f"/history main {rest}")
        assert reply["count"] == len(returned)
        return ids(returned), reply

    assert (await page(""))[0] == sent[-20:]
    assert (await page(f"before {sent[50]}"))[0] == sent[30:50]
    assert (await page(f"after #{sent[50]}"))[0] == sent[51:71]
    assert (await page(f"limit 3 before {sent[50]}"))[0] == sent[47:50]
    assert (await page(f"AROUND {sent[50]} limit 5"))[0] == sent[48:53]
    assert (await page(f"around {sent[0]} limit 4"))[0] == sent[:4]
    assert (await page("limit 200"))[0] == sent
    assert (await page("before 1"))[0] == (await page(f"after {sent[-1]}"))[0] == []
    assert (await page("before 999999999"))[0] == sent[-20:]
    assert await unread(reader, "main") == 100


async def test_a_page_since_a_time(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.text()
    sent = [(await alice.ok({"cmd": "send", "target": bob.name, "text": text}))["at"] for text in ("one", "two")]
    returned, reply = await alice.command({"cmd": "history", "chat": bob.name, "since": sent[1]})
    assert texts(returned)[-1] == "two" and "more" not in reply
    returned, reply = await alice.command(f"/history {bob.name} since 1970-01-01 limit 1")
    assert (texts(returned), reply["more"]) == (["one"], f"/history @{bob.name} after {returned[0]['id']} limit 1")
    assert (await alice.command(f"/history {bob.name} since 2999-01-01T00:00+01:00"))[0] == []
    refused = await alice.refused(f"/history {bob.name} since 1970-01-01 before 3")
    assert "before and since do not go together" in refused["text"]
    lines, _ = await bob.command(f"/history {alice.name} since 1970-01-01")
    assert [line.split(": ")[1][:3] for line in lines] == ["one", "two"]


async def test_more_leads_through_all_of_it(start: Start) -> None:
    reader, sent = await filled(start)
    backwards: list[int] = []
    more: str | None = "/history main"
    while more:
        returned, reply = await reader.command(more)
        backwards = ids(returned) + backwards
        more = reply.get("more")
    assert backwards == sent
    forwards: list[int] = []
    more = "/history main after 0"
    while more:
        returned, reply = await reader.command(more)
        forwards += ids(returned)
        more = reply.get("more")
    assert forwards == sent


async def test_json_form(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    await fill(bob, alice.name, 5)
    returned, reply = await alice.command({"cmd": "history", "chat": bob.name, "limit": 2})
    assert (texts(returned), reply["chat"]) == (["3", "4"], f"@{bob.name}")
    first = returned[0]["id"]
    returned, _ = await alice.command({"cmd": "history", "chat": f"@{bob.name}", "before": first, "limit": 2})
    assert texts(returned) == ["1", "2"]


async def test_text(chat: Chat) -> None:
    alice, bob = await chat.text(), await chat.json()
    await fill(bob, alice.name, 3)
    returned, reply = await alice.command(f"/history {bob.name} limit 2")
    assert messages(returned) == ["1", "2"]
    assert reply.startswith(f"+ 2 messages of @{bob.name}; /history @{bob.name} before ")


async def test_all_of_main_is_open_to_everyone(chat: Chat) -> None:
    alice = await chat.json()
    first = await alice.ok("/send_all long before")
    await fill(alice, "main", 30)
    newcomer = await chat.json()
    returned, _ = await newcomer.command(f"/history main around {first['id']} limit 1")
    assert texts(returned) == ["long before"]


async def test_a_chat_of_others_is_not(chat: Chat) -> None:
    alice, bob, carol = await chat.json(), await chat.json(), await chat.json()
    await alice.ok(f"/send {bob.name} private")
    for name in (alice.name, bob.name):
        returned, _ = await carol.command(f"/history {name}")
        assert returned == []


async def test_what_does_not_go_together(chat: Chat) -> None:
    alice = await chat.json()
    for rest in ("limit 201", "before", "before 1 after 2", "since 1", "limit 1 limit 2"):
        assert await alice.code(f"/history main {rest}") == "bad_argument", rest
