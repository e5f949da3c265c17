import io
from base64 import b64decode
from typing import cast

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.vt100 import Vt100_Output

from chat_client.tui.terminal.terminal import Terminal
from tests.client.tui.terminal.written import Written


def written(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> tuple[Terminal, Written]:
    monkeypatch.setattr("shutil.which", lambda name: None)
    out = Written()
    output = Vt100_Output(cast(io.TextIOWrapper, out), lambda: Size(24, 80), term="xterm", enable_cpr=False)
    return Terminal(output, environment), out


def test_attention_rings_and_notifies_with_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, out = written({"TERM": "xterm"}, monkeypatch)
    terminal.attention("bob\x1b;x", "hi\x07\x9b")
    assert out.getvalue() == "\x07\x1b]777;notify;bob\ufffd,x;hi\ufffd\ufffd\x07"


def test_attention_by_the_sequence_that_the_terminal_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, out = written({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, monkeypatch)
    terminal.attention("bob", "hi")
    assert out.getvalue() == "\x07\x1b]9;bob: hi\x07"
    terminal, out = written({"TERM": "linux"}, monkeypatch)
    terminal.attention("bob", "hi")
    assert out.getvalue() == "\x07"


def test_the_clipboard_passes_through_tmux(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, out = written({"TMUX": "1", "TERM": "screen"}, monkeypatch)
    terminal.copy("#42")
    assert out.getvalue() == "\x1bPtmux;\x1b\x1b]52;c;IzQy\x07\x1b\\"


def test_nothing_is_copied_that_a_shell_would_take_for_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may send what ends a paste, so that the rest of it would be executed."""
    terminal, out = written({"TERM": "xterm"}, monkeypatch)
    terminal.copy("ls\x1b[201~\x9b201~\x03rm\n")
    assert b64decode(out.getvalue().removeprefix("\x1b]52;c;").removesuffix("\x07")) == b"ls[201~201~rm\n"


def test_modes_are_set_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, out = written({"TERM": "xterm"}, monkeypatch)
    terminal.begin()
    terminal.end()
    assert out.getvalue().startswith("\x1b[?1004h\x1b[?1036s\x1b[?1036h\x1b[?1036r\x1b[?1004l")
