import threading

import pytest

from chat_server.errors import StartError
from chat_server.threads import started_pool


def test_all_are_there_at_once() -> None:
    before = threading.active_count()
    pool = started_pool(3, "three")
    assert threading.active_count() == before + 3
    assert pool.submit(lambda: 1).result() == 1
    assert threading.active_count() == before + 3
    pool.shutdown()


def test_a_machine_that_has_none_left_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, list[threading.Thread]()

    def one_only(thread: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", one_only)
    with pytest.raises(StartError, match="can't start new thread: raise"):
        started_pool(3, "three")
