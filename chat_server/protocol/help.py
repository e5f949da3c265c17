"""`/help`, and the list of commands for programs, both made from the table."""

from collections.abc import Mapping

from chat_server.errors import Refusal
from chat_server.protocol.base import Spec
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.table import GROUPS, TABLE, VERBS, nearest

_WIDTH = 78


def help_text(word: str | None, verbs: Mapping[str, Spec] = VERBS) -> list[str]:
    """Return the text of `/help`, or of `/help word`, with these commands."""
    return help_on(word, verbs) if word else overview(verbs)


def overview(verbs: Mapping[str, Spec] = VERBS) -> list[str]:
    """List all commands by group, on one screen. The last line says how to go on."""
    lines = []
    specs = {spec.verb: spec for spec in verbs.values() if not spec.unlisted}
    for group in GROUPS:
        if not any(spec.group == group for spec in specs.values()):
            continue
        head = f"{group:<11}"
        for spec in specs.values():
            if spec.group != group:
                continue
            word = f"/{spec.verb}"
            if len(head) + len(word) + 2 > _WIDTH:
                lines.append(head.rstrip())
                head = " " * 11
            head += f"{word}  "
        lines.append(head.rstrip())
    start = "; new here: /sign_in <name>, then /talk main and just type" if "sign_in" in specs else ""
    return [*lines, f"/help <command> shows one with an example{start}"]


def help_on(word: str, verbs: Mapping[str, Spec] = VERBS) -> list[str]:
    """Describe a command: usage, meaning, aliases, an example. Raises Refusal `unknown_command`."""
    spec = verbs.get(word.removeprefix("/").lower())
    if spec is None:
        close = nearest(word.removeprefix("/").lower(), verbs)
        hint = f"did you mean /help {close}?" if close else "/help lists the commands"
        raise Refusal("unknown_command", f"there is no such command; {hint}")
    lines = [spec.usage, f"    {spec.help}"]
    if spec.aliases:
        lines.append(f"    also {', '.join(f'/{alias}' for alias in spec.aliases)}")
    lines += [
        f"    without {argument.usage} it means the open chat (/talk)"
        for argument in spec.arguments
        if argument.open_chat == "fills"
    ]
    return [*lines, f"for example: {spec.example}"]


def command_forms() -> list[CommandForm]:
    """Return the table for programs, which need it to complete and check commands that they do not know."""
    return [_form(spec) for spec in TABLE.values() if not spec.unlisted]


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
            **({"open_chat": argument.open_chat} if argument.open_chat else {}),
            **({"also": argument.also} if argument.also else {}),
        }
        for argument in spec.arguments
    ]
    return CommandForm(spec.verb, spec.aliases, spec.usage, spec.help, spec.group, spec.example, arguments)
