from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.errors import Refusal
from chat_server.protocol import arguments as a
from chat_server.protocol.arguments import KINDS, Delay, Kind, SessionChoice, Target, Username
from chat_server.protocol.names import Name
from chat_server.protocol.sanitize import clean
from chat_server.protocol.times import DAY_MS, TIME_MS_MAX
from tests.unit.strategies import VALUES, any_text, few


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@few
@given(data=st.data())
def test_any_text_is_read_or_refused(kind: Kind, data: st.DataObject) -> None:
    raw = data.draw(any_text | VALUES[kind.name])
    try:
        value = kind.parse(raw)
    except Refusal as refusal:
        assert refusal.code in ("bad_argument", "bad_name")
        assert clean(refusal.text) == refusal.text
        return
    if isinstance(value, str) and kind.name != "token":
        assert clean(value) == value
    if isinstance(value, Username | Target | Name):
        assert clean(value.name) == value.name and "\n" not in value.name


def test_every_kind_has_a_strategy() -> None:
    assert VALUES.keys() == {kind.name for kind in KINDS.values()}


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (a.Target, "main", Target("main", "main", "main")), (a.Target, "MAIN", Target("main", "main", "main")),
        (a.Target, "@main", Target("user", "main", "main")), (a.Target, "#main", Target("room", "main", "main")),
        (a.Target, "Bob", Target("user", "Bob", "bob")), (a.Target, "@Bob", Target("user", "Bob", "bob")),
        (a.Target, "#Team", Target("room", "Team", "team")),
        (Username, "@Bob", Username("Bob", "bob")), (Username, "Straße", Username("Straße", "strasse")),
        (a.Delay, "90s", Delay(90_000, None)), (a.Delay, 5, Delay(5000, None)), (a.Delay, "1d", Delay(DAY_MS, None)),
        (a.Delay, "1970-01-01T00:00:01", Delay(None, 1000)),
        (a.Delay, "9999-12-31T23:59:59.999", Delay(None, TIME_MS_MAX)),
        (a.Id, "42", 42), (a.Id, "#42", 42), (a.Id, 0, 0), (a.Id, 2**63 - 1, 2**63 - 1), (a.Count, "1", 1),
        (SessionChoice, "ALL", SessionChoice(None)), (SessionChoice, 3, SessionChoice(3)),
        (SessionChoice, "3", SessionChoice(3)),
        (a.Emoji, "👍", "👍"), (a.Emoji, "+1", "+1"), (a.Emoji, "❤️", "❤️"), (a.Emoji, "1️⃣", "1️⃣"),
        (a.Emoji, "ℹ️", "ℹ️"), (a.Emoji, "👩🏽‍🚀", "👩🏽‍🚀"), (a.Emoji, "\U0001fae8", "\U0001fae8"),
        (a.Emoji, "👍" * 16, "👍" * 16),
        (a.Delay, 0, Delay(0, None)), (a.Delay, "1970-01-01", Delay(None, 0)), (a.Duration, "0.001", 1),
        (a.Moment, "2026-11-01", 1_793_491_200_000), (a.Moment, "1970-01-01T02:00+02:00", 0),
        (a.Duration, "36500d", a.DURATION_MS_MAX), (a.Key, "k" * 64, "k" * 64), (a.Topic, "t" * 300, "t" * 300),
        (a.OnOff, "ON", True), (a.OnOff, False, False), (a.Reason, " a \n b\x07 ", "a b"), (a.Word, "a\u2028b", "a b"),
    ],
)  # fmt: skip
def test_examples(kind: Any, raw: object, value: object) -> None:
    assert KINDS[kind].parse(raw) == value


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (a.Id, ""), (a.Id, "##1"), (a.Id, -1), (a.Id, 2**63), (a.Id, "١"), (a.Id, "1_0"), (a.Count, 0), (a.Text, ""),
        (a.Text, "\u2028 \x07"), (a.Secret, ""), (a.Secret, "a\x1bb"), (a.Secret, "a\nb"), (a.Key, "x" * 65),
        (a.Key, "a\tb\n"), (a.Target, "@"), (a.Target, ""), (Username, "@"), (a.OnOff, "yes"), (SessionChoice, 0),
        (a.Emoji, ""), (a.Emoji, "👍" * 17), (a.Emoji, "ok"), (a.Emoji, "да"), (a.Emoji, "👍 👍"), (a.Emoji, "👍\n"),
        (a.Emoji, "\u200b"), (a.Emoji, "\u200d"), (a.Emoji, "\ufe0f"), (a.Emoji, "👍\u0301"), (a.Emoji, "👍\u202e"),
        (a.Emoji, "👍\u3164"), (a.Emoji, "\x1b👍"), (a.Emoji, "\ud800"),
        (a.Duration, "0"), (a.Duration, "36500.1d"), (a.Delay, "-1s"), (a.Delay, "1969-12-31"), (a.Delay, "tomorrow"),
        (a.Moment, "yesterday"), (a.Moment, "1969-12-31"), (a.Moment, "90"), (a.Moment, ""),
    ],
)  # fmt: skip
def test_wrong_ones(kind: Any, raw: object) -> None:
    with pytest.raises(Refusal) as refused:
        KINDS[kind].parse(raw)
    assert refused.value.code == "bad_argument"


@pytest.mark.parametrize(
    ("target", "shown"),
    [(Target("main", "main", "main"), "main"), (Target("room", "T", "t"), "#T"), (Target("user", "B", "b"), "@B")],
)
def test_a_target_is_shown_as_it_is_written(target: Target, shown: str) -> None:
    assert str(target) == shown
