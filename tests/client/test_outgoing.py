"""What is to be sent: in order, never twice, nothing old without asking."""

import pytest

from chat_client.errors import Disconnected, Refused
from chat_client.outgoing import HELD_AFTER_SECONDS, IN_DOUBT_SECONDS_MAX, IN_FLIGHT_MAX, OUTGOING_MAX, Outbound
from chat_client.states import Outgoing
from chat_server.protocol.events import Sent

SENT = Sent(1, "2026-11-21T12:00:00.000Z")


def outbound(*keys: str, now: float = 0) -> Outbound:
    made = Outbound()
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
    sent = commands.sent("a", SENT)
    assert sent and (sent.state, sent.reply) == ("sent", SENT)
    failed = commands.failed("b", Refused("banned", "no"))
    assert failed and failed.state == "failed"
    assert keys(commands.all()) == ["c"]
    assert commands.sent("a", SENT) is None


def test_what_was_not_answered_goes_out_again_with_its_key() -> None:
    commands = outbound("a", "b")
    commands.take(0)
    commands.sent("a", SENT)
    commands.lost()
    commands.add("c", "send", {}, 0, 0)
    assert [(each.key, each.in_doubt) for each in commands.take(1)] == [("b", True), ("c", False)]


def test_so_many_are_under_way_at_once() -> None:
    commands = outbound(*map(str, range(IN_FLIGHT_MAX + 5)))
    assert len(commands.take(0)) == IN_FLIGHT_MAX
    commands.sent("3", SENT)
    assert keys(commands.take(0)) == [str(IN_FLIGHT_MAX)]


def test_too_many_are_refused() -> None:
    commands = outbound(*map(str, range(OUTGOING_MAX)))
    with pytest.raises(Disconnected, match="wait to be sent already"):
        commands.add("one more", "send", {}, 0, 0)


def test_what_is_old_is_held_until_it_is_confirmed() -> None:
    commands = outbound("old")
    commands.add("new", "send", {}, 100, 0)
    now = HELD_AFTER_SECONDS + 1
    assert [(each.key, each.state) for each in commands.back(now)] == [("old", "held")]
    assert keys(commands.held()) == ["old"]
    assert keys(commands.take(now)) == ["new"]
    assert [(each.key, each.state) for each in commands.confirm(None, now)] == [("old", "waiting")]
    assert keys(commands.take(now)) == ["old"]
    assert commands.back(now) == []


def test_what_is_held_may_be_thrown_away() -> None:
    commands = outbound("a", "b")
    commands.back(HELD_AFTER_SECONDS + 1)
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
    commands.lost()
    (held,) = commands.back(IN_DOUBT_SECONDS_MAX)
    assert held.state == "held"
    (failed,) = commands.confirm(None, IN_DOUBT_SECONDS_MAX + 1)
    assert failed.state == "failed" and isinstance(failed.error, Disconnected)
    assert commands.all() == []


def test_confirming_does_not_prolong_the_life_of_a_key() -> None:
    commands = outbound("a")
    commands.take(0)
    commands.lost()
    commands.back(IN_DOUBT_SECONDS_MAX)
    commands.confirm("a", IN_DOUBT_SECONDS_MAX)
    assert [each.state for each in commands.back(IN_DOUBT_SECONDS_MAX + 1)] == ["failed"]


def test_a_server_that_knows_no_keys_is_not_sent_what_is_in_doubt() -> None:
    commands = outbound("a")
    commands.take(0)
    commands.lost()
    commands.add("b", "send", {}, 0, 0)
    assert [(each.key, each.state) for each in commands.forgotten()] == [("a", "held")]
    assert keys(commands.take(1)) == ["b"]


def test_unavailable_is_tried_again_when_told() -> None:
    commands = outbound("a")
    commands.take(0)
    commands.unknown("a")
    assert commands.take(0) == []
    commands.again("a")
    assert [(each.key, each.in_doubt) for each in commands.take(0)] == [("a", True)]


def test_where_it_goes_and_what_it_says() -> None:
    assert Outgoing("k", "send", {"target": "bob", "text": "a\x1b[31mb"}, 0).target == "@bob"
    assert Outgoing("k", "send", {"target": "bob", "text": "a\x1b[31mb"}, 0).text == "a[31mb"
    assert [Outgoing("k", "send", {"target": target}, 0).target for target in ("#ops", "@bob", "main")] == [
        "#ops",
        "@bob",
        "main",
    ]
    assert Outgoing("k", "send_all", {"text": "x"}, 0).target == "main"
    assert (Outgoing("k", "reply", {"id": "4"}, 0).target, Outgoing("k", "reply", {"id": "4"}, 0).text) == (None, "")
