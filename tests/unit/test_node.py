"""A node with its store and its log, in one thread and in virtual time: what it does about this machine's troubles."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from msgspec.structs import replace

from chat_server.delivery.peers import Present, SessionsElsewhere
from chat_server.errors import Refusal, StartError, not_done_refusal
from chat_server.log.entries import MACHINE, Batch, Configure, Due, Enter, OrderedBatch
from chat_server.log.local import LocalLog
from chat_server.log.stream import Position
from chat_server.node import Node, open_alone
from chat_server.prepare import Asker
from chat_server.protocol.messages import Sent
from chat_server.protocol.names import check
from chat_server.protocol.parse import parse
from chat_server.protocol.people import ONLY_HERE, Who
from chat_server.protocol.times import iso
from chat_server.rules.executor import Executed, Executor, Outcome
from chat_server.rules.outcomes import Entered, Prepared
from chat_server.rules.typing_signals import TypingSignal
from chat_server.settings import load
from chat_server.store import database, idempotency_keys
from chat_server.store.database import FILE, NoRoom, open_reader
from tests.fake_runtime import FakeRuntime
from tests.unit.fakes import NOON_MS

SETTINGS = load(["--disk-reserve", "off"], {})


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself waits for no lock: its time is not the runtime's."""
    monkeypatch.setattr(database, "BUSY_MS_MAX", 0)


def run(path: Path, do: Callable[["Chat"], Awaitable[None]]) -> "Chat":
    runtime = FakeRuntime()
    chat = Chat(runtime, path)

    async def main() -> None:
        try:
            await chat.node.start()
            running = runtime.spawn(chat.node.run())
            await do(chat)
            chat.node.finish()
            await running
        finally:
            chat.node.close()

    runtime.run(main())
    return chat


class Chat:
    """Alice speaks to a node as its session 1."""

    def __init__(self, runtime: FakeRuntime, path: Path) -> None:
        self.runtime = runtime
        self.path = path
        self.node: Node = open_alone(SETTINGS, runtime, path)
        self.log = self.node._log
        self.outcomes: list[Outcome] = []
        self._said = 0
        deliver = self.node.delivery.deliver

        def note(executed: Executed) -> None:
            self.outcomes += [outcome for outcome in executed.outcomes if outcome.entry.origin is not None]
            deliver(executed)

        self.node.delivery.deliver = note  # type: ignore[method-assign]

    def submit(self, command: Any, user_id: int = 1) -> None:
        self._said += 1
        self.node.submit(command, user_id, session=1, number=self._said)

    def say(self, *lines: str) -> None:
        for line in lines:
            self.submit(parse(line, text_chars_max=100).command)

    async def settle(self, seconds: float = 0.1) -> list[Any]:
        """What came of all that was said since the last time."""
        await self.runtime.sleep(seconds)
        outcomes, self.outcomes = self.outcomes, []
        return [outcome.result for outcome in outcomes]

    async def sign_in(self) -> None:
        self.submit(Enter(check("alice"), 0, None, False, None), 0)
        (entered,) = await self.settle()
        assert isinstance(entered, Entered)

    def lock(self) -> apsw.Connection:
        """Another program keeps the database locked, until this is closed."""
        other = apsw.Connection(str(self.path / FILE))
        other.execute("BEGIN IMMEDIATE")
        return other

    @property
    def limits(self) -> object:
        db = open_reader(self.path)
        try:
            return db.value("SELECT limits FROM state")
        finally:
            db.close()


def share(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is one that others read too: what it has given out stands."""
    monkeypatch.setattr(LocalLog, "amend", lambda self, ordered, entries: None)


class Faults:
    """Has the next batches, but for those of the start, fail like this."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[Exception] = []
        self.batches: list[Batch] = []
        execute = Executor.execute

        def fail(executor: Executor, ordered: OrderedBatch) -> Executed:
            batch = ordered.batch
            if not any(type(entry.command) is Configure for entry in batch.entries):
                self.batches.append(batch)
                if self.waiting:
                    raise self.waiting.pop(0)
            return execute(executor, ordered)

        monkeypatch.setattr(Executor, "execute", fail)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults(monkeypatch)


def codes(results: list[Any]) -> list[str]:
    return [result.code if isinstance(result, Refusal) else type(result).__name__ for result in results]


# ---- the start


def test_a_lock_that_is_held_during_the_start_loses_no_settings(tmp_path: Path) -> None:
    run(tmp_path, Chat.sign_in)
    other = apsw.Connection(str(tmp_path / FILE))
    other.execute("UPDATE state SET limits = json_set(limits, '$.chats_max', 1)")
    runtime = FakeRuntime()
    chat = Chat(runtime, tmp_path)

    async def main() -> None:
        other.execute("BEGIN IMMEDIATE")
        runtime.call_later(5, other.close)
        await chat.node.start()
        running = runtime.spawn(chat.node.run())
        assert "chats_max" not in str(chat.limits), "it is the default again"
        chat.say("/send_all hi")
        assert codes(await chat.settle()) == ["Sent"]
        chat.node.finish()
        await running
        chat.node.close()

    runtime.run(main())


def test_a_lock_that_stays_stops_the_start_and_says_so(tmp_path: Path) -> None:
    runtime = FakeRuntime()
    chat = Chat(runtime, tmp_path)

    async def main() -> None:
        other = chat.lock()
        with pytest.raises(StartError, match="another program keeps the database locked; nothing was done"):
            await chat.node.start()
        other.close()
        assert chat.limits is None
        chat.node.close()

    runtime.run(main())
    assert 30 < runtime.monotonic() < 40


# ---- as one of several nodes


def open_member(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    """From now on nodes start with these options as nodes of a cluster."""
    monkeypatch.setattr("tests.unit.test_node.SETTINGS", load(["--disk-reserve", "off", *options], {}))
    monkeypatch.setattr("chat_server.node.Node", lambda *given, **more: Node(*given, **{**more, "is_member": True}))


async def stay(chat: Chat) -> None:
    pass


def test_a_member_keeps_the_settings_of_its_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_member(monkeypatch, "--page", "30", "--operator", "boss")
    run(tmp_path, stay)
    assert caplog.records == []
    open_member(monkeypatch, "--page", "7", "--replay", "3", "--chats-max", "100", "--operator", "eve")

    async def look(chat: Chat) -> None:
        assert (chat.node.limits.page_messages, chat.node.settings.page_messages) == (30, 30)
        assert '"page_messages":30' in str(chat.limits)

    run(tmp_path, look)
    assert [record.getMessage().split()[:3] for record in caplog.records] == [
        ["operator", "is", "boss"], ["replay", "is", "20"], ["page", "is", "30"]
    ]  # fmt: skip


def test_the_limits_that_hold_are_those_of_the_log_from_the_entry_on(tmp_path: Path) -> None:
    async def change(chat: Chat) -> None:
        await chat.sign_in()
        changed = replace(chat.node.limits, chats_max=3)
        chat.submit(Configure(changed))
        await chat.settle()
        assert chat.node.limits == changed and chat.node.settings.public_limits()["chats_max"] == 3
        limits = (await chat.node.read(1, command("/status")).next()).end.limits  # type: ignore[union-attr]
        assert limits["chats"].max == 3

    run(tmp_path, change)


def test_no_node_beyond_loopback_starts_while_passwordless_accounts_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_member(monkeypatch)
    run(tmp_path, stay)
    open_member(monkeypatch, "--host", "0.0.0.0", "--allow-passwordless")
    run(tmp_path, stay)
    open_member(monkeypatch, "--host", "0.0.0.0")
    with pytest.raises(StartError, match="without a password are allowed in this cluster"):
        run(tmp_path, stay)


def test_a_member_logs_something_when_nobody_says_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_member(monkeypatch)

    async def wait(chat: Chat) -> None:
        await chat.runtime.sleep(1)
        batches = chat.node.metrics.counters["batches"]
        await chat.runtime.sleep(61)
        assert chat.node.metrics.counters["batches"] == batches + 4

    run(tmp_path, wait)


def test_a_start_leaves_the_uploads_of_this_node_alone(tmp_path: Path) -> None:
    async def upload(chat: Chat) -> None:
        await chat.sign_in()
        asker = Asker(1, 1, None, None, False)  # type: ignore[arg-type]
        prepared = await chat.node.preparer.prepare(asker, command("/send_file main a 5"))
        assert isinstance(prepared, Prepared)
        chat.submit(prepared.command)
        assert codes(await chat.settle()) == ["Opened"]

    run(tmp_path, upload)
    db = apsw.Connection(str(tmp_path / FILE))
    columns = "user_id, target_kind, target_name, target_folded, name, size, sha256, node, lease"
    db.execute(f"INSERT INTO uploads ({columns}) VALUES (1, 'main', 'main', 'main', 'b', 5, '', 'n2', 'l')")

    async def nothing(chat: Chat) -> None:
        pass

    run(tmp_path, nothing)
    held = db.execute("SELECT name, node, expires_ms IS NULL FROM uploads ORDER BY id").fetchall()
    assert held == [("a", None, 0), ("b", "n2", 1)]
    db.close()


def command(line: str) -> Any:
    return parse(line, text_chars_max=100).command


# ---- a node that is alone


def test_alone_a_lock_is_waited_for_and_then_what_was_said_is_refused(tmp_path: Path) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        other = chat.lock()
        chat.runtime.call_later(10, other.close)
        chat.say("/send_all waits")
        assert codes(await chat.settle(11)) == ["Sent"]
        other = chat.lock()
        chat.say("/send_all refused")
        (refusal,) = await chat.settle(31)
        assert (refusal.code, refusal.fields) == ("unavailable", {"done": False})
        other.close()
        chat.say("/send_all goes on")
        (sent,) = await chat.settle()
        assert isinstance(sent, Sent) and sent.id == 2

    run(tmp_path, do)


def test_at_the_stop_a_lock_is_not_waited_for(tmp_path: Path) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        other = chat.lock()
        chat.say("/send_all refused")
        assert await chat.settle(5) == []
        chat.node.finish()
        assert codes(await chat.settle(1)) == ["unavailable"]
        other.close()

    run(tmp_path, do)


@pytest.mark.parametrize("readable", [True, False])
def test_alone_what_may_have_been_done_is_not_said_to_be_undone(
    tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch, readable: bool
) -> None:
    """The answer to the first try with this key may have got lost: the second must not be told that it was not done."""
    line = '{"cmd":"send_all","text":"hi","key":"%s"}'

    def find(*args: object) -> None:
        raise apsw.BusyError("locked")

    async def do(chat: Chat) -> None:
        await chat.sign_in()
        chat.say(line % "k1")
        (sent,) = await chat.settle()
        if not readable:
            monkeypatch.setattr(idempotency_keys, "find", find)
        faults.waiting = [MemoryError()]
        chat.say(line % "k1", line % "k2")
        known, new = await chat.settle()
        assert [known.fields, new.fields] == [{}, {"done": False} if readable else {}]
        monkeypatch.undo()
        chat.say(line % "k1")
        assert await chat.settle() == [sent]

    run(tmp_path, do)


@pytest.mark.parametrize("fault", [MemoryError(), apsw.NoMemError("m"), apsw.CantOpenError("f")], ids=repr)
def test_alone_what_runs_short_refuses_what_was_said_and_nothing_else(
    tmp_path: Path, faults: Faults, fault: Exception
) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        faults.waiting = [fault]
        chat.say("/send_all refused")
        assert codes(await chat.settle()) == ["unavailable"]
        chat.say("/send_all goes on")
        assert codes(await chat.settle()) == ["Sent"]

    run(tmp_path, do)
    numbers = [batch.number for batch in faults.batches]
    assert numbers == sorted(numbers) and len(set(numbers)) == len(numbers) - 1, "its number is given again"


def test_alone_a_full_disk_refuses_what_adds_in_its_place_and_does_the_rest(tmp_path: Path, faults: Faults) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        chat.say("/send_all one", "/send_all two")
        await chat.settle()
        faults.waiting = [NoRoom("full")]
        chat.say("/delete 1", "/send_all three", "/delete 2")
        assert codes(await chat.settle()) == ["Changed", "unavailable", "Changed"]
        chat.say("/send_all four")
        assert codes(await chat.settle()) == ["Sent"]

    run(tmp_path, do)


def test_alone_a_full_disk_takes_no_longer_text_either(tmp_path: Path, faults: Faults) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        chat.say("/send_all four")
        await chat.settle()
        faults.waiting = [NoRoom("full")]
        chat.say("/edit 1 longer", "/edit 1 five")
        assert codes(await chat.settle()) == ["unavailable", "Changed"]

    run(tmp_path, do)


def test_alone_nothing_is_executed_where_all_of_it_adds(tmp_path: Path, faults: Faults) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        faults.waiting, faults.batches = [NoRoom("full")], []
        chat.say("/send_all one", "/send_all two")
        assert codes(await chat.settle()) == ["unavailable", "unavailable"]
        assert len(faults.batches) == 1

    run(tmp_path, do)


def test_what_nobody_asked_for_is_tried_again(tmp_path: Path, faults: Faults) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        sent = command("/send_all later")
        faults.waiting = [MemoryError()]
        chat.node.submit(sent, 1)
        await chat.settle(2)
        chat.say("/send_all now")
        (now,) = await chat.settle()
        assert now.id == 2

    run(tmp_path, do)


# ---- a log that others read too


@pytest.mark.parametrize(
    "fault", [NoRoom("full"), apsw.BusyError("locked"), apsw.CantOpenError("f"), MemoryError()], ids=repr
)
def test_what_is_ordered_for_all_is_executed_to_the_same_outcome_however_long_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: Faults, fault: Exception
) -> None:
    share(monkeypatch)

    async def do(chat: Chat) -> None:
        await chat.sign_in()
        faults.waiting = [fault] * 300
        chat.say("/send_all one", "/delete 1")
        assert await chat.settle(50) == [], "it is tried again, and not at full speed"
        assert len(faults.waiting) > 40
        assert codes(await chat.settle(350)) == ["Sent", "Changed"]

    run(tmp_path, do)


def test_a_node_that_fails_meanwhile_waits_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: Faults
) -> None:
    share(monkeypatch)

    async def do(chat: Chat) -> None:
        await chat.sign_in()
        faults.waiting = [apsw.BusyError("locked")] * 1000
        chat.say("/send_all one")
        await chat.settle(5)
        chat.node.transfers.on_failure(OSError("the disk is gone"))
        assert await chat.settle(1) == []

    assert run(tmp_path, do).node.failure == "the disk failed: the disk is gone"


# ---- what the node does by itself


def test_what_came_due_while_it_was_down_is_done_at_the_start(tmp_path: Path) -> None:
    async def delay(chat: Chat) -> None:
        await chat.sign_in()
        chat.say("/send_delayed main 2 one", f"/send_delayed main {iso(NOON_MS + 4000)} two")
        assert codes(await chat.settle()) == ["DelayedSet"] * 2

    async def wait(chat: Chat) -> None:
        await chat.runtime.sleep(10)

    run(tmp_path, delay)
    run(tmp_path, wait)
    assert texts(tmp_path) == ["one", "two"]


def texts(path: Path) -> list[str]:
    db = open_reader(path)
    try:
        return [text for (text,) in db.all("SELECT text FROM messages ORDER BY id")]
    finally:
        db.close()


@pytest.mark.parametrize("delay", ["5", iso(NOON_MS + 5000)])
def test_what_is_delayed_goes_out_by_either_clock(tmp_path: Path, delay: str) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        chat.say(f"/send_delayed main {delay} tea")
        await chat.settle(4)
        assert texts(tmp_path) == []
        await chat.settle(2)
        assert texts(tmp_path) == ["tea"]

    run(tmp_path, do)


def test_erased_texts_leave_the_log_of_sqlite_as_soon_as_no_reader_needs_it(tmp_path: Path) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        executor = chat.node._writer._executor
        for number in range(2):
            chat.say("/send_all secret", f"/delete {2 * number + 1}")
            await chat.settle()
            assert executor.unclean
            await chat.settle(2)
            assert not executor.unclean
        reader = open_reader(tmp_path)
        reader.run("BEGIN")
        reader.value("SELECT count(*) FROM messages")
        chat.say("/send_all secret", "/delete 5")
        await chat.settle(5)
        assert executor.unclean
        reader.close()
        await chat.settle(0.5)
        assert not executor.unclean

    run(tmp_path, do)


# ---- what stops a node


@pytest.mark.parametrize("error", [apsw.IOError("disk I/O error"), apsw.CorruptError("damaged")], ids=repr)
def test_a_disk_that_fails_acknowledges_nothing_and_stops_the_node(
    tmp_path: Path, faults: Faults, error: Exception
) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        faults.waiting = [error]
        chat.say("/send_all one")
        assert await chat.settle() == []

    assert run(tmp_path, do).node.failure == f"the disk failed: {error}"


def test_a_batch_that_does_not_belong_here_stops_the_node_and_says_why(tmp_path: Path) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        assert isinstance(chat.log, LocalLog)
        chat.log._position = Position(0, chat.log._position.sequence + 5)
        chat.say("/send_all one")
        assert await chat.settle() == []

    failure = run(tmp_path, do).node.failure
    assert failure is not None and "not the one that the database expects" in failure


# ---- reading


def test_a_reading_sees_who_was_online_when_it_began(tmp_path: Path) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        online = chat.node.delivery.presence.online
        online[1] = "alice"
        reading = chat.node.read(1, Who(command("/who alice").username))
        del online[1]
        report = (await reading.next()).end
        assert getattr(report, "online", None) is True

    run(tmp_path, do)


class OtherNodes:
    """The rest of a cluster: bob is at n2, which is not always heard."""

    are_heard = True

    def tell_presence(self, user: Present) -> None:
        pass

    async def sessions_of(self, user_id: int) -> SessionsElsewhere:
        return SessionsElsewhere([], ["n2"])

    def tell_typing(self, signal: TypingSignal) -> None:
        raise AssertionError("nobody types here")

    def statistics(self) -> dict[str, dict[str, int]]:
        return {"n1": {"connections": 3, "deliveries": 10, "messages": 7}, "n2": {"connections": 4, "deliveries": 20}}

    def leave(self) -> None:
        self.are_heard = False


def test_what_is_known_of_other_nodes_is_told_by_who_status_and_stats(tmp_path: Path) -> None:
    async def do(chat: Chat) -> None:
        await chat.sign_in()
        chat.submit(Enter(check("bob"), 0, None, False, None), 0)
        await chat.settle()
        presence, others = chat.node.delivery.presence, OtherNodes()
        presence.peers = others

        async def read(user_id: int, line: str) -> Any:
            return (await chat.node.read(user_id, command(line)).next()).end

        presence.come_elsewhere("n2", Present(2, "bob"))
        assert (await read(1, "/who bob")).online and (await read(1, "/status")).active == ["bob"]
        assert (await read(1, "/who bob")).note is (await read(1, "/status")).note is None
        others.are_heard = False
        presence.lose_others()
        assert not (await read(1, "/who bob")).online
        assert (await read(1, "/who bob")).note == (await read(1, "/status")).note == ONLY_HERE
        stats = await read(MACHINE, "/stats")
        assert stats.nodes == others.statistics()
        assert stats.live == {"connections": 7, "deliveries": 30}, (
            "what each counts is summed; messages all count alike"
        )

    run(tmp_path, do)


def test_nobody_is_let_in_while_the_log_is_away_and_it_is_tried_until_it_is_there(tmp_path: Path) -> None:
    async def do(chat: Chat) -> None:
        asker = Asker(0, 1, None, None, False)  # type: ignore[arg-type]
        tell: list[Any] = []
        chat.node.delivery.outage._tell = tell.append
        prepared = await chat.node.preparer.prepare(asker, command("/sign_in alice"))
        assert isinstance(prepared, Prepared)
        await chat.settle(10)
        submit, lost = chat.log.submit, list[Any]()
        chat.log.submit = lost.append  # type: ignore[assignment, method-assign]
        chat.submit(prepared.command, 0)
        await chat.settle(5)
        chat.node._withdraw(lost, not_done_refusal("nothing is connected"))
        assert codes(await chat.settle(5)) == ["unavailable"]
        for line in ("/sign_in alice", "/resume abc"):
            with pytest.raises(Refusal, match="try another") as refused:
                await chat.node.preparer.prepare(asker, command(line))
            assert refused.value.fields == {"done": False}
        assert [type(entry.command) for entry in lost[1:]] == [Due], "the log keeps it until it is back"
        assert [notice.stale for notice in tell] == [True]
        chat.log.submit = submit  # type: ignore[method-assign]
        chat.log.submit(lost[1])
        await chat.settle(3)
        assert [notice.stale for notice in tell] == [True, False]
        await chat.node.preparer.prepare(asker, command("/sign_in alice"))

    run(tmp_path, do)
