"""The settings that all nodes share: which ones they are, their words, and what differs."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.errors import Refusal, StartError
from chat_server.log.entries import Limits
from chat_server.protocol.names import check
from chat_server.setting_kinds import Rate
from chat_server.settings import OPTIONS, SHARED, load, words
from chat_server.shared_settings import changed, differences, limits_of, refuse_open_door, with_limits, words_of
from tests.unit.fakes import DAY_MS

SETTINGS = load(["--host", "0.0.0.0"], {})
LIMITS = limits_of(SETTINGS)
# A value of each option that is not its default.
OTHER: dict[str, Any] = {
    field: "192.0.2.1" if field == "host"
    else "invite" if field == "registration"
    else True if field == "allow_passwordless"
    else (check("anna"), check("Boss")) if field == "operators"
    else Rate(7, 90_000) if field in ("main_rate", "accounts_rate", "sign_in_tries", "command_rate")
    else 7_500 if field.endswith("_ms")
    else 150
    for field in OPTIONS
}  # fmt: skip


def test_the_shared_settings_are_those_that_the_log_holds() -> None:
    """And each field of the limits is one of them, so that none is left behind."""
    in_the_log = {field for field in OPTIONS if limits_of(replace(SETTINGS, **{field: OTHER[field]})) != LIMITS}
    assert in_the_log | {"operators"} == SHARED
    others = limits_of(replace(SETTINGS, **{field: OTHER[field] for field in SHARED}))
    assert [each for each in Limits.__struct_fields__ if getattr(others, each) == getattr(LIMITS, each)] == []


@pytest.mark.parametrize("field", sorted(SHARED - {"operators"}))
def test_words_say_each_value_again(field: str) -> None:
    option = OPTIONS[field]
    for value in (OTHER[field], getattr(SETTINGS, field), *(option.off or ())):
        assert option.read(words(field, value), option.name) == value


@given(ms=st.integers(1, 36_500 * DAY_MS), size=st.integers(1, 1 << 30))
def test_words_of_any_duration_and_size(ms: int, size: int) -> None:
    assert OPTIONS["ban_ms"].read(words("ban_ms", ms), "") == ms
    assert OPTIONS["file_bytes_max"].read(words("file_bytes_max", size), "") == size


def test_a_change_is_one_of_the_named_settings_alone() -> None:
    limits, operators = changed(LIMITS, {"main-rate-limit": "50/1h", "message-ttl": "off", "page": "30"})
    assert (limits.main_rate_count, limits.main_rate_window_ms) == (50, 3_600_000)
    assert (limits.message_ttl_ms, limits.page_messages, operators) == (None, 30, None)
    before, after = words_of(LIMITS, []), words_of(limits, [])
    assert {each for each in before if before[each] != after[each]} == {"main-rate-limit", "message-ttl", "page"}
    assert changed(LIMITS, words_of(LIMITS, [])) == (LIMITS, [])


def test_operators_are_named_all_or_none() -> None:
    assert changed(LIMITS, {"operator": "anna,Boss"}) == (LIMITS, [check("anna"), check("Boss")])
    assert changed(LIMITS, {"operator": "none"}) == (LIMITS, [])


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("port", "8000", "port is each node's own"),
        ("nonsense", "1", "nonsense is no setting; those of the cluster are operator, "),
        ("page", "off", "page: expected a whole number from 1 to 200, got"),
        ("operator", "a/b", "operator: expected a username"),
    ],
)
def test_what_cannot_be_changed_is_said(option: str, value: str, told: str) -> None:
    with pytest.raises(Refusal) as refused:
        changed(LIMITS, {"replay": "5", option: value})
    assert refused.value.code == "bad_argument" and told in refused.value.text


def test_a_node_takes_the_clusters_in_place_of_its_own() -> None:
    own = load(["--host", "0.0.0.0", "--page", "7", "--port", "9"], {})
    limits, _ = changed(LIMITS, {"page": "30", "sign-in-tries": "off", "allow-passwordless": "on"})
    settings = with_limits(own, limits)
    assert (settings.page_messages, settings.sign_in_tries, settings.allow_passwordless) == (30, None, True)
    assert (settings.port, limits_of(settings)) == (9, limits)
    assert settings.public_limits()["page"] == 30


def test_only_what_a_node_was_given_can_differ() -> None:
    limits, _ = changed(LIMITS, {"page": "30", "main-rate-limit": "50/1h"})
    own = load(["--page", "7", "--replay", "20", "--operator", "boss,Anna", "--port", "9"], {"CHAT_CHATS_MAX": "5"})
    told = list(differences(own, limits, ["Anna", "boss"]))
    assert [line.split()[0] for line in told] == ["page", "chats-max"]
    assert told[0] == (
        "page is 30 in the whole cluster, which holds here too; this node was given 7"
        " (for all nodes: chat-server cluster settings page 7)"
    )
    (line,) = differences(load(["--operator", "eve"], {}), limits, ["Anna", "boss"])
    assert line.startswith("operator is Anna,boss in the whole cluster")


@pytest.mark.parametrize("options", [[], ["--host", "127.0.0.1"], ["--host", "0.0.0.0", "--allow-passwordless"]])
def test_accounts_without_a_password_are_for_loopback_or_on_demand(options: list[str]) -> None:
    open_door = limits_of(load([], {}))
    assert open_door.passwordless
    refuse_open_door(load(options, {}), open_door)


def test_beyond_loopback_no_node_starts_while_they_are_allowed() -> None:
    refuse_open_door(SETTINGS, LIMITS)
    with pytest.raises(StartError, match=r"listen on 0.0.0.0.*cluster settings allow-passwordless off"):
        refuse_open_door(SETTINGS, limits_of(load([], {})))
