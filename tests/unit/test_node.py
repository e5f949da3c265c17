"""A node with its store and its log, in one thread and in virtual time."""

from functools import partial
from pathlib import Path
from typing import Any, cast

import apsw
import pytest
from msgspec.structs import replace

from chat_server.delivery.peers import Present, SessionsElsewhere
from chat_server.errors import Refusal, StartError, not_done_refusal
from chat_server.log import Log
from chat_server.log.entries import MACHINE, Configure, Due, Enter, Entry
from chat_server.node import open_alone
from chat_server.prepare import Asker
from chat_server.protocol.names import check
from chat_server.protocol.people import ONLY_HERE, Who
from chat_server.protocol.times import iso
from chat_server.rules.outcomes import Prepared
from chat_server.rules.typing_signals import TypingSignal
from chat_server.settings import load
from chat_server.store.database import FILE, open_reader
from tests.fake_runtime import FakeRuntime
from tests.unit.fakes import NOON_MS
from tests.unit.one_node import Chat, codes, command, run

pytestmark = pytest.mark.usefixtures("at_once")


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
    monkeypatch.setattr("tests.unit.one_node.SETTINGS", load(["--disk-reserve", "off", *options], {}))
    monkeypatch.setattr("tests.unit.one_node.open_alone", partial(open_alone, is_member=True))


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


class AwayLog:
    """A log that orders nothing, and keeps what it is given."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def submit(self, entry: Entry) -> None:
        self.entries.append(entry)


def test_nobody_is_let_in_while_the_log_is_away_and_it_is_tried_until_it_is_there(tmp_path: Path) -> None:
    async def do(chat: Chat) -> None:
        asker = Asker(0, 1, None, None, False)  # type: ignore[arg-type]
        tell: list[Any] = []
        chat.node.delivery.outage._tell = tell.append
        prepared = await chat.node.preparer.prepare(asker, command("/sign_in alice"))
        assert isinstance(prepared, Prepared)
        await chat.settle(10)
        away = AwayLog()
        lost, chat.node._log = away.entries, cast(Log, away)
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
        chat.node._log = chat.log
        chat.log.submit(lost[1])
        await chat.settle(3)
        assert [notice.stale for notice in tell] == [True, False]
        await chat.node.preparer.prepare(asker, command("/sign_in alice"))

    run(tmp_path, do)
