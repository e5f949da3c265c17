"""Files at a real server that is killed under them, and names that are meant to do harm."""

import asyncio

from chat_client.sdk.backoff import Backoff
from chat_client.sdk.chat import Chat, connect
from chat_client.sdk.transfers import OnProgress, Progress, fields
from tests.client.conftest import Home

DATA = bytes(range(256)) * 4096
FAST = 0.01, 0.05
KILLS = 2
# As a peer sends them, and as they are saved; None: the server refuses them.
NAMES = [
    ("../../x", "x"), ("/etc/passwd", "passwd"), ("a\x1b[2J\nb\u202e.png", "a[2J b.png"),
    ("é" * 120 + ".tar.gz", "é" * 96 + ".tar.gz"), (".bashrc", "bashrc"), ("-rf", "rf"), ("there.txt", "there (2).txt"),
    ("there.txt", "there (3).txt"), ("..", None), ("\u202e", None),
]  # fmt: skip


async def drain(chat: Chat) -> None:
    async for _ in chat:
        pass


def killing(home: Home, seen: list[int]) -> OnProgress:
    """Kills the server, which comes back at once, when a third has come, and when two thirds have."""
    kills: list[int] = []

    def come(progress: Progress) -> None:
        seen.append(progress.done)
        if len(kills) < KILLS and progress.done >= (len(kills) + 1) * progress.size // (KILLS + 1):
            kills.append(progress.done)
            home.server.kill()
            home.server.start()

    return come


async def test_a_file_goes_on_where_it_was_when_the_server_is_killed(home: Home) -> None:
    path = home.folder / "a.bin"
    path.write_bytes(DATA)
    async with connect(home.address, user="bob", backoff=Backoff(*FAST)) as bob:
        reading = asyncio.create_task(drain(bob))
        sent: list[int] = []
        reply = await bob.send_file("main", path, progress=killing(home, sent))
        assert sorted(sent) == sent and sent.count(0) <= 1, "it did not begin anew"
        got: list[int] = []
        id_ = fields(reply)["file"]["id"]
        copy = await bob.get_file(id_, home.folder / "downloads", progress=killing(home, got))
        assert copy.read_bytes() == DATA and sorted(got) == got
        lines, _ = await bob.command("history", chat="main")
        assert len(lines) == 1, "sent once"
        reading.cancel()


async def test_no_name_does_harm(home: Home) -> None:
    folder = home.folder / "downloads"
    folder.mkdir()
    (folder / "there.txt").write_text("mine")
    mallory = await home.chat.json("mallory")
    async with connect(home.address, user="bob") as bob:
        for name, saved in NAMES:
            _, opened = await mallory.command({"cmd": "send_file", "target": "main", "name": name, "size": 1})
            if saved is None:
                assert opened["type"] == "error", name
                continue
            await mallory.ok({"cmd": "chunk", "upload": opened["upload"], "base64": "eA=="})
            path = await bob.get_file(opened["upload"], folder)
            assert (path.parent, path.name, path.read_bytes()) == (folder, saved, b"x")
    assert (folder / "there.txt").read_text() == "mine"
    assert sorted(each.name for each in folder.iterdir()) == sorted(
        ["there.txt", *(saved for _, saved in NAMES if saved)]
    )
