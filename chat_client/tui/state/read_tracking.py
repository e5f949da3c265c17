"""Read tracking: which messages of the open chat the user has seen, and when its marker moves.

The marker never passes what was not on the screen: with an unread message above it that was not seen, nothing is read.
A user who watches the end has seen all that passes there, however fast. (Up to `seen` all of the chat was on the
screen, one frame after the other: at ten messages a second 97 stayed unread for good before that was known.)
"""

from msgspec import Struct

from chat_client.tui.state.chat_state import ChatState

READ_SECONDS = 1.0  # for which a message is on the screen before it counts as read
_BEHIND_ALL = 1 << 62  # an id


class Drawn(Struct, frozen=True):
    """What a frame shows: the oldest and the newest message of the feed, and which messages are quoted but not kept."""

    first_id: int | None = None
    last_id: int | None = None
    quoted: frozenset[int] = frozenset()


class ReadTracking(Struct):
    """`candidate`: a chat, the newest id on the screen, and since when of `elapsed`; it becomes the read marker.
    `was_at_end`: whether the last frame showed the end of the chat. `unread_above`: how many unread messages are above
    the screen."""

    focused: bool = True
    seen: tuple[str, int] | None = None
    candidate: tuple[str, int, float] | None = None
    was_at_end: bool = False
    unread_above: int = 0

    def look_away(self) -> None:
        """The chat is out of sight, or nobody looks."""
        self.seen = self.candidate = None

    def look(self, chat: ChatState, first_id: int, last_id: int, me: str, elapsed: float, is_online: bool) -> None:
        """These messages of the chat, and those between them, are on the screen."""
        seen = self.seen[1] if self.seen is not None and self.seen[0] == chat.name else None
        was_at_end, self.was_at_end = self.was_at_end, not chat.feed.is_scrolled
        has_watched = seen is not None and was_at_end and self.was_at_end
        self.unread_above = 0 if has_watched else _unread_above(chat, max(chat.read, seen or 0), first_id, me)
        if self.unread_above or not self.focused:
            self.look_away()
            return
        # Messages missed while there was no connection did not pass before anybody's eyes.
        self.seen = (chat.name, max(last_id, seen or 0)) if is_online else None
        if last_id <= chat.read:
            self.candidate = None
        elif self.candidate is None or self.candidate[0] != chat.name:
            self.candidate = (chat.name, last_id, elapsed)

    def take_due(self, elapsed: float) -> tuple[str, int] | None:
        """The chat and the id of a candidate that was on the screen for long enough; it is none any more then."""
        if self.candidate is None or elapsed - self.candidate[2] < READ_SECONDS:
            return None
        name, id, _ = self.candidate
        self.candidate = None
        return name, id


def _unread_above(chat: ChatState, read: int, first_id: int, me: str) -> int:
    """How many unread messages there are above the first one on the screen that were not seen either."""
    feed = chat.feed
    kept = feed.count_of_others(read, first_id, me)
    if feed.at_start or (feed.first_id or 0) <= read + 1:
        return kept
    return max(kept, chat.unread - feed.count_of_others(chat.read, _BEHIND_ALL, me))
