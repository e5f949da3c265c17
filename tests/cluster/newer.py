"""A program that is one version newer: a copy of the server with an added command, an added column and changed rows."""

import shutil
from pathlib import Path

from chat_server.log.versions import VERSION
from tests.cluster.nodes import ChatNode

ROOT = Path(__file__).parents[2]
NEWER = VERSION + 1

# What is put behind modules of the copy.
_ADDED = {
    "protocol/people.py": """

class Waved(Reply, frozen=True, omit_defaults=True):
    waves: int


@command("wave", group="People", reply=Waved, runs="logged", help="waves", example="/wave bob")
class Wave(Command, frozen=True, tag="wave"):
    username: Username
""",
    "protocol/formats/wording.py": """
from chat_server.protocol.people import Waved

REPLIES[Waved] = lambda reply, now: ([], f"waved, {reply.waves} times by now")
""",
    "rules/attention.py": """

from chat_server.protocol.people import Wave, Waved
from chat_server.rules.context import Context
from chat_server.rules.lookup import find_user
from chat_server.rules.registry import rule


@rule(Wave)
def wave(context: Context, command: Wave) -> Waved:
    user = find_user(context.db, command.username.name, command.username.folded, context.user_id)
    context.db.run("UPDATE users SET waves = waves + 1 WHERE id = ?", (user.id,))
    return Waved(context.db.value("SELECT waves FROM users WHERE id = ?", (user.id,)))
""",
}
_CHANGED = {
    "log/versions.py": {
        f"\nVERSION = {VERSION}\n": f"\nVERSION = {NEWER}\n",
        "ADDED: Mapping[str, int] = {": f'ADDED: Mapping[str, int] = {{"Wave": {NEWER}, ',
    },
    "store/schema.py": {
        "\nVERSION = len(MIGRATIONS)\n": (
            '\nMIGRATIONS = (*MIGRATIONS, "ALTER TABLE users ADD COLUMN waves INTEGER NOT NULL DEFAULT 0")\n'
            "VERSION = len(MIGRATIONS)\n"
        ),
        # Everybody was waved at once.
        "CHANGES: Mapping[int, str] = {": f'CHANGES: Mapping[int, str] = {{{NEWER}: "UPDATE users SET waves = 1", ',
    },
}


def copy_newer(folder: Path) -> Path:
    """Make the program in a folder, and return what PYTHONPATH has to be for it."""
    package = folder / "chat_server"
    shutil.copytree(ROOT / "chat_server", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in _ADDED.items():
        with (package / name).open("a") as file:
            file.write(text)
    for name, changes in _CHANGED.items():
        text = (package / name).read_text()
        for old, new in changes.items():
            assert text.count(old) == 1, (name, old)
            text = text.replace(old, new)
        (package / name).write_text(text)
    return folder


def run_by(node: ChatNode, program: Path | None) -> None:
    """Let the next start of a node be by the program in this folder, None for the one that is tested."""
    for name in ("PYTHONPATH", "PYTHONNOUSERSITE"):
        node.environment.pop(name, None)
    if program is not None:
        # The second one keeps it from being a fork of a process that has the other program.
        node.environment |= {"PYTHONPATH": str(program), "PYTHONNOUSERSITE": "1"}
