"""The table of keys, which the terminal binds and the page of keys shows."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from chat_client.tui.state import message_actions, navigation
from chat_client.tui.state.screen_state import ScreenState

# chosen: while keys act on a message. results: among results, while nothing is typed; no letters, they are text there.
When = Literal["always", "chosen", "results"]
Action = Callable[[ScreenState, str], object]  # the text in the input is handed to it
GROUPS = ("Chats", "Looking", "Else", "A message", "Typing")


class Key(Struct, frozen=True):
    """`presses` are the names of prompt_toolkit; a key without `do` is the editor's own, or the terminal's.
    `command`, a local one or one of the server's, does the same when it is typed; keys that only move what is in sight
    have none."""

    shows: str
    help: str
    group: str
    presses: tuple[tuple[str, ...], ...] = ()
    do: Action | None = None
    when: When = "always"
    command: str = ""


def _number(number: int) -> Action:
    return lambda screen, text: navigation.open_number(screen, number, text)


KEYS: tuple[Key, ...] = (
    Key("Alt-1 … 9", "opens the chat of this number", "Chats"),
    *(Key("", "", "Chats", (("escape", str(number)),), _number(number), command="/open") for number in range(1, 10)),
    Key("Alt-← Alt-→", "the chat before, the next one", "Chats", (("escape", "left"),),
        lambda screen, text: navigation.open_next(screen, -1, text), command="/previous"),
    Key("", "", "Chats", (("escape", "right"),),
        lambda screen, text: navigation.open_next(screen, 1, text), command="/next"),
    Key("Alt-A", "the next unread chat, mentions first", "Chats", (("escape", "a"),),
        navigation.open_unread, command="/unread"),
    Key("Ctrl-K", "jumps to a chat or a person by part of the name", "Chats", (("c-k",),),
        lambda screen, text: navigation.open_finder(screen), command="/open"),
    Key("Alt-0", "the chat that was open before this one", "Chats", (("escape", "0"),),
        navigation.open_previous, command="/last"),
    Key("PgUp PgDn", "a page up or down; older ones come from the server", "Looking", (("pageup",),),
        lambda screen, text: navigation.scroll(screen, pages=1)),
    Key("", "", "Looking", (("pagedown",),),
        lambda screen, text: navigation.scroll(screen, pages=-1)),
    Key("Alt-U", "the first unread message", "Looking", (("escape", "u"),),
        lambda screen, text: navigation.show_first_unread(screen), command="/first_unread"),
    Key("Esc", "one step back; from where one has scrolled to, the end", "Looking", (("escape",),),
        lambda screen, text: navigation.escape(screen)),
    Key("/search", "finds; ↑ ↓ step, Enter opens in place", "Looking", (("enter",),),
        lambda screen, text: message_actions.open_selected(screen), "results"),
    Key("", "", "Looking", (("up",),), lambda screen, text: message_actions.step(screen, -1), "results"),
    Key("", "", "Looking", (("down",),), lambda screen, text: message_actions.step(screen, 1), "results"),
    Key("F2", "folds the sides away", "Looking", (("f2",),),
        lambda screen, text: navigation.toggle_sides(screen), command="/sides"),
    Key("Alt-↑ Alt-↓", "chooses a message; then, once:", "A message", (("escape", "up"),),
        lambda screen, text: message_actions.choose(screen, -1)),
    Key("", "", "A message", (("escape", "down"),), lambda screen, text: message_actions.choose(screen, 1)),
    Key("↑ ↓", "the next one up or down", "A message", (("up",),),
        lambda screen, text: message_actions.choose(screen, -1), "chosen"),
    Key("", "", "A message", (("down",),), lambda screen, text: message_actions.choose(screen, 1), "chosen"),
    Key("r", "replies", "A message", (("r",),),
        lambda screen, text: message_actions.compose(screen, "reply", text), "chosen", command="/reply"),
    Key("+", "reacts; again with the same emoji takes it back", "A message", (("+",),),
        lambda screen, text: message_actions.compose(screen, "react", text), "chosen", command="/react"),
    Key("e", "edits", "A message", (("e",),),
        lambda screen, text: message_actions.compose(screen, "edit", text), "chosen", command="/edit"),
    Key("d", "deletes; Enter confirms", "A message", (("d",),),
        lambda screen, text: message_actions.delete(screen), "chosen", command="/delete"),
    Key("t Enter", "its thread; among results: opens it in place", "A message", (("enter",),),
        lambda screen, text: message_actions.open_selected(screen), "chosen", command="/thread"),
    Key("", "", "A message", (("t",),),
        lambda screen, text: message_actions.open_thread_of_selected(screen), "chosen", command="/thread"),
    Key("y", "copies its id", "A message", (("y",),), lambda screen, text: message_actions.copy_id(screen), "chosen"),
    Key("Y", "copies its text", "A message", (("Y",),),
        lambda screen, text: message_actions.copy_selected(screen), "chosen", command="/copy"),
    Key("Esc", "back to the line", "A message"),
    Key("Enter", "sends to the open chat; / starts a command, // a text with a slash", "Typing"),
    Key("Alt-Enter", "breaks the line", "Typing"),
    Key("Tab", "completes commands, names, chats, ids, paths, :emojis:", "Typing"),
    Key("↑ ↓  Ctrl-R", "what was typed before; searches it", "Typing"),
    Key("Ctrl-A E W U _", "begin, end, cut word, cut line, undo; Ctrl-Y brings back", "Typing"),
    Key("Ctrl-C", "clears the line; twice leaves, as Ctrl-D does", "Typing"),
    Key("F1", "this page", "Else", (("f1",),),
        lambda screen, text: navigation.toggle_keys_page(screen), command="/keys"),
    Key("F3", "gives the mouse to the terminal, and takes it back", "Else", (("f3",),),
        lambda screen, text: navigation.toggle_mouse(screen), command="/mouse"),
    Key("Ctrl-L", "draws the screen anew", "Else", command="/redraw"),
    Key("Alt-X", "cancels the files on their way", "Else", (("escape", "x"),),
        lambda screen, text: navigation.cancel_transfers(screen), command="/cancel"),
)  # fmt: skip
