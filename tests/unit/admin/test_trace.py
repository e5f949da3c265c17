"""The lines of the log are found again in each form in which the log writes them, and tell the same."""

import gzip
import io
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.action_log import ActionLog, LineForm, in_ranges
from chat_server.admin import trace
from chat_server.errors import StartError
from tests.fake_runtime import FakeRuntime

FORMS = [(json, for_journal) for json in (False, True) for for_journal in (False, True)]
PREFIX = "Nov 21 12:00:00 host chat-server[123]: "


async def story(target: str, json: bool, for_journal: bool) -> list[str]:
    """What is told of a log in this form; without the times, which are another's in the journal."""
    runtime, stream = FakeRuntime(), io.StringIO()
    log = ActionLog(runtime, LineForm(runtime, json=json, for_journal=for_journal), enabled=True, stream=stream)
    log.add("anna", "send_all", "ok", 0.0012, 3, "192.0.2.1", 7)
    log.add("bob", "edit", "unknown_message", 0.001, 4, "::1")
    log.add_batch("9", "", "5-7", 3, "2,3,4", 0.0004)
    log.flush()
    log.add("Anna", "edit", "ok", 0.001, 5, "192.0.2.1", 7, 8)
    log.add_batch("1/10", "n1", "8", 1, "2", 0.0005)
    log.add("carol", "delayed", "ok", 0.0, 0, "-", 9)
    log.add_batch("11", "", "9", 1, "0", 0.0005)
    log.add("dan", "unanswered", "ok", 0.0, 8, "-", 10)
    log.add_batch("12", "", "10", 1, "0", 0.0005)
    log.add_fact("expired", {"ids": "1-3,9"})
    log.add("server", "forget", "ok", 0.1, 6, "control")
    log.add_fact("act", {"do": "forget", "of": "anna"})
    log.flush()
    lines = stream.getvalue().splitlines()
    if for_journal:
        assert all(line.startswith("<6>") for line in lines)
        # journald takes the priority away.
        lines = [PREFIX + line.removeprefix("<6>") for line in lines]
    told: list[str] = []
    trace.trace(target, [*lines, "some other line", PREFIX + '{"at":"x","text":"do"}'], told.append)
    times = {line.partition("  ")[0] for line in told}
    assert times == {PREFIX.rstrip(": ") if for_journal and not json else "2026-11-21T12:00:00.000Z"}
    return [line.partition("  ")[2] for line in told]


async def test_a_log_without_times_is_one_all_the_same() -> None:
    told: list[str] = []
    line = "action user=anna session=3 address=::1 do=send_all result=ok ms=1.2 id=7"
    trace.trace("#7", [line], told.append)
    assert told == ["  came in by send_all, by anna, session 3 from ::1: ok after 1.2 ms"]
    with pytest.raises(StartError, match="@bob did nothing that the log has, from a time that is not told to"):
        trace.trace("@bob", [line], told.append)


@pytest.mark.parametrize("begin", ["", "data: ", "\x1e"], ids=["json", "json-sse", "json-seq"])
@pytest.mark.parametrize("json", [False, True])
async def test_entries_of_the_journal_as_json(json: bool, begin: str) -> None:
    runtime, stream = FakeRuntime(), io.StringIO()
    log = ActionLog(runtime, LineForm(runtime, json=json, for_journal=True), enabled=True, stream=stream)
    log.add("anna", "send_all", "ok", 0.0012, 3, "192.0.2.1", 7)
    log.add_batch("9", "", "5-7", 3, "2,3,4", 0.0004)
    log.flush()
    messages: list[object] = [line.removeprefix("<6>") for line in stream.getvalue().splitlines()]
    messages = [*messages, "another line", [1, 2], {"MESSAGE": 1}]
    entries = [
        {
            "PRIORITY": "6",
            "__REALTIME_TIMESTAMP": f"{1000 * runtime.now_ms() + number}",
            "MESSAGE": message,
            "_PID": "5",
        }
        for number, message in enumerate(messages)
    ]
    told: list[str] = []
    trace.trace("#7", [begin + msgspec.json.encode(entry).decode() for entry in entries], told.append)
    assert told == [
        "2026-11-21T12:00:00.000Z  came in by send_all, by anna, session 3 from 192.0.2.1: ok after 1.2 ms",
        "2026-11-21T12:00:00.000Z  on disk as seq 7 with batch 9 (commands: 3, commit: 0.4 ms); connections told: 4",
    ]


@pytest.mark.parametrize(
    "before", ["    MESSAGE=", "MESSAGE=", '\t"MESSAGE" : "'], ids=["verbose", "export", "json-pretty"]
)
def test_an_entry_of_the_journal_on_several_lines_is_refused(before: str) -> None:
    line = f'{before}action user=anna session=3 address=::1 do=send_all result=ok ms=1.2 id=7",'
    with pytest.raises(StartError, match="or -o json --all"):
        trace.trace("#7", [line], lambda told: None)


def test_a_line_that_the_journal_left_out_is_said() -> None:
    with pytest.raises(StartError, match="add --all"):
        trace.trace("#7", ['{"MESSAGE":null}'], lambda told: None)


async def test_a_log_of_two_chats_says_where_the_second_begins() -> None:
    runtime, stream = FakeRuntime(), io.StringIO()
    log = ActionLog(runtime, LineForm(runtime, json=False, for_journal=False), enabled=True, stream=stream)
    for user, seqs, numbers in (("anna", ("1-5", "6-9"), ("1", "2")), ("bob", ("1-3", "4-8"), ("1", "2"))):
        log.add(user, "send_all", "ok", 0.001, 3, "::1", 7)
        for seq, number in zip(seqs, numbers, strict=True):
            log.add_batch(number, "", seq, 4, "1", 0.0004)
        log.flush()
        # Sent once more with its key: the same message.
        log.add(user, "send_all", "ok", 0.001, 3, "::1", 7)
    log.flush()
    told: list[str] = []
    trace.trace("#7", stream.getvalue().splitlines(), told.append)
    came = [f"came in by send_all, by {user}, session 3 from ::1: ok after 1.0 ms" for user in ("anna", "bob")]
    on_disk = "on disk as seq 7 with batch 2 (commands: 4, commit: 0.4 ms); connections told: 1"
    assert [line.partition("  ")[2] for line in told] == [
        came[0], on_disk, came[0], came[1],
        "the data was replaced before this: from here on #7 is another message", on_disk, came[1],
    ]  # fmt: skip


@pytest.mark.parametrize(("json", "for_journal"), FORMS)
async def test_the_way_of_a_message(json: bool, for_journal: bool) -> None:
    assert await story("#7", json, for_journal) == [
        "came in by send_all, by anna, session 3 from 192.0.2.1: ok after 1.2 ms",
        "on disk as seq 7 with batch 9 (commands: 3, commit: 0.4 ms); connections told: 4",
        "changed by edit, by Anna, session 5 from 192.0.2.1: ok after 1.0 ms, seq 8",
        "on disk as seq 8 with batch 1/10 of node n1 (commands: 1, commit: 0.5 ms); connections told: 2",
        "the account of anna was deleted, and what it wrote with it (forget by the administrator)",
    ]
    assert await story("#9", json, for_journal) == [
        "sent by carol: a delayed message whose time had come",
        "on disk as seq 9 with batch 11 (commands: 1, commit: 0.5 ms); connections told: 0",
        "expired: all have read it, and its time is over",
    ]
    assert (await story("#10", json, for_journal))[0] == (
        "sent by dan, session 8 from -: its connection was gone before the answer"
    )


@pytest.mark.parametrize(("json", "for_journal"), FORMS)
async def test_what_a_user_or_a_session_did(json: bool, for_journal: bool) -> None:
    both = [
        "send_all #7 by anna, session 3 from 192.0.2.1: ok after 1.2 ms",
        "edit #7 by Anna, session 5 from 192.0.2.1: ok after 1.0 ms",
    ]
    assert await story("@anna", json, for_journal) == await story("ANNA", json, for_journal) == both
    assert await story("session=5", json, for_journal) == both[1:]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("#4", "does not reach back to #4: it begins at 2026-11-21T12:00:00.000Z with seq 5"),
        ("#11", "there is no #11 yet: the log ends at 2026-11-21T12:00:00.000Z with seq 10"),
        ("#8", "there is no message #8: that seq was a change of #7"),
        ("#5", "does not say who sent #5"), ("@nobody", "@nobody did nothing that the log has"),
        ("#0", "nothing to trace"), ("a b", "nothing to trace"), ("", "there is nothing to trace; say '#42'"),
        ("@", "nothing to trace"), ("11", "there is no #11 yet"), ("@11", "@11 did nothing"),
    ],
)  # fmt: skip
async def test_what_the_log_does_not_have_is_said(target: str, words: str) -> None:
    with pytest.raises(StartError, match=words.replace("(", r"\(")):
        await story(target, False, False)


def test_an_empty_log_is_said_and_so_is_none(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no action in the log"):
        trace.trace("#1", ["2026-11-21T12:00:00.000Z INFO chat.server started"], lambda told: None)
    with pytest.raises(StartError, match="journalctl -u chat-server"):
        list(trace.read_lines([], tmp_path / "log"))
    with pytest.raises(StartError, match="cannot read the log"):
        list(trace.read_lines([str(tmp_path / "none")], tmp_path / "log"))


def test_files_are_read_from_the_oldest_on(tmp_path: Path) -> None:
    for number, name in enumerate(("log.2", "log.1", "log")):
        (tmp_path / name).write_bytes(f"{number}\n".encode() + b"\xff\n")
    assert [line[0] for line in trace.read_lines([], tmp_path / "log")] == ["0", "�", "1", "�", "2", "�"]
    (tmp_path / "log.3.gz").write_bytes(gzip.compress(b"z\n"))
    assert list(trace.read_lines([str(tmp_path / "log.3.gz")], tmp_path / "log")) == ["z\n"]


@given(st.sets(st.integers(1, 200)))
def test_ids_are_in_their_ranges_and_no_other(ids: set[int]) -> None:
    ranges = in_ranges(sorted(ids))
    assert {id for id in range(1, 202) if trace.in_ranges(id, ranges)} == ids


@given(st.text())
def test_any_line_is_read_or_passed_over(text: str) -> None:
    trace.parse(text)
    trace.parse(f"2026-11-21T12:00:00.000Z INFO batch seq={text}")
    trace.parse(f'{{"MESSAGE":"action do=x {text}","__REALTIME_TIMESTAMP":"{text}"}}')
    for line in (trace.parse(f'{{"fact":"batch","seq":"{text}"}}'), trace.parse(f"batch seq={text} to={text}")):
        if line is not None:
            list(trace.telling("#1").feed(line))
