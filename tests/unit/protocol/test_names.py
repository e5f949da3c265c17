import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.errors import Refusal
from chat_server.protocol.names import NAME_CHARS_MAX, RESERVED, check, fold


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "anna",
        "Anna_2",
        "a.b-c_d",
        "7",
        "x" * 32,
        "анна",
        "Ёлка2",
        "花子",
        "はなこ花カ",
        "김민준",
        "Ödön",
        "Σίσυφος",
        # Letters of their languages, though Unicode calls them modifiers or punctuation looks like them.
        "ユーザー",
        "佐々木",
        "สมๆก",
        "く",
        "人",
        "Ɓala",
        "þorgnýr",
        "יוסי",
        "محمد",
        "علی۱۲",
    ],
)
def test_these_may_be_given(name: str) -> None:
    assert check(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "", "x" * 33, "a b", "a\tb", "a\nb", "a\0b", "a\x1bb", "a\u202eb", "a\u200bb", "a@b", "#team", "a/b",
        "a:b", '"a"', "👍", "_a", "a_", "-a", "a-", ".a", "a.", "-", "e\u0301\u0323x\u0489",
        "аnna", "annа", "anna花", "алfа", "αnna",
        "\ud800", "a\u2028b", "محـمد",
    ],
)  # fmt: skip
def test_these_may_not(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        check(name)
    assert refused.value.code == "bad_name"


HIDDEN = "\u3164\u115f\u1160\uffa0\u2800\u200e\u200d\ufff9\U000e0041\u17b4\u034f\ufe0f\u0378\ue000\U00013441\U00016fe4"
MARKS = "ʼʻʽʾˈːˑˬʹꞌꞏǃʔᴻ"


@pytest.mark.parametrize("char", HIDDEN + MARKS, ids=ascii)
@pytest.mark.parametrize("form", ["{}", "bob{}", "b{}ob", "花{}子"])
def test_nothing_stands_in_a_name_that_is_not_seen_or_taken_for_a_mark(form: str, char: str) -> None:
    with pytest.raises(Refusal) as refused:
        check(form.format(char))
    assert refused.value.code == "bad_name"


@pytest.mark.parametrize("name", [*sorted(RESERVED), "MAIN", "Server", "ｍａｉｎ", "ＹＯＵ"])
def test_reserved_names_are_refused_however_written(name: str) -> None:
    with pytest.raises(Refusal, match="reserved"):
        check(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna", "anna"),
        ("STRASSE", "straße"),
        ("ＡＮＮＡ", "anna"),
        ("ﬁn", "fin"),
        ("Ä", "A\u0308"),
        ("Σ", "ς"),
        ("①", "1"),
    ],
)
def test_names_are_compared_after_nfkc_and_case_folding(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@given(st.text())
def test_folding_twice_is_folding_once(name: str) -> None:
    assert fold(fold(name)) == fold(name)


@given(st.text(max_size=40))
def test_a_name_is_valid_as_a_whole_or_refused(name: str) -> None:
    try:
        valid = check(name)
    except Refusal as refusal:
        assert refusal.code == "bad_name"
        return
    assert 1 <= len(valid.name) <= NAME_CHARS_MAX
    assert valid.name == unicodedata.normalize("NFKC", name)
    assert valid.folded == fold(name) == fold(valid.folded)
    assert all(char.isalnum() or char in "_-." for char in valid.name)
    assert check(valid.name) == valid
