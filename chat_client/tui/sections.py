"""The sections of the settings file besides the general entries: keys, chats, colours, columns, panes.

A module of the full screen declares its `Section` (`common.setting`) beside what obeys it, and is named here.
`Settings.section` then gives its entries.
"""

from chat_client.common.keys import KEYS
from chat_client.common.setting import Section
from chat_client.tui.render.look import COLUMNS, PANES
from chat_client.tui.state.chat_list import CHATS
from chat_client.tui.terminal.palettes import COLOURS

SECTIONS: tuple[Section, ...] = (KEYS, CHATS, COLOURS, COLUMNS, PANES)
