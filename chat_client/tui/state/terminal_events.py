"""Events of the terminal: a frame was drawn, the focus has changed, time has passed."""

from datetime import datetime

from chat_client.tui.state.history import go_on_loading
from chat_client.tui.state.own_typing import note_absence
from chat_client.tui.state.read_tracking import Drawn
from chat_client.tui.state.screen_state import ScreenState

STATUS_SECONDS = 120.0  # between two looks at who is there


def take_frame(screen: ScreenState, frame: Drawn, now: float) -> bool:
    """Whether this changes what is to be shown."""
    screen.now = now
    screen.ask_quotes(frame.quoted)
    reading = screen.reading
    if frame.first_id is None or frame.last_id is None or not screen.shows_chat:
        reading.look_away()
        return False
    above = reading.unread_above
    session = screen.session
    reading.look(screen.chats.open, frame.first_id, frame.last_id, session.user, screen.elapsed, session.is_online)
    return above != reading.unread_above


def focus(screen: ScreenState, focused: bool, now: float) -> None:
    screen.now = now
    screen.reading.focused = focused
    if not focused:
        screen.reading.look_away()
        chat = screen.chats.open
        if not chat.unread:
            chat.new_after = None


def tick(screen: ScreenState, now: float) -> bool:
    """Time has passed; whether something that is shown has changed."""
    screen.now = now
    session = screen.session
    changed = bool(screen.transfers) or not session.is_online or session.ban is not None or _counts_down(screen)
    changed |= screen.typists.expire(screen.elapsed)
    note_absence(screen)
    if screen.flash is not None and screen.flash.until <= screen.elapsed:
        screen.flash, changed = None, True
    if session.is_online and (due := screen.reading.take_due(screen.elapsed)) is not None:
        name, id = due
        chat = screen.chats.by_name.get(name)
        if chat is not None and id > chat.read:
            chat.mark_read(id, session.user)
            screen.ask("read", None, chat=name, id=id)
        changed = True
    if session.is_online and screen.elapsed - screen.roster.asked_at >= STATUS_SECONDS:
        screen.roster.asked_at = screen.elapsed
        screen.ask("status")
    if session.is_online:
        go_on_loading(screen)
    return changed


def _counts_down(screen: ScreenState) -> bool:
    """Whether the end of the limit in main is shown, or has just passed."""
    limit = screen.session.limits.get("main_messages")
    if limit is None or limit.used < limit.max or limit.until is None:
        return False
    return datetime.fromisoformat(limit.until).timestamp() > screen.now - 1
