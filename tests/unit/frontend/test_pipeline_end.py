"""The end of a session: by its user, by the server, or since the connection is lost."""

import pytest

from chat_server.errors import Refusal
from chat_server.log.entries import MarkSeen
from chat_server.rules.outcomes import Page
from chat_server.setting_kinds import Rate
from tests.unit.frontend.bench import Bench, message


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
    assert bench.log == bench.log.__class__([(MarkSeen(2), 1, 0, None)])


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


def test_why_it_is_closed_comes_behind_the_replies_that_wait_for_their_place(bench: Bench) -> None:
    bench.say("@k1 /send_all x")
    bench.outbox.pause()
    bench.push()
    bench.deliver()
    assert bench.lines == []
    bench.pipeline.close("kicked", "go", bench.clock)
    assert bench.replies == [("k1", "ok")] and bench.lines[-1] == "* closing: go"


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
    bench.deliver(1)
    bench.pipeline.fail(Refusal("unavailable", "unknown"), bench.clock)
    assert bench.replies == [("k1", "ok"), ("k2", "unavailable")]
    bench.pipeline.fail(Refusal("unavailable", "unknown"), bench.clock)
    assert len(bench.replies) == 2


def test_what_is_in_doubt_at_a_stop_is_told_behind_the_replies_that_wait_for_their_place(bench: Bench) -> None:
    bench.say("@k1 /send_all x", "@k2 /send_all y")
    bench.outbox.pause()
    bench.push()
    bench.deliver(1)
    assert bench.replies == []
    bench.pipeline.stop()
    bench.pipeline.fail(Refusal("unavailable", "unknown"), bench.clock)
    assert bench.replies == [("k1", "ok"), ("k2", "unavailable")]


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
