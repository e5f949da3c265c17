"""The command line of chat-server: the options of the server, and the subcommands with theirs."""

import argparse
from pathlib import Path
from typing import Any

from chat_server import settings

SUBCOMMANDS = {
    "setup": "asks four questions, checks the answers, and writes a configuration",
    "check": "shows the settings that would hold, and whether they can; and whether what is stored lies in the future",
    "backup": "saves everything into FILE, also while people chat",
    "restore": "puts a backup into an empty data directory, of a server that does not run",
    "export": "writes all that is kept of a user, as JSON lines",
    "forget": "removes an account and its texts, for ever",
    "password": "sets a user's password; asks for it, or reads it from stdin",
    "invite": "draws a code with which one account may be made where --registration is invite",
    "operator": "makes a user an operator, ends that, or lists them",
    "unban": "ends a user's ban",
    "ban-address": "lets nobody connect from an address or network",
    "unban-address": "ends the ban of an address or network",
    "banned-addresses": "lists the addresses and networks that are banned",
    "audit": "lists what operators did",
    "stats": "tells how much there is, and what the server has counted",
    "cluster": "settings of all nodes; import DIR moves a chat in, restore moves it out; snapshot makes one now",
    "reload": "has the running server read its settings and its certificate again; says what waits for a restart",
    "trace": "tells the way of a message (#42), a user (@anna) or a session (session=7) through the log",
    "verify": "checks the database, also while people chat, and prints the digest of all that it holds",
    "repair-time": "dates what a wrong clock left in the future with times that have been",
    "completion": "prints what makes the shell complete the command lines of chat-server and chat-client",
}


# The shells that have completions, and the names of their scripts.
COMPLETIONS = {"bash": "{}.bash", "zsh": "_{}", "fish": "{}.fish"}
COMPLETIONS_DIRECTORY = Path(__file__).parent / "completions"
_WHICH_CHAT = "--data DIR or --config FILE say which chat, as they do for the server; see chat-server --help."


def parse(arguments: list[str]) -> tuple[str | None, dict[str, Any]]:
    """Return the subcommand (None starts the server) and everything given with it. Raises StartError."""
    given = vars(parser().parse_args(arguments))
    return given.pop("subcommand"), given


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options and all subcommands."""
    parser = settings.parser()
    subcommands = parser.add_subparsers(
        dest="subcommand", metavar="SUBCOMMAND", title="subcommands, without which the server starts"
    )
    of: dict[str, argparse.ArgumentParser] = {}
    # Made once: made anew for each subcommand they took 8 ms of every start.
    hidden, shown = (argparse.ArgumentParser(add_help=False) for _ in range(2))
    settings.add_options(hidden, default=argparse.SUPPRESS, shown=False)
    settings.add_options(shown, default=argparse.SUPPRESS)
    for name, help in SUBCOMMANDS.items():
        of[name] = subcommands.add_parser(
            name,
            help=help,
            description=f"chat-server {name}: {help}.",
            epilog=_WHICH_CHAT,
            allow_abbrev=False,
            parents=[shown if name == "check" else hidden],
        )
    of["backup"].add_argument("file", metavar="FILE", help="where to; one that is there is replaced")
    of["restore"].add_argument("file", metavar="FILE", help="a backup")
    of["restore"].add_argument("--force", action="store_true", help="replaces what is in the data directory")
    for name in ("backup", "cluster"):
        of[name].add_argument(
            "--without-lost-files", action="store_true", help="leaves out files whose bytes are missing or damaged"
        )
    of["trace"].add_argument("target", metavar="TARGET", nargs="?", default="", help="#42, @anna or session=7")
    of["trace"].add_argument(
        "files", metavar="FILE", nargs="*", help="files of the log, the oldest first; - is stdin, as from journalctl"
    )
    for name in ("export", "forget", "password", "unban"):
        of[name].add_argument("user", metavar="USER")
    for name in ("ban-address", "unban-address"):
        of[name].add_argument("address", metavar="ADDRESS", help="192.0.2.7, 192.0.2.0/24 or 2001:db8::/48")
    of["ban-address"].add_argument(
        "rest", metavar="DURATION REASON", nargs="*", help="such as: 2d floods; both may lack"
    )
    of["forget"].add_argument("--yes", action="store_true", help="does not ask whether it is meant")
    of["invite"].add_argument("act", choices=("list", "revoke"), nargs="?", help="the codes that wait; ends one")
    of["invite"].add_argument("code", metavar="NUMBER", nargs="?", help="that of the list")
    _add_act(of["operator"], "add", "remove", "list")
    of["operator"].add_argument("user", metavar="NAME", nargs="?")
    of["completion"].add_argument("shell", choices=tuple(COMPLETIONS), metavar=f"{{{','.join(COMPLETIONS)}}}")
    _add_act(of["cluster"], "settings", "import", "snapshot", "restore")
    of["cluster"].add_argument(
        "changes",
        metavar="OPTION VALUE",
        nargs="*",
        default=[],
        help="such as: main-rate-limit 50/1h; for import the DIR",
    )
    for name in ("cluster", "verify"):
        # Only a node says that, of itself: see `processes`.
        of[name].add_argument("--beside", type=int, help=argparse.SUPPRESS)
    return parser


def _add_act(parser: argparse.ArgumentParser, *acts: str) -> None:
    # Without a metavar the error of a missing one names it “act”, which nobody has ever seen.
    parser.add_argument("act", choices=acts, metavar=f"{{{','.join(acts)}}}")
