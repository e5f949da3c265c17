import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chat_server.errors import Refusal
from chat_server.log.entries import (
    Batch,
    CloseAccount,
    Configure,
    Due,
    EndStream,
    Enter,
    Entry,
    Limits,
    MarkSeen,
    OrderedBatch,
    SetPassword,
    WrongBatch,
)
from chat_server.log.stream import Position
from chat_server.protocol.messages import SendAll, Sent
from chat_server.protocol.names import check
from chat_server.protocol.parse import parse
from chat_server.protocol.people import Report, Reported
from chat_server.protocol.times import BEGINNING_MS
from chat_server.rules import Executor
from chat_server.rules.context import Context
from chat_server.rules.registry import RULES
from chat_server.store.database import NoRoom, open_reader, open_writer
from tests.unit.chat import LIMITS, Chat, batch, dump, refusal_of
from tests.unit.fakes import DAY_MS, HOUR_MS, NOON_MS
from tests.unit.histories import copied, entry, faulty_report, histories

NAMES = ("anna", "ben", "cora", "dirk", "ella", "Ödön", "花子")


def story() -> list[OrderedBatch]:
    """Return a log with a bit of everything, several entries a batch."""
    limits = msgspec.structs.replace(LIMITS, main_rate_count=8, main_rate_window_ms=HOUR_MS)
    batches = [[Entry(Configure(limits))]]
    batches.append([Entry(Enter(check(name), 0, None, False, name.encode())) for name in NAMES])
    for number in range(40):
        user = number % 7 + 1
        other = NAMES[(number * 3 + 1) % 7]
        said = (
            f"/send_all {number}", f"/send {other} {number}", f"/send_delayed {other} {number}m {number}",
            f"/send_delayed main {number} later", f"/report {other} spam", f"/read main {number}",
            f"/cancel_delayed {number % 5}", f'{{"cmd":"send_all","text":"{number}","key":"k{number % 3}"}}',
        )  # fmt: skip
        entries = [Entry(command(each), user, network=f"192.0.2.{user}") for each in said]
        batches.append(entries if number != 25 else [*entries, Entry(CloseAccount(0), user), *entries])
        batches.append([Entry(Due())])
    return [
        batch(number, (NOON_MS - number * 60_000, NOON_MS + number * 60_000), entries)
        for number, entries in enumerate(batches, 1)
    ]


def command(line: str) -> Any:
    return parse(line, text_chars_max=100).command


def play(path: Path, batches: list[OrderedBatch]) -> dict[str, list[tuple[Any, ...]]]:
    path.mkdir(exist_ok=True)
    executor = Executor(open_writer(path))
    for each in batches:
        executor.execute(each)
    executor.close()
    db = open_reader(path)
    content = dump(db)
    db.close()
    return content


def test_the_same_log_gives_the_same_database(tmp_path: Path) -> None:
    once = play(tmp_path / "one", story())
    assert once == play(tmp_path / "two", story())
    assert once == play(tmp_path / "three", [each for each in story() for _ in range(2)]), "a log may repeat"
    assert all(once[table] for table in ("users", "messages", "delayed", "reports", "keys", "tokens", "notices"))


_ELSEWHERE = "import sys; from pathlib import Path; from tests.unit.rules.test_executor import play, story\n" + (
    "print(ascii(play(Path(sys.argv[1]), story())))"
)


def test_the_hash_seed_of_a_process_changes_nothing(tmp_path: Path) -> None:
    here = play(tmp_path / "here", story())
    for seed in ("1", "77"):
        ran = subprocess.run(
            [sys.executable, "-c", _ELSEWHERE, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == ascii(here)


def test_the_cut_into_batches_changes_only_their_count(tmp_path: Path) -> None:
    single = [(each.at_ms, each.elapsed_ms, entry) for each in story() for entry in each.batch.entries]
    cut = [
        batch(number, (at_ms, elapsed_ms or 0), [entry]) for number, (at_ms, elapsed_ms, entry) in enumerate(single, 1)
    ]
    whole, parts = play(tmp_path / "whole", story()), play(tmp_path / "parts", cut)
    assert {**whole, "state": [], "nodes": []} == {**parts, "state": [], "nodes": []}


def test_a_repeated_batch_changes_nothing(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    chat.sign_in("alice")
    said = batch(chat.number + 1, chat.time.now(), [chat.entry("alice", "/send_all hi")])
    first = chat.executor.execute(said)
    content = chat.dump()
    again = chat.executor.execute(said)
    assert (again.outcomes, again.seq) == ([], first.seq)
    assert chat.dump() == content


@pytest.mark.parametrize("fields", [{"history": "another"}, {"version": 99}], ids=str)
def test_a_batch_that_does_not_belong_here_leaves_no_trace(tmp_path: Path, fields: dict[str, Any]) -> None:
    chat = Chat(tmp_path)
    chat.sign_in("alice")
    content = chat.dump()
    said = batch(chat.number + 1, chat.time.now(), [chat.entry("alice", "/send_all hi")])
    with pytest.raises(WrongBatch):
        chat.executor.execute(replace(said, batch=replace(said.batch, **fields)))
    assert chat.dump() == content
    assert len(chat.executor.execute(said).outcomes) == 1


def of(executor: Executor, node: str, number: int, *entries: Entry, **fields: Any) -> OrderedBatch:
    """A batch of a log that several nodes write into, at its next place."""
    state = executor.state
    stream, sequence = state.position
    at_ms = fields.pop("at_ms", state.at_ms)
    sequence = fields.pop("sequence", sequence + 1)
    said = Batch(
        **{
            "history": state.history, "node": node, "incarnation": 1, "nonce": b"1", "number": number,
            "sent_ms": NOON_MS, "entries": list(entries), **fields
        }
    )  # fmt: skip
    return OrderedBatch(said, Position(stream, sequence), at_ms)


def judge(executor: Executor, *args: Any, **fields: Any) -> str:
    """Execute a batch of a node; how it was judged, after a look at what it changed."""
    before, position = executor.state.seq, executor.state.position
    executed = executor.execute(of(executor, *args, command_entry(), **fields))
    assert executor.state.seq - before == len(executed.outcomes) == (executed.verdict == "executed")
    assert executor.state.position == (position.stream, position.sequence + 1), "the log has gone past it in any case"
    return executed.verdict


def command_entry() -> Entry:
    return Entry(command("/send_all hi"), 1)


def test_the_next_batch_of_each_node_is_executed_and_no_other(tmp_path: Path) -> None:
    chat = Chat(tmp_path, stream=1)
    chat.sign_in("alice")
    say = partial(judge, chat.executor)
    assert [say("a", 2), say("a", 1), say("b", 1), say("a", 1), say("a", 3), say("a", 2)] == [
        "ahead", "executed", "executed", "repeated", "ahead", "executed"
    ]  # fmt: skip
    assert say("b", 3, incarnation=2, nonce=b"x") == "ahead", "the first batch of a start is the one that begins it"
    assert say("b", 2) == "executed"
    assert say("b", 1, incarnation=2, nonce=b"x") == "executed"
    assert say("b", 3) == say("b", 2, incarnation=2, nonce=b"y") == "repeated", "two more processes that are over"
    assert say("b", 2, incarnation=2, nonce=b"x") == say("b", 1, incarnation=7, nonce=b"z") == "executed"


def test_in_the_log_of_a_lone_server_the_place_alone_says_what_is_next(tmp_path: Path) -> None:
    """Nobody else writes there, so no sender is noted and no digest of outcomes is kept: that takes time."""
    chat = Chat(tmp_path)
    chat.sign_in("alice")
    say = partial(judge, chat.executor)
    assert [say("a", 9), say("b", 1), say("a", 9, incarnation=7)] == ["executed"] * 3
    state = chat.executor.state
    assert (state.nodes, state.sender, state.outcomes) == ({}, None, b"")
    beyond = of(chat.executor, "a", 10, command_entry(), sequence=state.position.sequence + 2)
    executed = chat.executor.execute(beyond)
    assert (executed.verdict, executed.outcomes) == ("ahead", [])
    chat.close()
    executor = Executor(open_writer(tmp_path))
    assert executor.state.position == beyond.position
    assert executor.execute(beyond).verdict == "repeated"
    executor.close()


def test_a_restart_forgets_no_node(tmp_path: Path) -> None:
    chat = Chat(tmp_path, stream=1)
    chat.sign_in("alice")
    for node, number, start in (("a", 1, 1), ("b", 1, 1), ("b", 1, 4), ("a", 2, 1), ("c", 1, 1), ("c", 2, 1)):
        fields = {"incarnation": start, "nonce": bytes([start]), "sent_ms": NOON_MS + number}
        assert judge(chat.executor, node, number, **fields) == "executed"
    nodes = chat.executor.state.nodes
    chat.close()
    executor = Executor(open_writer(tmp_path))
    assert executor.state.nodes == nodes and executor.state.sender == "c"
    assert [judge(executor, node, 2, nonce=b"\1") for node in "abc"] == ["repeated"] * 3
    assert judge(executor, "b", 2, incarnation=4, nonce=b"\4") == "executed"
    executor.close()


def followed_by_no_room(rule: Callable[..., Any]) -> Callable[..., Any]:
    def execute(context: Context, command: Any) -> None:
        with suppress(Refusal):
            rule(context, command)
        raise NoRoom

    return execute


def test_settings_of_a_batch_that_is_undone_do_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Chat(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(NoRoom):
        patch.setitem(RULES, Configure, followed_by_no_room(RULES[Configure]))
        chat.configure(page_messages=7)
    assert chat.executor.limits is not None and chat.executor.limits.page_messages == LIMITS.page_messages


def test_a_batch_that_is_undone_leaves_its_number_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Chat(tmp_path, stream=1)
    chat.sign_in("alice")
    with monkeypatch.context() as patch, pytest.raises(NoRoom):
        patch.setitem(RULES, type(command("/send_all hi")), lambda context, command: (_ for _ in ()).throw(NoRoom()))
        judge(chat.executor, "a", 1)
    assert judge(chat.executor, "a", 1) == "executed"


def test_behind_the_end_of_a_stream_nothing_is_executed(tmp_path: Path) -> None:
    chat = Chat(tmp_path, stream=1)
    chat.sign_in("alice")
    executor = chat.executor
    behind = of(executor, "a", 2, command_entry(), sequence=executor.state.position.sequence + 2)
    end = of(executor, "a", 1, Entry(EndStream(5)))
    assert executor.execute(end).verdict == "executed" and executor.state.position == (5, 0)
    for old in (end, behind):
        assert executor.execute(old).verdict == "repeated" and executor.state.position == (5, 0)
    assert judge(executor, "a", 2) == "executed" and executor.state.position == (5, 1)
    executor.execute(of(executor, "a", 3, Entry(EndStream(5))))
    assert executor.state.position == (5, 2), "a chain goes forward alone"


def test_a_batch_says_whether_it_erased_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Chat(tmp_path)
    chat.sign_in("alice")
    db = chat.executor._db
    db.unclean = False
    for line, erases in (
        ("/send_all hi", False), ("/edit 1 ho", True), ("/send_all hi", False), ("/delete 1", True),
        ("/away lunch", False), ("/away tea", True), ("/back", True), ("/back", False),
        ("/send_delayed main 1h later", False), ("/cancel_delayed 1", True), ("/cancel_delayed 1", False),
        ("/create_chat #a", False), ("/topic #a tea", True), ("/topic #a cakes", True), ("/leave #a", False),
        ("/preference a b", True), ("/preference a b", False), ("/preference a", True), ("/mute main", False),
    ):  # fmt: skip
        assert chat.batch(chat.entry("alice", line)).has_erased == erases, line
    assert chat.batch(Entry(SetPassword(0, "hash", None), chat.ids["alice"])).has_erased, "an old one might be guessed"
    assert chat.batch(Entry(CloseAccount(1), chat.ids["alice"])).has_erased, "also one that wrote nothing"
    assert db.unclean, "what is to be scrubbed stays so, whatever comes after"
    with monkeypatch.context() as patch, pytest.raises(NoRoom):
        patch.setitem(RULES, SendAll, followed_by_no_room(RULES[SendAll]))
        chat.batch(chat.entry("alice", "/send_all ha"))
    assert db.unclean


MINUTE_MS = 60_000


@pytest.mark.parametrize(
    "log_ms, sent_ms, lived_ms, why",
    [
        (5_000, 0, 5_000, "a short time is the log's"),
        (-HOUR_MS, 5_000, 0, "a log whose clock is set back makes nobody younger"),
        (60 * MINUTE_MS, 5_000, 5_000, "the log's clock was set forward"),
        (5_000, 60 * MINUTE_MS, 5_000, "the sender's clock was set forward"),
        (DAY_MS, DAY_MS + 7, DAY_MS, "all have slept"),
        (DAY_MS, -HOUR_MS, 0, "two clocks do not agree at all"),
    ],
)
def test_one_wrong_clock_ends_nothing_early(tmp_path: Path, log_ms: int, sent_ms: int, lived_ms: int, why: str) -> None:
    chat = Chat(tmp_path, stream=1)
    chat.sign_in("alice")
    executor = chat.executor
    executor.execute(of(executor, "a", 1, sent_ms=NOON_MS - 77_000_000))
    begun, at_ms = executor.state.elapsed_ms, executor.state.at_ms
    executed = executor.execute(of(executor, "a", 2, at_ms=at_ms + log_ms, sent_ms=NOON_MS - 77_000_000 + sent_ms))
    assert executor.state.elapsed_ms - begun == lived_ms, why
    assert executed.now == (at_ms + log_ms, begun + lived_ms)


def test_what_the_chat_has_lived_since_the_senders_last_batch_is_not_counted_twice(tmp_path: Path) -> None:
    """Its clock has gone on for a day, which the chat knows from others already."""
    chat = Chat(tmp_path, stream=1)
    chat.sign_in("alice")
    executor = chat.executor
    executor.execute(of(executor, "a", 1))
    executor.execute(of(executor, "b", 1))
    at_ms = executor.state.at_ms + DAY_MS
    executor.execute(of(executor, "b", 2, at_ms=at_ms, sent_ms=NOON_MS + DAY_MS))
    lived_ms = executor.state.elapsed_ms
    executor.execute(of(executor, "a", 2, at_ms=at_ms + HOUR_MS, sent_ms=NOON_MS + DAY_MS + 1000))
    assert executor.state.elapsed_ms - lived_ms == 1000, "only the log's clock has gone on for an hour"
    executor.execute(of(executor, "c", 1, at_ms=at_ms + 9 * HOUR_MS))
    assert executor.state.elapsed_ms - lived_ms == 1000 + 60_000, "a node that nobody knows yet can say little"


def test_a_new_chat_has_lived_for_a_while_whatever_the_log_s_clock_says(tmp_path: Path) -> None:
    """No time of it is 0, which means never."""
    executor = Executor(open_writer(tmp_path))
    first = Batch("h", "a", 1, b"", 1, 0, [Entry(Configure(LIMITS))])
    assert executor.execute(OrderedBatch(first, Position(1, 1), 5)).now == (5, BEGINNING_MS)


def test_the_time_that_the_chat_has_lived_never_goes_back(tmp_path: Path) -> None:
    """A node that takes over may be a little behind the one that ordered the batch before."""
    chat = Chat(tmp_path)
    chat.sign_in("alice")
    before = chat.executor.state.elapsed_ms
    chat.executor.execute(batch(chat.number + 1, (NOON_MS, before - 1000), [chat.entry("alice", "/send_all hi")]))
    assert chat.executor.state.elapsed_ms == before


def test_a_restarted_executor_goes_on_where_it_was(tmp_path: Path) -> None:
    chat = Chat(tmp_path, main_rate_count=1, main_rate_window_ms=HOUR_MS)
    chat.sign_in("alice")
    chat.say("alice", "/send_all one")
    chat.close()
    executor = Executor(open_writer(tmp_path))
    assert executor.state.position == (0, chat.number) and executor.state.seq == 1
    entry = Entry(command("/send_all two"), chat.ids["alice"])
    (outcome,) = executor.execute(batch(chat.number + 1, (NOON_MS, NOON_MS), [entry])).outcomes
    assert isinstance(outcome.result, Refusal) and outcome.result.code == "rate_limited"
    executor.close()


def test_a_rule_with_a_bug_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Chat(tmp_path)
    chat.sign_in("alice", "bob")
    kind = type(command("/report x"))

    def buggy(turn: Any, command: Any) -> Any:
        turn.db.run("UPDATE users SET password = 'half done'")
        turn.next_seq()
        turn.counts["files"] += 1
        raise ZeroDivisionError

    monkeypatch.setitem(RULES, kind, buggy)
    lines = ("/send_all one", "/report bob", "/send_all two", "/send nobody x")
    executed = chat.batch(*(chat.entry("alice", line) for line in lines))
    one, bug, two, refusal = (outcome.result for outcome in executed.outcomes)
    assert isinstance(one, Sent) and isinstance(two, Sent)
    assert (one.id, two.id, executed.seq) == (1, 2, 2)
    assert isinstance(bug, Refusal) and bug.code == "internal"
    assert isinstance(refusal, Refusal) and refusal.code == "unknown_user"
    assert executed.outcomes[1].pushes == [] and not executed.counts
    assert "half done" not in repr(chat.dump())
    assert chat.say("alice", "/send_all three").reply.id == 3


@given(histories, st.lists(st.none() | st.builds(MarkSeen, st.integers(1, 40), st.sampled_from([0, 12])), min_size=8))
def test_what_an_entry_takes_along_is_as_if_it_came_before(
    history: list[tuple[list[tuple[int, str, str]], bool]], seen: list[MarkSeen | None]
) -> None:
    """Whatever becomes of the entry: it is done, refused, or fails by a mistake."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        together, apart = copied(one).executor, copied(other).executor
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(RULES, Report, faulty_report)
            for things, _ in history:
                entries = [replace(entry(*each), seen=mark) for each, mark in zip(things, seen, strict=False)]
                now, number = (NOON_MS, NOON_MS), together.state.position.sequence + 1
                done = together.execute(batch(number, now, entries)).outcomes
                split = [part for each in entries for part in parts_of(each)]
                left = iter(apart.execute(batch(number, now, split)).outcomes)
                for outcome in done:
                    first = [] if outcome.entry.seen is None else next(left).pushes
                    second = next(left)
                    assert outcome.pushes == first + second.pushes
                    assert repr(replace(outcome, pushes=[])) == repr(replace(second, entry=outcome.entry, pushes=[]))
        assert dump(together._db) == dump(apart._db)
        together.close()
        apart.close()


def parts_of(whole: Entry) -> list[Entry]:
    return [whole] if whole.seen is None else [Entry(whole.seen, whole.user_id), replace(whole, seen=None)]


FAULTS = [
    MemoryError(), OSError(5, "Input/output error"), NoRoom("full"), apsw.IOError("disk"), apsw.FullError("full"),
    apsw.BusyError("locked"), apsw.CantOpenError("files"), apsw.NoMemError("memory"), apsw.InterruptError("stop"),
    apsw.ThreadingViolationError("thread"), apsw.CorruptError("damaged"), apsw.ReadOnlyError("read only"),
    KeyboardInterrupt(), SystemExit(),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_fault_of_this_machine_is_no_outcome_of_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    """Other machines execute the same batch without the fault, and so does this one once it is over."""
    chat = Chat(tmp_path)
    chat.sign_in("alice", "bob")
    content = chat.dump()
    kind = type(command("/report x"))
    right, faults = RULES[kind], [fault]

    def faulty(context: Any, command: Any) -> Any:
        if faults:
            raise faults.pop()
        return right(context, command)

    monkeypatch.setitem(RULES, kind, faulty)
    lines = ("/send_all one", "/report bob", "/send_all two")
    said = batch(chat.number + 1, chat.time.now(), [chat.entry("alice", line) for line in lines])
    with pytest.raises(NoRoom if isinstance(fault, apsw.FullError) else type(fault)):
        chat.executor.execute(said)
    assert chat.dump() == content
    outcomes = chat.executor.execute(said).outcomes
    assert [type(outcome.result) for outcome in outcomes] == [Sent, Reported, Sent]


@pytest.mark.parametrize("guarded", [MemoryError(), apsw.IOError("disk"), apsw.BusyError("locked")], ids=repr)
def test_a_fault_of_this_machine_during_the_second_try_is_none_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guarded: Exception
) -> None:
    chat = Chat(tmp_path)
    chat.sign_in("alice", "bob")
    content = chat.dump()
    errors = [guarded, ZeroDivisionError()]

    def faulty(context: Any, command: Any) -> Any:
        raise errors.pop()

    monkeypatch.setitem(RULES, type(command("/report x")), faulty)
    with pytest.raises(type(guarded)):
        chat.batch(chat.entry("alice", "/send_all one"), chat.entry("alice", "/report bob"))
    assert chat.dump() == content


@pytest.mark.parametrize("error", [apsw.ConstraintError("unique"), apsw.SQLError("syntax")], ids=repr)
def test_a_wrong_statement_is_a_bug_of_its_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    chat = Chat(tmp_path)
    chat.sign_in("alice", "bob")

    def faulty(context: Any, command: Any) -> Any:
        raise error

    monkeypatch.setitem(RULES, type(command("/report x")), faulty)
    assert refusal_of(chat, "alice", "/report bob").code == "internal"


def test_a_refusal_has_the_seq_of_its_place(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    chat.sign_in("alice")
    lines = ("/send_all one", "/send nobody x", "/send_all two")
    executed = chat.batch(*(chat.entry("alice", line) for line in lines))
    assert [outcome.seq for outcome in executed.outcomes] == [1, 1, 2]


def test_a_log_begins_with_its_limits(tmp_path: Path) -> None:
    executor = Executor(open_writer(tmp_path))
    (outcome,) = executor.execute(batch(1, (NOON_MS, NOON_MS), [Entry(Due())])).outcomes
    assert isinstance(outcome.result, Refusal) and outcome.result.code == "internal"
    executor.close()


def test_the_limits_are_kept_and_the_history_stays_that_of_the_first(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    chat.configure(ban_ms=5)
    ((_, _, _, _, limits, history, *_),) = chat.dump()["state"]
    assert json.loads(limits)["ban_ms"] == 5 and history == "history-1"
    assert msgspec.json.decode(limits, type=Limits) == chat.limits
