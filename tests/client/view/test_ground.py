import asyncio
import io
from collections.abc import AsyncIterator
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.input.typeahead import get_typeahead
from prompt_toolkit.output.vt100 import Vt100_Output

from chat_client.view.ground import ASK, Answers, ask, theme_on
from tests.client.view.test_terminal import Written
from tests.harness import TIMEOUT_SECONDS

LIGHT, DARK = "\x1b]11;rgb:ffff/fafa/f0f0\x1b\\", "\x1b]11;rgb:1a/1b/26\x07"
DONE = "\x1b[?62;22c"


@pytest.fixture
async def terminal() -> AsyncIterator[PipeInput]:
    with create_pipe_input() as input:
        yield input


async def asked(terminal: PipeInput, answer: str, seconds: float = TIMEOUT_SECONDS) -> tuple[str | None, str]:
    """What it is found to be, and what was typed meanwhile."""
    out = Written()
    output = Vt100_Output(cast(io.TextIOWrapper, out), lambda: Size(24, 80), term="xterm", enable_cpr=False)
    terminal.send_text(answer)
    found = await ask(terminal, output, seconds)
    assert out.getvalue() == ASK
    return found, "".join(key.data for key in get_typeahead(terminal))


@pytest.mark.parametrize(
    ("answer", "found", "typed"),
    [
        (LIGHT + DONE, "light", ""),
        (DARK + DONE, "dark", ""),
        (DONE, None, ""),
        ("hel" + LIGHT + "lo\x1b[A" + DONE, "light", "hello\x1b[A"),
    ],
)
async def test_the_terminal_says_what_it_is(terminal: PipeInput, answer: str, found: str, typed: str) -> None:
    assert await asked(terminal, answer) == (found, typed)


async def test_a_terminal_that_says_nothing_is_not_waited_for(terminal: PipeInput) -> None:
    assert await asked(terminal, "hi", seconds=0.01) == (None, "hi")


async def test_an_answer_that_comes_late_is_not_typed(terminal: PipeInput) -> None:
    assert await asked(terminal, "", seconds=0.0) == (None, "")
    terminal.send_text("a" + LIGHT[:7])
    keys = terminal.read_keys()
    terminal.send_text(LIGHT[7:] + DONE + "b")
    assert [key.data for key in keys + terminal.read_keys()] == ["a", "b"]


async def test_esc_is_a_key_while_an_answer_is_awaited(terminal: PipeInput) -> None:
    await asked(terminal, "", seconds=0.0)
    terminal.send_text("\x1b")
    assert [key.data for key in terminal.read_keys() + terminal.flush_keys()] == ["\x1b"]


@given(st.lists(st.integers(1, 60), max_size=6))
def test_however_the_answer_is_cut_nothing_of_it_is_typed(cuts: list[int]) -> None:
    async def run() -> list[str]:
        keys: list[str] = []
        answers = Answers(lambda key: keys.append(key.data))
        sent, at = "x" + LIGHT + "y" + DONE + "z\x1b[A", 0
        for cut in [*sorted(cuts), len(sent)]:
            answers.feed(sent[at:cut])
            at = max(at, cut)
        assert answers.colour == "rgb:ffff/fafa/f0f0" and answers.answered.is_set()
        return keys

    assert asyncio.run(run()) == ["x", "y", "z", "\x1b[A"]


def test_colours() -> None:
    assert [theme_on(colour) for colour in ("rgb:f/f/f", "rgba:0000/0000/0000/ffff", "#ffffff", "")] == [
        "light",
        "dark",
        None,
        None,
    ]
