"""A session with its node, in virtual time; whole sessions are in tests/simulation, what is said in test_pipeline."""

import gc
import io
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from chat_server.action_log import ActionLog, LineForm
from chat_server.delivery.missed_messages import MissedMessages
from chat_server.frontend.rate_limits import Allowances
from chat_server.frontend.session import Session
from chat_server.frontend.transport import Transport
from chat_server.node import open_alone
from chat_server.protocol.accounts import SignIn
from chat_server.protocol.arguments import Target
from chat_server.protocol.messages import History
from chat_server.protocol.names import check
from chat_server.settings import load
from chat_server.store.database import Database
from chat_server.store.stretches import Part
from tests.fake_runtime import FakeRuntime
from tests.unit.fakes import FakeTransport

SETTINGS = load(["--disk-reserve", "off"], {})


class Unreadable(MissedMessages):
    def next_page(self, db: Database) -> list[Part]:
        raise OSError("the disk is gone")


class Bench:
    """A session on a node, in virtual time."""

    def __init__(self, path: Path) -> None:
        self.runtime, self.transport = FakeRuntime(), FakeTransport()
        self.node = open_alone(SETTINGS, self.runtime, path)

    def run(self, use: Callable[[Session], None]) -> None:
        self.runtime.run(self._run(use))

    async def _run(self, use: Callable[[Session], None]) -> None:
        await self.node.start()
        log = cast(io.TextIOBase, io.StringIO())
        session = Session(
            self.runtime,
            self.node,
            SETTINGS,
            ActionLog(self.runtime, LineForm(self.runtime, json=False), enabled=False, stream=log),
            Allowances(None, 1),
            cast(Transport, self.transport),
            "127.0.0.1",
            lambda _: None,
        )
        use(session)
        await self.runtime.sleep(1)
        self.node.close()


def test_a_page_that_cannot_be_read_ends_the_connection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It cannot be kept true to the chat any more; its user comes back and is shown the rest."""
    bench = Bench(tmp_path)
    bench.run(lambda session: session.read_page(Unreadable(1, 0, 1, by_id=True)))
    assert bench.transport.aborted
    assert [record.message for record in caplog.records] == ["catching up failed; the connection is closed"]


@pytest.mark.filterwarnings("error")
def test_nothing_is_said_in_the_log_of_work_that_is_given_up_before_it_began(tmp_path: Path) -> None:
    """As where a connection is closed in the turn in which its command was taken."""

    def use(session: Session) -> None:
        session.read(History(Target("main", "main", "main")))
        session.give_up()
        session.prepare(SignIn(check("alice")))
        session.give_up()

    Bench(tmp_path).run(use)
    gc.collect()
