"""Files: in pieces, over lost connections, and under names that cannot do harm."""

import asyncio
import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_client.sdk.errors import ChatError, Refused
from chat_client.sdk.transfers import CHUNK_BYTES, NAME_BYTES_MAX, Progress, fields, safe_name
from tests.client.fake import AT, FakeLink, FakeServer, Json
from tests.client.sdk.played import Client
from tests.harness import TIMEOUT_SECONDS

DATA = bytes(range(256)) * 400
SHA256 = hashlib.sha256(DATA).hexdigest()


async def take(link: FakeLink, command: Json, received: int) -> int:
    data = base64.b64decode(command["base64"])
    assert len(data) <= CHUNK_BYTES and data == DATA[received : received + len(data)]
    return received + len(data)


async def test_an_upload_goes_on_where_it_was(server: FakeServer, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    done: list[int] = []
    chat, link = await client.sign_in(server)
    sending = asyncio.create_task(chat.send_file("main", path, progress=lambda each: done.append(each.done)))
    opened = await link.expect("send_file")
    assert (opened["name"], opened["size"], opened["sha256"]) == ("a.bin", len(DATA), SHA256)
    link.ok(opened, upload=7, received=0)
    received = await take(link, await link.expect("chunk"), 0)
    link.lose()
    link = await server.link()
    await link.sign_in()
    again = await link.expect("send_file")
    assert again["key"] == opened["key"]
    link.ok(again, upload=7, received=received)
    while True:
        command = await link.expect("chunk")
        received = await take(link, command, received)
        if received == len(DATA):
            break
        link.ok(command, upload=7, received=received)
    link.ok(command, upload=7, received=received, id=11, at=AT)
    assert fields(await sending)["id"] == 11
    assert done == sorted(done) and done[-1] == len(DATA)


async def test_a_fault_in_progress_ends_the_upload_and_is_told(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))
    fault = ZeroDivisionError("in the bot")

    def progress(each: Progress) -> None:
        raise fault

    chat, link = await client.sign_in(server)
    sending = asyncio.create_task(chat.send_file("main", path, progress=progress))
    link.ok(await link.expect("send_file"), upload=7, received=0)
    cancelled = await link.expect("cancel_upload")
    assert cancelled["upload"] == 7, "nobody goes on with it"
    link.ok(cancelled, upload=7)
    with pytest.raises(ChatError, match="in the bot") as raised:
        await asyncio.wait_for(sending, TIMEOUT_SECONDS)
    assert raised.value.done is None and told == [fault] and not chat.outgoing


async def test_cancelling_an_upload(server: FakeServer, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    chat, link = await client.sign_in(server)
    sending = asyncio.create_task(chat.send_file("main", path))
    link.ok(await link.expect("send_file"), upload=7, received=0)
    await link.expect("chunk")
    sending.cancel()
    cancelled = await link.expect("cancel_upload")
    assert cancelled["upload"] == 7
    link.ok(cancelled, upload=7)
    with pytest.raises(asyncio.CancelledError):
        await sending


@pytest.mark.parametrize("cancelled_before", [False, True])
async def test_closing_cancels_an_upload_before_it_says_goodbye(
    server: FakeServer, client: Client, tmp_path: Path, cancelled_before: bool
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    chat, link = await client.sign_in(server)
    command = chat.post_file("main", path)
    link.ok(await link.expect("send_file"), upload=7, received=0)
    await link.expect("chunk")
    if cancelled_before:
        chat.discard(command.key)
    closing = asyncio.create_task(chat.close())
    cancelled = await link.expect("cancel_upload")
    assert cancelled["upload"] == 7
    link.ok(cancelled, upload=7)
    await asyncio.wait_for(closing, TIMEOUT_SECONDS)


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("/dev/zero", ChatError, "zero is not a file"), ("/", ChatError, "is not a file"),
        ("a\0b", ChatError, "embedded null"), ("nowhere", OSError, "No such file"),
        ("big", Refused, "more than 10 bytes"),
    ],
)  # fmt: skip
async def test_what_cannot_be_sent(
    server: FakeServer, client: Client, tmp_path: Path, path: str, error: type[Exception], words: str
) -> None:
    (tmp_path / "big").write_bytes(bytes(11))
    chat, _ = await client.sign_in(server)
    chat.limits["file_size_max"] = 10
    with pytest.raises(error, match=words):
        await chat.send_file("main", tmp_path / path)


async def test_a_name_of_any_bytes_is_told(server: FakeServer, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a\udcff.png"
    path.write_bytes(DATA)
    chat, link = await client.sign_in(server)
    sending = asyncio.create_task(chat.send_file("main", path))
    opened = await link.expect("send_file")
    assert opened["name"] == "a?.png"
    sending.cancel()


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def serve(link: FakeLink, command: Json, name: str, sha256: str = SHA256) -> None:
    part = DATA[command["offset"] : command["offset"] + command["length"]]
    step = 32_766
    for start in range(0, len(part), step):
        data = base64.b64encode(part[start : start + step]).decode()
        link.returned(command, {"type": "file_chunk", "id": 9, "offset": command["offset"] + start, "data": data})
    link.ok(command, id=9, name=name, size=len(DATA), sha256=sha256)


async def test_a_file_is_fetched_over_a_lost_connection(
    server: FakeServer, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat_client.sdk.piece_size.BYTES_MIN", 65_532)
    (tmp_path / "a.tar.gz").write_text("mine")
    chat, link = await client.sign_in(server)
    fetching = asyncio.create_task(chat.get_file(9, tmp_path))
    serve(link, await link.expect("get_file"), "../../a.tar.gz")
    await link.expect("get_file")
    link.lose()
    link = await server.link()
    await link.sign_in()
    command = await link.expect("get_file")
    assert command["offset"] == 65_532, "what had come by then"
    serve(link, command, "../../a.tar.gz")
    path = await fetching
    assert (path, path.read_bytes()) == (tmp_path / "a (2).tar.gz", DATA)
    assert (tmp_path / "a.tar.gz").read_text() == "mine"
    assert names(tmp_path) == ["a (2).tar.gz", "a.tar.gz"]


async def test_a_damaged_file_is_not_kept(
    server: FakeServer, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat_client.sdk.piece_size.BYTES_MIN", len(DATA))
    chat, link = await client.sign_in(server)
    fetching = asyncio.create_task(chat.get_file(9, tmp_path))
    serve(link, await link.expect("get_file"), "a", sha256="0" * 64)
    with pytest.raises(ChatError, match="damaged"):
        await fetching
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("photo.png", "photo.png"), ("/etc/passwd", "passwd"), ("..\\..\\x.exe", "x.exe"), ("..", ""), (".", ""),
        ("", ""), (". .", ""),
        (".bashrc", "bashrc"), ("a\nb\x1b[2J.png", "a b[2J.png"), ("a/", ""), ("\u202egnp.exe", "gnp.exe"),
        ("--help", "help"), ("-rf .", "rf ."),
    ],
)  # fmt: skip
def test_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text(st.sampled_from("./\\ ab\n\0\x1béü"), max_size=12) | st.text(max_size=300))
def test_no_name_leaves_the_folder(name: str) -> None:
    safe = safe_name(name)
    assert Path("/folder", safe).resolve().parent in (Path("/folder"), Path("/"))
    assert not set(safe) & set("/\\\0\n") and not safe.startswith(".") and len(safe.encode()) <= NAME_BYTES_MAX
