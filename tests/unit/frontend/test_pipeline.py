"""The pipeline without a loop: what may run when, in which order replies leave, and how a session ends."""

from typing import Any

import pytest

from chat_server.errors import Refusal
from chat_server.frontend import pipeline as p
from chat_server.frontend.intake import STRANGER_LINE_BYTES_MAX
from chat_server.log.entries import EndTokens, ForgetNotices, Logged, MarkRead, MarkSeen, SetPassword
from chat_server.protocol.accounts import PasswordSet
from chat_server.protocol.arguments import Text
from chat_server.protocol.connection import Notice, Pong, SessionInfo
from chat_server.protocol.messages import Changed, Message, SendAll
from chat_server.rules.accounts import Welcome
from chat_server.rules.moderation import Barred
from chat_server.rules.outcomes import Entered, Opened, Page, Prepared, Stale
from chat_server.settings import Rate
from tests.unit.frontend.bench import NOON, REFUSAL, Bench, message


@pytest.fixture
def bench() -> Bench:
    """A user is signed in."""
    bench = Bench()
    bench.sign_in()
    return bench


def texts(logged: list[Logged]) -> list[str]:
    return [command.text for command in logged if isinstance(command, SendAll)]


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
    assert [number for _, _, number in bench.log] == [2, 3], "the sign-in was the first"


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
    assert bench.logged == [MarkSeen(7), SendAll(Text("refused"))]
    bench.deliver(2, lambda command: REFUSAL)
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


# ---- reading


def test_pages_come_before_the_reply_and_pushes_behind_it(bench: Bench) -> None:
    bench.say("@k1 /history main", "@k2 /ping")
    bench.answer(Page([message(1)]))
    bench.push()
    bench.answer(Page([]))
    bench.answer(Page(None, Pong("end")))
    bench.settle_down()
    assert [line.split(" ")[0] for line in bench.lines] == ["[12:00:00]", "+", "[12:00:00]", "+"]
    assert bench.replies == [("k1", "ok"), ("k2", "ok")] and bench.work_begun == ["read"] * 3


def test_programs_are_told_which_command_a_page_belongs_to(bench: Bench) -> None:
    bench.say("/format json", "@k1 /history main")
    bench.answer(Page([message(1)]))
    assert '"label":"k1"' in bench.lines[-1] and bench.shown_ids == [1]


def test_the_next_page_is_read_when_this_one_was_taken(bench: Bench) -> None:
    bench.say("/history main")
    bench.block()
    bench.answer(Page([message(number) for number in range(1, 40)]))
    assert not bench.work, "it waits for its reader"
    seen = len(bench.shown_ids)
    assert 0 < seen < 39
    bench.take()
    assert bench.shown_ids == list(range(1, 40)) and bench.work
    bench.block()
    bench.answer(Page(None, Pong()))
    bench.take()
    bench.settle_down()
    assert bench.lines[-1] == "+ pong"


def test_a_page_shows_nothing_of_a_chat_that_one_left_meanwhile(bench: Bench) -> None:
    bench.say("/history #den")
    bench.outbox.move("#den", came=False)
    bench.answer(Page([message(1), Message(id=2, seq=2, chat="#den", from_="bob", at=NOON, text="secret")]))
    assert bench.shown_ids == [1] and "secret" not in bench.taken.decode()


def test_what_a_reading_has_to_log_comes_before_its_reply(bench: Bench) -> None:
    bench.say("@k1 /messages main", "@k2 /ping")
    bench.answer(Page([message(1)]))
    bench.answer(Page(None, (MarkRead(1, 1), Pong("read"))))
    assert bench.logged == [MarkRead(1, 1)] and bench.replies == []
    bench.deliver()
    bench.settle_down()
    assert bench.replies == [("k1", "ok"), ("k2", "ok")] and "+ @k1 pong read" in bench.lines


def test_what_was_told_by_a_command_is_not_told_again(bench: Bench) -> None:
    bench.say("/history main")
    bench.outbox.keep(Notice("kept"), 5)
    bench.answer(Page(None, (ForgetNotices([5]), Pong())))
    bench.deliver()
    bench.settle_down()
    assert bench.lines == ["+ pong"]


def test_a_query_may_be_refused_behind_a_page(bench: Bench) -> None:
    bench.say("@k1 /history main", "@k2 /ping")
    bench.answer(Page([message(1)]))
    bench.answer(REFUSAL)
    bench.settle_down()
    assert bench.replies == [("k1", "banned"), ("k2", "ok")]


def test_talk_is_where_lines_go_that_are_no_commands(bench: Bench) -> None:
    bench.say("/talk main", "hello")
    assert bench.logged == [], "not before the reply"
    bench.settle_down()
    assert texts(bench.logged) == ["hello"]
    bench.say("@k1 /sign_out", "hello")
    bench.settle_down()
    bench.sign_in()
    bench.say("hello")
    bench.settle_down()
    assert bench.lines[-1].startswith("- not_a_command")


def test_a_talk_that_is_refused_changes_nothing(bench: Bench) -> None:
    bench.say("/talk bob")
    bench.answer(Refusal("unknown_user", "who?"))
    bench.say("hello")
    assert texts(bench.logged) == []


# ---- signing in and out


def test_a_sign_in_is_answered_behind_what_was_missed() -> None:
    bench = Bench()
    bench.push()
    bench.forget()
    bench.say("@k1 /sign_in alice", "@k2 /send_all hi")
    bench.answer()
    assert bench.actions == []
    bench.deliver()
    assert bench.work == ("read", Welcome(False, 1, None, None)) and bench.lines == []
    bench.answer(Page([message(1)]))
    bench.answer()
    assert bench.outbox.live and bench.pipeline.name == "alice"
    bench.settle_down()
    assert bench.replies == [("k1", "ok"), ("k2", "ok")] and bench.shown_ids == [1]


def test_a_welcome_that_is_ahead_of_the_chat_shows_nothing_twice() -> None:
    """A reading may see what was executed but is not delivered yet."""
    bench = Bench()
    bench.push(2)
    bench.say("/sign_in alice")
    bench.answer()
    bench.deliver()
    bench.answer(Page([message(2), message(3)]))
    bench.answer()
    assert not bench.outbox.live
    bench.push(2)
    bench.settle_down()
    assert bench.outbox.live and bench.shown_ids == [2, 3, 4]


def test_what_follows_a_sign_in_is_answered_behind_it() -> None:
    bench = Bench()
    bench.say("@k1 /sign_in alice", "@k2 /ping", "@k3 /sign_out", "@k4 /ping")
    bench.settle_down()
    assert bench.replies == [("k1", "ok"), ("k2", "ok"), ("k3", "ok"), ("k4", "ok")]


def test_a_refused_sign_in_is_logged_under_the_name_that_was_tried() -> None:
    bench = Bench()
    bench.say("/sign_in alice")
    bench.advance(2)
    bench.answer(Refusal("wrong_password", "no"))
    bench.say("/ping")
    assert bench.actions == [("alice", "sign_in", "wrong_password", 2.0), ("", "ping", "ok", 0.0)]


def test_strangers_may_only_sign_in() -> None:
    bench = Bench()
    bench.say("@k1 /send_all hi", "@k2 /history main", "@k3 /ping", "@k4 /password x", "@k5 /sign_out")
    assert bench.replies == [
        ("k1", "not_signed_in"), ("k2", "not_signed_in"), ("k3", "ok"), ("k4", "not_signed_in"), ("k5", "not_signed_in")
    ]  # fmt: skip


def test_signing_out_leaves_the_connection(bench: Bench) -> None:
    bench.say("@k1 /sign_out", "@k2 /send_all x", "@k3 /sign_in bob", "@k4 /send_all y")
    bench.answer()
    assert bench.logged == [EndTokens(7)]
    bench.settle_down()
    assert bench.replies == [("k1", "ok"), ("k2", "not_signed_in"), ("k3", "ok"), ("k4", "ok")]
    assert bench.pipeline.name == "bob"
    assert [who for who, _, _, _ in bench.actions] == ["alice", "", "bob", "bob"]


def test_a_sign_out_tells_how_many_others_it_ended(bench: Bench) -> None:
    bench.closed = 3
    bench.say("/sign_out all")
    bench.answer()
    bench.deliver()
    assert "3 other" in bench.lines[0]


def test_a_session_that_is_not_ones_own_cannot_be_signed_out(bench: Bench) -> None:
    bench.say("@k1 /sign_out 99", "@k2 /ping")
    bench.answer()
    assert bench.replies == [("k1", "bad_argument"), ("k2", "ok")] and bench.logged == []


def test_nobody_signs_in_for_too_long() -> None:
    bench = Bench(sign_in_by=130.0)
    assert bench.wakes_at == 130.0
    bench.advance(29)
    assert not bench.hung_up
    bench.advance(1)
    assert bench.hung_up and bench.lines[-1].startswith("* closing: nobody signed in")


def test_whoever_has_signed_in_is_not_closed() -> None:
    bench = Bench(sign_in_by=130.0)
    bench.sign_in()
    bench.advance(1000)
    assert not bench.hung_up and bench.wakes_at is None


def test_a_turn_of_the_rate_does_not_hide_that_nobody_signs_in() -> None:
    bench = Bench(rate=Rate(1, 1000), sign_in_by=130.0)
    bench.say("@k1 /ping", "@k2 /ping")
    bench.advance(2)
    assert bench.replies == [("k1", "ok"), ("k2", "ok")]
    bench.advance(40)
    assert bench.hung_up


# ---- bounds


def test_a_stranger_has_shorter_lines(bench: Bench) -> None:
    long = "@k1 /ping " + "x" * STRANGER_LINE_BYTES_MAX
    stranger = Bench()
    stranger.say(long, "@k2 /ping")
    assert stranger.lines[1].startswith("- line_too_long: a line has at most 4096 bytes")
    assert stranger.replies == [("k2", "ok")]
    bench.say("/send_all " + "x" * STRANGER_LINE_BYTES_MAX)
    assert len(bench.logged) == 1


def test_a_line_behind_a_sign_in_may_be_long() -> None:
    bench = Bench()
    bench.say("/sign_in alice")
    bench.receive(b"/send_all ")
    for _ in range(9):
        bench.receive("ö".encode() * 450)
    bench.receive(b"\n")
    bench.settle_down()
    assert len(texts(bench.logged)[0]) == 4050


def test_a_line_behind_a_sign_in_that_waits_for_its_turn_may_be_long() -> None:
    bench = Bench(rate=Rate(1, 1000))
    bench.say("/ping", "/sign_in alice")
    assert not bench.work
    for piece in ("/send_all ", *["ö" * 450] * 9, "\n"):
        bench.receive(piece.encode())
    bench.settle_down()
    assert len(texts(bench.logged)[0]) == 4050


def test_of_a_stranger_no_more_is_kept_than_a_line_may_have() -> None:
    bench = Bench()
    for _ in range(10):
        bench.receive(b"x" * 1000)
    assert bench.pipeline._intake._lines.pending_bytes <= STRANGER_LINE_BYTES_MAX
    bench.receive(b"\n@k1 /ping\n")
    assert bench.lines[1].startswith("- line_too_long") and bench.replies == [("k1", "ok")]


def test_a_line_without_an_end_ends_the_session(bench: Bench) -> None:
    for _ in range(17):
        bench.receive(b"x" * 65_536)
    assert bench.hung_up and bench.lines[-1].startswith("* closing: 1 MiB came")
    bench.receive(b"\n/ping\n")


def test_no_more_is_read_than_can_be_executed_soon(bench: Bench) -> None:
    line = "/send_all " + "x" * 990
    bench.say("/password secret", *[line] * 60)
    assert bench.reading
    # Some lines stand cut off already: only what waits behind them counts.
    bench.say(*[line] * 400)
    assert not bench.reading
    bench.settle_down()
    assert bench.reading and len(bench.lines) == 461


def test_behind_a_sign_in_only_little_is_read() -> None:
    bench = Bench()
    bench.say("/sign_in alice")
    bench.receive(b"x" * (STRANGER_LINE_BYTES_MAX - 1))
    assert bench.reading
    bench.receive(b"x")
    assert not bench.reading
    bench.settle_down()
    assert bench.reading


def test_nothing_is_taken_from_who_takes_nothing(bench: Bench) -> None:
    bench.block()
    bench.push(2)
    assert bench.outbox.paused
    bench.say("@k1 /ping", "/send_all x")
    assert bench.logged == [] and bench.replies == []
    bench.settle_down()
    assert bench.replies == [("k1", "ok")] and texts(bench.logged) == ["x"]


def test_nothing_is_taken_from_a_stranger_who_takes_nothing() -> None:
    bench = Bench()
    bench.block()
    bench.say("@k1 /ping", "@k2 /ping")
    assert bench.replies == [("k1", "ok")]
    bench.take()
    assert bench.replies == [("k1", "ok"), ("k2", "ok")]


def test_nothing_is_taken_from_who_has_not_come_up_with_the_chat(bench: Bench) -> None:
    bench.block()
    bench.push(3)
    bench.push(3)
    bench.say("@k1 /ping", "/send_all x")
    bench.take()
    assert bench.actions == [] and bench.missed
    bench.answer_page()
    assert bench.actions == [] and bench.logged == []
    bench.answer_page()
    assert texts(bench.logged) == ["x"]
    assert bench.replies == [("k1", "ok")] and bench.shown_ids == [1, 2, 3, 4, 5, 6]


# ---- the rate of commands


def test_over_the_rate_a_line_waits_for_its_turn() -> None:
    bench = Bench(rate=Rate(10, 1000), burst=3)
    bench.say(*[f"@k{number} /ping" for number in range(6)])
    assert len(bench.replies) == 3 and bench.wakes_at == pytest.approx(100.1)
    bench.say("@k6 /ping")
    assert len(bench.replies) == 3, "a line that comes later has no earlier turn"
    bench.advance(0.1)
    assert len(bench.replies) == 4
    bench.advance(0.301)
    assert [label for label, _ in bench.replies] == [f"k{number}" for number in range(7)]


def test_a_turn_is_not_lost_while_something_else_is_waited_for() -> None:
    bench = Bench(rate=Rate(1, 1000), burst=2)
    bench.sign_in()
    bench.say("/password x", "@k1 /ping")
    bench.advance(5)
    assert bench.replies == []
    bench.answer()
    bench.deliver()
    assert bench.replies == [("k1", "ok")]


def test_a_turn_that_comes_while_nothing_is_taken_is_kept_without_a_timer() -> None:
    bench = Bench(rate=Rate(1, 1000), burst=2)
    bench.sign_in()
    bench.say("@k1 /ping", "@k2 /ping")
    bench.block()
    bench.push(2)
    bench.advance(5)
    assert bench.replies == [("k1", "ok")] and bench.wakes_at is None
    bench.settle_down()
    assert bench.replies == [("k1", "ok"), ("k2", "ok")]


def test_a_lost_connection_gives_its_turn_back() -> None:
    bench = Bench(rate=Rate(1, 1000), burst=1)
    bench.sign_in()
    bench.say(*["/ping"] * 9)
    bench.advance(0)
    allowance = bench.pipeline._intake._rate._all(1, bench.clock)[-1]
    before = allowance._left
    bench.pipeline.lost(bench.clock)
    assert allowance._left == before + 1 and bench.wakes_at is None


def test_reactions_cost_as_much_as_they_tell() -> None:
    bench = Bench(rate=Rate(1, 1000), burst=10)
    bench.sign_in()
    reactions = {"+1": [str(number) for number in range(3 * p.NAMES_A_COMMAND)]}
    changed = Changed(1, 2, message=Message(id=1, seq=2, chat="main", from_="bob", at=NOON, reactions=reactions))
    bench.advance(100)
    bench.say("/react 1 +1")
    bench.deliver(result=lambda _: changed)
    bench.say(*["/ping"] * 10)
    assert bench.lines.count("+ pong") == 6, "ten, less itself and three"


def test_large_chunks_are_paced_by_their_answers_alone() -> None:
    bench = Bench(rate=Rate(1, 1000), burst=2)
    bench.sign_in()
    bench.advance(100)
    data = "eHh4" * (p.FREE_CHUNK_BYTES // 3 + 1)
    for _ in range(5):
        bench.say(f"/chunk 1 {data}")
        bench.answer(Pong())
    assert bench.lines.count("+ pong") == 5


def test_a_chunk_gives_no_turn_to_others() -> None:
    bench = Bench(rate=Rate(1, 1000), burst=5)
    bench.sign_in()
    bench.say(*["/ping"] * 4)
    bench.say(f"/chunk 1 {'eHh4' * p.FREE_CHUNK_BYTES}")
    assert not bench.work, "it waits for its turn like any other"
    bench.advance(1)
    bench.answer(Pong())
    bench.say(*["/ping"] * 3)
    assert bench.lines.count("+ pong") == 5 + 1, "its own turn is free, and no more"


# ---- what a person has seen


def test_who_types_has_seen_what_stands_above(bench: Bench) -> None:
    bench.push(3)
    bench.say("@k1 /send_all x")
    assert bench.logged == [MarkSeen(3), SendAll(Text("x"))], "before what was typed"
    bench.deliver()
    assert len(bench.lines) == 4 and bench.replies == [("k1", "ok")]
    bench.say("/ping")
    assert len(bench.logged) == 2, "nothing but one's own message came since"
    bench.push()
    bench.receive(b"/pi")
    assert len(bench.logged) == 2, "not a line yet"
    bench.receive(b"ng\n")
    assert bench.logged[2:] == [MarkSeen(5)]


def test_what_came_between_is_not_seen_with_ones_own_message(bench: Bench) -> None:
    bench.say("/send_all x")
    bench.push()
    bench.deliver()
    bench.say("/ping")
    assert bench.logged[1:] == [MarkSeen(2)]


@pytest.mark.parametrize("why", ["a program", "not taken", "behind"])
def test_not_everything_that_was_sent_is_seen(bench: Bench, why: str) -> None:
    if why == "a program":
        bench.say("/format json")
    bench.all_taken = why != "not taken"
    if why == "behind":
        bench.block()
    bench.push(2)
    bench.say("/ping")
    assert bench.logged == []


def test_what_was_not_shown_since_it_was_known_stays_unread() -> None:
    bench = Bench()
    bench.push(9)
    bench.say("/resume abcdefghijklmnop 7")
    bench.answer(Prepared(SendAll("stands for the entry"), "token", position=7))  # type: ignore[arg-type]
    bench.deliver(result=lambda _: Entered(1, "alice", False))
    assert bench.work == ("read", Welcome(False, 9, 7, "token"))
    bench.answer()
    bench.settle_down()
    bench.logged.clear()
    bench.say("/ping")
    assert bench.logged == [MarkSeen(9, 7)]


def test_who_knows_more_than_there_is_has_all_of_it_unread() -> None:
    bench = Bench()
    bench.push(9)
    bench.say("/resume abcdefghijklmnop 99")
    bench.answer(Prepared(SetPassword(0, "stands for the entry", None), "token", position=99))
    bench.deliver(result=lambda _: Entered(1, "alice", False))
    bench.settle_down()
    bench.logged.clear()
    bench.say("/ping")
    assert bench.logged == [MarkSeen(9, 9)]


def test_what_one_user_has_seen_another_has_not(bench: Bench) -> None:
    bench.push(3)
    bench.say("/ping", "/sign_out", "/sign_in bob")
    bench.settle_down()
    bench.logged.clear()
    bench.say("/ping")
    assert bench.logged == [MarkSeen(3)]


def test_the_end_of_the_input_is_a_sign_of_life(bench: Bench) -> None:
    bench.push(2)
    bench.eof()
    assert bench.logged == [MarkSeen(2)] and not bench.hung_up
    bench.deliver()
    assert bench.hung_up


# ---- the end


def test_goodbye_is_the_last_word(bench: Bench) -> None:
    bench.say("@k1 /send_all x", "@k2 /quit", "@k3 /ping")
    assert not bench.hung_up
    bench.deliver()
    assert bench.replies == [("k1", "ok"), ("k2", "ok")] and bench.hung_up
    assert bench.lines[-1].startswith("+ @k2")


@pytest.mark.parametrize("goodbye", [True, False])
def test_who_ends_the_session_has_seen_what_was_taken(bench: Bench, goodbye: bool) -> None:
    bench.push(2)
    bench.all_taken = False
    if goodbye:
        bench.say("/quit")
    else:
        bench.eof()
    assert bench.hung_up and bench.logged == [] and bench.when_taken is not None
    bench.when_taken()
    assert bench.log == bench.log.__class__([(MarkSeen(2), 1, 0)])


def test_a_program_that_ends_has_seen_nothing_by_that(bench: Bench) -> None:
    bench.say("/format json")
    bench.push(2)
    bench.say("/quit")
    assert bench.when_taken is not None
    bench.when_taken()
    assert bench.logged == []


def test_what_was_seen_before_is_not_marked_again_at_the_end(bench: Bench) -> None:
    bench.push(2)
    bench.say("/quit")
    assert bench.logged == [MarkSeen(2)]
    bench.deliver()
    assert bench.hung_up and bench.when_taken is not None
    bench.when_taken()
    assert bench.logged == [MarkSeen(2)]


@pytest.mark.parametrize("lines", [[], ["/send_all x"], ["/history main"], ["/send_all x", "/password y", "/ping"]])
def test_after_the_end_of_the_input_what_was_taken_is_finished(bench: Bench, lines: list[str]) -> None:
    bench.say(*lines)
    bench.receive(b"/half a li")
    bench.eof()
    assert bench.hung_up is (not lines)
    bench.settle_down()
    assert bench.hung_up and bench.when_taken is not None
    assert len([line for line in bench.lines if line.startswith(("+", "-"))]) == len(lines)


def test_after_the_end_of_the_input_what_waits_for_its_turn_is_finished() -> None:
    bench = Bench(rate=Rate(1, 1000), burst=1)
    bench.say("@k1 /ping", "@k2 /ping", "@k3 /ping")
    bench.eof()
    bench.advance(1)
    assert len(bench.replies) == 2 and not bench.hung_up
    bench.advance(1)
    assert len(bench.replies) == 3 and bench.hung_up


@pytest.mark.parametrize("lines", [[], ["@k1 /ping"]])
def test_after_the_end_of_the_input_a_slow_reader_is_shown_the_rest(bench: Bench, lines: list[str]) -> None:
    bench.block()
    bench.push(2)
    bench.push(3)
    bench.say(*lines)
    bench.eof()
    assert not bench.hung_up
    bench.settle_down()
    assert bench.shown_ids == [1, 2, 3, 4, 5] and len(bench.replies) == len(lines) and bench.hung_up


def test_a_closed_session_says_why_and_nothing_more(bench: Bench) -> None:
    bench.say("/send_all x", "/send_all y")
    bench.pipeline.close("kicked", "go", bench.clock)
    assert bench.lines == ["* closing: go"] and bench.hung_up and bench.when_taken is None
    assert not bench.pipeline.user_id, "it is nobody's any more"
    bench.pipeline.close("again", "go", bench.clock)
    bench.deliver()
    bench.say("/ping")
    assert bench.lines == ["* closing: go"]
    assert [verb for _, verb, _, _ in bench.actions] == ["send_all", "send_all"], "both were done"


@pytest.mark.parametrize("line", ["/history main", "/password x"])
def test_what_is_under_way_is_given_up_at_the_end(bench: Bench, line: str) -> None:
    bench.say(line)
    work = bench.work
    bench.pipeline.close("kicked", "go", bench.clock)
    assert bench.work is None
    bench.work = work
    bench.answer()
    assert bench.lines == ["* closing: go"] and bench.logged == []


def test_a_page_that_waits_for_its_reader_is_given_up_at_the_end(bench: Bench) -> None:
    bench.say("/history main")
    bench.block()
    bench.answer(Page([message(number) for number in range(1, 40)]))
    bench.pipeline.close("kicked", "go", bench.clock)
    assert bench.work is None and bench.lines[-1].endswith("* closing: go")


def test_a_sign_in_that_comes_after_the_end_gives_the_session_to_nobody() -> None:
    bench = Bench()
    bench.say("/sign_in alice")
    bench.answer()
    bench.pipeline.close("kicked", "go", bench.clock)
    bench.deliver()
    assert not bench.outbox.user_id and bench.work is None


def test_a_stop_takes_nothing_more_and_finishes_what_was_taken(bench: Bench) -> None:
    bench.say("@k1 /send_all x", "@k2 /ping")
    bench.pipeline.stop()
    assert not bench.reading
    bench.say("@k3 /ping")
    bench.deliver()
    assert bench.replies == [("k1", "ok")] and not bench.reading
    bench.pipeline.stop()
    bench.pipeline.close("shutdown", "stop", bench.clock)
    assert bench.lines[-1] == "* closing: stop"


def test_what_is_in_the_log_at_a_stop_is_told_to_be_in_doubt(bench: Bench) -> None:
    bench.push()
    bench.say("@k1 /send_all x", "@k2 /send_all y")
    bench.pipeline.stop()
    bench.deliver(2)
    bench.pipeline.fail(Refusal("unavailable", "unknown"), bench.clock)
    assert bench.replies == [("k1", "ok"), ("k2", "unavailable")]
    bench.pipeline.fail(Refusal("unavailable", "unknown"), bench.clock)
    assert len(bench.replies) == 2


def test_of_what_was_seen_nothing_is_said_at_a_stop(bench: Bench) -> None:
    bench.push()
    bench.say("/ping")
    assert bench.logged == [MarkSeen(1)]
    bench.forget()
    bench.pipeline.fail(Refusal("unavailable", "unknown"), bench.clock)
    assert bench.lines == [] and bench.actions == []


def test_a_command_alone_that_is_in_the_log_at_a_stop_is_in_doubt_too(bench: Bench) -> None:
    bench.say("@k1 /password x")
    bench.answer()
    bench.pipeline.fail(Refusal("unavailable", "unknown"), bench.clock)
    bench.pipeline.close("shutdown", "stop", bench.clock)
    assert bench.replies == [("k1", "unavailable")] and bench.hung_up


def test_of_a_lost_connection_nothing_is_left(bench: Bench) -> None:
    bench.say("/history main")
    bench.pipeline.lost(bench.clock)
    assert bench.work is None and bench.wakes_at is None and bench.pipeline.closing and bench.outbox.closed


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
