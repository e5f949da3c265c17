"""Write the completions of both programs for bash, zsh and fish anew, from their parsers.

Run it as `.venv/bin/python docs/completions.py` after an option or a subcommand was added or changed; `make test` fails
where they are stale.
"""

import argparse

import shtab

import chat_client.settings
from chat_server.admin import command_line
from chat_server.admin.command_line import COMPLETIONS
from chat_server.settings import OPTIONS, SHARED

# They say which chat is meant, so subcommands offer them although their help leaves out all options of the server.
_OF_EVERY_SUBCOMMAND = {"--config": "TOML file with settings", "--data": "directory of the database"}
_SHARED_NAMES = [OPTIONS[field].name for field in OPTIONS if field in SHARED]


def scripts() -> dict[str, str]:
    """The text of each script, by the name of its file."""
    parsers = {"chat-server": command_line.parser(), "chat-client": chat_client.settings.option_parser()}
    for parser in parsers.values():
        _complete_values(parser)
    return {
        COMPLETIONS[shell].format(program): shtab.complete(parser, shell).rstrip() + "\n"
        for program, parser in parsers.items()
        for shell in COMPLETIONS
    }


def _complete_values(parser: argparse.ArgumentParser) -> None:
    """Say of each value how it is completed, by its name in the help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                _complete_values(each)
        elif action.help == argparse.SUPPRESS and set(action.option_strings) & set(_OF_EVERY_SUBCOMMAND):
            action.help = _OF_EVERY_SUBCOMMAND[action.option_strings[0]]
        elif action.dest == "text":  # of chat-client, where it is left out of the help
            action.help, action.choices = "the text to send", [chat_client.settings.EDIT]
        metavar = str(action.metavar)
        if metavar in ("FILE", "DIR"):
            action.complete = shtab.FILE if metavar == "FILE" else shtab.DIRECTORY  # type: ignore[attr-defined]
        elif "|" in metavar:
            action.choices = metavar.split("|")
        elif metavar == "OPTION VALUE":
            action.choices = _SHARED_NAMES
        elif ":" in metavar:  # which zsh would take for the end of the name
            action.metavar = metavar.partition(":")[0]


if __name__ == "__main__":
    for name, script in scripts().items():
        (command_line.COMPLETIONS_DIRECTORY / name).write_text(script)
