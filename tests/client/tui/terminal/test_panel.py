"""Rows as runs of text: what the renderer is handed covers each row whole, also where something is drawn over it."""

from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Char, Screen, WritePosition

from chat_client.tui.state import navigation
from chat_client.tui.terminal.link_output import linked
from chat_client.tui.terminal.panel import DrawnRow, Panel
from tests.client.people import Me, said

COLUMNS, ROWS = 110, 34


def drawn(me: Me) -> Screen:
    screen = Screen()
    panel = Panel(lambda columns, rows: me.frame(), Window(), Window(), lambda *event: None)
    panel.write_to_screen(screen, MouseHandlers(), WritePosition(0, 0, COLUMNS, ROWS), "", False, None)
    return screen


def text(row: dict[int, Char]) -> str:
    """As the renderer goes through it: from one character to the next by their widths."""
    shown, column = "", 0
    while column < COLUMNS:
        shown += row[column].char
        column += row[column].width or 1
    assert column == COLUMNS
    return shown


def test_each_row_is_covered_whole_by_few_runs() -> None:
    me = Me()
    me.load(said(1, "plain"), said(2, "wide 漢字 and e\u0301 and \U0001f600 in `code`, @alice " * 3))
    rows = drawn(me).data_buffer
    texts = [text(rows[number]) for number in range(ROWS)]
    assert any("bob  plain" in line for line in texts) and any("漢字 and e\u0301" in line for line in texts)
    assert sum(len(dict.keys(rows[number])) for number in range(ROWS - 2)) < 10 * ROWS


def test_the_bare_screen_draws_nothing_behind_its_texts() -> None:
    """Blanks that are drawn are selected and copied."""
    me = Me()
    me.load(said(1, "if so:\n\n    this 漢"), said(2, "x" * COLUMNS))
    navigation.toggle_bare(me.screen)

    def ends() -> list[int]:
        rows = drawn(me).data_buffer
        return [max(column for column, _ in rows[number].items()) for number in range(ROWS - 2)]

    assert ends()[-4:] == [len("if so:") - 1, 0, len("    this 漢"), COLUMNS - 1] and max(ends()[:-4]) == 0
    navigation.open_finder(me.screen)
    over = drawn(me).data_buffer[2]
    assert "jump to" in "".join(over[column].char for column in range(COLUMNS))
    assert max(column for column, _ in over.items()) > COLUMNS // 2, "what is drawn over it is drawn whole"


def test_what_is_drawn_over_a_row_takes_it_apart() -> None:
    row = DrawnRow(COLUMNS)
    run = Char("x")
    run.char, run.width, run.style = "ab漢de" + " " * (COLUMNS - 6), COLUMNS, "s"
    row.update({0: run})
    row[3] = Char("|")
    assert [row[column].char for column in range(6)] == ["a", "b", "漢", "|", "d", "e"]
    assert {row[column].style for column in (0, 1, 2, 4, 5, 50)} == {"s"}
    row[2] = Char("|")
    assert text(row).startswith("ab||de")


def test_the_dialog_stands_over_the_rest() -> None:
    me = Me()
    me.load(*(said(id, f"text {id} " + "漢" * 40) for id in range(1, 40)))
    before = [text(drawn(me).data_buffer[number]) for number in range(ROWS)]
    navigation.open_finder(me.screen)
    rows = drawn(me).data_buffer
    with_dialog = [text(rows[number]) for number in range(ROWS)]
    assert any("jump to" in line for line in with_dialog) and with_dialog != before
    assert [(line[:20], line[-18:]) for line in with_dialog[:-2]] == [(line[:20], line[-18:]) for line in before[:-2]]
    navigation.escape(me.screen)
    assert [text(drawn(me).data_buffer[number]) for number in range(ROWS)] == before


def test_a_link_leads_somewhere_until_something_is_drawn_over_it() -> None:
    me = Me()
    me.load(said(1, "see https://example.org/a now"))
    row = next(row for row in drawn(me).data_buffer.values() if "example.org" in text(row))
    run = next(run for run in dict.values(row) if "example.org" in run.char)
    assert run.char == linked("https://example.org/a", "https://example.org/a") and run.width == 21
    row[0] = Char("|")
    assert not any("\x11" in run.char for run in dict.values(row)) and "see https://example.org/a now" in text(row)
