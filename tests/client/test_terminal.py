"""--plain in a real terminal: two people, a push while one types, a server that dies and comes back, hostile text."""

import pytest

from tests.client.conftest import Home
from tests.client.tmux import Terminal, Tmux


@pytest.fixture
def two(home: Home, tmux: Tmux) -> tuple[Terminal, Terminal]:
    """Alice and Bob at their terminals, signed in."""
    terminals = [tmux.start(home.arguments("--plain", user=user), home.environment) for user in ("alice", "bob")]
    for terminal in terminals:
        terminal.until("main> ")
    return terminals[0], terminals[1]


async def test_two_people_chat(two: tuple[Terminal, Terminal]) -> None:
    alice, bob = two
    alice.enter("hello bob")
    bob.until("main alice: hello bob (#1)")
    screen = alice.until("main alice: hello bob (#1)")
    assert "main> hello" not in screen, "what was sent is shown once"
    bob.enter("/open alice")
    bob.until("@alice> ")
    bob.type("two")
    bob.keys("M-Enter")
    bob.enter("lines")
    alice.until("@bob: two (#2)")
    alice.until("    | lines")


async def test_what_comes_does_not_disturb_what_is_typed(two: tuple[Terminal, Terminal]) -> None:
    alice, bob = two
    alice.type("half a li")
    alice.until("main> half a li")
    bob.enter("a push")
    screen = alice.until("main bob: a push (#1)")
    assert alice.until(lambda screen: screen.rstrip().splitlines()[-1] == "main> half a li"), screen
    alice.enter("ne")
    bob.until("main alice: half a line (#2)")


async def test_completion(two: tuple[Terminal, Terminal]) -> None:
    alice, bob = two
    bob.enter("hi")
    alice.until("main bob: hi")
    alice.type("/hist")
    alice.keys("Tab")
    alice.until("main> /history")
    alice.keys("C-c")
    alice.type("/who b")
    alice.keys("Tab", "Enter")
    alice.until("+ bob is online")


async def test_a_long_text_is_written_in_an_editor(home: Home, tmux: Tmux) -> None:
    editor = tmux.script("editor", "#!/bin/sh\necho editing; read -r go; echo added >> $1\n")
    alice = tmux.start(home.arguments("--plain", user="alice"), {**home.environment, "EDITOR": str(editor)})
    alice.until("main> ")
    alice.enter("/editor")
    alice.until("editing")
    alice.keys("Enter")
    alice.until("main> added")
    alice.keys("Enter")
    alice.until("main alice: added (#1)")
    alice.enter("/editor")
    alice.until(lambda screen: screen.count("editing") == 2)
    alice.keys("C-c")
    alice.until("! the editor: ")
    alice.enter("still here")
    alice.until("main alice: still here (#2)")
    alice.keys("C-x", "C-g")
    alice.until("main> /goto")
    alice.enter("today")
    alice.until(lambda screen: screen.count("main alice: added (#1)") == 2)


async def test_the_server_dies_and_comes_back(home: Home, two: tuple[Terminal, Terminal]) -> None:
    alice, bob = two
    bob.enter("before")
    alice.until("main bob: before (#1)")
    home.server.kill()
    alice.until("* no connection: ")
    alice.enter("typed while away")
    alice.until("* waiting: typed while away")
    alice.until("main (not connected)> ")
    alice.enter("/who bob")
    alice.until("- there is no connection: ")
    home.server.start()
    alice.enter("/reconnect")
    alice.until("* back at ")
    bob.enter("/reconnect")
    bob.until("main alice: typed while away (#2)")
    screen = alice.until("main alice: typed while away (#2)")
    assert screen.count("typed while away (#") == 1
    assert screen.count("before (#1)") == 1


async def test_leaving(two: tuple[Terminal, Terminal]) -> None:
    alice, bob = two
    alice.type("not to be sent")
    alice.until("main> not to be sent")
    alice.keys("C-c")
    alice.until(lambda screen: screen.rstrip().splitlines()[-1] == "main>")
    alice.keys("C-c")
    # While a line is printed the terminal is not in raw mode, and Ctrl-C would be a signal.
    alice.until(lambda screen: screen.rstrip().endswith("* Ctrl-C again, or Ctrl-D, leaves\nmain>"))
    alice.keys("C-c")
    screen = alice.until("left with 0")
    assert "Traceback" not in screen and "not to be sent (#" not in screen
    bob.keys("C-d")
    bob.until("left with 0")


async def test_what_was_typed_is_there_again_but_for_passwords(
    home: Home, tmux: Tmux, two: tuple[Terminal, Terminal]
) -> None:
    alice, _ = two
    alice.enter("remember me")
    alice.until("remember me (#1)")
    alice.enter("/password secret")
    alice.until("+ the password is set")
    alice.keys("C-d")
    alice.until("left with 0")
    again = tmux.start(home.arguments("--plain", user="alice"), home.environment)
    again.until("main> ")
    again.keys("Up")
    again.until("main> remember me")
    assert "secret" not in (home.folder / ".local/share/chat-client/typed").read_text()


async def test_a_password_is_asked_for_and_not_shown(home: Home, tmux: Tmux) -> None:
    bob = await home.chat.json("bob")
    await bob.ok("/password secret")
    terminal = tmux.start(home.arguments("--plain", user="bob"), home.environment)
    terminal.until("bob has a password; password: ")
    terminal.enter("wrong")
    terminal.until("wrong password; password: ")
    terminal.enter("secret")
    screen = terminal.until("main> ")
    assert "secret" not in screen
    again = tmux.start(home.arguments("--plain", user="bob"), home.environment)
    again.until("main> ")


async def test_what_is_no_answer_is_asked_for_again(home: Home, tmux: Tmux) -> None:
    """What is typed next would be a password, and the shell would get it."""
    await (await home.chat.json("bob")).ok("/password secret")
    terminal = tmux.start([*home.arguments(user="x")[:3], "--plain", "--server", home.address], home.environment)
    terminal.until("your name at ")
    terminal.tmux("send-keys", "-t", f"{terminal.name}:", "-H", "ff", "0d")
    terminal.until("that was not UTF-8")
    terminal.enter("bob")
    said = [
        ("0d", "bob has a password"),
        ("ff 0d", "that was not UTF-8"),
        ("1b 5b 41 0d", "a password has no control characters: bob"),
    ]
    for asked, (bytes_, words) in enumerate(said, 1):
        terminal.until(lambda screen: screen.count("password:") == asked)  # noqa: B023
        terminal.tmux("send-keys", "-t", f"{terminal.name}:", "-H", *bytes_.split())
        terminal.until(lambda screen: screen.count("password:") == asked + 1 and words in screen)  # noqa: B023
    terminal.enter("secret")
    terminal.until("* connected to ")


async def test_a_password_in_a_command_is_never_on_the_screen(home: Home, tmux: Tmux) -> None:
    bob = tmux.start(home.arguments("--plain", user="bob"), home.environment)
    bob.until("main> ")
    bob.type("/password sesame")
    bob.until("main> /password ******")
    bob.keys("Enter")
    bob.until("+ the password is set")
    bob.enter("/password")
    bob.until("old password (Enter: none): ")
    bob.enter("sesame")
    bob.until("new password: ")
    bob.enter("abracadabra")
    bob.until("new password once more: ")
    bob.enter("abrakadabra")
    bob.until("- bad_argument: the two passwords differ; nothing was changed")
    bob.enter("/delete_account")
    bob.until("to delete bob and all that bob wrote: the password, or without one the name: ")
    bob.enter("sesame")
    screen = bob.until("* the connection has ended")
    assert not any(word in screen for word in ("sesame", "abra"))
    typed = home.folder / ".local/share/chat-client/typed"
    assert not typed.exists() or not any(word in typed.read_text() for word in ("sesame", "abra"))


async def test_a_password_is_asked_for_in_a_dumb_terminal(home: Home, tmux: Tmux) -> None:
    bob = tmux.start(home.arguments("--plain", user="bob"), home.environment | {"TERM": "dumb"})
    bob.until("* connected to ")
    bob.enter("/password")
    bob.until("old password (Enter: none): ")
    bob.enter("")
    for words in ("new password: ", "new password once more: "):
        bob.until(words)
        bob.enter("sesame")
    assert "sesame" not in bob.until("+ the password is set")
    bob.enter("hello")
    assert "hello" in bob.until("main bob: hello (#1)"), "what is typed is shown again"


async def test_what_is_missing_is_asked_for(home: Home, tmux: Tmux) -> None:
    program = home.arguments(user="x")[:3]
    terminal = tmux.start([*program, "--plain"], home.environment)
    terminal.until("server [localhost:8000]: ")
    terminal.enter(home.address)
    terminal.until("your name at ")
    terminal.enter("dave")
    terminal.until("dave is new. A password keeps others from using that name (Enter: none): ")
    terminal.enter("secret")
    terminal.until("once more: ")
    terminal.enter("sceret")
    terminal.until("the two differ; a password (Enter: none): ")
    terminal.enter("secret")
    terminal.until(lambda screen: screen.count("once more:") == 2)
    terminal.enter("secret")
    assert "cret" not in terminal.until("main> ")
    assert await (await home.chat.text_stranger()).code("/sign_in dave") == "password_required"
    # And then it is known.
    again = tmux.start([*program, "--plain"], home.environment)
    again.until(f"* connected to {home.address} as dave")


async def test_a_newcomer_need_not_have_a_password(home: Home, tmux: Tmux) -> None:
    program = home.arguments(user="x")[:3]
    terminal = tmux.start([*program, "--plain", "--server", home.address], home.environment)
    terminal.until("your name at ")
    terminal.enter("dave")
    terminal.until("using that name (Enter: none): ")
    terminal.enter("")
    terminal.until("main> ")
    assert await (await home.chat.text_stranger()).code("/sign_in dave") == "ok"


async def test_ctrl_c_while_a_password_is_asked_for(home: Home, tmux: Tmux) -> None:
    await (await home.chat.json("bob")).ok("/password secret")
    terminal = tmux.start(home.arguments("--plain", user="bob"), home.environment)
    terminal.until("password: ")
    terminal.keys("C-c")
    screen = terminal.until("left with 130")
    assert screen.split() == ["bob", "has", "a", "password;", "password:", "left", "with", "130"]


def type_wrong_passwords(terminal: Terminal) -> int:
    """Until one has to wait; how often it was asked. On a slow machine the first pauses are over too soon."""
    for asked in range(1, 9):
        terminal.until(lambda screen: screen.count("password:") >= asked)  # noqa: B023
        terminal.enter("wrong")
        screen = terminal.until(lambda screen: "asked again" in screen or screen.count("password:") > asked)  # noqa
        if "too many wrong passwords; you are asked again in " in screen:
            return asked
    raise AssertionError("it never had to wait")


async def guarded(home: Home) -> None:
    """Bob has a password, and there is one try."""
    await (await home.chat.json("bob")).ok("/password secret")
    home.server.kill()
    home.server.options = (*home.server.options, "--sign-in-tries", "1/10m")
    home.server.start()


@pytest.mark.parametrize("mode", [["--plain"], []])
async def test_after_too_many_wrong_passwords_one_is_asked_again(home: Home, tmux: Tmux, mode: list[str]) -> None:
    await guarded(home)
    terminal = tmux.start([*home.arguments(user="bob"), *mode], home.environment)
    asked = type_wrong_passwords(terminal)
    terminal.type("typed too early")
    screen = terminal.until(lambda screen: screen.count("password:") > asked)
    assert "early" not in screen
    terminal.enter("secret")
    terminal.until(lambda screen: "connected to" in screen or "❯" in screen)
    assert "early" not in terminal.screen()


async def test_ctrl_c_ends_at_every_question(home: Home, tmux: Tmux) -> None:
    program = home.arguments(user="x")[:3]
    for words, options in (("server [", []), ("your name at ", ["--server", home.address])):
        terminal = tmux.start([*program, *options], home.environment)
        terminal.until(words)
        terminal.keys("C-c")
        assert "Traceback" not in terminal.until("left with 130")
    await guarded(home)
    terminal = tmux.start(home.arguments(user="bob"), home.environment)
    type_wrong_passwords(terminal)
    terminal.keys("C-c")
    terminal.until("left with 130")


async def test_a_dumb_terminal(home: Home, tmux: Tmux) -> None:
    terminal = tmux.start(home.arguments("--plain", user="bob"), home.environment | {"TERM": "dumb"})
    terminal.until("* connected to ")
    terminal.enter("hello")
    terminal.until("main bob: hello (#1)")
    terminal.keys("C-c")
    terminal.until("left with 130")


async def test_hostile_text(home: Home, two: tuple[Terminal, Terminal]) -> None:
    alice, _ = two
    mallory = await home.chat.json("mallory")
    text = "\x1b[2J\x1b]0;title\x07\x1b[31mred\r\x08\u202eevil\n[12:00:00] main bob: forged (#9)"
    await mallory.ok({"cmd": "send_all", "text": text})
    screen = alice.until("forged")
    assert "mallory: [2J]0;title[31mredevil (#1)" in screen
    assert any(line == "    | [12:00:00] main bob: forged (#9)" for line in screen.splitlines())
    assert "* connected to" in screen, "the screen was not cleared"
