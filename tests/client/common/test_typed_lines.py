"""What a typed line asks for: the same in both front ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_client.common.local_commands import LOCAL, with_local
from chat_client.common.typed_lines import (
    AskSecrets,
    AskServer,
    AskTarget,
    ConfirmPaste,
    Context,
    Insert,
    Intention,
    OverlongText,
    Post,
    Refuse,
    RunLocal,
    Say,
    intention,
    may_be_kept,
    pasted,
    server_command,
)
from chat_server.protocol.help import command_forms

COMMANDS = with_local(command_forms())
CONTEXT = Context(COMMANDS, text_max=20, asks_secrets=True)
IN_OPS = Context(COMMANDS, "#ops")


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("", None),
        ("  \n ", None),
        ("hello\nthere", Say("hello\nthere")),
        ("//etc", Say("/etc")),
        (" /quit", Say(" /quit")),
        ("x" * 20 + "\x07", Say("x" * 20 + "\x07")),  # the server does not count what it removes
        ("x" * 21, OverlongText("x" * 21, 21, 20)),
        ("/quit", RunLocal(LOCAL["quit"], {})),
        ("/EXIT ", RunLocal(LOCAL["quit"], {})),
        ("/talk bob", RunLocal(LOCAL["open"], {"chat": "bob"})),
        ("/send_file bob my photo.png ", RunLocal(LOCAL["send_file"], {"target": "bob", "path": "my photo.png"})),
        ("/get_file 7 b.png", RunLocal(LOCAL["get_file"], {"id": "7", "name": "b.png"})),
        ("/send bob a\nb", Post("send", {"target": "bob", "text": "a\nb"})),
        ("/who bob", AskServer("/who bob", "who", {"username": "bob"})),
        ("/who", AskServer("/who", "who", None)),
        ("/names bob\n", AskServer("/names bob ", "members", None)),
        ("/bogus a\nb", AskServer("/bogus a b", "bogus", None)),
        ("/format text", AskServer("/format text", "format", None)),
        ("/password new", AskServer("/password new", "password", {"new": "new"})),
    ],
)
def test_intentions(line: str, asked: Intention | None) -> None:
    assert intention(line, CONTEXT) == asked


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("/invite erin", AskServer("/invite erin", "invite", {"chat": "#ops", "username": "erin"})),
        ("/invite", AskServer("/invite #ops", "invite", None)),  # the server says that the user is missing
        ("/topic a new one", AskServer("/topic a new one", "topic", {"chat": "#ops", "text": "a new one"})),
        ("/names", AskServer("/names", "members", {"chat": "#ops"})),
        ("/history limit 5", AskServer("/history limit 5", "history", {"chat": "#ops", "limit": "5"})),
        ("/mute main", AskServer("/mute main", "mute", {"chat": "main"})),
        ("/who", AskServer("/who", "who", None)),
        ("/send_file photo.png", RunLocal(LOCAL["send_file"], {"target": "#ops", "path": "photo.png"})),
        ("/send_file ~/my photo.png", RunLocal(LOCAL["send_file"], {"target": "#ops", "path": "~/my photo.png"})),
        ('/send_file "my photo.png"', RunLocal(LOCAL["send_file"], {"target": "#ops", "path": '"my photo.png"'})),
        ("/send_file bob photo.png", RunLocal(LOCAL["send_file"], {"target": "bob", "path": "photo.png"})),
        ("/part", AskTarget("/leave #ops", "usage: /leave <#chat>")),
        ("/leave #ops", AskServer("/leave #ops", "leave", {"chat": "#ops"})),
        ("/report", AskServer("/report", "report", None)),
    ],
)
def test_the_open_chat_stands_in(line: str, asked: Intention) -> None:
    assert intention(line, IN_OPS) == asked


def test_passwords_are_asked_for() -> None:
    found = intention("/password", CONTEXT)
    assert isinstance(found, AskSecrets) and found.verb == "password"
    assert [argument["name"] for argument in found.asked] == ["old", "new"]


@pytest.mark.parametrize("line", ["/send_file bob", "/get_file", "/open_file 7 8", "/quit now", '/open "bob'])
def test_a_local_command_with_wrong_arguments_tells_its_usage(line: str) -> None:
    found = intention(line, CONTEXT)
    assert isinstance(found, Refuse)
    assert found.error.text == f"usage: {LOCAL[line[1:].split(' ')[0]].form.usage}"


def test_where_no_password_can_be_asked_for_the_server_says_what_is_missing() -> None:
    assert intention("/password", Context(COMMANDS)) == AskServer("/password", "password", None)


@given(st.text(st.sampled_from('/ "\n#@ab1') | st.characters(codec="utf-8"), max_size=20))
def test_every_line_asks_for_something_or_is_blank(text: str) -> None:
    for line in (text, f"/{text}", *(f"/{verb} {text}" for verb in LOCAL)):
        found = intention(line, CONTEXT)
        assert (found is None) == (not line.strip())
        is_text = not line.startswith("/") or line.startswith(("//", "/me "))
        is_text = is_text and not isinstance(found, Refuse)
        assert isinstance(found, Say | OverlongText | None) == is_text or not line.strip()


def test_what_the_server_reads_is_one_line() -> None:
    assert "\n" not in server_command("/search two\nlines", COMMANDS).line  # type: ignore[union-attr]


@pytest.mark.parametrize("line", ["hello", "//password x", "/who bob", "/open bob", "/quit"])
def test_a_line_without_secrets_may_be_kept(line: str) -> None:
    assert may_be_kept(line, command_forms())


@pytest.mark.parametrize("line", ["/password x", "/sign_in bob x", "/delete_account x", "/resume x", "/bogus x"])
def test_a_line_with_secrets_is_not_kept(line: str) -> None:
    assert not may_be_kept(line, command_forms())


def test_a_block_that_is_pasted() -> None:
    assert pasted("two\r\nlines\r", 4096) == Insert("two\nlines\n")
    assert pasted("x\n" * 50, 4096) == ConfirmPaste("x\n" * 50, "paste 51 lines · 100 of 4,096 characters?")
    assert pasted("x" * 1501, 4096) == ConfirmPaste("x" * 1501, "paste 1 line · 1,501 of 4,096 characters?")
    assert pasted("x" * 5000, 4096) == OverlongText("x" * 5000, 5000, 4096)
    assert pasted("x" * 5000, None) == ConfirmPaste("x" * 5000, "paste 1 line · 5,000 characters?")


def test_what_one_does_is_a_text_between_stars() -> None:
    assert intention("/me waves  ", CONTEXT) == Say("*waves*")
    assert isinstance(intention("/me", CONTEXT), Refuse)
    assert isinstance(intention(f"/me {'x' * 5000}", CONTEXT), OverlongText)


@pytest.mark.parametrize("word", [":tada:", "tada", "🎉"])
def test_a_reaction_may_be_named(word: str) -> None:
    """`:tada:` completed to an emoji, but typed to its end it was refused."""
    line = f"/react 7 {word}"
    assert server_command(line, COMMANDS) == AskServer(line, "react", {"id": "7", "emoji": "🎉"})
    assert server_command(f"/send bob {word}", COMMANDS) == Post("send", {"target": "bob", "text": word})
