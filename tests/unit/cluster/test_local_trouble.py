"""Trouble of one machine: a full disk, a lock, a failed disk. It is refused before, and never an outcome after."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from chat_server.log.entries import OrderedBatch
from chat_server.log.replicated import HOLD_SECONDS
from chat_server.node import Node
from chat_server.retrying_executor import AGAIN_SECONDS
from chat_server.rules.executor import Executed, Executor
from chat_server.store.database import NoRoom, open_reader
from chat_server.writer import LOCKED_SECONDS_MAX
from tests.simulation.cluster import SimulatedNode, compare
from tests.unit.cluster.stage import Person, Stage


class Machines:
    """Nodes n1 and n2. While n2 has a fault, each try to execute a batch there fails with it."""

    def __init__(self, stage: Stage, one: SimulatedNode, two: SimulatedNode) -> None:
        self.stage = stage
        self.one, self.two = one, two
        self.fault: Exception | None = None
        self.tries = 0

    @property
    def node(self) -> Node:
        assert self.two.member is not None
        return self.two.member.node

    async def people(self) -> tuple[Person, Person]:
        alice, bob = Person(self.stage, self.one), Person(self.stage, self.two)
        alice.say("/sign_in alice")
        bob.say("/sign_in bob")
        assert len(await alice.replies()) == len(await bob.replies()) == 2
        return alice, bob

    def texts(self) -> list[str | None]:
        db = open_reader(self.one.path)
        try:
            return [text for (text,) in db.all("SELECT text FROM messages ORDER BY id")]
        finally:
            db.close()

    def in_log(self) -> int:
        return len(self.stage.servers.streams[1])


Play = Callable[[Callable[[Machines], Awaitable[None]]], None]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    execute = Executor.execute

    def play(story: Callable[[Machines], Awaitable[None]]) -> None:
        stage = Stage(tmp_path)

        async def main() -> None:
            machines = Machines(stage, await stage.start("n1"), await stage.start("n2"))
            troubled: Any = machines.node._writer._executor

            def fail(executor: Executor, ordered: OrderedBatch) -> Executed:
                if executor is troubled and machines.fault is not None:
                    machines.tries += 1
                    raise machines.fault
                return execute(executor, ordered)

            monkeypatch.setattr(Executor, "execute", fail)
            await story(machines)

        stage.run(main())

    return play


def test_what_a_node_has_no_room_for_is_refused_before_it_is_in_the_log(play: Play) -> None:
    async def story(machines: Machines) -> None:
        alice, bob = await machines.people()
        bob.say("/send_all first")
        (sent,) = await bob.replies()
        machines.node.space.set_reserve(1 << 62)
        before = machines.in_log()
        bob.say("/send_all second", "/send_file main photo 5")
        for refused in await bob.replies(0.5):
            assert (refused["code"], refused["done"]) == ("unavailable", False)
        assert machines.in_log() == before
        alice.say("/send_all third")
        bob.say(f"/delete {sent['id']}")
        assert [reply["type"] for reply in (*await alice.replies(), *await bob.replies())] == ["ok", "ok"]
        await compare(machines.stage.machine, [machines.one, machines.two])
        assert machines.texts() == [None, "third"]

    play(story)


@pytest.mark.parametrize("fault", [NoRoom("the disk is full"), apsw.BusyError("locked"), MemoryError()], ids=repr)
def test_what_is_in_the_log_waits_until_it_can_be_executed(play: Play, fault: Exception) -> None:
    """Longer than a lone server would wait before it refuses."""

    async def story(machines: Machines) -> None:
        alice, bob = await machines.people()
        machines.fault = fault
        bob.say("/send_all from bob")
        await machines.stage.machine.sleep(1)
        bob.say("/send_all too late")
        alice.say("/send_all from alice")
        assert [reply["type"] for reply in await alice.replies(5)] == ["ok"], "the others go on"
        in_log, late = await bob.replies(HOLD_SECONDS + 2)
        assert in_log["code"] == "unavailable" and "done" not in in_log, "the others have it"
        assert (late["code"], late["done"]) == ("unavailable", False), "it was not in the log yet"
        assert "held up by its own disk" in late["text"]
        assert await bob.replies(LOCKED_SECONDS_MAX + 10) == [] and machines.tries > 10
        machines.fault = None
        await machines.stage.machine.sleep(AGAIN_SECONDS + 1)
        assert "from bob" in [line.get("text") for line in bob.lines], "it is seen like that of another device"
        bob.say("/send_all again")
        assert [reply["type"] for reply in await bob.replies()] == ["ok"]
        await compare(machines.stage.machine, [machines.one, machines.two])
        assert machines.texts() == ["from bob", "from alice", "again"]

    play(story)


def test_a_disk_that_fails_ends_its_node_and_no_other(play: Play) -> None:
    async def story(machines: Machines) -> None:
        alice, bob = await machines.people()
        node = machines.node
        machines.fault = apsw.IOError("disk I/O error")
        bob.say("/send_all nobody knows")
        (reply,) = await bob.replies(5)
        assert reply["code"] == "unavailable" and "done" not in reply
        assert node.failure is not None and "the disk failed" in node.failure
        assert "the disk failed" in str(machines.two.take_error())
        alice.say("/send_all it goes on")
        assert [reply["type"] for reply in await alice.replies()] == ["ok"]
        machines.fault = None
        again = await machines.stage.start("n2")
        await compare(machines.stage.machine, [machines.one, again])
        assert machines.texts() == ["nobody knows", "it goes on"], "it was in the log"

    play(story)
