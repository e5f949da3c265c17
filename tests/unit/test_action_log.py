import io
import json
import logging

import pytest

from chat_server import action_log
from chat_server.action_log import ActionLog, LineForm
from tests.fake_runtime import FakeRuntime


class Stream(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


async def test_one_line_an_action_and_one_write_a_turn() -> None:
    stream = Stream()
    log = ActionLog(FakeRuntime(), LineForm(FakeRuntime(), json=False), enabled=True, stream=stream)
    log.add("alice", "send_all", "ok", 0.0012, 3, "192.0.2.1")
    log.add("", "sign_in", "wrong_password", 0.025, 4, "::1")
    assert stream.getvalue() == ""
    log.flush()
    assert stream.getvalue().splitlines() == [
        "2026-11-21T12:00:00.000Z INFO action user=alice session=3 address=192.0.2.1 do=send_all result=ok ms=1.2",
        "2026-11-21T12:00:00.000Z INFO action user=- session=4 address=::1 do=sign_in result=wrong_password ms=25.0",
    ]
    assert stream.writes == 1


async def test_for_programs_as_json() -> None:
    stream = Stream()
    log = ActionLog(FakeRuntime(), LineForm(FakeRuntime(), json=True), enabled=True, stream=stream)
    log.add("Анна", "send", "ok", 0.001, 3, "::1")
    log.flush()
    assert json.loads(stream.getvalue()) == {
        "at": "2026-11-21T12:00:00.000Z", "level": "info", "user": "Анна", "session": 3, "address": "::1",
        "do": "send", "result": "ok", "ms": 1.0,
    }  # fmt: skip


def test_switched_off_it_says_nothing() -> None:
    stream = Stream()
    log = ActionLog(FakeRuntime(), LineForm(FakeRuntime(), json=False), enabled=False, stream=stream)
    log.add("alice", "send_all", "ok", 0.001, 3, "::1")
    log.flush()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("as_json", [False, True])
def test_other_lines_have_the_same_form(as_json: bool) -> None:
    formatter = action_log._Formatter(LineForm(FakeRuntime(), json=as_json))
    try:
        raise ValueError("broken")
    except ValueError as error:
        trace = (type(error), error, error.__traceback__)
    line = formatter.format(logging.LogRecord("chat.x", logging.ERROR, "", 1, "batch %d failed", (7,), trace))
    if as_json:
        fields = json.loads(line)
        assert (fields["level"], fields["from"], fields["text"]) == ("error", "chat.x", "batch 7 failed")
        assert "ValueError: broken" in fields["trace"] and "\n" not in line
    else:
        first, *rest = line.splitlines()
        assert first == "2026-11-21T12:00:00.000Z ERROR chat.x batch 7 failed"
        assert rest[-1] == "ValueError: broken"


async def test_what_an_action_and_a_batch_are_about_and_in_the_journal_no_time_but_the_priority() -> None:
    stream = Stream()
    log = ActionLog(FakeRuntime(), LineForm(FakeRuntime(), json=False, for_journal=True), enabled=True, stream=stream)
    log.add("alice", "send_all", "ok", 0.001, 3, "::1", 41)
    log.add("alice", "edit", "ok", 0.001, 3, "::1", 41, 42)
    log.add_batch("7", "", "41-42", 2, "3,4", 0.0004)
    log.flush()
    assert stream.getvalue().splitlines() == [
        "<6>action user=alice session=3 address=::1 do=send_all result=ok ms=1.0 id=41",
        "<6>action user=alice session=3 address=::1 do=edit result=ok ms=1.0 id=41 seq=42",
        "<6>batch number=7 seq=41-42 entries=2 to=3,4 commit_ms=0.4",
    ]
    assert stream.writes == 1


@pytest.mark.parametrize(
    ("level", "priority"), [("DEBUG", 7), ("INFO", 6), ("WARNING", 4), ("ERROR", 3), ("CRITICAL", 2)]
)
@pytest.mark.parametrize("as_json", [False, True])
def test_in_the_journal_each_line_has_its_priority(level: str, priority: int, as_json: bool) -> None:
    formatter = action_log._Formatter(LineForm(FakeRuntime(), json=as_json, for_journal=True))
    try:
        raise ValueError("broken")
    except ValueError as error:
        trace = (type(error), error, error.__traceback__)
    number = getattr(logging, level)
    lines = formatter.format(logging.LogRecord("chat.x", number, "", 1, "failed", (), trace)).splitlines()
    assert len(lines) == 1 if as_json else len(lines) > 3
    assert {line[:3] for line in lines} == {f"<{priority}>"}
    if not as_json:
        assert lines[0] == f"<{priority}>chat.x failed"
