from prompt_toolkit.buffer import Buffer
from prompt_toolkit.layout import BufferControl, UIContent

from chat_client.tui.terminal.input_style import Hint
from tests.client.people import Me


async def look(me: Me, text: str, cells: int = 80) -> str:
    line = Buffer(multiline=True)
    line.insert_text(text)
    control = BufferControl(line, input_processors=[Hint(lambda: (me.hint, cells))])
    content: UIContent = control.create_content(80, 6)
    return "\n".join("".join(part[1] for part in content.get_line(at)).rstrip() for at in range(content.line_count))


async def test_an_empty_line_says_what_it_may_become() -> None:
    me = Me()
    assert await look(me, "") == "message to everyone · / for commands"
    assert await look(me, "h") == "h"
    assert await look(me, "", cells=16) == "message to ever…"
