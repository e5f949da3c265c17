"""The machine's own commands where no server runs: what is said where an account could be removed only in part."""

import asyncio
from pathlib import Path

import pytest

from chat_server.admin.offline import Offline
from chat_server.errors import StartError
from chat_server.log.entries import Erase, OrderedBatch
from chat_server.protocol.arguments import Username
from chat_server.protocol.control import Forget, RepairTime
from chat_server.rules import Executor
from chat_server.rules.executor import Executed
from chat_server.store.data_directory import DataDirectory
from chat_server.store.database import LOCKED, NoRoom
from tests.fake_runtime import FakeRuntime
from tests.unit.chat import Chat


@pytest.mark.parametrize("error", [NoRoom, LOCKED])
def test_an_account_that_is_removed_in_part_is_not_said_to_be_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    chat = Chat(tmp_path)
    chat.sign_in("alice")
    for _ in range(3):
        chat.say("alice", "/send_all hi")
    chat.executor.close()
    monkeypatch.setattr("chat_server.rules.erasure.ROWS_MAX", 1)
    monkeypatch.setattr("chat_server.admin.offline.LOCKED_SECONDS_MAX", 0)
    execute = Executor.execute

    def fail(self: Executor, ordered: OrderedBatch) -> Executed:
        if isinstance(ordered.batch.entries[0].command, Erase):
            raise error("no")
        return execute(self, ordered)

    monkeypatch.setattr(Executor, "execute", fail)
    directory = DataDirectory(str(tmp_path))
    offline = Offline(FakeRuntime(), directory)
    with pytest.raises(StartError) as failed:
        asyncio.run(offline.order(Forget(Username("alice", "alice"))))
    assert "was deleted" in str(failed.value) and "nothing was done" not in str(failed.value)
    monkeypatch.undo()
    asyncio.run(offline.order(RepairTime()))
    assert chat.db.value("SELECT count(*) FROM messages WHERE text IS NOT NULL") == 0, "the next order goes on"
    offline.close()
    directory.close()
