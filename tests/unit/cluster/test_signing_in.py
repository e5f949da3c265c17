"""Signing in at any node of a cluster: what a node shows and refuses is no older than what any node has shown."""

import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chat_server.log.entries import MACHINE
from chat_server.passwords import hash_now
from chat_server.protocol.arguments import Username, Word
from chat_server.protocol.control import SetPasswordOf
from tests.memory_stream import MemoryRecords
from tests.simulation.cluster import SimulatedNode
from tests.unit.cluster.stage import Person, Stage

LAG_SECONDS = 0.5
NODES = ("n1", "n2", "n3")


class Chat:
    """Three nodes; the last one reads everything in the log late."""

    def __init__(self, stage: Stage, nodes: list[SimulatedNode]) -> None:
        self.stage = stage
        self.nodes = nodes

    def connect(self, node: int) -> Person:
        return Person(self.stage, self.nodes[node])

    async def ask(self, node: int, line: str) -> dict[str, Any]:
        """Say it at this node, over a connection of its own, and return the reply."""
        return await self.say(self.connect(node), line)

    async def say(self, person: Person, line: str) -> dict[str, Any]:
        person.say(line)
        return await self.reply(person)

    async def reply(self, person: Person) -> dict[str, Any]:
        """Wait for the next reply, and take it with all that came before it."""
        while True:
            for place, line in enumerate(person.lines):
                if line["type"] in ("ok", "error") and line["re"] != "format":
                    self.shown, person.lines = person.lines[:place], person.lines[place + 1 :]
                    return line
            await self.stage.machine.sleep(0.01)

    async def code(self, node: int, line: str) -> str:
        reply = await self.ask(node, line)
        return str(reply.get("code", "ok"))


Story = Callable[[Chat], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], None]:
    read = MemoryRecords.next
    lags: dict[str, float] = {}

    async def read_late(records: MemoryRecords) -> Any:
        record = await read(records)
        await records._runtime.sleep(lags.get(records._node, 0.0))
        return record

    monkeypatch.setattr(MemoryRecords, "next", read_late)

    def play(story: Story) -> None:
        stage = Stage(tmp_path)

        async def main() -> None:
            nodes = [await stage.start(name) for name in NODES]
            await stage.machine.sleep(1)
            lags[NODES[-1]] = LAG_SECONDS
            await story(Chat(stage, nodes))

        stage.run(main())

    return play


Play = Callable[[Story], None]


def test_who_is_let_in_is_shown_all_that_any_node_had_shown(play: Play) -> None:
    async def story(chat: Chat) -> None:
        token = (await chat.ask(2, "/sign_in bob secret"))["token"]
        for number, line in enumerate(("/sign_in bob secret", f"/resume {token}", f"/resume {token} 1") * 3):
            talker = chat.connect(number % 2)
            await chat.say(talker, f"/sign_in talker{number}")
            sent = await chat.say(talker, f"/send_all word {number}")
            entered = await chat.ask(2, line)
            assert entered["seq"] >= sent["id"]
            assert f"word {number}" in [each.get("text") for each in chat.shown]

    play(story)


def test_a_new_password_holds_at_once_at_all_nodes(play: Play) -> None:
    async def story(chat: Chat) -> None:
        alice = chat.connect(0)
        await chat.say(alice, "/sign_in alice first")
        for old, new in (("first", "second"), ("second", "third")):
            assert (await chat.say(alice, f"/password {old} {new}"))["type"] == "ok"
            assert await chat.code(2, f"/sign_in alice {new}") == "ok", "the late node knows the old one alone"
        assert (await chat.say(alice, "/password third fourth"))["type"] == "ok"
        assert await chat.code(2, "/sign_in alice third") == "wrong_password"

    play(story)


def test_an_account_and_a_token_hold_at_once_at_all_nodes(play: Play) -> None:
    async def story(chat: Chat) -> None:
        made = await chat.ask(0, "/sign_in alice secret")
        assert await chat.code(2, '{"cmd":"sign_in","username":"alice","password":"secret","register":false}') == "ok"
        made = await chat.ask(0, "/sign_in bob")
        assert await chat.code(2, f"/resume {made['token']}") == "ok"
        assert await chat.code(2, "/resume no-such-token") == "bad_token"
        assert await chat.code(2, '{"cmd":"sign_in","username":"carol","register":false}') == "unknown_user"

    play(story)


def test_wrong_passwords_count_over_all_nodes_and_restarts(play: Play) -> None:
    async def story(chat: Chat) -> None:
        await chat.ask(0, "/sign_in alice secret")
        await chat.stage.machine.sleep(3)
        begun = chat.stage.machine.monotonic()
        people = [chat.connect(number % 3) for number in range(30)]
        for person in people:
            person.say("/sign_in alice wrong")
        codes = [(await chat.reply(person))["code"] for person in people]
        wrong = codes.count("wrong_password")
        # Five, and then one after a second, after two more and so on.
        assert 5 <= wrong <= 5 + math.log2(1 + chat.stage.machine.monotonic() - begun)
        assert codes.count("too_fast") == 30 - wrong
        while (await chat.ask(1, "/sign_in alice wrong")).get("retry_in", 0) < 8:
            await chat.stage.machine.sleep(0.5)
        for node in range(3):
            assert await chat.code(node, "/sign_in alice secret") == "too_fast"
        chat.nodes[0].kill()
        chat.nodes[0] = await chat.stage.start(NODES[0])
        assert await chat.code(0, "/sign_in alice secret") == "too_fast"

    play(story)


def test_a_limit_that_is_over_is_over_at_all_nodes(play: Play) -> None:
    async def story(chat: Chat) -> None:
        await chat.ask(0, "/sign_in alice secret")
        for _ in range(5):
            assert await chat.code(0, "/sign_in alice wrong") == "wrong_password"
        await chat.stage.machine.sleep(3)
        assert await chat.code(2, "/sign_in alice secret") == "ok", "a second after the last one it may be tried again"
        for _ in range(5):
            assert await chat.code(0, "/sign_in alice wrong") == "wrong_password"
        assert await chat.code(2, "/sign_in alice wrong") == "too_fast", "the late node has not seen the last ones"
        while (await chat.ask(0, "/sign_in alice wrong")).get("retry_in", 0) < 8:
            await chat.stage.machine.sleep(0.5)
        member = chat.nodes[0].member
        assert member is not None
        member.node.submit(SetPasswordOf(Username("alice", "alice"), Word(hash_now("new"))), MACHINE)
        assert await chat.code(0, "/sign_in alice new") == "ok", "the administrator has set another one"
        assert await chat.code(2, "/sign_in alice new") == "ok", "nor has it seen that"

    play(story)
