"""The application as a whole is tested in tests/client/screen; here is what no screen shows."""

import asyncio
import io
import re
from pathlib import Path
from typing import cast

from prompt_toolkit.completion import DummyCompleter
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from chat_client.common.input_history import InputHistory
from chat_client.tui.terminal.terminal import FRAME_BEGIN, FRAME_END
from chat_client.tui.terminal.window import FullScreen
from tests.client.people import Me, said
from tests.client.tui.terminal.written import Written
from tests.harness import TIMEOUT_SECONDS


async def test_a_terminal_is_told_where_each_frame_begins_and_ends(tmp_path: Path) -> None:
    me, out = Me(), Written()
    me.load(said(1, "the first"))
    output = Vt100_Output(cast(io.TextIOWrapper, out), lambda: Size(24, 80), term="xterm", enable_cpr=False)
    drawn = asyncio.Event()
    typed = InputHistory(tmp_path / "typed", lambda: "alice", lambda: "main", list)
    with create_pipe_input() as input:
        view = FullScreen(
            me.screen, "dark", typed, DummyCompleter(), lambda: None, lambda focused: None,
            lambda shown: drawn.set(), lambda: None, lambda answer: None, lambda: False, input=input, output=output,
        )  # fmt: skip
        running = asyncio.create_task(view.app.run_async())
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await drawn.wait()
            drawn.clear()
            me.hear(said(2, "the second"))
            view.app.invalidate()
            await drawn.wait()
            while "second" not in out.getvalue():
                await asyncio.sleep(0)
        view.app.exit(result=0)
        await running
    frames = re.findall(f"{re.escape(FRAME_BEGIN)}(.*?){re.escape(FRAME_END)}", out.getvalue(), re.DOTALL)
    assert "the first" in frames[0] and any("second" in frame for frame in frames[1:])
    outside = re.sub(f"{re.escape(FRAME_BEGIN)}.*?{re.escape(FRAME_END)}", "", out.getvalue(), flags=re.DOTALL)
    assert "the first" not in outside and "second" not in outside
