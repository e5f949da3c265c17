"""What is asked at the terminal before either front end uses it."""

import io

import pytest

from chat_client import startup


def test_no_name_that_a_server_tells_controls_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server may say that one signed in as somebody else, and the next question has that name."""
    shown = []

    def ask(words: str) -> str:
        shown.append(words)
        return "secret"

    monkeypatch.setattr("getpass.getpass", ask)
    hostile = "bob\x1b]0;owned\x07\x9b31m\u202e is new: "
    assert startup._secret(hostile) == "secret"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"code\n")))
    assert startup._line(hostile) == "code"
    assert [*shown, capsys.readouterr().out] == ["bob]0;owned31m is new: "] * 2
