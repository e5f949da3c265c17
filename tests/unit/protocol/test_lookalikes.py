import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server.protocol.lookalikes import skeleton
from chat_server.protocol.names import check, fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("aIice", "alice"), ("user1", "userl"), ("b0b", "bob"), ("B0B", "bob"), ("paypaI", "paypal"), ("Iisa", "lisa"),
        ("сосо", "coco"), ("АНЕТ", "AHET"), ("ор", "op"), ("ехор", "exop"), ("ΑΝΝΑ", "ANNA"),
    ],
)  # fmt: skip
def test_names_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    assert check(one).folded != check(other).folded
    assert check(one).lookalike == check(other).lookalike


@pytest.mark.parametrize(("one", "other"), [("anna", "hanna"), ("bob", "rob"), ("user2", "user3"), ("анна", "алла")])
def test_names_that_do_not_look_alike_have_two(one: str, other: str) -> None:
    assert check(one).lookalike != check(other).lookalike


@given(st.text(max_size=12))
def test_the_same_name_looks_like_itself(name: str) -> None:
    assert skeleton(name) == skeleton(name)
    assert fold(fold(skeleton(name))) == fold(skeleton(name))
