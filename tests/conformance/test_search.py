"""/search: what this user may see, newest first."""

from tests.conformance.conftest import Start
from tests.harness import Chat, JsonClient, ids, messages, texts, unique


async def found(client: JsonClient, line: str) -> list[str]:
    return texts((await client.command(line))[0])


async def test_json(chat: Chat) -> None:
    alice, bob, carol, word = await chat.json(), await chat.json(), await chat.json(), unique("word")
    for client, target in ((alice, "main"), (bob, alice.name), (bob, carol.name), (carol, "main")):
        await client.ok(f"/send {target} {word.upper()} from {client.name} to {target}")
    returned, reply = await alice.command({"cmd": "search", "words": word})
    assert [line["from"] for line in returned] == [carol.name, bob.name, alice.name]
    assert [line["chat"] for line in returned] == ["main", f"@{bob.name}", "main"]
    assert (reply["re"], reply["count"], "more" in reply) == ("search", 3, False)
    fields = {"cmd": "search", "words": f"{word} from", "in": "main", "from": f"@{alice.name}", "before": 1 << 40}
    returned, _ = await alice.command(fields)
    assert [line["from"] for line in returned] == [alice.name]
    assert len(await found(alice, f"/search from:{bob.name} {word} in:@{bob.name}")) == 1
    assert len(await found(alice, f"/search {word} before:{ids(returned)[0]}")) == 0
    assert await found(alice, f"/search {word}zzz") == []
    # What a command returns is no push: it moves no marker.
    status = await alice.ok("/status")
    assert {each["name"]: each["unread"] for each in status["chats"]}[f"@{bob.name}"] == 1


async def test_text(chat: Chat) -> None:
    alice, word = await chat.text(), unique("word")
    for number in range(22):
        await alice.ok(f"/send_all {word} {number}")
    returned, reply = await alice.command(f'/search "{word}" from:{alice.name}')
    assert messages(returned) == [f"{word} {number}" for number in range(21, 1, -1)]
    head, more, tail = reply.partition(f"; /search {word} from:{alice.name} before:")
    assert (head, tail.partition(" ")[2]) == ("+ 20 found", "goes on")
    returned, reply = await alice.command((more + tail).removeprefix("; ").removesuffix(" goes on"))
    assert messages(returned) == [f"{word} 1", f"{word} 0"]
    assert reply == "+ 2 found"
    assert await alice.ok("/search nobodysaysthis") == "nothing found"


async def test_words_phrases_beginnings_and_scripts(chat: Chat) -> None:
    alice, mark = await chat.json(), unique("mark")
    for text in ("the old mill", "the mill is old", "Привет, МИР!", "今日は天気がいい", "สวัสดีครับ"):
        await alice.ok(f"/send_all {mark} {text}")
    for query, count in (("old mill", 2), ('"old mill"', 1), ("mil*", 2), ("привет", 1), ("ПРИВ* мир", 1), ("天気", 1),
                         ("สวัสดี", 1), ("mil", 0), ('"mill old"', 0)):  # fmt: skip
        assert len(await found(alice, f"/search {mark} {query}")) == count, query


async def test_edits_and_deletions(chat: Chat) -> None:
    alice, bob, old, new = await chat.json(), await chat.json(), unique("old"), unique("new")
    first, second = [(await alice.ok(f"/send_all {old}"))["id"] for _ in range(2)]
    assert len(await found(bob, f"/search {old}")) == 2
    await alice.ok(f"/edit {first} {new}")
    await alice.ok(f"/delete {second}")
    assert await found(bob, f"/search {old}") == []
    assert await found(bob, f"/search {new}") == [new]


async def test_over_a_restart_and_a_kill(start: Start) -> None:
    chat = start()
    await (await chat.json("alice")).pipeline(f"/send_all findme {number}" for number in range(50))
    await chat.close()
    chat.server.kill()
    chat.server.start()
    alice = await chat.json("alice")
    assert await found(alice, "/search findme") == [f"findme {number}" for number in range(49, 29, -1)]
    assert await found(alice, '/search "findme 3"') == ["findme 3"]
    await chat.close()
    chat.server.restart()
    assert len(await found(await chat.json("alice"), "/search findme before:11")) == 10


async def test_what_is_no_search(chat: Chat) -> None:
    alice = await chat.json()
    for words in ("in:main", "... !", "👍", '""', "w*", "x in:", "x before:y", "x from:", "x in:main in:main"):
        assert await alice.code(f"/search {words}") == "bad_argument", words
    assert await alice.code({"cmd": "search", "words": "x", "chat": "main"}) == "bad_argument"
    assert await alice.code('/search NEAR(a, b) OR AND NOT text:* ^x {a b}:c -d "') == "ok"
