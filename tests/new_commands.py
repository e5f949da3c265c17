"""The rows of four commands, one of each kind, that the server lacks; `extended` is a server that has them."""

from chat_server.protocol.arguments import Text, Username
from chat_server.protocol.base import Command, Reply
from chat_server.protocol.table import TABLE, VERBS, command


class Echoed(Reply, frozen=True, omit_defaults=True):
    text: str


class Echo(Command, frozen=True, tag="echo"):
    text: Text


class Waved(Reply, frozen=True, omit_defaults=True):
    user: str
    seq: int


class Wave(Command, frozen=True, tag="wave"):
    username: Username


class Counted(Reply, frozen=True, omit_defaults=True):
    messages: int


class CountMessages(Command, frozen=True, tag="count"):
    pass


class Rolled(Reply, frozen=True, omit_defaults=True):
    number: int


class Roll(Command, frozen=True, tag="roll"):
    pass


def enter_rows() -> None:
    command(
        "echo", "parrot", group="Connection", reply=Echoed, runs="connection", who="anyone", help="says it again",
        example="/echo hello",
    )(Echo)  # fmt: skip
    command("wave", group="People", reply=Waved, runs="logged", help="waves", example="/wave bob")(Wave)
    command("count", group="Read", reply=Counted, runs="reading", help="counts", example="/count")(CountMessages)
    command("roll", group="Write", reply=Rolled, runs="prepared", help="rolls a die", example="/roll")(Roll)


def remove_rows() -> None:
    for name in ("echo", "parrot", "wave", "count", "roll"):
        VERBS.pop(name, None)
        TABLE.pop(name, None)
