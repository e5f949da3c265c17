"""Makes docs/screen.svg, the picture in the README: a real server, real people, and the real client in tmux.

python docs/picture.py        (needs tmux)
"""

import asyncio
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from cells import svg

from chat_client import Chat, connect

HERE = Path(__file__).parent
COLUMNS, ROWS = 112, 30
DEADLINE_SECONDS = 30.0
PEOPLE = ("alice", "bob", "carol", "dmitri", "Zoë", "王芳")


class People:
    """Who talks; each is a connection of the API."""

    def __init__(self, chats: dict[str, Chat]) -> None:
        self.chats = chats

    async def say(self, who: str, text: str, to: str = "main") -> int:
        return int((await self.chats[who].send(to, text)).id)  # type: ignore[attr-defined]

    async def do(self, who: str, verb: str, **arguments: object) -> None:
        await self.chats[who].command(verb, **arguments)


async def earlier(people: People) -> None:
    """What was said before alice looks."""
    green = await people.say("bob", "morning! the nightly build is green again")
    await people.say("carol", "finally. what was it?")
    why = await people.say(
        "bob",
        "a cached wheel from last month. I threw the cache away and pinned the version in `requirements.txt`,"
        " so it stays away even if the mirror serves the old one",
    )
    for who, emoji in (("carol", "👍"), ("dmitri", "👍"), ("alice", "🎉")):
        await people.do(who, "react", id=why, emoji=emoji)
    await people.do("carol", "reply", id=green, text="then I write the changelog today")
    lunch = await people.say("alice", "great. I look at the review after lunch")
    await people.do("alice", "edit", id=lunch, text="great. I look at the review right after lunch")
    wrong = await people.say("dmitri", "ls -la")
    await people.do("dmitri", "delete", id=wrong)
    await people.say("王芳", "大家好，我今天开始在这里工作")
    await people.do(
        "alice", "read", chat="main", id=await people.say("Zoë", "welcome 王芳! coffee is on the second floor ☕")
    )


async def meanwhile(people: People) -> None:
    """What comes while she looks."""
    await people.say("dmitri", "@alice can you look at https://example.org/review/118 when you have a minute?")
    await people.say("carol", "it is the one with the new table:\n    name     rooms\n    kitchen      1")
    await people.do("bob", "create_chat", name="#release")
    await people.do("bob", "invite", chat="#release", username="alice")
    await people.do("alice", "join", chat="#release")
    await people.say("bob", "the notes for 1.2 are in the wiki", "#release")
    await people.say("bob", "got a minute?", "@alice")
    await people.say("bob", "it is about the picture in the README", "@alice")
    await people.say("carol", "lunch?", "@alice")


def tmux(*words: str) -> str:
    done = subprocess.run(["tmux", "-L", f"picture-{os.getpid()}", *words], capture_output=True, check=True)
    return done.stdout.decode()


def until(wanted: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while wanted not in tmux("capture-pane", "-p"):
        assert time.monotonic() < deadline, f"never showed {wanted}:\n{tmux('capture-pane', '-p')}"
        time.sleep(0.05)


async def take(port: int, home: str) -> str:
    async with AsyncExitStack() as stack:
        chats = {name: await stack.enter_async_context(connect(f"localhost:{port}", user=name)) for name in PEOPLE}
        reading = [asyncio.create_task(_drain(chat)) for chat in chats.values()]
        people = People(chats)
        await earlier(people)
        await meanwhile(people)
        variables = f"HOME={home} XDG_DATA_HOME={home} XDG_CONFIG_HOME={home} COLORTERM=truecolor TZ=UTC"
        client = f"{shlex.quote(sys.executable)} -m chat_client --server localhost:{port} --user alice"
        tmux("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), f"env {variables} {client}")
        await asyncio.to_thread(until, "kitchen")
        await people.say("bob", "one room more would be nice")
        tmux("send-keys", "-l", "on my way: what does the table say about the ")
        await asyncio.to_thread(until, "about the")
        await asyncio.to_thread(until, "one room more")
        captured = tmux("capture-pane", "-p", "-e", "-N")
        for task in reading:
            task.cancel()
        return captured


async def _drain(chat: Chat) -> None:
    async for _ in chat:
        pass


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "chat_server", "--port", "0", "--data", f"{folder}/data"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert server.stdout is not None
            found = re.search(r":(\d+)$", server.stdout.readline().strip())
            assert found, "the server did not start"
            captured = asyncio.run(take(int(found[1]), folder))
        finally:
            subprocess.run(["tmux", "-L", f"picture-{os.getpid()}", "kill-server"], capture_output=True)
            server.terminate()
            server.wait()
    (HERE / "screen.svg").write_text(svg(captured, COLUMNS, ROWS))


if __name__ == "__main__":
    main()
