"""The look of the screen as far as a user sets it: the columns beside messages, and the side panes."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from msgspec import Struct

from chat_client.common.setting import Rule, Section, Setting
from chat_client.tui.state.screen_state import Sides

Clock = Literal["24", "12"]
NAME_CELLS_MIN, NAME_CELLS_MOST = 5, 32  # of the column of names; no name is longer
PANE_COLUMNS_MIN, PANE_COLUMNS_MOST = 10, 60


class Look(Struct, frozen=True):
    """`names`: the most cells of the column of names. The panes have so many columns; 0: as their entries need."""

    names: int = 14
    seconds: bool = False
    clock: Clock = "24"
    left: int = 0
    right: int = 0

    @property
    def time_cells(self) -> int:
        """`12:34`, `12:34:56`, `12:34pm`, `12:34:56pm`"""
        return 5 + 3 * self.seconds + (2 if self.clock == "12" else 0)


DEFAULT_LOOK = Look()


_NAMES = Rule(
    lambda cells: NAME_CELLS_MIN <= cells <= NAME_CELLS_MOST, f"a number from {NAME_CELLS_MIN} to {NAME_CELLS_MOST}"
)
_PANE = Rule(
    lambda columns: columns == 0 or PANE_COLUMNS_MIN <= columns <= PANE_COLUMNS_MOST,
    f"0, or a number from {PANE_COLUMNS_MIN} to {PANE_COLUMNS_MOST}",
)
COLUMNS = Section(
    "columns",
    "The columns of the full screen beside each message.",
    (
        Setting("names", 14, "the greatest width of the column of names", rule=_NAMES),
        Setting("seconds", False, "show seconds"),
        Setting("clock", "24", "24 hours, or 12 with am and pm", get_args(Clock)),
    ),
)
PANES = Section(
    "panes",
    "The sides of the full screen, where there is room for them.",
    (
        Setting("sides", "both", "which sides are shown at the start", get_args(Sides)),
        Setting("left", 0, "the width of the left one in columns; 0: as wide as its longest entry", rule=_PANE),
        Setting("right", 0, "the width of the right one in columns; 0: as wide as its longest entry", rule=_PANE),
    ),
)


def look(columns: Mapping[str, Any], panes: Mapping[str, Any]) -> Look:
    """What the entries of the two sections say."""
    return Look(**columns, **{name: value for name, value in panes.items() if name != "sides"})
