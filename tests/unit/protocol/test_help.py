import msgspec
import pytest

from chat_server.errors import Refusal
from chat_server.protocol.base import Spec
from chat_server.protocol.help import command_forms, help_on, overview
from chat_server.protocol.table import GROUPS, TABLE, VERBS


def test_the_overview_fits_on_a_screen_and_has_every_group_and_verb() -> None:
    lines = overview()
    assert len(lines) <= 24
    assert all(len(line) <= 110 for line in lines)
    words = " ".join(lines).split()
    assert set(GROUPS) <= set(words)
    listed = {f"/{verb}" for verb, spec in TABLE.items() if not spec.unlisted}
    assert listed <= set(words) and not any("typing" in word for word in words)


@pytest.mark.parametrize("spec", TABLE.values(), ids=lambda spec: spec.verb)
def test_each_command_has_usage_meaning_aliases_and_example(spec: Spec) -> None:
    for name in (spec.verb, *spec.aliases, f"/{spec.verb.upper()}"):
        shown = "\n".join(help_on(name))
        assert spec.usage in shown and spec.help in shown and spec.example in shown
        assert all(f"/{alias}" in shown for alias in spec.aliases)
        fills = [argument for argument in spec.arguments if argument.open_chat == "fills"]
        assert ("the open chat" in shown) == bool(fills)


def test_an_unknown_command_names_the_nearest() -> None:
    with pytest.raises(Refusal, match=r"did you mean /help send_all\?") as refused:
        help_on("sendall")
    assert refused.value.code == "unknown_command"
    with pytest.raises(Refusal, match="/help lists"):
        help_on("x" * 100_000)
    with pytest.raises(Refusal, match="/help lists"):
        help_on("watch_typin")


def test_a_program_is_told_what_it_needs_to_complete_any_command() -> None:
    listed = command_forms()
    assert [form.verb for form in listed] == [verb for verb, spec in TABLE.items() if not spec.unlisted]
    names = {name for form in listed for name in (form.verb, *form.aliases)}
    assert names == {name for name, spec in VERBS.items() if not spec.unlisted}
    send = next(form for form in listed if form.verb == "send")
    assert send.arguments == [
        {"name": "target", "kind": "target", "required": True},
        {"name": "text", "kind": "text", "required": True, "rest": True},
        {"name": "key", "kind": "key", "required": False, "json_only": True},
    ]
    assert msgspec.json.decode(msgspec.json.encode(listed[0]), type=type(listed[0])) == listed[0]
