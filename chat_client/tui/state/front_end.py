"""The full screen as a front end of local commands: changes of the state, and effects."""

from collections.abc import Sequence

from chat_client.common import days
from chat_client.common.cells import safe
from chat_client.common.listening import Listening
from chat_client.common.local_commands import FrontEnd
from chat_client.common.typed_lines import whole_line
from chat_client.common.wording import Answer
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import Outgoing, chat_name
from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.dialogs import KeysPage
from chat_client.tui.state.effects import (
    CancelTransfers,
    Confirm,
    Discard,
    DownloadFile,
    OpenEditor,
    Reconnect,
    Redraw,
    UploadFile,
)
from chat_client.tui.state.notes import note_answer
from chat_client.tui.state.screen_state import ScreenState
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.names import fold


class ScreenFrontEnd(FrontEnd):
    def __init__(self, screen: ScreenState) -> None:
        self._screen = screen

    @property
    def commands(self) -> Sequence[CommandForm]:
        return self._screen.session.commands

    @property
    def user(self) -> str:
        return self._screen.session.user

    @property
    def unsent(self) -> Sequence[tuple[str, Outgoing]]:
        return [(unsent.chat, unsent.command) for unsent in self._screen.unsent.values()]

    @property
    def listening(self) -> Listening:
        return self._screen.listening

    def answer(self, answer: Answer) -> None:
        note_answer(self._screen, self._screen.chats.open_name, answer)

    def ask_server(self, *lines: str) -> None:
        for line in lines:
            self._screen.run(whole_line(line))

    def open_chat(self, name: str) -> None:
        screen = self._screen
        name = named_chat(screen, name)
        if name in screen.chats.by_name or name[1:] in screen.roster.online:
            navigation.open_chat(screen, name)
        elif name.startswith("@"):
            self.ask_server(f"/get_chat_with {name}")  # a stranger: the server knows whether there is one
        else:
            raise Refused("unknown_chat", f"you are in no chat {safe(name)}; /open lists yours")

    def pick_chat(self) -> None:
        navigation.open_finder(self._screen)

    def open_next_chat(self, by: int) -> None:
        navigation.open_next(self._screen, by, "")

    def open_last_chat(self) -> None:
        navigation.open_chat(self._screen, self._screen.chats.previous_name)

    def open_unread_chat(self) -> None:
        navigation.open_unread(self._screen, "")

    def pin(self, name: str | None, number: int | None) -> None:
        known = self._screen.chats.open_name if name is None else named_chat(self._screen, name)
        if known not in self._screen.chats.by_name:
            raise Refused("unknown_chat", f"you are in no chat {safe(known)}")
        navigation.pin(self._screen, known, number)

    def mark_all_read(self) -> None:
        navigation.mark_all_chats_read(self._screen)

    def show_first_unread(self) -> None:
        navigation.show_first_unread(self._screen)

    def go_to_time(self, when: str) -> None:
        navigation.go_to_time(self._screen, days.moment(when, self._screen.now), when)

    def show_keys(self) -> None:
        self._screen.dialogs.keys_page = KeysPage()

    def copy(self, message_id: int) -> None:
        message = self._screen.message(message_id)
        if message is None or not message.text:
            raise Refused("unknown_message", f"the text of #{message_id} is not here; /history shows older messages")
        message_actions.copy_text(self._screen, message)

    def open_editor(self) -> None:
        self._screen.do(OpenEditor())

    def quote(self, message_id: int) -> None:
        message = self._screen.message(message_id)
        if message is None or not message.text:
            raise Refused("unknown_message", f"the text of #{message_id} is not here; /history shows older messages")
        self._screen.set_text(message_actions.quoted(message))

    def open_link(self, message_id: int, number: int) -> None:
        message = self._screen.message(message_id)
        if message is None:
            raise Refused("unknown_message", f"#{message_id} is not here; /history shows older messages")
        message_actions.open_link(self._screen, message, number)

    def toggle_bare(self) -> None:
        navigation.toggle_bare(self._screen)

    def toggle_sides(self) -> None:
        navigation.cycle_sides(self._screen)

    def clear(self) -> None:
        if not self._screen.chats.open.feed.clear_notes():
            self._screen.tell("info", "nothing to clear: messages stay")

    def redraw(self) -> None:
        self._screen.do(Redraw())

    def reconnect(self) -> None:
        self._screen.do(Reconnect())

    def confirm(self) -> None:
        self._screen.do(Confirm())

    def discard(self) -> None:
        self._screen.do(Discard())

    def send_file(self, target: str, path: str) -> None:
        screen = self._screen
        screen.do(UploadFile(screen.chats.open_name, named_chat(screen, target), path))

    def get_file(self, file_id: int, name: str | None, opens: bool) -> None:
        self._screen.do(DownloadFile(self._screen.chats.open_name, file_id, name, opens))

    def cancel_transfers(self) -> None:
        self._screen.do(CancelTransfers())

    def leave(self) -> None:
        navigation.leave(self._screen)


def named_chat(screen: ScreenState, name: str) -> str:
    """The chat that a typed name means: `main`, `#team`, `@bob`; a bare name is a user's."""
    wanted = fold(name), fold(f"@{name}")
    for known in (*screen.chats.by_name, *(f"@{user}" for user in screen.roster.online)):
        if fold(known) in wanted:
            return known
    return chat_name(name)
