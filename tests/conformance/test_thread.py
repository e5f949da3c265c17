"""/thread: a message and its comments, nested ones too."""

from tests.conformance.conftest import Start
from tests.harness import Chat, Json, JsonClient, ids, messages


async def reply(client: JsonClient, on: int, text: str) -> int:
    return int((await client.ok({"cmd": "reply", "id": on, "text": text}))["id"])


def told(thread: tuple[list[Json], Json]) -> tuple[list[tuple[int, str | None, int | None]], int]:
    shown, end = thread
    return [(line["id"], line.get("text"), line.get("reply_to")) for line in shown], end["comments"]


async def test_text(chat: Chat) -> None:
    alice, person = await chat.json(), await chat.text()
    root = (await alice.ok("/send_all root"))["id"]
    alone = await person.command(f"/thread {root}")
    assert (messages(alone[0]), alone[1]) == (["root"], f"+ 0 comments on #{root} in main")
    one = await reply(alice, root, "one")
    lines, end = await person.command(f"/thread #{root}")
    assert messages(lines) == ["root", f"one (on #{root})"]
    assert end == f"+ 1 comment on #{root} in main"
    two = await reply(alice, one, "two")
    lines, end = await person.command(f"/thread {root}")
    assert messages(lines)[-1] == f"two (on #{one})"
    assert end == f"+ 2 comments on #{root} in main"
    assert lines[-1].endswith(f" (#{two})")


async def test_nested_across_edits_and_deletions(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    root = (await alice.ok("/send_all root"))["id"]
    one = await reply(bob, root, "one")
    other = (await alice.ok("/send_all no part of it"))["id"]
    nested = await reply(alice, one, "nested")
    await bob.ok(f"/edit {one} the first")
    assert told(await bob.command(f"/thread {root}")) == (
        [(root, "root", None), (one, "the first", root), (nested, "nested", one)], 2
    )  # fmt: skip
    await bob.ok(f"/delete {one}")
    await alice.ok(f"/delete {root}")
    deepest = await reply(bob, nested, "deepest")
    await alice.ok(f"/edit {nested} still here")
    everything = [(root, None, None), (one, None, root), (nested, "still here", one), (deepest, "deepest", nested)]
    assert told(await alice.command(f"/thread {root}")) == (everything, 3)
    assert told(await alice.command(f"/thread {one}")) == (everything[1:], 2)
    assert told(await alice.command(f"/thread {deepest}")) == (everything[3:], 0)
    assert told(await alice.command(f"/thread {other}")) == ([(other, "no part of it", None)], 0)


async def test_json_between_two(chat: Chat) -> None:
    alice, bob, stranger = await chat.json(), await chat.json(), await chat.json()
    root = (await alice.ok(f"/send {bob.name} root"))["id"]
    one = await reply(bob, root, "one")
    for reader, other in ((alice, bob), (bob, alice)):
        shown, end = await reader.command({"cmd": "thread", "id": root})
        assert [line["chat"] for line in shown] == [f"@{other.name}"] * 2
        assert end == {"type": "ok", "re": "thread", "id": root, "chat": f"@{other.name}", "comments": 1}
    for id_ in (root, one):
        hidden, nothing = await stranger.refused(f"/thread {id_}"), await stranger.refused("/thread 99999999")
        assert hidden["code"] == "unknown_message"
        assert hidden == {**nothing, "text": nothing["text"].replace("99999999", str(id_))}


async def test_it_marks_nothing(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    root = (await alice.ok(f"/send {bob.name} root"))["id"]
    await bob.command(f"/thread {root}")
    shown, _ = await bob.command(f"/messages {alice.name}")
    assert ids(shown) == [root]


async def test_a_banned_user_reads_on(start: Start) -> None:
    chat = start("--report-limit", "1")
    alice, bob = await chat.json("alice"), await chat.json("bob")
    root = (await alice.ok("/send_all root"))["id"]
    await bob.ok("/report alice")
    assert await alice.code(f"/thread {root}") == "ok"


async def test_errors(chat: Chat) -> None:
    alice = await chat.json()
    assert await alice.code("/thread 0") == "unknown_message"


async def test_a_long_thread_stays_over_a_restart(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    root = (await alice.ok("/send_all root"))["id"]
    replies = await alice.pipeline({"cmd": "reply", "id": root + n // 2, "text": "x" * 100} for n in range(500))
    await chat.close()
    chat.server.kill()
    chat.server.start()
    shown, end = await (await chat.json("bob")).command(f"/thread {root}")
    assert ids(shown) == [root, *(line["id"] for line in replies)]
    assert end["comments"] == 500


async def test_threads_of_others_stay_whole_when_an_account_goes(chat: Chat) -> None:
    alice, bob = await chat.json(), await chat.json()
    root = (await bob.ok("/send_all root"))["id"]
    one = await reply(alice, root, "one")
    two = await reply(bob, one, "two")
    await bob.ok(f"/delete_account {bob.name}")
    assert told(await alice.command(f"/thread {root}")) == (
        [(root, None, None), (one, "one", root), (two, None, one)],
        2,
    )
