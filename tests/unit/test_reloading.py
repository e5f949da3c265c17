"""Each option, by its row: what is read again takes effect as the row says, and nothing else does."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chat_server.action_log import ActionLog, LineForm
from chat_server.frontend.sessions import Sessions
from chat_server.node import Node
from chat_server.reloading import compare
from chat_server.settings import OPTIONS, SHARED, Settings, load, resolve
from tests.unit.one_node import SETTINGS, Chat, run
from tests.unit.setting_examples import CLUSTER, EXAMPLES, FIELDS, TLS

each_option = pytest.mark.parametrize("name", sorted(FIELDS))


def read(name: str, said: str) -> Settings:
    """The settings with this value, and with those that it cannot be without."""
    others = {**(TLS if name.startswith("tls-") else {}), **(CLUSTER if name in CLUSTER else {})}
    return resolve({FIELDS[each]: value for each, value in {**others, name: said}.items()}, {})


def examples(name: str) -> tuple[Settings, Settings]:
    """Two that differ in this option."""
    found = [read(name, said) for said, _ in EXAMPLES[name]] if name not in ("cluster",) else []
    old = found[0] if found else read(name, "tls://127.0.0.1")
    for new in (*found[1:], *([] if found else [read(name, "tls://localhost")])):
        if getattr(new, FIELDS[name]) != getattr(old, FIELDS[name]):
            return old, new
    raise AssertionError(f"{name} has no two examples that differ")


@pytest.mark.parametrize(
    ("host", "other", "stays", "becomes"), [("127.0.0.1", "::", "off", "1h"), ("::", "::1", "1h", "off")]
)
def test_what_follows_from_the_host_waits_for_it(host: str, other: str, stays: str, becomes: str) -> None:
    old, new = resolve({"host": host}, {}), resolve({"host": other}, {})
    found = compare(old, new, is_member=False)
    assert found.settings.report_min_age_ms == old.report_min_age_ms != new.report_min_age_ms
    assert found.changes == []
    assert f"report-min-age stays {stays}; a restart makes it {becomes}" in found.at_restart
    given = resolve({"host": other, "report_min_age_ms": "2h"}, {})
    assert compare(old, given, is_member=False).settings.report_min_age_ms == given.report_min_age_ms


@each_option
@pytest.mark.parametrize("is_member", [False, True])
def test_an_option_takes_effect_as_its_row_says(name: str, is_member: bool) -> None:
    old, new = examples(name)
    field, option = FIELDS[name], OPTIONS[FIELDS[name]]
    found = compare(old, new, is_member=is_member)
    if option.takes_effect == "at a restart":
        assert getattr(found.settings, field) == getattr(old, field)
        lines, others = found.at_restart, found.changes
    else:
        assert getattr(found.settings, field) == getattr(new, field)
        lines, others = found.changes, found.at_restart
    others = [line for line in others if not line.startswith(("report-min-age ", "host "))]
    assert others == []
    if is_member and field in SHARED:
        assert lines == [], "that is the cluster's"
        return
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    assert ("for new connections" in line) == (option.takes_effect == "for new connections")
    assert "\n" not in line
    same = compare(found.settings, new, is_member=is_member)
    assert same.changes == [] and getattr(same.settings, field) == getattr(found.settings, field)


def test_tls_is_switched_at_a_restart_alone() -> None:
    """Its port is opened there."""
    plain, tls = load([], {}), read("tls-cert", "cert.pem")
    for old, new in ((plain, tls), (tls, plain)):
        found = compare(old, new, is_member=False)
        assert (found.settings.tls_cert, found.settings.tls_key) == (old.tls_cert, old.tls_key)
        assert [line.split()[0] for line in found.at_restart] == ["tls-cert", "tls-key", "tls-port"]


# Where the server keeps each of its own options that take effect while it runs.
HELD: dict[str, Callable[[Node, Sessions], object]] = {
    "text-max": lambda node, sessions: sessions._settings.text_chars_max,
    "line-max": lambda node, sessions: sessions._settings.line_bytes_max,
    "outbox-max": lambda node, sessions: node.delivery.feed.write_bytes_max * 2,
    "stall-timeout": lambda node, sessions: sessions._settings.stall_ms,
    "sign-in-timeout": lambda node, sessions: sessions._settings.sign_in_timeout_ms,
    "wrong-passwords-per-address": lambda node, sessions: node._guesses.most,
    "presence-max": lambda node, sessions: node.delivery.presence.online_max,
    "disk-reserve": lambda node, sessions: node.space.reserve_bytes,
}


@pytest.mark.usefixtures("at_once")
def test_what_is_read_again_gets_to_where_it_is_held(tmp_path: Path) -> None:
    """Of the options that stand in the log of the chat, the log has the new value."""

    async def take(chat: Chat) -> None:
        node = chat.node
        actions = ActionLog(chat.runtime, LineForm(chat.runtime, json=False), enabled=False, stream=io.StringIO())
        sessions = Sessions(chat.runtime, node, SETTINGS, actions)
        for name in (*HELD, *sorted(OPTIONS[field].name for field in SHARED - {"operators", "allow_passwordless"})):
            field = FIELDS[name]
            for new in examples(name):
                settings = replace(SETTINGS, **{field: getattr(new, field)})
                sessions.take_settings(settings)
                node.take_settings(settings)
                await chat.settle()
                held = HELD[name](node, sessions) if name in HELD else getattr(node.settings, field)
                assert held == getattr(new, field), name

    run(tmp_path, take)
