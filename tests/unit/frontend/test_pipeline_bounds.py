"""The bounds of the pipeline: who has not signed in, what is kept of a line, and the rate of commands."""

import pytest

from chat_server.errors import Refusal
from chat_server.frontend import pipeline as p
from chat_server.frontend.intake import STRANGER_LINE_BYTES_MAX
from chat_server.log.entries import EndTokens
from chat_server.protocol.connection import Pong
from chat_server.protocol.messages import Changed, Message
from chat_server.rules.accounts import Welcome
from chat_server.rules.outcomes import Page
from chat_server.setting_kinds import Rate
from tests.unit.frontend.bench import NOON, Bench, message, texts

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
    assert bench.pipeline._intake.lines.pending_bytes <= STRANGER_LINE_BYTES_MAX
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
    assert bench.missed and bench.actions == [] and bench.logged == []
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
