"""What was typed, kept between runs, each chat for itself."""

import stat
from pathlib import Path

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document

from chat_client.common import input_history
from chat_client.common.input_history import InputHistory, TypedBuffer
from chat_server.protocol.help import command_forms


class Typing:
    """Somebody who types in a chat."""

    def __init__(self, path: Path, account: str = "alice@h", chat: str = "main") -> None:
        self.account, self.chat = account, chat
        self.history = InputHistory(path, lambda: self.account, lambda: self.chat, command_forms)

    def type(self, *lines: str) -> None:
        for line in lines:
            self.history.current().append_string(line)

    def lines(self) -> list[str]:
        return list(self.history.current().load_history_strings())


def kept(path: Path, account: str = "alice@h", chat: str = "main") -> list[str]:
    return Typing(path, account, chat).lines()


def test_it_is_kept_but_for_secrets(tmp_path: Path) -> None:
    file = tmp_path / "data" / "typed"
    typing = Typing(file)
    typing.type("one", "two\nlines", "/password secret", "three")
    assert typing.lines() == kept(file) == ["three", "two\nlines", "one"]
    assert "secret" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_line_comes_up_in_another_chat_nor_for_another_account(tmp_path: Path) -> None:
    typing = Typing(tmp_path / "typed")
    typing.type("for all")
    typing.chat = "@bob"
    typing.type("for bob alone", "/send @carol hi")
    assert typing.lines() == ["/send @carol hi", "for bob alone"]
    typing.account = "alice@another"
    assert typing.lines() == []
    typing.account, typing.chat = "alice@h", "main"
    assert typing.lines() == ["for all"]
    assert kept(tmp_path / "typed", chat="@bob") == ["/send @carol hi", "for bob alone"]


def test_the_line_follows_the_open_chat_and_keeps_its_text(tmp_path: Path) -> None:
    typing = Typing(tmp_path / "typed")
    typing.type("for all")
    line = Buffer(history=typing.history.current())
    line.document = Document("half a line", 4)
    typing.history.follow(line)
    before = line.history
    typing.chat = "@bob"
    typing.history.follow(line)
    assert line.history is not before
    assert (line.text, line.cursor_position) == ("half a line", 4)
    assert line._working_lines[0] == "half a line", "nothing of another chat is behind it"


def test_it_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "typed"
    typing = Typing(file)
    typing.type(*map(str, range(2 * input_history.ENTRIES_MAX + 10)))
    assert len(typing.lines()) == len(kept(file)) == input_history.ENTRIES_MAX
    assert len(file.read_text().splitlines()) == input_history.ENTRIES_MAX
    assert kept(file)[0] == str(2 * input_history.ENTRIES_MAX + 9)


def test_a_damaged_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    file = tmp_path / "typed"
    file.write_bytes(b'["alice@h","main","one"]\n{\xff\n3\n["alice@h","main","two"]\n["alice@h"')
    assert kept(file) == ["two", "one"]
    assert kept(tmp_path / "nowhere" / "typed") == []


def test_what_was_typed_comes_up_with_the_key_behind_enter_or_behind_one_that_opens_a_chat(tmp_path: Path) -> None:
    """Before a frame is drawn: the keys of fast fingers, and of tmux, come together."""
    typing = Typing(tmp_path / "typed")
    typing.type("one", "two")
    line = TypedBuffer(history=typing.history.current())
    line.history_backward()
    assert line.text == "two"
    line.text = "three"
    line.append_to_history()
    line.reset()
    line.history_backward()
    assert line.text == "three"
    line.history_backward(count=2)
    assert line.text == "one"
    typing.chat = "@bob"
    typing.type("for bob")
    line.reset(Document("half a line"))
    typing.history.follow(line)
    line.history_backward()
    assert line.text == "for bob"
    line.history_forward()
    assert line.text == "half a line"
    line.history_backward(count=9)
    assert line.text == "for bob", "nothing of main comes up here"
