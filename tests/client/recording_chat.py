"""A chat that does nothing but note what is asked of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from chat_client.sdk.chat import Returned
from chat_client.sdk.events import Connected, Outgoing
from chat_server.protocol.accounts import SignedIn
from chat_server.protocol.help import command_forms
from chat_server.protocol.messages import Talking

SIGNED_IN = SignedIn("alice", False, 1, "h", [], [], [])


class RecordingChat:
    """A chat that does nothing but note what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.state, self.user, self.commands = Connected("a:1", SIGNED_IN, False), "alice", command_forms()
        self.limits: dict[str, Any] = {"text_max": 4096}
        self.outgoing: list[Outgoing] = []
        self.is_own = False
        self.events: list[Any] = []

    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self.events:
            yield event

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **named: self.asked.append(name)

    async def command(self, verb: str, **arguments: Any) -> Returned:
        self.asked.append(f"{verb} {arguments}")
        return Returned([], Talking(arguments.get("target")))

    async def line(self, line: str) -> Returned:
        self.asked.append(line)
        return Returned([], Talking())

    def post_file(self, target: str, path: Path, progress: object) -> Outgoing:
        self.asked.append(f"post_file {target} {path.name}")
        return Outgoing("k", "send_file", {"target": target, "name": path.name}, 0)

    async def get_file(self, file_id: int, folder: Path, **named: Any) -> Path:
        self.asked.append(f"get_file {file_id}")
        return folder / "a.png"
