"""The viewport: which rows of a feed are on the screen, and where scrolling leads. Only what is on the screen is
laid out.
"""

from bisect import bisect_left

from chat_client.common.cells import width
from chat_client.tui.render.geometry import geometry_of
from chat_client.tui.render.look import NAME_CELLS_MIN
from chat_client.tui.render.message_rows import RowContext, name_speaker, rows_of
from chat_client.tui.render.row import Display, Row
from chat_client.tui.state.feed import Anchor, Feed, Move, Reveal, Scroll, lowest, place_of
from chat_client.tui.state.screen_state import ScreenState

NARROW_NAME_CELLS = 8  # where the text needs the columns more than a long name does
ROOMY_COLUMNS = 98  # of a feed, from which on names may have all that is allowed


def context_of(screen: ScreenState, columns: int, display: Display) -> RowContext:
    user = screen.session.user
    return RowContext(
        me=user,
        width=columns,
        zone=display.zone,
        quote=screen.quote,
        new_from=None if screen.view else screen.chats.open.first_new(user),
        selected=screen.feed.selected,
        labels=screen.shows_results,
        is_thread=screen.view is not None and screen.view.kind == "thread",
        query=screen.view.query if screen.view else "",
        bare=screen.bare,
        name_cells=name_cells(screen, columns, display.look.names),
        look=display.look,
    )


def name_cells(screen: ScreenState, columns: int, names_max: int) -> int:
    """The cells of the column of names: those of the longest name, within bounds."""
    most = min(names_max, max(NARROW_NAME_CELLS, columns * names_max // ROOMY_COLUMNS))
    return min(most, max(NAME_CELLS_MIN, screen.feed.name_cells, width(screen.session.user)))


def anchor_after_moves(screen: ScreenState, display: Display) -> Anchor | None:
    """Where the moves of the feed that is shown lead."""
    feed = screen.feed
    anchor = feed.anchor
    for move in feed.moves:
        anchor = _follow(screen, display, anchor, move)
        if isinstance(move, Reveal) and move.where == "top":
            anchor = _follow(screen, display, anchor, move)  # the bar that tells what is below takes a row
    return anchor


def anchor_of_full_screen(screen: ScreenState, display: Display) -> Anchor | None:
    """The anchor, unless rows stayed free above while there is more below: the screen has grown, or its rows have."""
    feed = screen.feed
    if feed.anchor is None or not feed.at_start or screen.dialogs.keys_page is not None:
        return feed.anchor
    return _follow(screen, display, feed.anchor, Scroll())


def _follow(screen: ScreenState, display: Display, anchor: Anchor | None, move: Move) -> Anchor | None:
    feed, chat = screen.feed, screen.chats.open
    is_scrolled = screen.view is None and chat.loaded and (anchor is not None or not feed.at_end)
    geometry = geometry_of(screen, display, is_scrolled)
    context = context_of(screen, geometry.feed_columns, display)
    return Viewport(feed, context, geometry.feed_rows).follow(anchor, move)


def page_rows(height: int) -> int:
    """How far a page goes: two rows of the one before stay in sight."""
    return max(1, height - 2)


class Viewport:
    """A feed at a width, through a window of so many rows."""

    def __init__(self, feed: Feed, context: RowContext, height: int) -> None:
        self._at_end = feed.at_end
        self._entries = feed.entries
        self._context, self._height = context, height

    def _rows(self, index: int) -> list[Row]:
        return rows_of(self._entries[index], self._entries[index - 1] if index else None, self._context)

    def rows(self, anchor: Anchor | None) -> list[Row]:
        """The rows on the screen. Who speaks on top of it is named, also where that one goes on speaking."""
        index, below = lowest(self._entries, anchor)
        shown: list[list[Row]] = []  # of each item, from the lowest one up
        count = 0
        while index >= 0 and count < self._height:
            own = self._rows(index)
            shown.append(own[: len(own) - below])
            count += len(shown[-1])
            below = 0
            index -= 1
        is_cut = count > self._height
        if len(shown) > is_cut:
            first = shown[-1 - is_cut]
            item = self._entries[index + 1 + is_cut]
            first[:1] = [name_speaker(row, item, self._context) for row in first[:1]]
        return [row for own in reversed(shown) for row in own][-self._height :]

    def follow(self, anchor: Anchor | None, move: Move) -> Anchor | None:
        """The anchor to which the move leads."""
        if not self._entries:
            return anchor
        if isinstance(move, Scroll):
            return self._scroll(anchor, move.rows + move.pages * page_rows(self._height))
        return self._reveal(anchor, move)

    def _scroll(self, anchor: Anchor | None, rows: int) -> Anchor | None:
        index, below = lowest(self._entries, anchor)
        index, below = self._step(index, below + rows)
        # Not past the start: a full screen stays above the bottom.
        above, at = -below, index
        while at >= 0 and above < self._height:
            above += len(self._rows(at))
            at -= 1
        if above < self._height:
            index, below = self._step(index, below - (self._height - above))
        return self._anchor(index, below)

    def _step(self, index: int, below: int) -> tuple[int, int]:
        """The same place by the item of which fewer rows are below the screen than it has, if there is one."""
        while below < 0 and index < len(self._entries) - 1:
            index += 1
            below += len(self._rows(index))
        below = max(0, below)
        while index > 0 and below >= (own := len(self._rows(index))):
            below -= own
            index -= 1
        return index, min(below, max(0, len(self._rows(index)) - 1))

    def _anchor(self, index: int, below: int) -> Anchor | None:
        is_end = index >= len(self._entries) - 1 and below == 0
        return None if is_end and self._at_end else Anchor(self._entries[index].place, below)

    def _reveal(self, anchor: Anchor | None, move: Reveal) -> Anchor | None:
        index = bisect_left(self._entries, move.place, key=place_of)
        if index >= len(self._entries):
            return anchor
        bottom, below = lowest(self._entries, anchor)
        if move.where == "nearest":
            if bottom < index or (bottom == index and below):
                return self._anchor(index, 0)
            above = -below
            for at in range(bottom, index - 1, -1):
                above += len(self._rows(at))
                if above > self._height:
                    break
            else:
                return anchor
        own = len(self._rows(index))
        free = (self._height - own) // 2 if move.where == "middle" else self._height - own
        index, below = self._step(index, -(free if move.where == "top" else max(0, free)))
        return self._scroll(self._anchor(index, below), 0)
