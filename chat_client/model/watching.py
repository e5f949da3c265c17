"""What passes with time and is seen: read markers, countdowns, what is told for a moment."""

from chat_client.model.moving import want_more
from chat_client.model.screen import Screen

READ_SECONDS = 1.0  # for which a message is on the screen before it counts as read
STATUS_SECONDS = 120.0  # between two looks at who is there


def shown(screen: Screen, last_id: int | None, quoted: set[int], now: float) -> None:
    """What is on the screen: the newest message of the open chat, and which quotes are."""
    screen.now = now
    if quoted:
        screen.ask_quotes(quoted)
    if last_id is None or screen.view is not None or screen.help_from is not None or not screen.focused:
        screen.on_screen = None
        return
    room = screen.open
    if last_id <= room.read:
        screen.on_screen = None
    elif screen.on_screen is None or screen.on_screen[0] != room.name:
        screen.on_screen = (room.name, last_id, now)


def tick(screen: Screen, now: float) -> bool:
    """The clock; whether something that is shown has changed."""
    screen.now = now
    changed = bool(screen.transfers) or not screen.online or screen.ban is not None
    if screen.flash is not None and screen.flash[2] <= now:
        screen.flash, changed = None, True
    if screen.on_screen is not None and now - screen.on_screen[2] >= READ_SECONDS and screen.online:
        name, id, _ = screen.on_screen
        screen.on_screen = None
        room = screen.rooms.get(name)
        if room is not None and id > room.read:
            room.marked(id, screen.me)
            screen.ask("read", None, chat=name, id=id)
        changed = True
    if screen.online and now - screen.looked >= STATUS_SECONDS:
        screen.looked = now
        screen.ask("status")
    if screen.online and not screen.feed.at_start:
        want_more(screen) if screen.feed.anchor is not None else None
    return changed


def focus(screen: Screen, focused: bool, now: float) -> None:
    """The terminal has got or lost the focus."""
    screen.now = now
    screen.focused = focused
    if not focused:
        screen.on_screen = None
        room = screen.open
        if not room.unread:
            room.new_after = None
