import pytest

from chat_server.store import database
from tests.unit.one_node import Faults


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself waits for no lock: its time is not the runtime's."""
    monkeypatch.setattr(database, "BUSY_MS_MAX", 0)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults(monkeypatch)
