"""The pipeline without a loop: what may run when, and in which order replies leave."""

from typing import Any

import pytest

from chat_server.errors import Refusal
from chat_server.frontend import pipeline as p
from chat_server.log.entries import EndTokens, MarkSeen, SetPassword
from chat_server.protocol.accounts import PasswordSet
from chat_server.protocol.arguments import Text
from chat_server.protocol.connection import Pong, SessionInfo
from chat_server.protocol.messages import SendAll
from chat_server.rules.moderation import Barred
from chat_server.rules.outcomes import Opened, Prepared, Stale
from tests.unit.frontend.bench import NOON, REFUSAL, Bench, texts

# ---- what may run when


def test_whoever_connects_is_greeted() -> None:
    (line,) = Bench().lines
    assert line.startswith("* chat-server ")


def test_logged_commands_follow_each_other_without_waiting(bench: Bench) -> None:
    bench.say("/send_all a", "/send_all b", "/send_all c")
    assert texts(bench.logged) == ["a", "b", "c"] and bench.lines == []
    bench.deliver(2)
    assert bench.lines == ["+ sent #1", "+ sent #2"]
    bench.say("/send_all d")
    bench.deliver()
    assert bench.lines[2:] == ["+ sent #3", "+ sent #4"]


def test_only_so_many_are_in_the_log_at_once(bench: Bench) -> None:
    bench.say(*["/send_all x"] * (p.IN_FLIGHT_MAX + 10))
    bench.advance(1)
    assert len(bench.log) == p.IN_FLIGHT_MAX
    bench.deliver(3)
    assert len(bench.log) == p.IN_FLIGHT_MAX
    bench.settle_down()
    assert len(bench.lines) == p.IN_FLIGHT_MAX + 10


@pytest.mark.parametrize(
    "line", ["/ping", "/nonsense", "/history main", "/password secret", "/sign_out", "/format json"]
)
def test_every_other_command_waits_for_those_before_it(bench: Bench, line: str) -> None:
    bench.say("/send_all a", "/send_all b", line, "/send_all c")
    assert texts(bench.logged) == ["a", "b"] and not bench.work
    bench.deliver(1)
    assert bench.lines == ["+ sent #1"] and not bench.work and len(bench.logged) == 2
    bench.deliver(1)
    assert bench.lines[:2] == ["+ sent #1", "+ sent #2"]
    assert bench.work or len(bench.lines) > 2 or isinstance(bench.logged[-1], EndTokens)


@pytest.mark.parametrize("line", ["/history main", "/password secret", "/sign_out"])
def test_a_command_that_runs_alone_holds_back_those_after_it(bench: Bench, line: str) -> None:
    bench.say(f"@k1 {line}", "@k2 /ping", "@k3 /send_all c")
    assert bench.replies == [] and texts(bench.logged) == []
    bench.settle_down()
    signed_out = line == "/sign_out"
    assert bench.replies == [("k1", "ok"), ("k2", "ok"), ("k3", "not_signed_in" if signed_out else "ok")]


def test_the_others_have_their_turn_between_many_lines(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p, "LINES_A_TURN_MAX", 5)
    bench.say(*["/ping"] * 12)
    assert len(bench.lines) == 5 and bench.wakes_at == bench.clock
    bench.advance(0)
    assert len(bench.lines) == 12


def test_an_outcome_belongs_to_the_command_with_its_number(bench: Bench) -> None:
    bench.say("@k1 /send_all a", "@k2 /send_all refused", "@k3 /send_all c")
    bench.log.rotate(1)
    bench.deliver()
    assert bench.replies == [("k3", "ok"), ("k1", "ok"), ("k2", "banned")]


def test_numbers_count_from_one(bench: Bench) -> None:
    bench.say("/send_all a", "/send_all b")
    assert [number for _, _, number, _ in bench.log] == [2, 3], "the sign-in was the first"


def test_what_is_wrong_with_a_line_is_told_in_its_place(bench: Bench) -> None:
    bench.say("@k1 /ping", "@k2 /nope", "@k3 /history main x", "@k4 /sign_in bob", "@k5 /ping")
    bench.settle_down()
    assert bench.replies == [
        ("k1", "ok"), ("k2", "unknown_command"), ("k3", "bad_argument"), ("k4", "already_signed_in"), ("k5", "ok")
    ]  # fmt: skip


def test_what_is_wrong_with_a_command_that_others_would_see_is_told_after_a_look_at_the_store(bench: Bench) -> None:
    """A banned user is told of the ban first."""
    bench.say("@k1 /send_all", "@k2 /edit 1", "@k3 /ping")
    assert bench.work is not None and isinstance(bench.work[1], Barred)
    bench.answer(REFUSAL)
    bench.settle_down()
    assert bench.replies == [("k1", "banned"), ("k2", "bad_argument"), ("k3", "ok")] and bench.logged == []


def test_without_room_on_the_disk_nothing_new_is_taken(bench: Bench) -> None:
    bench.room_bytes = 0
    bench.say("@k1 /create_chat #den", "@k2 /ping", "@k3 /delete 1")
    bench.settle_down()
    assert bench.replies == [("k1", "unavailable"), ("k2", "ok"), ("k3", "ok")]


def test_what_has_no_room_is_refused_behind_what_is_in_the_log(bench: Bench) -> None:
    """Commands that need no room are logged while the disk is full, and the refusals stay in line with them."""
    bench.room_bytes = 0
    bench.say("@k1 /delete 1", "@k2 /create_chat #den", "@k3 /delete 2", "@k4 /send_all hi", "@k5 /delete 3")
    bench.settle_down()
    assert bench.replies == [
        ("k1", "ok"), ("k2", "unavailable"), ("k3", "ok"), ("k4", "unavailable"), ("k5", "ok")
    ]  # fmt: skip


def test_what_was_seen_and_could_not_be_noted_is_noted_with_the_next_line(bench: Bench) -> None:
    bench.push(7)
    bench.say("@k1 /send_all refused")
    assert bench.logged == [MarkSeen(7), SendAll(Text("refused"))] and len(bench.log) == 1
    bench.deliver(1, lambda command: REFUSAL)
    assert bench.replies == [("k1", REFUSAL.code)], "of what nobody typed nothing is told"
    for _ in range(2):
        bench.say("/mute main")
        bench.deliver()
    assert [command for command in bench.logged if isinstance(command, MarkSeen)] == [MarkSeen(7), MarkSeen(7)]


def test_while_the_log_is_full_nothing_is_taken_or_read(bench: Bench) -> None:
    """Nobody says when there is room again, so the session looks, until it has."""
    bench.log_is_full = True
    bench.say("@k1 /send_all hi", "@k2 /ping")
    bench.advance(3)
    assert not bench.reading and not bench.logged and not bench.replies
    bench.log_is_full = False
    bench.advance(p.LOG_FULL_SECONDS)
    bench.settle_down()
    assert bench.reading and bench.replies == [("k1", "ok"), ("k2", "ok")]
    assert bench.wakes_at is None, "and then looks no more"


def test_what_is_to_come_needs_room_too(bench: Bench) -> None:
    bench.room_bytes = 1000
    bench.say("@k1 /send_file main a.txt 1000")
    bench.settle_down()
    assert bench.replies == [("k1", "unavailable")]
    bench.say("/send_file main a.txt 999")
    assert bench.work and bench.work[0] == "prepare"


def test_lines_are_the_same_however_they_are_cut(bench: Bench) -> None:
    data = b"/send_all a\r\n\n@k1 /ping\n/send_all \xc3\xb6\n"
    for place in range(len(data)):
        bench.receive(data[place : place + 1])
    bench.settle_down()
    assert texts(bench.logged) == ["a", "ö"] and bench.replies == [("k1", "ok")]


# ---- preparing


def test_what_is_prepared_goes_into_the_log_and_its_rule_replies(bench: Bench) -> None:
    bench.say("@k1 /password secret")
    assert bench.work_begun == ["prepare"] and bench.logged == []
    bench.answer()
    assert isinstance(bench.logged[0], SetPassword) and bench.lines == []
    bench.deliver()
    assert bench.replies == [("k1", "ok")]


def test_what_is_done_already_is_not_logged(bench: Bench) -> None:
    bench.say("@k1 /chunk 1 eA==", "@k2 /ping")
    bench.answer(Pong())
    assert bench.logged == [] and bench.replies == [("k1", "ok"), ("k2", "ok")]


def test_what_only_the_asker_is_told_is_added_to_the_rules_reply(bench: Bench) -> None:
    bench.say("@k1 /password secret")
    bench.answer(Prepared(SetPassword(0, "", None), reply=lambda made: Pong(f"{type(made).__name__}!")))
    bench.deliver()
    assert bench.lines == ["+ @k1 pong PasswordSet!"]


def test_what_was_seen_meanwhile_is_not_taken_for_its_outcome(bench: Bench) -> None:
    bench.say("@k1 /password secret")
    for make in (Stale, PasswordSet):
        bench.push()
        bench.say("/ping")
        assert isinstance(bench.logged[-1], MarkSeen)
        bench.deliver()
        assert bench.lines[-1].startswith("[") and bench.work is not None and bench.work[0] == "prepare"
        bench.answer()
        bench.deliver(result=lambda _, make=make: make())  # type: ignore[misc]
    bench.settle_down()
    assert bench.replies == [("k1", "ok")] and bench.lines.count("+ pong") == 2
    assert bench.work_begun == ["prepare"] * 2


def test_what_is_stale_is_prepared_again(bench: Bench) -> None:
    bench.say("@k1 /password secret", "@k2 /ping")
    for _ in range(p.PREPARE_TRIES_MAX - 1):
        bench.answer()
        bench.deliver(result=lambda _: Stale())
        assert bench.lines == []
    bench.answer()
    bench.deliver()
    assert bench.replies == [("k1", "ok"), ("k2", "ok")]
    assert bench.work_begun == ["prepare"] * p.PREPARE_TRIES_MAX


def test_what_stays_stale_is_refused_in_the_end(bench: Bench) -> None:
    bench.say("@k1 /password secret", "@k2 /ping")
    for _ in range(p.PREPARE_TRIES_MAX):
        bench.answer()
        bench.deliver(result=lambda _: Stale())
    assert bench.replies == [("k1", "busy"), ("k2", "ok")] and not bench.work


def test_what_cannot_be_prepared_is_refused_and_the_next_ones_go_on(bench: Bench) -> None:
    bench.say("@k1 /password secret", "@k2 /ping")
    bench.answer(Refusal("wrong_password", "no"))
    assert bench.replies == [("k1", "wrong_password"), ("k2", "ok")]


def test_a_rule_may_refuse_what_was_prepared(bench: Bench) -> None:
    bench.say("@k1 /password secret", "@k2 /ping")
    bench.answer()
    bench.deliver(result=lambda _: REFUSAL)
    assert bench.replies == [("k1", "banned"), ("k2", "ok")]


def test_an_upload_is_looked_at_before_its_reply(bench: Bench) -> None:
    bench.say("@k1 /send_file main a.txt 3", "@k2 /ping")
    bench.answer()
    bench.deliver(result=lambda _: Opened(9, 3))
    assert bench.work == ("upload", Opened(9, 3)) and bench.lines == []
    bench.answer()
    assert bench.replies == [("k1", "ok"), ("k2", "ok")]


# ---- the log of actions, and the commands of the connection itself


def test_actions_tell_who_what_and_how_long(bench: Bench) -> None:
    bench.say("/send_all x", "/send_all refused", "/nonsense")
    bench.advance(1.5)
    bench.deliver()
    assert bench.actions == [
        ("alice", "send_all", "ok", 1.5), ("alice", "send_all", "banned", 1.5), ("alice", "-", "unknown_command", 0.0)
    ]  # fmt: skip


def test_what_was_seen_is_no_action(bench: Bench) -> None:
    bench.push()
    bench.say("/ping")
    bench.deliver()
    assert [verb for _, verb, _, _ in bench.actions] == ["ping"]


def test_sessions_are_those_of_the_user(bench: Bench) -> None:
    own: list[Any] = [SessionInfo(7, "127.0.0.1", NOON, None, True)]
    bench.own_sessions = own
    bench.say("/sessions")
    bench.answer()
    assert "12:00:00" in bench.lines[0] and "2026-11-21" not in bench.lines[0], "it is today"


def test_the_format_holds_from_its_own_reply_on(bench: Bench) -> None:
    bench.say("@k1 /format json mine", "@k2 /ping", "@k3 /format text", "@k4 /ping")
    bench.settle_down()
    assert [line[0] for line in bench.lines] == ["{", "{", "+", "+"]
    assert bench.pipeline.client == "mine"
