"""Files on their way, for both front ends, over a chat that a test plays."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from chat_client.common import transfers
from chat_client.common.transfers import Transfer, Transfers
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import Outgoing
from chat_client.sdk.transfers import Progress


class FakeChat:
    """Takes what is posted, and gives a file when the test says so."""

    def __init__(self) -> None:
        self.outgoing: list[Outgoing] = []
        self.progress: dict[str, Callable[[Progress], None]] = {}
        self.file: asyncio.Future[Path] = asyncio.get_running_loop().create_future()

    def post_file(self, target: str, path: Path, *, progress: Callable[[Progress], None]) -> Outgoing:
        if not path.exists():
            raise FileNotFoundError(2, "No such file", str(path))
        command = Outgoing(f"k{len(self.outgoing)}", "send_file", {"target": target, "name": path.name}, 0)
        self.outgoing.append(command)
        self.progress[command.key] = progress
        return command

    def discard(self, key: str) -> None:
        self.outgoing = [command for command in self.outgoing if command.key != key]

    async def get_file(self, file_id: int, folder: Path, *, name: str | None, progress: Any) -> Path:
        progress(Progress(1, 2))
        return await self.file


class Files:
    def __init__(self, folder: Path) -> None:
        self.chat, self.changed = FakeChat(), list[str]()
        self.transfers = Transfers(self.chat, folder, self._change)  # type: ignore[arg-type]
        self.told: list[tuple[str, str]] = []

    def _change(self, transfer: Transfer) -> None:
        self.changed.append(f"{transfer.name} {transfer.progress.done}")

    def tell(self, kind: str, text: str) -> None:
        self.told.append((kind, text))

    def fetch(self, opens: bool = False) -> "asyncio.Task[None]":
        return asyncio.ensure_future(self.transfers.fetch(7, None, opens, self.tell))


async def test_a_file_is_under_way_from_its_first_byte_until_it_is_settled(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    files = Files(tmp_path)
    command = files.transfers.send("@bob", f'"{tmp_path}/a.png"')
    assert not files.transfers.under_way
    files.chat.progress[command.key](Progress(1, 3))
    assert [(each.name, each.is_upload) for each in files.transfers.under_way.values()] == [("a.png", True)]
    files.transfers.settle(command)
    assert files.transfers.under_way, "it still waits"
    files.transfers.settle(structs.replace(command, state="sent"))
    assert not files.transfers.under_way and files.changed == ["a.png 1"]


async def test_a_text_goes_as_a_file(tmp_path: Path) -> None:
    files = Files(tmp_path)
    command = files.transfers.send_text("main", "long\ud800")
    assert command.arguments == {"target": "main", "name": "pasted.txt"}


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Files(tmp_path).transfers.send("main", str(tmp_path / "none"))


async def test_fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(transfers, "open_file", opened.append)
    files = Files(tmp_path)
    task = files.fetch(opens=True)
    await asyncio.sleep(0)
    assert [(each.name, each.is_upload) for each in files.transfers.under_way.values()] == [("file 7", False)]
    files.chat.file.set_result(tmp_path / "a.png")
    await task
    assert files.told == [("done", f"file 7 is {tmp_path}/a.png")] and opened == [tmp_path / "a.png"]
    assert not files.transfers.under_way


async def test_cancelling_ends_all_of_them(tmp_path: Path) -> None:
    files = Files(tmp_path)
    with pytest.raises(Refused, match="no file is on its way"):
        files.transfers.cancel()
    files.transfers.send_text("main", "long")
    task = files.fetch()
    await asyncio.sleep(0)
    files.transfers.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files.told == [("info", "file 7: cancelled")] and not files.chat.outgoing
