"""Completion from the server's table: examples, and what holds for any text."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from chat_client.common.completion import CANDIDATES_MAX, Known, complete, opens_list, usage
from chat_client.common.local_commands import with_local
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.help import command_forms

KNOWN = Known(
    commands=with_local(command_forms()),
    users=["bob", "Bill", "carol"],
    chats=["main", "@carol", "#ops"],
    messages=[(142, "bob: hi"), (14, "bob: ho"), (7, "carol: x")],
    files=[(9, "photo.png")],
    tokens=[("3f9a1c07", "phone"), ("3e000001", "")],
    networks=[("192.0.2.0/24", "bots"), ("2001:db8::/64", "")],
    paths=lambda typed: [f"{typed}one.txt", f"{typed}dir/"],
)


def texts(before: str, known: Known = KNOWN) -> list[str]:
    """The lines that would stand there."""
    found = complete(before, known)
    return [before[: len(before) - each.replaces] + each.text for each in found]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/invite b", ["/invite bob ", "/invite Bill "]),
        ("/invite #", ["/invite #ops "]),
        ("/invite #ops b", ["/invite #ops bob ", "/invite #ops Bill "]),
        ("/history be", ["/history before "]),
        ("/history before 1", ["/history before 142 ", "/history before 14 "]),
        ("/history before 14 lim", ["/history before 14 limit "]),
        ("/history main lim", ["/history main limit "]),
        ("/read 7", ["/read 7 "]),
        ("/send_file ph", ["/send_file phone.txt", "/send_file phdir/"]),
        ("/send_file ~/my ph", ["/send_file ~/my phone.txt", "/send_file ~/my phdir/"]),
        ("/send_file bob ph", ["/send_file bob phone.txt", "/send_file bob phdir/"]),
        ("/topic @c", ["/topic @carol "]),
        ("/members b", ["/members bob ", "/members Bill "]),
        ("/invite ", ["/invite bob ", "/invite Bill ", "/invite carol ", "/invite #ops "]),
    ],
)
def test_what_follows_the_open_chat_is_completed_without_it(before: str, after: list[str]) -> None:
    assert texts(before, structs.replace(KNOWN, open_chat="#ops")) == after


@pytest.mark.parametrize("written", ["zo", "ZOË", "Zoe\u0308", "@Ｚｏ"])
def test_a_name_is_completed_however_it_is_typed(written: str) -> None:
    known = structs.replace(KNOWN, users=["bob", "Zoë"])
    at = "@" if written.startswith("@") else ""
    assert texts(f"/get_chat_with {written}", known) == [f"/get_chat_with {at}Zoë "]
    assert texts(f"hi {written}", known) == ["hi @Zoë "]


@pytest.mark.parametrize("before", ["see ", "see @", "/get_chat_with ", "/invite #ops "])
def test_what_is_too_long_for_a_name_is_none(before: str) -> None:
    assert texts(before + "https://a.example/" + "x" * 200) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/his", ["/history "]),
        ("/HIS", ["/history "]),
        ("/con", ["/confirm "]),
        ("/slow_mode ", ["/slow_mode main ", "/slow_mode #ops "]),
        ("/slow_mode #ops 3", ["/slow_mode #ops 30s "]),
        ("/revoke_token 3F", ["/revoke_token 3f9a1c07 "]),
        ("/unban_address ", ["/unban_address 192.0.2.0/24 ", "/unban_address 2001:db8::/64 "]),
        ("/ban_address 200", ["/ban_address 2001:db8::/64 "]),
        ("/revoke_token ", ["/revoke_token 3f9a1c07 ", "/revoke_token 3e000001 "]),
        ("/who ", ["/who bob ", "/who Bill ", "/who carol "]),
        ("/who b", ["/who bob ", "/who Bill "]),
        ("/who @b", ["/who @bob ", "/who @Bill "]),
        ("/open ", ["/open main ", "/open carol ", "/open #ops ", "/open bob ", "/open Bill "]),
        ("/open @c", ["/open @carol "]),
        ("/open #", ["/open #ops "]),
        ("/send bob hello @c", ["/send bob hello @carol "]),
        ("/reply 14", ["/reply 142 ", "/reply 14 "]),
        ("/reply #7", ["/reply 7 "]),
        ("/react 7 :thumbsu", ["/react 7 👍 "]),
        ("/react 7 tada", ["/react 7 🎉 "]),
        (
            "/history main ",
            [
                "/history main before ",
                "/history main after ",
                "/history main around ",
                "/history main since ",
                "/history main limit ",
            ],
        ),
        ("/history main limit 5 bef", ["/history main limit 5 before "]),
        ("/goto y", ["/goto yesterday "]),
        ("/history main before 1", ["/history main before 142 ", "/history main before 14 "]),
        ("/presence o", ["/presence on ", "/presence off "]),
        ("/help his", ["/help history "]),
        ("/send_file bob my ph", ["/send_file bob my phone.txt", "/send_file bob my phdir/"]),
        ("/get_file ", ["/get_file 9 "]),
        ("/search lunch i", ["/search lunch in:"]),
        (
            "/search in:",
            ["/search in:main ", "/search in:carol ", "/search in:#ops ", "/search in:bob ", "/search in:Bill "],
        ),
        ("/search lunch IN:#", ["/search lunch IN:#ops "]),
        ("/search from:c", ["/search from:carol "]),
        ("/search lunch before:14", ["/search lunch before:142 ", "/search lunch before:14 "]),
        ("hi @bo", ["hi @bob "]),
        ("hi bo", ["hi @bob "]),
        ("B", ["@bob ", "@Bill "]),
        ("bo ", []),
        ("hi :firec", ["hi 🧨 "]),
        ("(:firec", ["(🧨 "]),
        ("/reply 7 so :firec", ["/reply 7 so 🧨 "]),
        ("at 10:fir", []),
        ("http://a:fir", []),
        ("two\n@bo", ["two\n@bob "]),
        ("//his", []),
        ("mail@bo", []),
        ("", []),
        ("/bogus x", []),
    ],
)
def test_examples(before: str, after: list[str]) -> None:
    assert texts(before) == after


def test_what_a_list_shows() -> None:
    (history,) = complete("/hist", KNOWN)
    assert (history.shows, history.hint) == ("/history", "a page of a chat, old or new")
    assert [(each.shows, each.hint) for each in complete("/reply 7", KNOWN)] == [("#7", "carol: x")]


def test_a_command_that_is_new_is_completed() -> None:
    arguments = [{"name": "username", "kind": "user", "required": True}]
    new = CommandForm("wave", ("hello",), "/wave <username>", "waves", "People", "/wave bob", arguments)
    known = Known(commands=[new], users=["bob"])
    assert (texts("/wa", known), texts("/hel", known), texts("/wave ", known)) == (
        ["/wave "],
        ["/hello "],
        ["/wave bob "],
    )


def test_the_most_used_emojis_stand_first() -> None:
    assert texts(":th")[:2] == ["👍 ", "🤔 "]
    assert texts(":")[0] == "👍 " and texts(":up")[0] != "👍 ", "a name that begins so comes before one that has it"
    assert "👍 " in texts(":up")


@pytest.mark.parametrize(
    ("before", "reacts", "opens"),
    [
        ("/", False, True), ("/he", False, True), ("/help ", False, False), ("//", False, False), ("hi", False, False),
        ("hi :th", False, True), ("hi :t", False, False), (":", False, False), (":", True, True),
        ("ok :)", False, False), ("/send bob :th", False, True), ("10:30", False, False),
    ],
)  # fmt: skip
def test_when_the_list_opens_by_itself(before: str, reacts: bool, opens: bool) -> None:
    assert opens_list(before, reacts) == opens


def test_usage() -> None:
    assert str(usage("/send b", KNOWN.commands)).startswith("/send <target> <text> · sends")
    assert str(usage("/send", KNOWN.commands)).startswith("/send <target> <text> · sends")
    assert [usage(text, KNOWN.commands) for text in ("hi", "//send", "/bogus ")] == [None] * 3


@given(st.text(st.sampled_from('/ @#:"\n' + string.ascii_lowercase + "179"), max_size=30) | st.text(max_size=20))
def test_any_text(before: str) -> None:
    found = complete(before, KNOWN)
    assert len(found) <= CANDIDATES_MAX
    for each in found:
        assert 0 <= each.replaces <= len(before) and each.text and each.shows
    usage(before, KNOWN.commands)


@given(
    st.sampled_from([form.verb for form in KNOWN.commands]),
    st.sampled_from(["", "b", "1", ":", "o"]),
    st.integers(0, 3),
)
def test_no_argument_of_any_command_breaks_it(verb: str, start: str, given: int) -> None:
    before = f"/{verb} " + "1 " * given + start
    for each in complete(before, KNOWN):
        replaced = before[len(before) - each.replaces :]
        goes_on = each.text.removeprefix("@").casefold().startswith(replaced.lstrip("#@").casefold())
        assert goes_on or (each.hint.startswith(":") and replaced.strip(":") in each.hint)


@given(st.integers(1, 14))
def test_a_candidate_leads_on(length: int) -> None:
    """Typing on from a verb's beginning keeps the verb among the candidates."""
    for form in KNOWN.commands:
        assert f"/{form.verb} " in texts(f"/{form.verb}"[: length + 1])


def test_what_one_does_most_stands_first_among_the_commands() -> None:
    """The first eight of the list are what fits on the screen: they were for the owners of chats."""
    assert {"/send ", "/send_all ", "/reply ", "/react "} <= set(texts("/")[:8])
    assert texts("/re")[:3] == ["/reply ", "/react ", "/read "]
    assert texts("/read")[:2] == ["/read ", "/read_all "]
    assert texts("/")[-1] == "/stats ", "what is for operators stands last"


def test_a_list_says_in_short_what_each_command_does() -> None:
    for found in complete("/", KNOWN):
        assert 0 < len(found.hint) <= 60 and found.hint[-1] not in ",;:", found.text
    (leave,) = complete("/leav", KNOWN)
    assert leave.hint == "leaves a chat"
