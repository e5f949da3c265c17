"""`/help` and the list of commands for programs, both made from the one table."""

from chat_server.errors import Refusal
from chat_server.protocol.events import CommandForm
from chat_server.protocol.table import GROUPS, TABLE, VERBS, Spec, nearest

_WIDTH = 78


def overview() -> list[str]:
    """All commands by group, on one screen; the last line says how to go on."""
    lines = []
    for group in GROUPS:
        head = f"{group:<11}"
        for spec in TABLE.values():
            if spec.group != group:
                continue
            word = f"/{spec.verb}"
            if len(head) + len(word) + 2 > _WIDTH:
                lines.append(head.rstrip())
                head = " " * 11
            head += f"{word}  "
        lines.append(head.rstrip())
    return [
        *lines,
        "/help <command> shows one with an example; new here: /sign_in <name>, then /talk main and just type",
    ]


def one(word: str) -> list[str]:
    """A command's usage, meaning, aliases and an example; Refusal `unknown_command`."""
    spec = VERBS.get(word.removeprefix("/").lower())
    if spec is None:
        close = nearest(word.removeprefix("/").lower())
        hint = f"did you mean /help {close}?" if close else "/help lists the commands"
        raise Refusal("unknown_command", f"there is no such command; {hint}")
    lines = [spec.usage, f"    {spec.help}"]
    if spec.aliases:
        lines.append(f"    also {', '.join(f'/{alias}' for alias in spec.aliases)}")
    return [*lines, f"for example: {spec.example}"]


def forms() -> list[CommandForm]:
    """The table for a program: what it needs to complete and to check commands that it does not know."""
    return [_form(spec) for spec in TABLE.values()]


def _form(spec: Spec) -> CommandForm:
    arguments = [
        {
            "name": argument.name,
            "kind": argument.kind.name,
            "required": argument.required,
            **({"rest": True} if argument.kind.takes_rest else {}),
            **({"starts": argument.kind.starts} if argument.kind.starts is not None else {}),
            **({"pair": True} if argument.pair else {}),
            **({"marked": True} if argument.marked else {}),
            **({"json_only": True} if argument.json_only else {}),
            **({"also": argument.also} if argument.also else {}),
        }
        for argument in spec.arguments
    ]
    return CommandForm(spec.verb, spec.aliases, spec.usage, spec.help, spec.group, spec.example, arguments)
