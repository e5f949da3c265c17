"""`chat-server verify`: the database is checked beside the server, and what it holds has one digest."""

import contextlib
import re

import apsw

from tests.conformance.conftest import Start
from tests.conformance.operating import done, refused
from tests.harness import Chat


def digest(told: str) -> str:
    found = re.fullmatch(
        r"(?:the database is sound: \d+ rows in \d+ tables|all nodes hold the same; alone: digest ([0-9a-f]{32}))"
        r" at batch \d+ of stream [01](?:; digest ([0-9a-f]{32}))?\n",
        told,
    )
    assert found, told
    return found[1] or found[2]


async def test_a_sound_chat(start: Start) -> None:
    chat = start()
    alice = await chat.json("alice")
    await alice.ok("/send_all one")
    running = digest(done(chat.server, "verify"))
    await alice.ok("/send_all two")
    assert digest(done(chat.server, "verify")) != running
    await chat.close()
    assert chat.server.terminate() == 0
    stopped = digest(done(chat.server, "verify"))
    (chat.server.data / "local.db").unlink()
    assert digest(done(chat.server, "verify")) == stopped, "what is a machine's own does not count"


async def stopped(start: Start) -> Chat:
    chat = start()
    await (await chat.json("alice")).ok("/send_all one")
    await chat.close()
    assert chat.server.terminate() == 0
    return chat


async def test_damage_is_told(start: Start) -> None:
    chat = await stopped(start)
    path = chat.server.data / "chat.db"
    with contextlib.closing(apsw.Connection(str(path))) as db:
        ((page,),) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'messages_chat'")
        ((size,),) = db.execute("PRAGMA page_size")
    data = bytearray(path.read_bytes())
    data[(page - 1) * size : page * size] = bytes(size)
    path.write_bytes(data)
    assert "is damaged: " in refused(chat.server, "verify")


async def test_a_row_that_refers_to_nothing_is_told(start: Start) -> None:
    chat = await stopped(start)
    with contextlib.closing(apsw.Connection(str(chat.server.data / "chat.db"))) as db:
        db.execute("DELETE FROM users")
    assert "refers to nothing in users" in refused(chat.server, "verify")
