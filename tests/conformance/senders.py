"""People who send through crashes, and what must be stored of it afterwards."""

import asyncio
import contextlib
import json

from tests.harness import Chat, Json, JsonClient

SENT_AT_MOST = 600
RESENT_ACKNOWLEDGED = 5
ID_MAX = (1 << 63) - 1


class Sender:
    """Someone who sends numbered texts, each with its number as the key, and keeps what comes back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent = 0
        self.acknowledged: dict[int, tuple[int, str]] = {}  # id and time by number
        self.seen: dict[int, str] = {}  # what was pushed: texts by id

    def command(self, number: int) -> Json:
        return {"cmd": "send_all", "text": f"{self.name} {number}", "key": str(number), "label": str(number)}

    def take(self, line: Json) -> None:
        if line["type"] == "message":
            self.seen[line["id"]] = line["text"]
        elif line["type"] == "ok" and line["re"] == "send_all":
            answer = line["id"], line["at"]
            assert self.acknowledged.setdefault(int(line["label"]), answer) == answer

    async def send_again(self, client: JsonClient) -> None:
        """What was not answered, and the last of what was: one gets its message now, the other its first answer."""
        unanswered = [number for number in range(self.sent) if number not in self.acknowledged]
        answered = sorted(self.acknowledged)[-RESENT_ACKNOWLEDGED:]
        replies = await client.pipeline(self.command(number) for number in (*answered, *unanswered))
        for line in replies:
            assert line["type"] == "ok", line
            self.take(line)

    async def send_until_it_dies(self, client: JsonClient, answered: asyncio.Semaphore) -> None:
        with contextlib.suppress(OSError):
            numbers = range(self.sent, self.sent + SENT_AT_MOST)
            self.sent = numbers.stop
            client.writer.write("".join(f"{json.dumps(self.command(number))}\n" for number in numbers).encode())
            while (line := await client.reader.readline()).endswith(b"\n"):
                decoded = json.loads(line)
                self.take(decoded)
                if decoded["type"] == "ok":
                    answered.release()


async def all_of_main(chat: Chat) -> dict[int, tuple[str, str]]:
    """Text and time of each message by its id."""
    reader = await chat.json("reader")
    found: list[Json] = []
    more: str | None = "/history main after 0 limit 200"
    while more:
        page, reply = await reader.command(more)
        found += page
        more = reply.get("more")
    assert [each["id"] for each in found] == sorted({each["id"] for each in found})
    return {each["id"]: (each["text"], each["at"]) for each in found}


def check(sender: Sender, stored: dict[int, tuple[str, str]]) -> None:
    numbers = [int(text.split()[1]) for text, _ in stored.values() if text.split()[0] == sender.name]
    assert numbers == sorted(set(numbers)), "doubled or out of order"
    for number, (id_, at) in sender.acknowledged.items():
        assert stored[id_] == (f"{sender.name} {number}", at)
    for id_, text in sender.seen.items():
        assert stored[id_][0] == text
