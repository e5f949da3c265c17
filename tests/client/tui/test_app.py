"""The full-screen client in this process: what a fault ends. The rest of it is in tests/client/screen."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import DummyInput
from prompt_toolkit.output import DummyOutput

from chat_client.common.reading_log import ReadingLog
from chat_client.sdk.chat import Chat
from chat_client.settings import Settings
from chat_client.tui.app import App
from chat_client.tui.state import effects as e
from chat_client.tui.state.replies import take_answer
from chat_client.tui.state.requests import TypedRequest
from chat_server.protocol.rooms import ChatCreated
from tests.client.fake import FakeServer
from tests.client.people import said
from tests.client.sdk.played import Client, client, server

__all__ = ["client", "server"]  # fixtures


@contextmanager
def opened_app(chat: Chat, path: Path, log: ReadingLog | None = None) -> Iterator[App]:
    settings = Settings(downloads=path, data_dir=path, config_file=path / "config.toml")
    with create_app_session(input=DummyInput(), output=DummyOutput()):
        yield App(chat, settings, log)


async def test_a_fault_in_one_effect_loses_no_other(
    server: FakeServer, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str) -> None:
        raise RuntimeError(f"cannot copy {text}")

    chat, _ = await client.sign_in(server)
    with opened_app(chat, tmp_path) as app:
        monkeypatch.setattr(app._terminal, "copy", fail)
        app.screen.effects = [e.Copy("this"), e.SetText("kept")]
        app._carry_out()
    assert app._view.line.text == "kept" and not app.screen.effects
    assert "a fault in the client: RuntimeError: cannot copy this" in str(app.screen.flash)
    assert "in fail" in (tmp_path / "faults.log").read_text()


async def test_the_log_has_what_was_read_since_the_start_and_nothing_of_whom_one_ignores(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    chat, _ = await client.sign_in(server)
    with opened_app(chat, tmp_path, ReadingLog(tmp_path / "log")) as app:
        listening, main = app.screen.listening, app.screen.chats.open
        listening.ignored["mallory"] = "Mallory"
        main.feed.at_end = True
        main.read = 1
        main.add(said(1, "long ago"), "alice")
        app._log_what_was_read()
        for message in (said(2, "hello"), said(3, "buy", who="mallory"), said(4, "not read yet")):
            main.add(listening.hear(message, "alice"), "alice")
        main.mark_read(3, "alice")
        app._log_what_was_read()
        assert [line.split(" ", 2)[2] for line in (tmp_path / "log" / "main.log").read_text().splitlines()] == [
            "main bob: hello (#2)"
        ]


async def test_a_link_is_copied_where_there_is_no_desktop(
    server: FakeServer, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, copied = list[str](), list[str]()

    def open_as(has_desktop: bool, address: str) -> bool:
        opened.append(address)
        return has_desktop

    chat, _ = await client.sign_in(server)
    with opened_app(chat, tmp_path) as app:
        monkeypatch.setattr(app._terminal, "copy", copied.append)
        for has_desktop in (True, False):
            monkeypatch.setattr("chat_client.tui.app.open_link", partial(open_as, has_desktop))
            app.screen.effects = [e.OpenLink("https://example.org/ü", " · 1 of 2")]
            app._carry_out()
            assert ("opened" if has_desktop else "copied") + " https://example.org/ü · 1 of 2" in str(app.screen.flash)
    assert opened == ["https://example.org/%C3%BC"] * 2 and copied == ["https://example.org/ü"]


async def test_a_line_that_the_model_empties_hinders_nothing(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    chat, _ = await client.sign_in(server)
    with opened_app(chat, tmp_path) as app:
        app._view.line.insert_text("still for main")
        assert app.screen.composer.text == "still for main"
        app.screen.set_text("")
        app._carry_out()
    assert app._view.line.text == "" and app.screen.composer.text == ""


async def test_a_late_answer_opens_nothing_while_the_line_is_in_the_editor(
    server: FakeServer, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text from the editor takes the place of what stands in the line: a draft that came with a chat was lost."""

    async def edited(text: str, given_away: object) -> str:
        take_answer(app.screen, opening, "create_chat", [], ChatCreated("#z"), app.screen.now)
        app._carry_out()
        return "from the editor"

    monkeypatch.setattr("chat_client.common.editor.edited", edited)
    chat, _ = await client.sign_in(server)
    with opened_app(chat, tmp_path) as app:
        opening = TypedRequest("main", "/create_chat #z")
        app.screen.chats.chat("#z").draft = "half a draft"
        await app._edit("")
        assert app._view.line.text == "from the editor" and app.screen.chats.open_name == "main"
        assert app.screen.chats.chat("#z").draft == "half a draft"
        app.screen.set_text("")
        app._carry_out()
        assert app.screen.hindrance(opening) is None
