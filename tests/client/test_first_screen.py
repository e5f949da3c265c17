"""The start of the full screen: what is loaded until it shows messages, and what is not."""

import asyncio
import os
import pty
import sys

from tests.client.conftest import Home
from tests.harness import TIMEOUT_SECONDS

# Loaded when they are used first. Each of them would cost every start from a tenth of a millisecond to two.
LATER = (
    "chat_client.common.editor",
    "chat_client.common.reading_log",
    "chat_client.plain",
    "chat_client.settings_editor",
    "chat_client.tui.sections",
    "chat_server.protocol.control",
    "chat_server.protocol.formats",
    "chat_server.protocol.search_query",
    "chat_server.protocol.word_folding",
    "emoji",
    "getpass",
    "json",
    "tomllib",
)
# All patterns that are compiled at import: the first screen uses them, or they are used too often to be looked for in
# the cache of `re`. Nineteen others took 2.5 ms of each start.
COMPILED = {
    "chat_client.common.cells._FLAGS",
    "chat_client.common.chat_order._NUMBER",
    "chat_client.sdk.typed_line._WORD",
    "chat_client.tui.render.markup._MARKS",
    "chat_client.tui.terminal.background._GROUND",
    "chat_client.tui.terminal.background._ONE_OF_SIXTEEN",
    "chat_client.tui.terminal.background._RGB",
    "chat_client.tui.terminal.link_output._LINK",
    "chat_server.protocol.left_out._WORD",
    "chat_server.protocol.lines._EMPTY_LINES",
    "chat_server.protocol.sanitize._LINE_ENDS",
    "chat_server.protocol.sanitize._REMOVED",
}
# Write which modules are loaded and which patterns compiled when a frame with the messages of the open chat is drawn.
MAIN = """if True:
    import os, re, sys
    from chat_client import program

    def load(name, load=program.import_module):
        module = load(name)
        if app := getattr(module, "App", None):
            app._end_drawing = end_drawing
        return module

    def end_drawing(app):
        if app.screen.chats.open.loaded:
            ours = [(name, vars(module)) for name, module in sys.modules.items() if name.startswith("chat_")]
            patterns = [f"{name}.{key}" for name, names in ours for key in names if isinstance(names[key], re.Pattern)]
            print("\\n".join(sys.modules), "\\n".join(patterns), sep="\\n\\n", file=sys.stderr, flush=True)
            os._exit(0)

    program.import_module = load
    program.main()
"""


async def test_nothing_is_loaded_or_compiled_that_the_first_screen_does_not_show(home: Home) -> None:
    bob = await home.chat.text("bob")
    await bob.ok("/send_all hello")
    ours, theirs = pty.openpty()
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", MAIN, *home.arguments(user="alice")[3:]),
        stdin=theirs,
        stdout=theirs,
        stderr=asyncio.subprocess.PIPE,
        env=home.environment | {"COLORFGBG": "15;0"},  # it is not asked for its colours
    )
    os.close(theirs)
    reading = asyncio.create_task(asyncio.to_thread(_drain, ours))
    assert client.stderr is not None
    async with asyncio.timeout(TIMEOUT_SECONDS):
        loaded, compiled = (set(part.split()) for part in (await client.stderr.read()).decode().split("\n\n"))
        assert await client.wait() == 0
        await reading
    os.close(ours)
    assert {"chat_client.tui.app", "prompt_toolkit.renderer"} <= loaded
    assert not loaded.intersection(LATER)
    assert compiled == COMPILED


def _drain(terminal: int) -> None:
    """As a terminal does, until nobody has it open any more."""
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:
        pass
