import msgspec
import pytest

from chat_server.log.entries import Entry
from chat_server.protocol.arguments import KINDS
from chat_server.protocol.base import Spec
from chat_server.protocol.parse import parse
from chat_server.protocol.table import TABLE, VERBS
from chat_server.rules.registry import RULES

SPECS = pytest.mark.parametrize("spec", TABLE.values(), ids=lambda spec: spec.verb)

PROTOCOL = {
    "sign_in": ("connect",), "resume": (), "sign_out": (), "password": (), "delete_account": (), "format": (),
    "ping": (), "help": (), "quit": ("close", "exit"), "status": (), "who": ("whois",), "talk": (), "send_all": (),
    "send": ("send_to", "msg", "w"), "reply": ("comment",), "thread": (), "edit": (), "delete": (), "react": (),
    "unreact": (), "get_chat_with": (), "messages": (), "history": (), "read": (), "presence": (),
    "search": (), "mute": (), "unmute": (), "away": ("back",), "block": ("ignore",), "unblock": (), "blocked": (),
    "send_delayed": (), "cancel_delayed": (), "delayed": (), "report": (), "sessions": (),
}  # fmt: skip


def test_the_table_has_the_commands_of_the_protocol_page() -> None:
    assert PROTOCOL.items() <= {spec.verb: spec.aliases for spec in TABLE.values()}.items()
    assert len(VERBS) == sum(1 + len(spec.aliases) for spec in TABLE.values())


def test_these_may_be_used_before_signing_in() -> None:
    open_to_all = {spec.verb for spec in TABLE.values() if spec.before_sign_in}
    assert open_to_all == {"sign_in", "resume", "format", "ping", "help", "quit"}


@SPECS
def test_the_example_is_a_command_of_its_kind(spec: Spec) -> None:
    parsed = parse(spec.example, text_chars_max=100)
    assert type(parsed.command) is spec.build, parsed.error
    assert spec.example.startswith(f"/{spec.verb}")


@SPECS
def test_the_usage_shows_every_argument_of_the_line(spec: Spec) -> None:
    for argument in spec.arguments:
        if not argument.json_only:
            assert argument.usage or argument.pair
            assert argument.pair or argument.usage.startswith("[") != argument.required
    rest = [argument.kind.takes_rest for argument in spec.arguments if not (argument.json_only or argument.marked)]
    assert not any(rest[:-1]), "only the last one may take the rest of the line"


@SPECS
def test_a_command_that_is_logged_reads_back_from_the_log(spec: Spec) -> None:
    if spec.build not in RULES:
        return
    parsed = parse(spec.example, text_chars_max=100)
    entry = msgspec.convert([msgspec.to_builtins(parsed.command)], Entry)
    assert entry.command == parsed.command
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(entry), type=Entry) == entry


def test_every_kind_has_a_name_of_its_own() -> None:
    assert len({kind.name for kind in KINDS.values()}) == len(KINDS)
