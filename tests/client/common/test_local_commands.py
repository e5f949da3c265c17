"""The commands of the client itself, among the server's."""

from chat_client.common.local_commands import HIDDEN, OWN, with_own
from chat_server.protocol.help import forms


def test_they_take_the_place_of_those_of_the_same_name() -> None:
    verbs = [form.verb for form in with_own(forms())]
    assert len(verbs) == len(set(verbs))
    assert {form.verb for form in OWN} <= set(verbs)
    assert not HIDDEN & set(verbs)


def test_usage_and_example_begin_with_the_verb() -> None:
    for form in OWN:
        assert form.usage.split()[0] == form.example.split()[0] == f"/{form.verb}"
        assert form.help
