"""What keys do to the state, by the names of their actions in the table of keys."""

from collections.abc import Callable

from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.effects import OpenEditor
from chat_client.tui.state.screen_state import ScreenState

Do = Callable[[ScreenState, str], object]  # the text in the input is handed to it

ROWS_AT_ONCE = 3  # of Alt-PgUp


def _number(number: int) -> Do:
    return lambda screen, text: navigation.open_number(screen, number, text)


DEEDS: dict[str, Do] = {
    **{f"chat_{number}": _number(number) for number in range(1, 10)},
    "last_chat": navigation.open_previous,
    "previous_chat": lambda screen, text: navigation.open_next(screen, -1, text),
    "next_chat": lambda screen, text: navigation.open_next(screen, 1, text),
    "previous_chat_from_empty_line": lambda screen, text: navigation.open_next(screen, -1, text),
    "next_chat_from_empty_line": lambda screen, text: navigation.open_next(screen, 1, text),
    "next_unread": navigation.open_unread,
    "pin": lambda screen, text: navigation.pin_open(screen),
    "read_all": lambda screen, text: navigation.mark_all_chats_read(screen),
    "jump": lambda screen, text: navigation.open_finder(screen),
    "page_up": lambda screen, text: navigation.scroll(screen, pages=1),
    "page_down": lambda screen, text: navigation.scroll(screen, pages=-1),
    "rows_up": lambda screen, text: navigation.scroll(screen, rows=ROWS_AT_ONCE),
    "rows_down": lambda screen, text: navigation.scroll(screen, rows=-ROWS_AT_ONCE),
    "oldest": lambda screen, text: navigation.show_oldest(screen),
    "newest": lambda screen, text: navigation.show_end(screen),
    "first_unread": lambda screen, text: navigation.show_first_unread(screen),
    "previous_mention": lambda screen, text: navigation.show_mention(screen, -1),
    "next_mention": lambda screen, text: navigation.show_mention(screen, 1),
    "search": lambda screen, text: navigation.begin_command(screen, "/search", text),
    "go_to_time": lambda screen, text: navigation.begin_command(screen, "/goto", text),
    "open_result": lambda screen, text: message_actions.open_selected(screen),
    "result_up": lambda screen, text: message_actions.step(screen, -1),
    "result_down": lambda screen, text: message_actions.step(screen, 1),
    "sides": lambda screen, text: navigation.cycle_sides(screen),
    "back": lambda screen, text: navigation.escape(screen),
    "choose_up": lambda screen, text: message_actions.choose(screen, -1),
    "choose_down": lambda screen, text: message_actions.choose(screen, 1),
    "chosen_up": lambda screen, text: message_actions.choose(screen, -1),
    "chosen_down": lambda screen, text: message_actions.choose(screen, 1),
    "reply": lambda screen, text: message_actions.compose(screen, "reply", text),
    "quote": message_actions.quote_selected,
    "react": lambda screen, text: message_actions.compose(screen, "react", text),
    "edit": lambda screen, text: message_actions.compose(screen, "edit", text),
    "delete": lambda screen, text: message_actions.delete(screen),
    "open_message": lambda screen, text: message_actions.open_selected(screen),
    "thread": lambda screen, text: message_actions.open_thread_of_selected(screen),
    "copy_id": lambda screen, text: message_actions.copy_id(screen),
    "open_link": lambda screen, text: message_actions.open_link_of_selected(screen),
    "copy_text": lambda screen, text: message_actions.copy_selected(screen),
    "editor": lambda screen, text: screen.do(OpenEditor(text)),
    "keys_page": lambda screen, text: navigation.toggle_keys_page(screen),
    "bare": lambda screen, text: navigation.toggle_bare(screen),
    "cancel_transfers": lambda screen, text: navigation.cancel_transfers(screen),
}
# These work in dialogs, too.
IN_DIALOGS = frozenset(("keys_page", "page_up", "page_down", "rows_up", "rows_down", "oldest", "newest", "back"))
