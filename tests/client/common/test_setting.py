import tomllib

import pytest

from chat_client.common.setting import Section, Setting, SettingError, commented

PANES = Section(
    "panes",
    "What is shown\nbeside the chat.",
    (
        Setting("sides", True, "both sides"),
        Setting("width", 14, "of names"),
        Setting("clock", "24h", "of times", ("24h", "12h")),
        Setting("highlight", ["deploy"], "words that call"),
    ),
)


def test_entries_are_read() -> None:
    table = {"sides": False, "width": 8, "clock": "12h", "highlight": "prod"}
    assert PANES.read(table) == {"sides": False, "width": 8, "clock": "12h", "highlight": ["prod"]}
    assert PANES.read({}) == {}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"sides": 1}, "sides is true or false"),
        ({"width": True}, "width is a whole number"),
        ({"clock": "13h"}, 'clock is "24h" or "12h", not 13h'),
        ({"clock": 24}, 'clock is "24h" or "12h", not 24'),
        ({"highlight": [1]}, "highlight is a list of texts"),
        ({"highlight": ["a\0b"]}, "highlight has a control character in it"),
        ({"sidse": True}, "did you mean sides?"),
        ({"zzz": True}, "known are sides, width, clock, highlight"),
    ],
)
def test_a_wrong_entry_says_what_is_right(table: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError) as error:
        PANES.read(table)
    assert words in str(error.value)


def test_what_is_written_is_what_is_read_once_the_signs_are_taken_away() -> None:
    text = commented([PANES])
    assert tomllib.loads(text) == {"panes": {}}
    table = tomllib.loads("\n".join(line.removeprefix("#") for line in text.splitlines() if not line.startswith("# ")))
    assert PANES.read(table["panes"]) == {setting.name: setting.example for setting in PANES.settings}
    assert all(setting.help in text for setting in PANES.settings)
