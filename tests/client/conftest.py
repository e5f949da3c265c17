"""A real server for the client, which may be killed and comes back on the same port; the client as a program."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.certificates import Certificate
from tests.client.programs import Program
from tests.client.tmux import Tmux
from tests.harness import Chat, Server
from tests.ports import free_port


class Home:
    """A server, and a home folder for clients."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        options = ("--command-rate", "off", "--main-rate-limit", "off", "--port", str(free_port()))
        self.server = Server(folder / "data", *options)
        self.server.start()
        self.chat = Chat(self.server)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CHAT_", "XDG_"))}
        return inherited | {
            "TERM": "xterm-256color",
            "HOME": str(self.folder),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TZ": "UTC",
        }

    def arguments(self, *arguments: str, user: str) -> list[str]:
        return [sys.executable, "-m", "chat_client", "--server", self.address, "--user", user, *arguments]

    async def program(
        self, *arguments: str, user: str, stdin: bytes | None = None, register: bool = True, **environment: str
    ) -> Program:
        """The client, started. A script may make its account, unless that is what is tested.

        `stdin` is all that it gets; None leaves its stdin open.
        """
        if register and {"--send", "--follow", "--plain"} & set(arguments):
            arguments = ("--register", *arguments)
        program = await Program.start(
            self.arguments(*arguments, user=user), self.environment | environment, self.folder
        )
        if stdin is not None:
            program.write(stdin)
            program.close_stdin()
        return program


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    home = Home(tmp_path)
    yield home
    await home.chat.close()
    home.server.close()
    assert "Traceback" not in home.server.log


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    tmux = Tmux(tmp_path)
    yield tmux
    tmux.close()


@pytest.fixture
def private(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """A server that speaks TLS too, comes back on the same port, and whose authority the system does not know.

    The path is that of the authority's certificate.
    """
    folder = tmp_path / "tls"
    folder.mkdir()
    certificate = Certificate(folder)
    ca = folder / "ca.pem"
    certificate.authority.cert_pem.write_to_path(str(ca))
    server = Server(folder / "data", *certificate.options, "--tls-port", str(free_port()))
    server.start()
    yield server, ca
    server.close()
