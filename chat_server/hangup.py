"""SIGHUP: the settings are to be read again, or the terminal that controlled the program was closed."""

import os
import signal


def has_terminal() -> bool:
    """Tell whether a terminal controls this process. Once that terminal is closed, none does."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True


class Hangup:
    """SIGHUP from the start of the program on.

    One that comes before the server listens is kept for it (`came`), unless the terminal that controlled the program
    has gone: then it ends the program, as it does by default.
    """

    def __init__(self) -> None:
        self.came = False
        self._had_terminal = has_terminal()
        # Under nohup it stays ignored.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._keep)

    def stop_keeping(self) -> None:
        """Let SIGHUP end the program as it does by default, at once if one came."""
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        if self.came:
            os.kill(os.getpid(), signal.SIGHUP)

    def has_lost_terminal(self) -> bool:
        return self._had_terminal and not has_terminal()

    def _keep(self, number: int, frame: object) -> None:
        self.came = True
        if self.has_lost_terminal():
            self.stop_keeping()
