import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_client.common.cells import row_width
from chat_client.tui.render.colours import name_style
from chat_client.tui.render.markup import (
    CUT_MARK,
    LINK_PREFIX,
    Block,
    blocks,
    code_lines,
    fragments,
    mark_found,
)


def marked(text: str, kind: str) -> list[str]:
    """The parts of the text that have this style."""
    return [part for style, part in fragments(text, "body") if kind in style.split()]


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [
        ("a **bold word** here", "bold", ["bold word"]),
        ("an *italic* and _another one_", "italic", ["italic", "another one"]),
        ("`code` and ``more ` code``", "code", ["`code`", "``more ` code``"]),
        ("**bold with `code` in it**", "code", ["`code`"]),
        ("@bob and bob@example.org", name_style("bob"), ["@bob"]),
        ("@Zoe\u0308, @zoë._ and @.", name_style("Zoë"), ["@Zoe\u0308", "@zoë"]),
    ],
)
def test_marks_set_their_text_apart_and_stay(text: str, kind: str, parts: list[str]) -> None:
    assert marked(text, kind) == parts
    assert "".join(part for _, part in fragments(text, "body")) == text


@pytest.mark.parametrize("written", ["zoë", "ZOË", "Zoe\u0308", "Ｚｏë"])
def test_a_name_is_the_user_s_however_it_is_written(written: str) -> None:
    assert [part for style, part in fragments(f"hi @{written}!", "body", "Zoë") if "me" in style.split()] == [
        f"@{written}"
    ]


@pytest.mark.parametrize(
    "text",
    ["2 * 3 * 4", "a*b*c", "*.py and *.txt", "**kwargs and **args", "snake_case_name", "__init__", "_", "**", "` `` ",
     "a ** b ** c", "`not\nclosed`", "*not\nclosed*"],
)  # fmt: skip
def test_what_is_no_markup_stays_plain(text: str) -> None:
    assert {style for style, _ in fragments(text, "body")} == {"body"}


@given(st.lists(st.sampled_from([*"ab *_`@.)\n", "https://a.example/b"]), max_size=40).map("".join))
def test_nothing_of_a_text_is_lost(text: str) -> None:
    assert "".join(part for _, part in fragments(text, "body")) == text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "see\n```python\nx = 1\n\ny = 2\n```\nwhat?",
            [("prose", "see"), ("code", "x = 1\n\ny = 2"), ("prose", "what?")],
        ),
        ("```\nx\n```", [("code", "x")]),
        ("```\nnever closed", [("code", "never closed")]),
        ("```\na\n```\n```\nb\n```", [("code", "a"), ("code", "b")]),
        ("```\n   \n```", [("prose", "```\n   \n```")]),
        ("say ```x``` so", [("prose", "say ```x``` so")]),
        ("", [("prose", "")]),
    ],
)
def test_fenced_code_is_a_block_of_its_own(text: str, parts: list[tuple[str, str]]) -> None:
    assert blocks(text) == [Block(kind, part) for kind, part in parts]  # type: ignore[arg-type]


def test_code_stands_on_one_ground_and_is_cut_hard() -> None:
    rows = code_lines("short\n" + "x" * 25, "body", 12)
    assert ["".join(text for _, text in row) for row in rows] == [
        "▏short      ", "▏" + "x" * 10 + CUT_MARK, "▏" + "x" * 10 + CUT_MARK, "▏xxxxx      ",
    ]  # fmt: skip
    assert all("code" in style.split() for row in rows for style, _ in row)
    assert {row_width(row) for row in code_lines("大家好" * 9, "body", 11)} == {11}


def test_a_link_tells_where_it_leads() -> None:
    assert marked("see https://example.org/a_(b).", f"{LINK_PREFIX}https://example.org/a_(b)")
    assert marked("(https://example.org/ü)", f"{LINK_PREFIX}https://example.org/%C3%BC") == ["https://example.org/ü"]
    assert marked("**https://example.org/x**", "link") == ["https://example.org/x"]


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("picture", "the Picture of pictures", ["Picture"]),
        ("pict*", "the Picture of pictures", ["Picture", "pictures"]),
        ("in:#team from:bob lunch", "lunch in team", ["lunch"]),
        ('"two words"', "two words", ["two", "words"]),
        ("strasse", "in der Straße", ["Straße"]),
        ("", "anything", []),
    ],
)
def test_the_words_that_a_search_has_found_are_marked(query: str, text: str, found: list[str]) -> None:
    parts = mark_found([("body", text)], query)
    assert [part for style, part in parts if "found" in style.split()] == found
    assert "".join(part for _, part in parts) == text


def test_what_was_found_in_code_is_marked_also_where_it_is_cut() -> None:
    rows = code_lines("needle = 1\nxxxxxneedles needle", "body", 12, "needle")
    found = [[text for style, text in row if "found" in style.split()] for row in rows]
    assert found == [["needle"], [], ["needle"]]
    rows = code_lines("xxx needle()", "body", 10, "needle")
    assert [[text for style, text in row if "found" in style.split()] for row in rows] == [["need"], ["le"]]
    assert {row_width(row) for row in rows} == {10}
