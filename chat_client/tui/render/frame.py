"""A frame: the whole screen as regions of rows. It follows from the state and the display alone, and changes neither.

The state's moves are settled before a frame is made (`settle`): how many rows an item has is known only here.
"""

from msgspec import Struct

from chat_client.common.cells import row_width, wrap
from chat_client.tui.render.bar import bar_rows
from chat_client.tui.render.geometry import Geometry, geometry_of
from chat_client.tui.render.keys_page import first_row, keys_rows
from chat_client.tui.render.row import Display, Row
from chat_client.tui.render.side_panels import chat_rows, finder_rows, people_rows
from chat_client.tui.render.title_and_status import status, title
from chat_client.tui.render.viewport import Viewport, anchor_after_moves, anchor_of_full_screen, context_of
from chat_client.tui.state.navigation import settle_feed, settle_keys_page
from chat_client.tui.state.read_tracking import Drawn
from chat_client.tui.state.screen_state import ScreenState

FINDER_COLUMNS_MAX, LINES_COLUMNS_MAX, FINDER_ROWS_MAX = 48, 90, 14


class Region(Struct, frozen=True):
    """Rows at a place; `style` is under all of them and what they leave free, which is not drawn at all unless it
    `fills`."""

    name: str
    x: int
    y: int
    columns: int
    height: int
    style: str
    rows: list[Row]
    fills: bool = True


class Frame(Struct, frozen=True):
    """`input`: where the line that is typed stands (x, y, columns, rows). `below_feed`: the rows of the bar, the line
    and the status. `drawn`: what the state is told of the frame. `cursor`: whether the line has the keys."""

    regions: list[Region]
    input: tuple[int, int, int, int]
    below_feed: int
    drawn: Drawn
    cursor: bool


def settle(screen: ScreenState, display: Display) -> None:
    """Tell the state where the moves that it has asked for lead on this display."""
    keys_page = screen.dialogs.keys_page
    if keys_page is not None and keys_page.moves:
        geometry = geometry_of(screen, display)
        settle_keys_page(screen, first_row(keys_page, screen.keymap, geometry.feed_columns, geometry.feed_rows))
    if screen.feed.moves:
        settle_feed(screen, anchor_after_moves(screen, display))
    elif (anchor := anchor_of_full_screen(screen, display)) != screen.feed.anchor:
        settle_feed(screen, anchor)


def frame(screen: ScreenState, display: Display) -> Frame:
    geometry = geometry_of(screen, display)
    feed_rows, middle = geometry.feed_rows, geometry.left
    rows, drawn = _middle(screen, display, geometry)
    y = int(geometry.framed)
    rows = [Row(())] * (feed_rows - len(rows)) + rows
    is_bare = not geometry.framed  # what is copied has no blanks behind it
    regions = [
        Region("feed", middle, y, geometry.middle, feed_rows, "bare" if is_bare else "feed", rows, fills=not is_bare)
    ]
    y += feed_rows
    below_feed = geometry.rows - y
    if geometry.framed:
        regions += [
            Region("title", middle, 0, geometry.middle, 1, "title", [title(screen, geometry)]),
            Region("status", 0, geometry.rows - 1, geometry.columns, 1, "status",
                   [status(screen, display.zone, geometry.columns)]),
        ]  # fmt: skip
    if geometry.bar:
        rows = bar_rows(screen, geometry.middle, geometry.bar)
        regions.append(Region("bar", middle, y, geometry.middle, geometry.bar, "bar", rows))
        y += geometry.bar
    height = geometry.rows - 1
    if geometry.left:
        regions.append(Region("left", 0, 0, geometry.left, height, "side", chat_rows(screen, geometry.left, height)))
    if geometry.right:
        x, wide = geometry.columns - geometry.right, geometry.right
        regions.append(Region("right", x, 0, wide, height, "side", people_rows(screen, wide, height)))
    if screen.dialogs.finder is not None:
        regions.append(_finder(screen, geometry.columns, height))
    return Frame(regions, (middle, y, geometry.middle, geometry.input), below_feed, drawn, screen.is_typing)


def _finder(screen: ScreenState, columns: int, height: int) -> Region:
    finder = screen.dialogs.finder
    most = FINDER_COLUMNS_MAX if finder is None or finder.lines is None else LINES_COLUMNS_MAX
    wide = min(columns - 2, most)
    rows = finder_rows(screen, wide, max(3, min(FINDER_ROWS_MAX, height - 3)))
    return Region("finder", (columns - wide) // 2, min(2, max(0, height - len(rows))), wide, len(rows), "dialog", rows)


def _middle(screen: ScreenState, display: Display, geometry: Geometry) -> tuple[list[Row], Drawn]:
    columns, height = geometry.feed_columns, geometry.feed_rows
    if screen.dialogs.keys_page is not None:
        return keys_rows(screen.dialogs.keys_page, screen.keymap, columns, height), Drawn()
    rows = Viewport(screen.feed, context_of(screen, columns, display), height).rows(screen.feed.anchor)
    if not rows:
        return _empty(screen, columns, height), Drawn()
    return rows, _drawn(screen, rows)


def _drawn(screen: ScreenState, rows: list[Row]) -> Drawn:
    messages = screen.feed.messages
    ids = {row.id for row in rows if row.id is not None}
    quoted = {
        reply_to
        for id in ids
        if (item := messages.get(id)) is not None
        and (reply_to := item.message.reply_to) is not None
        and screen.message(reply_to) is None
    }
    return Drawn(min(ids, default=None), max(ids, default=None), frozenset(quoted))


def _empty(screen: ScreenState, columns: int, height: int) -> list[Row]:
    """What stands in the middle of a feed without anything in it."""
    lines = [line for text in _empty_texts(screen) for line in wrap([("empty", text)], columns - 4)][:height]
    above = max(0, height // 2 - len(lines))
    rows = [Row((("", " " * ((columns - row_width(line)) // 2)), *line)) for line in lines]
    return [Row(())] * above + rows + [Row(())] * (height - above - len(rows))


def _empty_texts(screen: ScreenState) -> list[str]:
    chat, session = screen.chats.open, screen.session
    if screen.view is not None:
        return ["nothing here"]
    if chat.page_error and not chat.loaded:
        key = screen.keymap.first("newest")
        return [chat.page_error, *([f"{key} asks for it again"] if key else [])]
    if not chat.loaded:
        return ["loading …" if session.is_online else "not connected yet" if session.connection else "connecting …"]
    who = "everyone" if chat.name == "main" else f"only {chat.name[1:]} and you" if chat.is_direct else "its members"
    brings = [f"/invite {chat.name} <username> brings others in"] if chat.name.startswith("#") else []
    return [
        "what was said here has expired"
        if chat.had_messages
        else "nothing has been said here yet: write the first line",
        f"Enter sends it, {who} can read it",
        *brings,
        f"/ and Tab list the commands · {screen.keymap.first('keys_page') or '/keys'} shows all keys",
    ]
