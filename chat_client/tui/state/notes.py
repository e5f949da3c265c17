"""Notes, which only this user sees: in the chats, and as answers to what was typed."""

from chat_client.common.wording import Answer
from chat_client.tui.state.items import NoteKind, Offer
from chat_client.tui.state.screen_state import ScreenState
from chat_server.protocol.times import iso


def time_of_day(screen: ScreenState) -> str:
    """As the protocol writes it."""
    return iso(int(screen.now * 1000))


def note(screen: ScreenState, chat_name: str, kind: NoteKind, text: str, answer: bool = False) -> None:
    """Put a note into the chat, and tell it for a moment over the input where the chat is not in sight. An answer to
    what was just typed comes into sight, from its beginning on."""
    chats = screen.chats
    chat = chats.by_name.get(chat_name) or chats.open  # a note must not bring back a chat that was left meanwhile
    place = chat.feed.add_note(kind, text, time_of_day(screen), dismissable=True)
    if screen.view is None and chat is chats.open and (answer or chat.feed.anchor is None):
        chat.feed.reveal_place(place, "top")
    else:
        screen.tell(kind, text.split("\n", 1)[0])


def note_quietly(screen: ScreenState, chat_name: str, text: str, offer: Offer | None = None) -> None:
    """Put a note into the chat, and move nothing."""
    screen.chats.chat(chat_name).feed.add_note("info", text, time_of_day(screen), offer=offer)


def withdraw_notes(screen: ScreenState) -> None:
    """Remove the notes that offer what cannot be had any more, wherever they stand."""
    if screen.roster.withdrawn:
        for chat in screen.chats.by_name.values():
            chat.feed.withdraw(screen.roster.withdrawn)
        screen.roster.withdrawn = []


def note_answer(screen: ScreenState, chat_name: str, answer: Answer) -> None:
    """Note what a command has done, and below it what it lists."""
    items = [item for item in answer.items if item]
    if answer.done:
        note(screen, chat_name, "done", "\n  ".join((answer.done, *items)), answer=True)
    else:
        note(screen, chat_name, "info", "\n".join(items), answer=True)
