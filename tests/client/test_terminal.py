"""--plain in a real terminal: two people, a push while one types, a server that dies and comes back, hostile text."""

import pytest

from tests.client.conftest import Home
from tests.client.tmux import Terminal, Tmux


@pytest.fixture
def two(home: Home, tmux: Tmux) -> tuple[Terminal, Terminal]:
    """Alice and Bob at their terminals, signed in."""
    terminals = [tmux.start(home.arguments("--plain", user=user), home.environment) for user in ("alice", "bob")]
    for terminal in terminals:
        terminal.wait("main> ")
    return terminals[0], terminals[1]


async def test_two_people_chat(two: tuple[Terminal, Terminal]) -> None:
    alice, bob = two
    alice.enter("hello bob")
    bob.wait("main alice: hello bob (#1)")
    screen = alice.wait("main alice: hello bob (#1)")
    assert not any("main> hello" in line for line in screen), "what was sent is shown once"
    bob.enter("/open alice")
    bob.wait("@alice> ")
    bob.type("two")
    bob.key("M-Enter")
    bob.enter("lines")
    alice.wait("@bob: two (#2)")
    alice.wait("    | lines")


async def test_what_comes_does_not_disturb_what_is_typed(two: tuple[Terminal, Terminal]) -> None:
    alice, bob = two
    alice.type("half a li")
    alice.wait("main> half a li")
    bob.enter("a push")
    screen = alice.wait("main bob: a push (#1)")
    assert alice.wait(lambda lines: lines[-1] == "main> half a li"), screen
    alice.enter("ne")
    bob.wait("main alice: half a line (#2)")


async def test_completion(two: tuple[Terminal, Terminal]) -> None:
    alice, bob = two
    bob.enter("hi")
    alice.wait("main bob: hi")
    alice.type("/hist")
    alice.key("Tab")
    alice.wait("main> /history")
    alice.key("C-c")
    alice.type("/who b")
    alice.key("Tab", "Enter")
    alice.wait("+ bob is online")


async def test_the_server_dies_and_comes_back(home: Home, two: tuple[Terminal, Terminal]) -> None:
    alice, bob = two
    bob.enter("before")
    alice.wait("main bob: before (#1)")
    home.server.kill()
    alice.wait("* no connection: ")
    alice.enter("typed while away")
    alice.wait("* waiting: typed while away")
    alice.wait("main (not connected)> ")
    alice.enter("/who bob")
    alice.wait("- there is no connection: ")
    home.server.start()
    alice.enter("/reconnect")
    alice.wait("* back at ")
    bob.enter("/reconnect")
    bob.wait("main alice: typed while away (#2)")
    screen = alice.wait("main alice: typed while away (#2)")
    assert sum("typed while away (#" in line for line in screen) == 1
    assert sum("before (#1)" in line for line in screen) == 1


async def test_leaving(two: tuple[Terminal, Terminal]) -> None:
    alice, bob = two
    alice.type("not to be sent")
    alice.wait("main> not to be sent")
    alice.key("C-c")
    alice.wait(lambda lines: lines[-1] == "main>")
    alice.key("C-c")
    alice.wait("* Ctrl-C again, or Ctrl-D, leaves")
    alice.key("C-c")
    screen = alice.wait("exit status 0")
    assert not any("Traceback" in line or "not to be sent (#" in line for line in screen)
    bob.key("C-d")
    bob.wait("exit status 0")


async def test_what_was_typed_is_there_again_but_for_passwords(
    home: Home, tmux: Tmux, two: tuple[Terminal, Terminal]
) -> None:
    alice, _ = two
    alice.enter("remember me")
    alice.wait("remember me (#1)")
    alice.enter("/password secret")
    alice.wait("+ the password is set")
    alice.key("C-d")
    alice.wait("exit status 0")
    again = tmux.start(home.arguments("--plain", user="alice"), home.environment)
    again.wait("main> ")
    again.key("Up")
    again.wait("main> remember me")
    assert "secret" not in (home.folder / ".local/share/chat-client/typed").read_text()


async def test_a_password_is_asked_for_and_not_shown(home: Home, tmux: Tmux) -> None:
    bob = await home.chat.json("bob")
    await bob.ok("/password secret")
    terminal = tmux.start(home.arguments("--plain", user="bob"), home.environment)
    terminal.wait("bob has a password; password: ")
    terminal.enter("wrong")
    terminal.wait("wrong password; password: ")
    terminal.enter("secret")
    screen = terminal.wait("main> ")
    assert not any("secret" in line for line in screen)
    again = tmux.start(home.arguments("--plain", user="bob"), home.environment)
    again.wait("main> ")


async def test_a_password_in_a_command_is_never_on_the_screen(home: Home, tmux: Tmux) -> None:
    bob = tmux.start(home.arguments("--plain", user="bob"), home.environment)
    bob.wait("main> ")
    bob.type("/password sesame")
    bob.wait("main> /password ******")
    bob.key("Enter")
    bob.wait("+ the password is set")
    bob.enter("/password")
    bob.wait("old password (Enter: none): ")
    bob.enter("sesame")
    bob.wait("new password: ")
    bob.enter("abracadabra")
    bob.wait("new password once more: ")
    bob.enter("abrakadabra")
    bob.wait("- bad_argument: the two are not the same; nothing was changed")
    bob.enter("/delete_account")
    bob.wait("password: ")
    bob.enter("sesame")
    screen = bob.wait("* the connection has ended")
    assert not any(word in line for line in screen for word in ("sesame", "abra"))
    typed = home.folder / ".local/share/chat-client/typed"
    assert not typed.exists() or not any(word in typed.read_text() for word in ("sesame", "abra"))


async def test_a_password_is_asked_for_in_a_dumb_terminal(home: Home, tmux: Tmux) -> None:
    bob = tmux.start(home.arguments("--plain", user="bob"), home.environment | {"TERM": "dumb"})
    bob.wait("* connected to ")
    bob.enter("/password")
    bob.wait("old password (Enter: none): ")
    bob.enter("")
    for words in ("new password: ", "new password once more: "):
        bob.wait(words)
        bob.enter("sesame")
    assert not any("sesame" in line for line in bob.wait("+ the password is set"))
    bob.enter("hello")
    assert "hello" in bob.wait("main bob: hello (#1)"), "what is typed is shown again"


async def test_what_is_missing_is_asked_for(home: Home, tmux: Tmux) -> None:
    program = home.arguments(user="x")[:3]
    terminal = tmux.start([*program, "--plain"], home.environment)
    terminal.wait("server [localhost:8000]: ")
    terminal.enter(home.address)
    terminal.wait("your name at ")
    terminal.enter("dave")
    terminal.wait("main> ")
    # And then it is known.
    again = tmux.start([*program, "--plain"], home.environment)
    again.wait(f"* connected to {home.address} as dave")


async def test_ctrl_c_while_a_password_is_asked_for(home: Home, tmux: Tmux) -> None:
    await (await home.chat.json("bob")).ok("/password secret")
    terminal = tmux.start(home.arguments("--plain", user="bob"), home.environment)
    terminal.wait("password: ")
    terminal.key("C-c")
    screen = terminal.wait("exit status 130")
    assert not any("Traceback" in line for line in screen)


async def test_a_dumb_terminal(home: Home, tmux: Tmux) -> None:
    terminal = tmux.start(home.arguments("--plain", user="bob"), home.environment | {"TERM": "dumb"})
    terminal.wait("* connected to ")
    terminal.enter("hello")
    terminal.wait("main bob: hello (#1)")
    terminal.key("C-c")
    terminal.wait("exit status 130")


async def test_hostile_text(home: Home, two: tuple[Terminal, Terminal]) -> None:
    alice, _ = two
    mallory = await home.chat.json("mallory")
    text = "\x1b[2J\x1b]0;title\x07\x1b[31mred\r\x08\u202eevil\n[12:00:00] main bob: forged (#9)"
    await mallory.ok({"cmd": "send_all", "text": text})
    screen = alice.wait("forged")
    assert any("mallory: [2J]0;title[31mredevil (#1)" in line for line in screen)
    assert any(line == "    | [12:00:00] main bob: forged (#9)" for line in screen)
    assert any("* connected to" in line for line in screen), "the screen was not cleared"
