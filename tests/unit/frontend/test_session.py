"""A session with its node, in virtual time; whole sessions are in tests/simulation, what is said in test_pipeline."""

import io
from pathlib import Path
from typing import cast

import pytest

from chat_server.action_log import ActionLog, LineForm
from chat_server.delivery.missed_messages import MissedMessages
from chat_server.frontend.rate_limits import Allowances
from chat_server.frontend.session import Session
from chat_server.frontend.transport import Transport
from chat_server.node import open_alone
from chat_server.settings import load
from chat_server.store.database import Database
from chat_server.store.stretches import Part
from tests.fake_runtime import FakeRuntime
from tests.unit.fakes import FakeTransport

SETTINGS = load(["--disk-reserve", "off"], {})


class Unreadable(MissedMessages):
    def next_page(self, db: Database) -> list[Part]:
        raise OSError("the disk is gone")


def test_a_page_that_cannot_be_read_ends_the_connection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It cannot be kept true to the chat any more; its user comes back and is shown the rest."""
    runtime, transport = FakeRuntime(), FakeTransport()
    node = open_alone(SETTINGS, runtime, tmp_path)
    actions = ActionLog(
        runtime, LineForm(runtime, json=False), enabled=False, stream=cast(io.TextIOBase, io.StringIO())
    )

    async def main() -> None:
        await node.start()
        session = Session(
            runtime,
            node,
            SETTINGS,
            actions,
            Allowances(None, 1),
            cast(Transport, transport),
            "127.0.0.1",
            lambda _: None,
        )
        session.read_page(Unreadable(1, 0, 1, by_id=True))
        await runtime.sleep(1)
        node.close()

    runtime.run(main())
    assert transport.aborted
    assert [record.message for record in caplog.records] == ["catching up failed; the connection is closed"]
