from datetime import UTC

import pytest
from msgspec.structs import replace

from chat_client.common.setting import SettingError
from chat_client.tui.render.look import COLUMNS, PANES, Look, look
from chat_client.tui.render.row import Display
from chat_client.tui.render.times import clock
from tests.client.people import Me, said


@pytest.mark.parametrize(
    ("set_look", "at", "shown"),
    [
        (Look(), "2026-11-18T08:05:09.000Z", "08:05"),
        (Look(seconds=True), "2026-11-18T18:05:09.000Z", "18:05:09"),
        (Look(clock="12"), "2026-11-18T00:05:09.000Z", "12:05am"),
        (Look(clock="12"), "2026-11-18T12:05:09.000Z", "12:05pm"),
        (Look(clock="12", seconds=True), "2026-11-18T13:05:09.000Z", "1:05:09pm"),
    ],
)
def test_times_are_written_as_one_has_set(set_look: Look, at: str, shown: str) -> None:
    assert clock(at, UTC, set_look) == shown
    assert len(shown) <= set_look.time_cells


def test_messages_stand_behind_the_columns_that_one_has_set() -> None:
    me = Me()
    me.load(said(1, "hello", who="konstantin"))
    me.display = Display(110, 34, zone=UTC, look=Look(names=6, seconds=True, clock="12"))
    assert "  8:00:01am kon…in  hello" in me.text()


def test_panes_are_as_wide_as_one_has_set() -> None:
    me = Me()
    for left, right, widths in ((30, 20, (30, 20)), (60, 60, (36, 36))):
        me.display = replace(me.display, look=Look(left=left, right=right))
        regions = {region.name: region.columns for region in me.frame().regions}
        assert (regions["left"], regions["right"]) == widths
    me.screen.side_panels = "left"
    assert "right" not in {region.name for region in me.frame().regions}


def test_the_sections_say_all_of_it() -> None:
    assert look({}, {}) == Look()
    columns = COLUMNS.read({"names": 20, "seconds": True, "clock": "12"})
    panes = PANES.read({"sides": "left", "left": 25, "right": 0})
    assert look(columns, panes) == Look(20, True, "12", 25, 0)


@pytest.mark.parametrize("table", [{"names": 4}, {"names": 33}, {"names": 0}, {"clock": "13"}, {"seconds": 1}])
def test_impossible_columns_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        COLUMNS.read(table)


@pytest.mark.parametrize("table", [{"left": 9}, {"right": 61}, {"sides": "right"}, {"left": -1}])
def test_impossible_panes_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        PANES.read(table)
