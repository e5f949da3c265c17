"""What passes with time and is seen: read markers, countdowns, what is told for a moment."""

from chat_client.model.moving import want_more
from chat_client.model.room import Room
from chat_client.model.screen import Screen

READ_SECONDS = 1.0  # for which a message is on the screen before it counts as read
STATUS_SECONDS = 120.0  # between two looks at who is there
UNREAD_END = 1 << 62  # behind all messages


def shown(screen: Screen, first_id: int | None, last_id: int | None, quoted: set[int], now: float) -> bool:
    """What is on the screen: the oldest and the newest message of the open chat, and which quotes are. Whether this
    changes what is to be shown.

    The read marker never passes what was not on the screen: with an unread message above it, nothing is read.
    """
    screen.now = now
    if quoted:
        screen.ask_quotes(quoted)
    if first_id is None or last_id is None or screen.view is not None or screen.help_from is not None:
        screen.on_screen = None
        return False
    room = screen.open
    above, screen.above = screen.above, _above(room, first_id, screen.me)
    if last_id <= room.read or screen.above or not screen.focused:
        screen.on_screen = None
    elif screen.on_screen is None or screen.on_screen[0] != room.name:
        screen.on_screen = (room.name, last_id, screen.elapsed)
    return above != screen.above


def _above(room: Room, first_id: int, me: str) -> int:
    feed = room.feed
    kept = feed.between(room.read, first_id, me)
    if feed.at_start or (feed.first_id or 0) <= room.read + 1:
        return kept
    return max(kept, room.unread - feed.between(room.read, UNREAD_END, me))


def tick(screen: Screen, now: float) -> bool:
    """The clock; whether something that is shown has changed."""
    screen.now = now
    changed = bool(screen.transfers) or not screen.online or screen.ban is not None
    if screen.flash is not None and screen.flash[2] <= screen.elapsed:
        screen.flash, changed = None, True
    if screen.on_screen is not None and screen.elapsed - screen.on_screen[2] >= READ_SECONDS and screen.online:
        name, id, _ = screen.on_screen
        screen.on_screen = None
        room = screen.rooms.get(name)
        if room is not None and id > room.read:
            room.marked(id, screen.me)
            screen.ask("read", None, chat=name, id=id)
        changed = True
    if screen.online and screen.elapsed - screen.looked >= STATUS_SECONDS:
        screen.looked = screen.elapsed
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
