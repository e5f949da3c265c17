"""The command `chat-client settings`: the settings file in the editor, with a comment on every entry."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from chat_client import standard_streams
from chat_client.common.editor import editor_command
from chat_client.common.setting import Section, commented
from chat_client.exit_status import ExitStatus
from chat_client.settings import GENERAL, Settings, UsageError, check_file
from chat_client.startup import at_terminal

_HEAD = """\
# The settings of chat-client. Remove the # before an entry to set it. The command line wins over this file.
# docs/client.md explains more.

"""
_PROFILES = """\
# Profiles, for `chat-client --profile work`. The entries of a profile win over those above. Each profile has its own
# tokens, typed lines and drafts.
#[profiles.work]
#server = "chat.example.org:8001"
#user = "alice"
"""


def edit(settings: Settings, sections: Sequence[Section]) -> ExitStatus:
    """Open the file, which is made if there is none, and check what was written. Raises UsageError."""
    path = settings.config_file
    _make(path, sections)
    command = editor_command(path) if at_terminal() and at_terminal(sys.stdout) else None
    if command is None:
        standard_streams.out(f"{path}\n")
        return ExitStatus.DONE
    try:
        status = subprocess.run(command).returncode
    except OSError as error:
        raise UsageError(f"cannot start {command[0]}: {error.strerror}; EDITOR names another editor") from None
    if status:
        raise UsageError(f"{command[0]} ended with {status}; {path} is as it left it")
    check_file(path, sections)
    standard_streams.out(f"{path} is fine; it takes effect at the next start\n")
    return ExitStatus.DONE


def template(sections: Sequence[Section]) -> str:
    return _HEAD + commented((GENERAL, *sections)) + "\n" + _PROFILES


def _make(path: Path, sections: Sequence[Section]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(template(sections))
    except FileExistsError:
        if path.is_dir():
            raise UsageError(f"{path} is a folder") from None
    except OSError as error:
        raise UsageError(f"cannot make {path}: {error.strerror}") from None
