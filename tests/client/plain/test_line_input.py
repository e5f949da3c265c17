"""The sources of typed lines."""

import os
import termios

from chat_client.plain.line_input import PromptKeyboard


def test_the_terminal_stays_raw_while_a_line_is_printed() -> None:
    """It showed what was typed just then by itself, Ctrl-C ended the client, and Ctrl-D was lost."""
    master, slave = os.openpty()
    with os.fdopen(master), os.fdopen(slave) as terminal:
        keyboard = PromptKeyboard(terminal)
        with keyboard.raw_mode(), keyboard.cooked_mode():
            assert not termios.tcgetattr(slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
        assert termios.tcgetattr(slave)[3] & termios.ICANON
