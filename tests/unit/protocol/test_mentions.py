import re
import unicodedata
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.protocol import mentions
from chat_server.protocol.characters import may_be_named
from chat_server.protocol.mentions import MENTIONS_MAX, find_mentions
from chat_server.protocol.messages import Comment, Edit, Send, SendAll, SendDelayed
from chat_server.protocol.names import fold
from chat_server.protocol.parse import parse
from tests.unit.strategies import any_text, names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@bob hi", ("bob",)),
        ("hi @Bob, @CAROL! (@dave) @bob", ("bob", "carol", "dave")),
        ("see @a.b. and @c-d_", ("a.b", "c-d")),
        ("привет @Анна", ("анна",)),
        ("@ＢＯＢ", ("bob",)),
        ("@Zoe\u0308 and @Nguye\u0302\u0303n, @か\u3099!", ("zoë", "nguyễn", "が")),
        ("cafe\u0301@bob.example", ()),
        ("@bob\u20dd @carol\ufe0f", ("bob", "carol")),
        ("write to bob@example.org", ()),
        ("@@bob a@bob @ bob @. @-", ()),
        ("a.@bob a-@bob", ()),
        ("@bob's\n@carol", ("bob", "carol")),
        ("no one", ()),
        ("@" + "x" * 5000, ("x" * 64,)),
    ],
)
def test_whom_a_text_names(text: str, found: tuple[str, ...]) -> None:
    assert find_mentions(text) == found


def test_no_more_than_so_many() -> None:
    assert find_mentions(" ".join(f"@u{number}" for number in range(100))) == tuple(
        f"u{n}" for n in range(MENTIONS_MAX)
    )


@given(names, any_text)
def test_a_name_is_found_whatever_stands_around_it(name: str, text: str) -> None:
    assert find_mentions(f"@{name} {text}")[0] == fold(name)
    assert len(find_mentions(text)) <= MENTIONS_MAX


def test_a_letter_of_a_name_may_come_in_characters_of_its_own() -> None:
    letters = [char for char in map(chr, range(0x80, 0x20000)) if unicodedata.decomposition(char) and char.isalnum()]
    for char in letters:
        for form in "NFC", "NFD":
            written = unicodedata.normalize(form, f"a{char}b")
            if may_be_named(fold(written)):
                assert find_mentions(f"@{written} hi") == (fold(written),), ascii(written)


@given(st.text("@aA.-_é \n", max_size=60))
def test_a_name_is_what_begins_a_word_up_to_what_names_do_not_have(text: str) -> None:
    words = [match[1].rstrip("._-") for match in re.finditer(r"(?<![\w.@-])@([\w.-]+)", text)]
    assert find_mentions(text) == tuple(dict.fromkeys(fold(word) for word in words if word))[:MENTIONS_MAX]


def test_a_name_is_folded_once_however_often_it_is_written() -> None:
    with patch.object(mentions, "fold", wraps=fold) as folding:
        assert find_mentions("@bob @BOB! " * 500 + "@carol") == ("bob", "carol")
    assert folding.call_count == 3


@pytest.mark.parametrize(
    "line", ["/send_all {}", "/send bob {}", "/reply 3 {}", "/edit 3 {}", "/send_delayed bob 5 {}", "@7f /w bob {}"]
)
def test_the_parser_puts_them_into_what_has_a_text(line: str) -> None:
    command = parse(line.format("hi @Bob"), text_chars_max=100).command
    assert isinstance(command, SendAll | Send | Comment | Edit | SendDelayed)
    assert command.mentions == ("bob",)


@pytest.mark.parametrize("cmd", ['"send_all"', '"edit","id":3', '"reply","id":3', '"send","target":"bob"'])
def test_json_may_escape_the_sign(cmd: str) -> None:
    command: Any = parse(rf'{{"cmd":{cmd},"text":"hi \u0040\u0042ob"}}', text_chars_max=100).command
    assert command.mentions == ("bob",)


def test_nobody_says_them_otherwise() -> None:
    error = parse('{"cmd":"send_all","text":"hi","mentions":["bob"]}', text_chars_max=100).error
    assert error is not None and error.code == "bad_argument"
    assert parse("/report @bob he wrote @carol", text_chars_max=100).error is None
