"""Makes the database of this version for the tests of upgrades: run it before a version lands.

    python tests/data/make.py

What stands in it is what `tests/unit/store/test_upgrades.py` looks for in the databases of all versions.
"""

import asyncio
import gzip
import hashlib
import tempfile
from base64 import b64encode
from contextlib import closing
from pathlib import Path

import apsw

from chat_server.store.database import FILE
from chat_server.store.schema import VERSION
from tests.harness import Chat, JsonClient, Server

FILE_BYTES = b"hello"


async def talk(chat: Chat) -> None:
    """Five people do a little of everything."""
    alice = await chat.json_stranger()
    await alice.enter("/sign_in alice secret")
    bob, carol, dora, mallory = [await chat.json(name) for name in ("bob", "carol", "dora", "mallory")]
    await alice.ok({"cmd": "send_all", "text": "first in main", "key": "key-1"})
    second = (await bob.ok("/send_all second in main"))["id"]
    await carol.ok(f"/reply {second} a comment")
    await carol.ok(f"/react {second} 👍")
    await alice.ok("/send_all third, @bob")
    await alice.ok("/edit 1 first in main, edited")
    deleted = (await bob.ok("/send_all to be deleted"))["id"]
    await bob.ok(f"/delete {deleted}")
    for person in (alice, bob, carol, dora, mallory):
        await person.ok(f"/read main {deleted}")
    await dora.ok("/send_all unread by all")
    private = (await alice.ok("/send bob private to bob"))["id"]
    await bob.ok(f"/read alice {private}")
    await bob.ok("/send alice private to alice, unread")
    await use_rooms(alice, bob, dora)
    await alice.ok("/send_delayed main 90m later, in units")
    await alice.ok(
        {"cmd": "send_delayed", "target": "bob", "delay": "2027-03-01T12:00:00Z", "text": "later, at a time"}
    )
    delayed = await mallory.ok("/send_delayed main 1s waits for the end of a ban")
    for person in (alice, bob, carol):
        await person.ok("/report mallory floods")
    assert delayed["delayed_id"]
    await bob.ok("/block mallory")
    await bob.ok("/away lunch")
    await bob.ok("/mute main")
    sha256 = hashlib.sha256(FILE_BYTES).hexdigest()
    upload = (await carol.ok(f"/send_file main notes.txt {len(FILE_BYTES)} {sha256}"))["upload"]
    await carol.ok(f"/chunk {upload} {b64encode(FILE_BYTES).decode()}")
    await carol.ok("/send_file main half.txt 500")


async def use_rooms(alice: JsonClient, bob: JsonClient, dora: JsonClient) -> None:
    for line in ("/create_chat #team", "/invite #team bob", "/invite #team carol"):
        await alice.ok(line)
    await bob.ok("/join #team")
    for line in ("/send #team to the team", "/topic #team plans", "/invite_link #team"):
        await alice.ok(line)
    for line in ("/create_chat #solo", "/send #solo alone"):
        await dora.ok(line)


async def talk_and_leave(server: Server) -> None:
    chat = Chat(server)
    await talk(chat)
    await chat.close()


def make(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data")
        server.start()
        asyncio.run(talk_and_leave(server))
        server.terminate()
        with closing(apsw.Connection(str(server.data / FILE))) as connection:
            for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode = DELETE", "VACUUM"):
                connection.execute(statement)
        path.write_bytes(gzip.compress((server.data / FILE).read_bytes(), 9, mtime=0))


if __name__ == "__main__":
    target = Path(__file__).with_name(f"chat-v{VERSION}.db.gz")
    make(target)
    print(f"{target.name}: {target.stat().st_size} bytes")
