"""What the nodes of a cluster share: the settings, and doing what is due."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from chat_server.log.codec import decode
from chat_server.log.entries import MACHINE, Due
from chat_server.protocol.arguments import Text
from chat_server.protocol.control import ChangeSettings
from chat_server.schedule import RANK_MS
from tests.simulation.cluster import SimulatedNode, compare
from tests.unit.cluster.stage import Person, Stage


class Three:
    def __init__(self, stage: Stage, nodes: list[SimulatedNode]) -> None:
        self.stage = stage
        self.nodes = nodes

    def dues(self) -> list[tuple[str, int]]:
        """Who has logged what is due, and when in ms."""
        batches = [(record.at_ms, decode(record, None)) for record in self.stage.servers.streams[1]]
        return [(batch.node, at) for at, batch in batches for entry in batch.entries if isinstance(entry.command, Due)]


Play = Callable[[Callable[[Three], Awaitable[None]]], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def play(story: Callable[[Three], Awaitable[None]]) -> None:
        stage = Stage(tmp_path)

        async def main() -> None:
            nodes = [await stage.start(name) for name in ("n1", "n2", "n3")]
            await stage.machine.sleep(2)
            await story(Three(stage, nodes))
            await compare(stage.machine, nodes)

        stage.run(main())

    return play


async def send_delayed(three: Three, person: Person) -> int:
    """Alice sends a message in 3 s and waits for 8 s; when it is due, in ms."""
    person.say("/send_delayed main 3s later")
    (reply,) = await person.replies(0.5)
    assert reply["type"] == "ok"
    due_ms = three.stage.machine.now_ms() + 2_500
    await three.stage.machine.sleep(8)
    return due_ms


def test_the_first_node_that_lives_does_what_is_due(play: Play) -> None:
    async def story(three: Three) -> None:
        alice = Person(three.stage, three.nodes[2])
        alice.say("/sign_in alice")
        await alice.replies()
        for first in ("n1", "n2"):
            before = len(three.dues())
            due_ms = await send_delayed(three, alice)
            ((node, at_ms),) = [each for each in three.dues()[before:] if each[1] >= due_ms - 500]
            assert node == first and at_ms - due_ms < RANK_MS
            texts = [line["text"] for line in alice.lines if line["type"] == "message"]
            assert texts == ["later"]
            alice.lines.clear()
            three.nodes[0].kill()
            del three.nodes[0]
            # A node from which nothing is heard is gone within 6 s.
            await three.stage.machine.sleep(7)

    play(story)


def test_two_nodes_that_do_what_is_due_do_it_once(play: Play) -> None:
    async def story(three: Three) -> None:
        alice = Person(three.stage, three.nodes[0])
        alice.say("/sign_in alice", "/send_delayed main 3s later")
        await alice.replies(2)
        await three.stage.machine.sleep(1.5)
        for node in three.nodes:
            assert node.member is not None
            node.member.node.submit(Due())
        await three.stage.machine.sleep(5)
        assert [line["text"] for line in alice.lines if line["type"] == "message"] == ["later"]

    play(story)


def test_settings_are_changed_for_all_nodes_while_they_run(play: Play) -> None:
    async def story(three: Three) -> None:
        people = [Person(three.stage, node) for node in three.nodes]
        for name, person in zip(("alice", "bob", "carol"), people, strict=True):
            person.say(f"/sign_in {name}")
        await people[0].replies(2)
        first, *_ = members = [node.member.node for node in three.nodes if node.member is not None]
        first.submit(ChangeSettings(Text("main-rate-limit 1/1h page 7")), MACHINE)
        await three.stage.machine.sleep(1)
        for node, person in zip(members, people, strict=True):
            assert node.limits.page_messages == node.settings.public_limits()["page"] == 7
            person.lines.clear()
            person.say("/send_all one", "/send_all two", "/format json")
            sent, refused, told = await person.replies(1)
            assert (sent["type"], refused["code"], told["limits"]["page"]) == ("ok", "rate_limited", 7)
        # A node that starts later has other options, which count for nothing.
        late = await three.stage.start("n4")
        three.nodes.append(late)
        assert late.member is not None and late.member.node.limits == first.limits

    play(story)
