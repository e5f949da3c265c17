import io
import re
from typing import cast

import pytest
from prompt_toolkit.data_structures import Size

from chat_client.tui.terminal.link_output import LinkOutput, linked, screen_output, unlinked
from tests.client.tui.terminal.written import Written

ADDRESS = "https://example.org/a"


def written(data: str, term: str = "xterm") -> str:
    out = Written()
    output = LinkOutput(cast(io.TextIOWrapper, out), lambda: Size(24, 80), term=term, enable_cpr=False)
    output.write(data)
    output.flush()
    return out.getvalue()


def test_a_link_is_told_to_the_terminal_whole() -> None:
    assert re.fullmatch(rf"\x1b\]8;id=[0-9a-f]+;{ADDRESS}\x1b\\here\x1b\]8;;\x1b\\", written(linked("here", ADDRESS)))


def test_parts_of_one_link_belong_together_and_to_no_other() -> None:
    first, second, other = (
        re.search("id=([^;]*);", written(linked(text, address)))
        for text, address in (("https://", ADDRESS), ("example.org/a", ADDRESS), ("x", "https://example.org/b"))
    )
    assert first and second and other and first[1] == second[1] != other[1]


@pytest.mark.parametrize("term", ["linux", "dumb", "vt220"])
def test_a_terminal_that_would_show_it_gets_the_text_alone(term: str) -> None:
    assert written(linked("here", ADDRESS), term) == "here"


def test_other_texts_are_written_as_they_are() -> None:
    assert written("plain") == "plain" and written("a\x1b[2Jb") == "a?[2Jb"
    assert written("\x11half a link") == "\x11half a link"
    assert unlinked(linked("here", ADDRESS) + " and there") == "here and there"


def test_there_is_none_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert screen_output() is None
