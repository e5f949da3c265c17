"""What is to be sent: in order, never twice, nothing old without asking."""

import pytest

from chat_client.sdk.errors import Disconnected, Refused
from chat_client.sdk.events import Outgoing
from chat_client.sdk.send_queue import HELD_AFTER_SECONDS, IN_DOUBT_SECONDS_MAX, IN_FLIGHT_MAX, OUTGOING_MAX, SendQueue
from chat_server.protocol.messages import Sent

SENT = Sent(1, "2026-11-21T12:00:00.000Z")


def outbound(*keys: str, now: float = 0) -> SendQueue:
    made = SendQueue()
    for key in keys:
        made.add(key, "send", {"target": "main", "text": key}, now, 0)
    return made


def keys(commands: list[Outgoing]) -> list[str]:
    return [command.key for command in commands]


def test_each_goes_out_once_in_order() -> None:
    commands = outbound("a", "b")
    assert keys(commands.take(0)) == ["a", "b"]
    commands.add("c", "send", {}, 0, 0)
    assert keys(commands.take(0)) == ["c"]
    assert commands.take(0) == []
    (sent,) = commands.settle("a", SENT)
    assert (sent.state, sent.reply) == ("sent", SENT)
    (failed,) = commands.fail("b", Refused("banned", "no"))
    assert failed.state == "failed"
    assert keys(commands.all()) == ["c"]
    assert commands.settle("a", SENT) == []


def test_what_was_not_answered_goes_out_again_with_its_key() -> None:
    commands = outbound("a", "b")
    commands.take(0)
    commands.settle("a", SENT)
    commands.lose_connection(1)
    commands.add("c", "send", {}, 0, 0)
    assert [(each.key, each.in_doubt) for each in commands.take(1)] == [("b", True), ("c", False)]


def test_so_many_are_under_way_at_once() -> None:
    commands = outbound(*map(str, range(IN_FLIGHT_MAX + 5)))
    assert len(commands.take(0)) == IN_FLIGHT_MAX
    commands.settle("3", SENT)
    assert keys(commands.take(0)) == [str(IN_FLIGHT_MAX)]


def test_too_many_are_refused() -> None:
    commands = outbound(*map(str, range(OUTGOING_MAX)))
    with pytest.raises(Disconnected, match="wait to be sent already"):
        commands.add("one more", "send", {}, 0, 0)


def test_what_is_old_is_held_until_it_is_confirmed() -> None:
    commands = outbound("old")
    commands.add("new", "send", {}, 100, 0)
    now = HELD_AFTER_SECONDS + 1
    assert [(each.key, each.state) for each in commands.go_on(now)] == [("old", "held")]
    assert keys(commands.held()) == ["old"]
    assert keys(commands.take(now)) == ["new"]
    assert [(each.key, each.state) for each in commands.confirm(None, now)] == [("old", "waiting")]
    assert keys(commands.take(now)) == ["old"]
    assert commands.go_on(now) == []


def test_what_is_held_may_be_thrown_away() -> None:
    commands = outbound("a", "b")
    commands.go_on(HELD_AFTER_SECONDS + 1)
    assert [(each.key, each.state) for each in commands.discard("a")] == [("a", "discarded")]
    commands.add("c", "send", {}, HELD_AFTER_SECONDS, 0)
    assert keys(commands.discard(None)) == ["b"], "only what is held"
    assert keys(commands.discard("c")) == ["c"], "or what is named"
    assert commands.all() == [] and commands.discard("x") == []


def test_what_is_on_its_way_goes() -> None:
    commands = outbound("a")
    commands.take(0)
    assert commands.discard("a") == []


def test_what_is_in_doubt_for_too_long_is_never_sent_again() -> None:
    commands = outbound("a")
    commands.take(0)
    commands.lose_connection(1)
    (held,) = commands.go_on(IN_DOUBT_SECONDS_MAX)
    assert held.state == "held"
    (failed,) = commands.confirm(None, IN_DOUBT_SECONDS_MAX + 1)
    assert failed.state == "failed" and isinstance(failed.error, Disconnected)
    assert commands.all() == []


def test_confirming_does_not_prolong_the_life_of_a_key() -> None:
    commands = outbound("a")
    commands.take(0)
    commands.lose_connection(1)
    commands.go_on(IN_DOUBT_SECONDS_MAX)
    commands.confirm("a", IN_DOUBT_SECONDS_MAX)
    assert [each.state for each in commands.go_on(IN_DOUBT_SECONDS_MAX + 1)] == ["failed"]


def test_a_server_that_knows_no_keys_is_not_sent_what_is_in_doubt() -> None:
    commands = outbound("a")
    commands.take(0)
    commands.lose_connection(1)
    commands.add("b", "send", {}, 0, 0)
    assert [(each.key, each.state) for each in commands.hold_doubtful()] == [("a", "held")]
    assert keys(commands.take(1)) == ["b"]


UNAVAILABLE = Refused("unavailable", "the disk is full")
NOT_DONE = Refused("unavailable", "the disk is full", {"done": False})


def test_nothing_overtakes_what_was_answered_unavailable() -> None:
    commands = outbound("a", "b")
    commands.take(0)
    (told,) = commands.put_back("a", UNAVAILABLE)
    assert (told.state, told.error, told.in_doubt) == ("waiting", UNAVAILABLE, True)
    commands.put_back("b", UNAVAILABLE)
    commands.add("c", "send", {}, 0, 0)
    assert commands.take(0) == [], "nothing goes out before the pause is over"
    commands.go_on(1)
    assert keys(commands.take(1)) == ["a"], "one alone: the server may still take nothing"
    assert commands.take(1) == []
    assert commands.put_back("a", UNAVAILABLE) == [], "it was told"
    commands.go_on(2)
    assert keys(commands.take(2)) == ["a"]
    commands.settle("a", SENT)
    assert keys(commands.take(2)) == ["b"]
    commands.add("d", "send", {}, 2, 0)
    assert commands.take(2) == []
    commands.fail("b", Refused("banned", "no"))
    assert keys(commands.take(2)) == ["c", "d"]


def test_nothing_overtakes_it_over_a_lost_connection_either() -> None:
    commands = outbound("a", "b", "c")
    commands.take(0)
    commands.put_back("b", UNAVAILABLE)
    commands.lose_connection(1)
    commands.go_on(1)
    for key in "abc":
        assert keys(commands.take(1)) == [key]
        commands.settle(key, SENT)


def test_what_is_held_lets_others_pass_though_the_server_could_not_take_it() -> None:
    commands = outbound("a")
    commands.take(0)
    commands.put_back("a", UNAVAILABLE)
    commands.add("b", "send", {}, HELD_AFTER_SECONDS, 0)
    assert [each.state for each in commands.go_on(HELD_AFTER_SECONDS + 1)] == ["held"]
    assert keys(commands.take(HELD_AFTER_SECONDS + 1)) == ["b"]


def test_what_was_certainly_not_done_is_not_in_doubt() -> None:
    commands = outbound("a", "b")
    commands.take(0)
    assert [each.in_doubt for each in commands.put_back("a", NOT_DONE)] == [False]
    commands.lose_connection(1)
    commands.go_on(1)
    assert [each.in_doubt for each in commands.take(1)] == [False]
    assert [each.key for each in commands.hold_doubtful()] == ["b"], "it may go to a server that knows no keys"
    commands.put_back("a", UNAVAILABLE)
    (after,) = [each for each in commands.all() if each.key == "a"]
    assert after.in_doubt
    commands.put_back("a", NOT_DONE)
    assert commands.all()[0].in_doubt, "the time before may have done it"


@pytest.mark.parametrize(
    ("delay", "waited", "sent"),
    [
        ("5m", 0.1, "5m"), ("5m", 100, "200.000"), (90, 60, "30.000"), ("90s", 100, "0.000"),
        ("2026-12-24T18:00", 100, "2026-12-24T18:00"),
    ],
)  # fmt: skip
def test_a_delay_counts_from_when_it_was_typed(delay: object, waited: float, sent: str) -> None:
    commands = SendQueue()
    commands.add("a", "send_delayed", {"target": "bob", "delay": delay, "text": "hi"}, 0, 0)
    (taken,) = commands.take(waited)
    assert taken.arguments == {"target": "bob", "delay": sent, "text": "hi"}
    commands.lose_connection(1)
    commands.go_on(waited + 10)
    assert commands.take(waited + 10)[0].arguments == taken.arguments, "its key means just that"


def test_a_delay_counts_from_when_it_was_typed_though_it_is_confirmed_later() -> None:
    commands = SendQueue()
    commands.add("a", "send_delayed", {"delay": "1h"}, 0, 0)
    commands.go_on(600)
    commands.confirm(None, 600)
    assert commands.take(600)[0].arguments == {"delay": "3000.000"}
    commands.put_back("a", NOT_DONE)
    commands.go_on(700)
    assert commands.take(700)[0].arguments == {"delay": "2900.000"}, "nothing was done: the key is still free"


def test_messages_pass_a_file_that_is_under_way() -> None:
    commands = SendQueue()
    for number in range(IN_FLIGHT_MAX):
        commands.add(f"f{number}", "send_file", {"name": "a", "size": 1}, 0, 0)
    assert len(commands.take(0)) == IN_FLIGHT_MAX
    commands.add("text", "send", {}, 0, 0)
    assert commands.take(0) == []
    commands.mark_opened("f0")
    assert keys(commands.take(0)) == ["text"]
    assert [(each.key, each.state) for each in commands.discard("f0")] == [("f0", "discarded")], "it is cancelled"


def test_where_it_goes_and_what_it_says() -> None:
    assert Outgoing("k", "send", {"target": "bob", "text": "a\x1b[31mb"}, 0).target == "@bob"
    assert Outgoing("k", "send", {"target": "bob", "text": "a\x1b[31mb"}, 0).text == "a[31mb"
    for target, chat in [("#ops", "#ops"), ("@bob", "@bob"), ("main", "main"), ("MAIN", "main")]:
        assert Outgoing("k", "send", {"target": target}, 0).target == chat
    assert Outgoing("k", "send_all", {"text": "x"}, 0).target == "main"
    assert (Outgoing("k", "reply", {"id": "4"}, 0).target, Outgoing("k", "reply", {"id": "4"}, 0).text) == (None, "")


def test_a_file_that_was_coming_for_long_is_not_held_for_a_short_loss() -> None:
    commands = SendQueue()
    commands.add("a", "send_file", {"name": "a", "size": 1}, 0, 0)
    commands.take(0)
    commands.mark_opened("a")
    commands.lose_connection(2 * HELD_AFTER_SECONDS)
    assert commands.go_on(2 * HELD_AFTER_SECONDS + 5) == []
    assert keys(commands.take(2 * HELD_AFTER_SECONDS + 5)) == ["a"]
    commands.lose_connection(2 * HELD_AFTER_SECONDS + 5)
    assert [each.state for each in commands.go_on(4 * HELD_AFTER_SECONDS)] == ["held"], "not opened again, and old"
