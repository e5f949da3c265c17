import io
from collections.abc import AsyncIterator
from typing import cast

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.input.typeahead import get_typeahead
from prompt_toolkit.output.vt100 import Vt100_Output

from chat_client.common.line_editing import listen
from chat_client.tui.terminal.background import ASK, LATE_SECONDS_MAX, BackgroundQuery
from chat_client.tui.terminal.contrast import Colour
from chat_client.tui.terminal.palettes import TerminalColours
from chat_client.tui.terminal.themes import fitting
from tests.client.tui.terminal.written import Written
from tests.harness import TIMEOUT_SECONDS

LIGHT, DARK = "\x1b]11;rgb:ffff/fafa/f0f0\x1b\\", "\x1b]11;rgb:1a/1b/26\x07"
DONE = "\x1b[?62;22c"


@pytest.fixture
async def terminal() -> AsyncIterator[PipeInput]:
    with create_pipe_input() as input:
        yield input


async def asked(
    terminal: PipeInput, answer: str, seconds: float = TIMEOUT_SECONDS
) -> tuple[list[TerminalColours], str]:
    """What it has told of its colours, and what was typed meanwhile."""
    out, found = Written(), list[TerminalColours]()
    output = Vt100_Output(cast(io.TextIOWrapper, out), lambda: Size(24, 80), term="xterm", enable_cpr=False)
    query = BackgroundQuery(found.append)
    listen(terminal, query.take)
    terminal.send_text(answer)
    await query.ask(terminal, output, seconds)
    assert out.getvalue() == ASK
    return found, "".join(key.data for key in get_typeahead(terminal))


def test_nothing_is_taken_for_an_answer_before_there_is_a_question() -> None:
    found = list[TerminalColours]()
    BackgroundQuery(found.append).take(LIGHT)
    assert not found


@pytest.mark.parametrize(
    ("answer", "theme", "typed"),
    [
        (LIGHT + DONE, ["light"], ""),
        (DARK + DONE, ["dark"], ""),
        (DONE, [], ""),
        ("hel" + LIGHT + "lo\x1b[A" + DONE, ["light"], "hello\x1b[A"),
    ],
)
async def test_the_terminal_says_what_it_is(terminal: PipeInput, answer: str, theme: list[str], typed: str) -> None:
    found, kept = await asked(terminal, answer)
    assert ([fitting(told) for told in found], kept) == (theme, typed)


async def test_a_terminal_that_says_nothing_is_not_waited_for(terminal: PipeInput) -> None:
    assert await asked(terminal, "hi", seconds=0.01) == ([], "hi")


async def test_an_answer_that_comes_late_dresses_and_is_not_typed(terminal: PipeInput) -> None:
    found, typed = await asked(terminal, "", seconds=0.0)
    assert (found, typed) == ([], "")
    terminal.send_text("a" + LIGHT[:7])
    keys = terminal.read_keys()
    terminal.send_text(LIGHT[7:] + DONE + "b")
    assert [key.data for key in keys + terminal.read_keys()] == ["a", "b"] and [fitting(told) for told in found] == [
        "light"
    ]


async def test_an_answer_is_awaited_until_it_has_come_or_is_too_late(
    terminal: PipeInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("chat_client.sdk.clock.elapsed", lambda: now[0])
    query = BackgroundQuery(lambda theme: None)
    assert not query.is_awaited
    output = Vt100_Output(cast(io.TextIOWrapper, Written()), lambda: Size(24, 80), term="xterm", enable_cpr=False)
    listen(terminal, query.take)
    await query.ask(terminal, output, 0.0)
    assert query.is_awaited
    now[0] += LATE_SECONDS_MAX
    assert not query.is_awaited
    now[0] -= 1
    query.take(DONE)
    assert not query.is_awaited


@pytest.mark.parametrize(
    ("words", "found"),
    [("rgb:f/f/f", [(1.0, 1.0, 1.0)]), ("rgba:0000/0000/ffff/ffff", [(0.0, 0.0, 1.0)]), ("#ffffff", []), ("", [])],
)
async def test_colours_are_read_as_terminals_write_them(terminal: PipeInput, words: str, found: list[Colour]) -> None:
    told, _ = await asked(terminal, f"\x1b]11;{words}\x1b\\{DONE}")
    assert [each.ground for each in told] == found


async def test_the_sixteen_colours_are_told_before_the_ground(terminal: PipeInput) -> None:
    answer = "\x1b]4;1;rgb:ff/00/00\x1b\\\x1b]4;99;rgb:ff/00/00\x1b\\\x1b]4;2;what\x07" + DARK + DONE
    told, _ = await asked(terminal, answer)
    assert [each.sixteen for each in told] == [{1: (1.0, 0.0, 0.0)}]
