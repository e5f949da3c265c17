"""What an overloaded server sheds, for whom, and how it is told."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from chat_server.delivery.delivery import Delivery
from chat_server.delivery.presence import PresenceTracker
from chat_server.log import Log
from chat_server.log.entries import MACHINE
from chat_server.node import WATCH_SECONDS
from chat_server.overload import BEGINS_SECONDS, LEVELS, MESSAGES, READINGS, STRANGERS, Overload
from chat_server.protocol.arguments import Username
from chat_server.protocol.control import Appoint
from chat_server.protocol.people import PresenceChanged
from chat_server.protocol.table import TABLE
from chat_server.shedding import Shedding
from chat_server.store.readers import Readers
from tests.fake_runtime import FakeRuntime
from tests.unit import one_node
from tests.unit.speakers import Speaker

STRANGE = "192.0.2.7"


def at_level(path: Path, level: int, do: Any) -> None:
    async def main(chat: one_node.Chat) -> None:
        alice = Speaker(chat, STRANGE)
        assert (await alice.says("/sign_in alice")).startswith("+ ")
        waiting = chat.node.shedding._overload._waiting
        waiting.level = level
        await do(chat, alice)
        waiting.level = 0

    one_node.run(path, main)


def test_history_and_files_are_refused_first_and_messages_go_on(tmp_path: Path) -> None:
    async def do(chat: one_node.Chat, alice: Speaker) -> None:
        for line in ("/history main", "/search tea", "/messages main", "/send_file main x.txt 5"):
            assert (await alice.says(line)).startswith("- busy: the server has more to do than it can: history"), line
        assert await alice.says("/send_all tea") == "+ sent #1"
        assert (await alice.says("/who alice")).startswith("+ ")
        assert (await Speaker(chat, STRANGE).says("/sign_in bob")).startswith("+ "), "strangers are let in"

    at_level(tmp_path, READINGS, do)


def test_strangers_are_refused_before_messages_are(tmp_path: Path) -> None:
    async def do(chat: one_node.Chat, alice: Speaker) -> None:
        stranger = Speaker(chat, STRANGE)
        assert (await stranger.says("/sign_in bob")).startswith("- busy: the server has more to do than it can: only")
        assert (await Speaker(chat, "192.0.2.8").says("/sign_in alice")).startswith("- busy"), "from elsewhere"
        assert (await stranger.says("/sign_in alice")).startswith("+ "), "from where alice was before"
        assert (await Speaker(chat, "127.0.0.1").says("/sign_in carol")).startswith("+ "), "from this machine"
        assert await alice.says("/send_all tea") == "+ sent #1"

    at_level(tmp_path, STRANGERS, do)


def test_new_messages_are_refused_last_and_never_those_of_this_machine(tmp_path: Path) -> None:
    async def do(chat: one_node.Chat, alice: Speaker) -> None:
        assert (await alice.says("/send_all tea")).startswith("- busy: the server has more to do than it can: no new")
        assert (await alice.says("/read main 0")).startswith("+ "), "what stores nothing new goes on"
        said = json.loads((await alice.says("/format json")) and await alice.says('{"cmd":"send_all","text":"tea"}'))
        assert (said["type"], said["code"]) == ("error", "busy")
        here = Speaker(chat, "127.0.0.1")
        await here.says("/sign_in bob")
        assert await here.says("/send_all tea") == "+ sent #1"

    at_level(tmp_path, MESSAGES, do)


def test_operators_are_refused_nothing(tmp_path: Path) -> None:
    async def do(chat: one_node.Chat, alice: Speaker) -> None:
        assert (await alice.says("/password secret-word")).startswith("+ ")
        chat.submit(Appoint(Username("alice", "alice")), MACHINE)
        await chat.settle()
        await chat.node.shedding.learn_operators()
        assert await alice.says("/send_all tea") == "+ sent #1"
        assert (await alice.says("/history main")).startswith("+ ")

    at_level(tmp_path, MESSAGES, do)


def test_beside_a_disk_that_takes_nothing_reading_goes_on(tmp_path: Path) -> None:
    async def do(chat: one_node.Chat, alice: Speaker) -> None:
        chat.node.shedding._overload._stuck.level = 1
        assert await alice.says("/history main") == "+ no messages in main"
        assert (await alice.says("/send_all tea")).startswith("- busy: the server has more to do than it can: no new")
        assert (await Speaker(chat, STRANGE).says("/sign_in bob")).startswith("- busy: "), "it could not be stored"
        chat.node.shedding._overload._waiting.level = READINGS
        assert (await alice.says("/history main")).endswith("no new messages are taken; try again in 10 s")

    at_level(tmp_path, 0, do)


@pytest.mark.parametrize("seconds", [0.6, 1.3, 3.0, 11.0])
def test_slow_batches_are_noticed_however_long_they_take(seconds: float, caplog: pytest.LogCaptureFixture) -> None:
    """Most looks see none of them end."""
    runtime, overload = FakeRuntime(), Overload()
    shedding = Shedding(runtime, overload, cast(Log, Queue()), cast(Readers, Nobody()), cast(Delivery, Nobody()))

    async def batches() -> None:
        for _ in range(round(60 / seconds)):
            shedding.begin_batch(runtime.monotonic())
            await runtime.sleep(seconds)
            shedding.end_batch(runtime.monotonic(), is_on_disk=True)

    async def main() -> None:
        writing = runtime.spawn(batches())
        levels = []
        while not writing.done():
            await runtime.sleep(WATCH_SECONDS)
            shedding.look(0.0)
            levels.append(shedding.level)
        assert max(levels) == max(number for number, level in enumerate(LEVELS) if level.wait <= seconds)
        assert levels == sorted(levels), "it neither ends nor begins anew between two batches"

    runtime.run(main())


def test_batches_that_are_given_up_refuse_no_reading() -> None:
    runtime, overload = FakeRuntime(), Overload()
    shedding = Shedding(runtime, overload, cast(Log, Queue()), cast(Readers, Nobody()), cast(Delivery, Nobody()))

    async def batches() -> None:
        for _ in range(3):
            shedding.begin_batch(runtime.monotonic())
            await runtime.sleep(30)
            shedding.end_batch(runtime.monotonic(), is_on_disk=False)

    async def main() -> None:
        writing = runtime.spawn(batches())
        while not writing.done():
            await runtime.sleep(WATCH_SECONDS)
            shedding.look(0.0)
            assert not overload.is_shed(READINGS)
        assert overload.is_shed(MESSAGES)

    runtime.run(main())


class Queue:
    backlog_seconds = 0.0


class Nobody:
    """No connections, and a store without operators."""

    def put_off_signals(self, is_on: bool) -> None: ...

    def pick(self) -> "Nobody":
        return self

    async def run(self, do: object) -> list[int]:
        return []


@pytest.mark.usefixtures("at_once")
def test_the_node_measures_it_and_tells_its_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def do(chat: one_node.Chat) -> None:
        await chat.sign_in()
        other = chat.lock()
        chat.say("/send_all tea")
        await chat.runtime.sleep(LEVELS[MESSAGES].wait + BEGINS_SECONDS + 2)
        assert chat.node.shedding.level == MESSAGES
        other.close()
        await chat.runtime.sleep(60)
        assert chat.node.shedding.level == 0
        assert one_node.codes(await chat.settle()) == ["Sent"], "what was taken is done"

    one_node.run(tmp_path, do)
    told = [record.message for record in caplog.records if record.message.startswith("overload")]
    assert told[0].startswith("overload, level 4 of 4: commands wait for 1") and told[0].endswith(LEVELS[4].words)
    assert told[-1] == "overload, level 0 of 4: commands wait for 0.0 s; nothing is put off or refused"


# ---- presence


def test_presence_is_told_when_it_is_over_as_it_is_then() -> None:
    runtime, told = FakeRuntime(), list[dict[int, PresenceChanged]]()

    async def main() -> None:
        presence = PresenceTracker(runtime, 10, told.append)
        presence.put_off(True)
        presence.come(1, "alice", None)
        presence.come(2, "bob", None)
        await runtime.sleep(1)
        presence.go(2)
        await runtime.sleep(1)
        assert told == []
        presence.put_off(False)
        await runtime.sleep(1)

    runtime.run(main())
    assert told == [{1: PresenceChanged("alice", True, None)}]


def test_what_is_costly_adds_or_reads_much() -> None:
    costly = {verb for verb, spec in TABLE.items() if spec.costly}
    assert costly == {"history", "search", "messages", "get_chat_with", "thread", "get_file", "send_file"}
