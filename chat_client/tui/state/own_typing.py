"""One's own typing: when others are told of it."""

from chat_client.tui.state.effects import PostMessage, SignalTyping
from chat_client.tui.state.screen_state import ScreenState

TELL_SECONDS = 3.0  # it holds for twice as long


def note_typing(screen: ScreenState) -> None:
    """The user has changed the line: others are told where it will be a message to them."""
    typists, composer, chat = screen.typists, screen.composer, screen.chats.open_name
    if not typists.is_shared:
        return
    if not composer.text:
        if any(isinstance(effect, PostMessage) for effect in screen.effects):
            # The message ends the typing for others. A signal that is still to go would come behind it, and stay.
            screen.effects = [each for each in screen.effects if not isinstance(each, SignalTyping)]
            typists.told_in = ""
        note_absence(screen, emptied=True)
        return
    is_message = not composer.text.startswith("/") and (composer.target is None or composer.target.kind == "reply")
    if chat == "main" or not is_message:
        return
    if chat != typists.told_in or screen.elapsed - typists.told_at >= TELL_SECONDS:
        note_absence(screen)
        typists.told_in, typists.told_at = chat, screen.elapsed
        screen.do(SignalTyping(chat, True))


def note_absence(screen: ScreenState, *, emptied: bool = False) -> None:
    """Others are told if the line was emptied, or another chat was opened."""
    typists = screen.typists
    if typists.told_in and (emptied or typists.told_in != screen.chats.open_name):
        chat, typists.told_in = typists.told_in, ""
        if chat in screen.chats.by_name:
            screen.do(SignalTyping(chat, False))
