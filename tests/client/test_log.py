"""--log in both front ends: what was read and what was sent, once, and still there when the server has removed it."""

from tests.client.conftest import Home
from tests.client.programs import written
from tests.client.tmux import Tmux


def texts(data: bytes) -> list[str]:
    """The lines without their times."""
    return [line[20:] for line in data.decode().splitlines()]


async def test_in_one_column(home: Home) -> None:
    alice = await home.chat.json("alice")
    await home.chat.json("bob")
    await alice.ok("/send_all missed")
    for line, answer in (("hello", "main bob: hello"), ("/ping there", "there")):
        program = await home.program("--plain", "--log", "log", user="bob")
        await program.until("* connected to ")
        program.write(f"{line}\n".encode())
        await program.until(answer)
        program.close_stdin()
        assert (await program.end())[0] == 0
    file = home.folder / "log" / "main.log"
    assert texts(file.read_bytes()) == ["main alice: missed (#1)", "main bob: hello (#2)"]
    assert (await (await home.program("--plain", "--log", "log/main.log/x", user="bob")).end())[0] == 2


async def test_in_the_full_screen(home: Home, tmux: Tmux) -> None:
    alice = await home.chat.json("alice")
    await home.chat.json("bob")
    await alice.ok("/send_all missed")
    log = home.folder / "log"
    terminal = tmux.start(home.arguments("--log", str(log), user="bob"), home.environment)
    terminal.until("missed")
    await alice.ok("/send bob psst")
    terminal.enter("hello")
    wanted = ["main alice: missed (#1)", "main bob: hello (#3)"]
    written(log / "main.log", lambda data: texts(data) == wanted)
    assert not (log / "@alice.log").exists(), "it was not looked at"
    terminal.enter("/open alice")
    written(log / "@alice.log", lambda data: texts(data) == ["@alice: psst (#2)"])
