"""Changes that come with time: read markers, countdowns, messages that are shown for a moment.

Up to `screen.seen` all of the open chat was on the screen, one frame after the other: what scrolls away faster than its
marker moves has been seen all the same. At ten messages a second 97 stayed unread for good.
"""

from chat_client.tui.render.times import seconds
from chat_client.tui.state.navigation import want_more
from chat_client.tui.state.room import Room
from chat_client.tui.state.screen import Screen

READ_SECONDS = 1.0  # for which a message is on the screen before it counts as read
STATUS_SECONDS = 120.0  # between two looks at who is there
UNREAD_END = 1 << 62  # behind all messages


def shown(screen: Screen, first_id: int | None, last_id: int | None, quoted: set[int], now: float) -> bool:
    """What is on the screen: the oldest and the newest message of the open chat, and which quotes are. Whether this
    changes what is to be shown.

    The read marker never passes what was not on the screen: with an unread message above it that was not seen, nothing
    is read. Who watches the end has seen what passed there, however fast.
    """
    screen.now = now
    if quoted:
        screen.ask_quotes(quoted)
    if first_id is None or last_id is None or screen.view is not None or screen.help_from is not None:
        screen.on_screen = screen.seen = None
        return False
    room = screen.open
    seen = screen.seen[1] if screen.seen is not None and screen.seen[0] == room.name else None
    was_at_end, screen.at_end = screen.at_end, room.feed.anchor is None and room.feed.at_end
    watched = seen is not None and was_at_end and screen.at_end
    above, screen.above = screen.above, 0 if watched else _above(room, max(room.read, seen or 0), first_id, screen.me)
    if screen.above or not screen.focused:
        screen.on_screen = screen.seen = None
    else:
        # Messages missed while there was no connection did not pass before anybody's eyes.
        screen.seen = (room.name, max(last_id, seen or 0)) if screen.online else None
        if last_id <= room.read:
            screen.on_screen = None
        elif screen.on_screen is None or screen.on_screen[0] != room.name:
            screen.on_screen = (room.name, last_id, screen.elapsed)
    return above != screen.above


def _above(room: Room, read: int, first_id: int, me: str) -> int:
    """How many unread messages there are above the first one on the screen that were not seen either."""
    feed = room.feed
    kept = feed.between(read, first_id, me)
    if feed.at_start or (feed.first_id or 0) <= read + 1:
        return kept
    return max(kept, room.unread - feed.between(room.read, UNREAD_END, me))


def tick(screen: Screen, now: float) -> bool:
    """The clock; whether something that is shown has changed."""
    screen.now = now
    changed = bool(screen.transfers) or not screen.online or screen.ban is not None or _is_limited(screen)
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


def _is_limited(screen: Screen) -> bool:
    """Whether the status counts down to the end of the limit in main; and the moment after."""
    limit = screen.limits.get("main_messages")
    if limit is None or limit.used < limit.max or limit.until is None:
        return False
    return seconds(limit.until) > screen.now - 1


def focus(screen: Screen, focused: bool, now: float) -> None:
    """The terminal has got or lost the focus."""
    screen.now = now
    screen.focused = focused
    if not focused:
        screen.on_screen = screen.seen = None
        room = screen.open
        if not room.unread:
            room.new_after = None
