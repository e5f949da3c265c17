"""SIGHUP, and the terminal that controls a program; tests/conformance/test_reload.py has what comes of it."""

import os
import pty
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_server.hangup import Hangup, has_terminal


def test_a_terminal_that_is_closed_controls_nobody_any_more(tmp_path: Path) -> None:
    """As a child sees it: it says what it has before and after."""
    said = tmp_path / "said"
    child, terminal = pty.fork()
    if child == 0:
        # Blocked, so that it cannot come before it is waited for.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
        before = has_terminal()
        os.write(1, b"ready\n")
        signal.sigwait([signal.SIGHUP])
        said.write_text(f"{before} {has_terminal()}")
        os._exit(0)
    assert os.read(terminal, 100).startswith(b"ready")
    os.close(terminal)
    os.waitpid(child, 0)
    assert said.read_text() == "True False"


@pytest.fixture
def sighup() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("sighup")
def test_one_that_comes_early_is_kept() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    hangup = Hangup()
    assert not hangup.came
    signal.raise_signal(signal.SIGHUP)
    assert hangup.came


@pytest.mark.usefixtures("sighup")
def test_an_ignored_one_stays_ignored() -> None:
    """As under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    hangup = Hangup()
    hangup.stop_keeping()
    signal.raise_signal(signal.SIGHUP)
    assert not hangup.came


@pytest.mark.parametrize("comes", ["before", "after"])
def test_who_takes_it_no_more_is_ended_by_it(comes: str) -> None:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        hangup = Hangup()
        if comes == "before":
            signal.raise_signal(signal.SIGHUP)
        hangup.stop_keeping()
        if comes == "after":
            signal.raise_signal(signal.SIGHUP)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGHUP
