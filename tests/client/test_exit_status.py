import re
import signal
from pathlib import Path

import pytest

from chat_client.exit_status import SUMMARY, ExitStatus, of_error, of_line, of_signal, worse
from chat_client.sdk.errors import CannotConnect, ChatError, Disconnected, Refused

DOCUMENT = Path(__file__).parents[2] / "docs/client.md"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused("unknown_user", "there is no user bob"), ExitStatus.REFUSED),
        (Refused("unavailable", "the disk is full", {"done": False}), ExitStatus.REFUSED),
        (Refused("unavailable", "the disk is full"), ExitStatus.NOT_KNOWN),
        (Disconnected("there is no connection"), ExitStatus.NO_CONNECTION),
        (Disconnected("the connection was lost", None), ExitStatus.NOT_KNOWN),
        (CannotConnect("nothing listens there"), ExitStatus.NO_CONNECTION),
    ],
)
def test_of_an_error(error: ChatError, status: ExitStatus) -> None:
    assert of_error(error) is status


def test_of_the_lines_of_plain() -> None:
    """A script tries again what was not done; what is in doubt would come twice, so nothing hides it."""
    assert of_line(Disconnected("there is no connection")) is of_line(FileNotFoundError()) is ExitStatus.REFUSED
    assert of_line(Disconnected("the connection was lost", None)) is ExitStatus.NOT_KNOWN
    assert worse(ExitStatus.NOT_KNOWN, ExitStatus.REFUSED) is ExitStatus.NOT_KNOWN
    assert worse(ExitStatus.REFUSED, ExitStatus.NOT_KNOWN) is ExitStatus.NOT_KNOWN


def test_help_and_the_document_have_all_of_them() -> None:
    ended = {of_signal(number) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)}
    known = {int(status) for status in ExitStatus} | ended
    assert {int(number) for number in re.findall(r"\b\d+\b", SUMMARY)} == known
    table = DOCUMENT.read_text(encoding="utf-8").partition("| exit status |")[2].partition("\n\n")[0]
    by_row = re.findall(r"^\| (\d+) \|", table, re.MULTILINE)
    by_signal = re.findall(r"\b(\d+) (?:SIG|Ctrl-)", table)
    assert {int(number) for number in (*by_row, *by_signal)} == known
