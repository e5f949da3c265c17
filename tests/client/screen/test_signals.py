"""Signals: what stops or ends the client leaves the terminal as it was; what goes on takes it again."""

import os
import select
import shlex
import signal
import termios
from pathlib import Path

import pytest

from chat_client.signals import ENDING
from tests.client.conftest import Home
from tests.client.tmux import Terminal, Tmux
from tests.harness import TIMEOUT_SECONDS

MODES = "#{alternate_on}#{mouse_any_flag}#{cursor_flag}"


def modes(terminal: Terminal) -> tuple[str, bool, bool]:
    """The alternate screen, the mouse and the cursor as tmux has them; whether the line is edited and echoed."""
    words = terminal.tmux("display", "-p", "-t", f"{terminal.name}:", f"{MODES} #{{pane_tty}}").split()
    number = os.open(words[1], os.O_RDONLY | os.O_NOCTTY)
    try:
        flags = termios.tcgetattr(number)[3]
    finally:
        os.close(number)
    return words[0], bool(flags & termios.ICANON), bool(flags & termios.ECHO)


def last(screen: str) -> str:
    """Its last two lines: where one types, and in the full screen the status below it."""
    return "\n".join(screen.rstrip().splitlines()[-2:])


COOKED = ("001", True, True)


def process(user: str, home: Home) -> int:
    """The client's process."""
    wanted = [home.address.encode(), user.encode(), b"chat_client"]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if all(word in words for word in wanted):
            return int(path.parent.name)
    raise AssertionError("no such process")


FORMS = {"screen": ((), "❯ message to everyone"), "plain": (("--plain",), "main>")}


@pytest.fixture(params=FORMS)
def client(request: pytest.FixtureRequest, home: Home, tmux: Tmux) -> tuple[Terminal, str]:
    """A client as a job of an interactive shell, and what it shows when it is there."""
    options, shows = FORMS[request.param]
    shell = tmux.start(["env", "PS1=$ ", "bash", "--norc", "-i"], home.environment, 110, 30)
    shell.until("$ ")
    shell.enter(shlex.join(home.arguments(*options, user="alice")))
    shell.until(shows)
    return shell, shows


async def test_ctrl_z_and_back(home: Home, client: tuple[Terminal, str]) -> None:
    terminal, shows = client
    terminal.type("half a line")
    terminal.until("half a line")
    before = modes(terminal)
    assert not before[1] and not before[2]
    terminal.keys("C-z")
    terminal.until("Stopped")
    assert modes(terminal)[0] == "001"
    terminal.enter("echo $((6*7))")
    terminal.until("42")
    terminal.enter("fg")
    terminal.until(lambda screen: "half a line" in last(screen) and modes(terminal) == before)
    terminal.keys("Enter")
    terminal.until("half a line (#1)" if "main>" in shows else "alice  half a line")


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP])
async def test_stopped_from_outside_and_back(home: Home, client: tuple[Terminal, str], number: int) -> None:
    terminal, shows = client
    before = modes(terminal)
    os.kill(process("alice", home), number)
    terminal.until("Stopped")
    terminal.enter("reset -I 2>/dev/null; clear; fg")
    terminal.until(lambda screen: shows.split()[0] in last(screen) and modes(terminal) == before)
    terminal.enter("here again")
    terminal.until("here again (#1)" if "main>" in shows else "alice  here again")


@pytest.mark.parametrize(
    "number", [*ENDING[:3], *(pytest.param(number, marks=pytest.mark.thorough) for number in ENDING[3:])]
)
async def test_the_terminal_is_left_as_it_was(home: Home, client: tuple[Terminal, str], number: int) -> None:
    terminal, _ = client
    terminal.type("a draft")
    terminal.until("a draft")
    os.kill(process("alice", home), number)
    terminal.until(lambda screen: screen.rstrip().endswith("$"))
    assert modes(terminal)[0] == "001"
    terminal.enter("echo left with $?")
    assert "Traceback" not in terminal.until(f"left with {128 + number}")
    terminal.enter("cat")
    terminal.until(lambda screen: modes(terminal) == COOKED)


@pytest.mark.parametrize("options", [options for options, _ in FORMS.values()], ids=list(FORMS))
async def test_a_terminal_that_is_closed_is_no_fault(home: Home, tmux: Tmux, options: tuple[str, ...]) -> None:
    """Its SIGHUP comes with a SIGCONT, on which nothing can be written any more."""
    terminal = tmux.start(home.arguments(*options, user="alice"), home.environment)
    terminal.until(lambda screen: "❯" in screen or "main>" in screen)
    number = process("alice", home)
    watched = select.poll()
    watched.register(os.pidfd_open(number), select.POLLIN)
    tmux.kill(terminal)
    assert watched.poll(TIMEOUT_SECONDS * 1000), "it ends"
    assert not list(home.folder.rglob("faults.log"))
