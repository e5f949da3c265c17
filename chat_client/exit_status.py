"""The exit statuses of chat-client, which docs/client.md lists for scripts."""

import signal
from enum import IntEnum

from chat_client.sdk.errors import ChatError, Refused


class ExitStatus(IntEnum):
    DONE = 0
    REFUSED = 1
    USAGE = 2
    NO_CONNECTION = 3
    NOT_KNOWN = 4
    CANNOT_WRITE = 5
    FAULT = 70  # as sysexits.h has it


def of_error(error: ChatError) -> ExitStatus:
    if error.done is None:
        return ExitStatus.NOT_KNOWN
    return ExitStatus.REFUSED if isinstance(error, Refused) else ExitStatus.NO_CONNECTION


def of_line(error: Exception | None) -> ExitStatus:
    """Of a line of --plain that was not carried out, whatever the reason; unless that is not known."""
    is_in_doubt = isinstance(error, ChatError) and error.done is None
    return ExitStatus.NOT_KNOWN if is_in_doubt else ExitStatus.REFUSED


def worse(status: ExitStatus, other: ExitStatus) -> ExitStatus:
    """Of two lines of --plain. What is not known outweighs the rest: a script that tries again would say it twice."""
    return status if status == ExitStatus.NOT_KNOWN else other


def of_signal(number: int) -> int:
    """As shells tell it of a program that a signal has ended."""
    return 128 + number


SUMMARY = (
    f"Exit status: {ExitStatus.DONE} done, {ExitStatus.REFUSED} refused by the server, {ExitStatus.USAGE} wrong usage, "
    f"{ExitStatus.NO_CONNECTION} no connection, {ExitStatus.NOT_KNOWN} not known whether it was sent, "
    f"{ExitStatus.CANNOT_WRITE} cannot write to stdout, {ExitStatus.FAULT} a fault of the client, "
    f"{of_signal(signal.SIGHUP)} hung up, {of_signal(signal.SIGINT)} interrupted, "
    f"{of_signal(signal.SIGQUIT)} quit, {of_signal(signal.SIGTERM)} terminated."
)
