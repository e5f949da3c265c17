"""The whole screen as regions of rows. Only what is visible is laid out."""

from msgspec import Struct

from chat_client.common.cells import row_width, wrap
from chat_client.tui.render.bars import bar, status, title
from chat_client.tui.render.help import help_rows
from chat_client.tui.render.items import Row, Said
from chat_client.tui.render.message_rows import TEXT_ROWS_MAX
from chat_client.tui.render.side_panels import chats, jump, people
from chat_client.tui.state.screen import Screen

__all__ = ["TEXT_ROWS_MAX", "Frame", "Region", "frame"]


class Region(Struct, frozen=True):
    """Rows at a place; `style` is under all of them and what they leave free."""

    name: str
    x: int
    y: int
    columns: int
    height: int
    style: str
    rows: list[Row]


class Frame(Struct, frozen=True):
    """`input`: where the line that is typed stands (x, y, columns, rows). `first_id`, `last_id`: the oldest and the
    newest message on the screen; `quoted`: what the messages on it answer; `cursor`: whether the line has the keys."""

    regions: list[Region]
    input: tuple[int, int, int, int]
    first_id: int | None
    last_id: int | None
    quoted: set[int]
    cursor: bool


def frame(screen: Screen) -> Frame:
    geometry = screen.geometry
    feed_rows = geometry.feed_rows
    middle = geometry.left
    if screen.help_from is not None:
        rows = help_rows(screen, geometry.feed_columns, feed_rows)
        ids, quoted = set[int](), set[int]()
    else:
        rows = screen.feed.visible(screen.context, feed_rows)
        ids, quoted = _seen(screen, rows)
    blank = feed_rows - len(rows)
    y = 1 + feed_rows
    regions = [
        Region("title", middle, 0, geometry.middle, 1, "title", [title(screen, geometry)]),
        Region("feed", middle, 1, geometry.middle, feed_rows, "feed", [Row(())] * blank + rows),
        Region("status", 0, geometry.rows - 1, geometry.columns, 1, "status", [status(screen, geometry.columns)]),
    ]
    if not rows and screen.help_from is None:
        regions[1] = Region("feed", middle, 1, geometry.middle, feed_rows, "feed", _empty(screen, feed_rows))
    if geometry.bar:
        regions.append(Region("bar", middle, y, geometry.middle, 1, "bar", [bar(screen, geometry.middle)]))
        y += 1
    height = geometry.rows - 1
    if geometry.left:
        regions.append(Region("left", 0, 0, geometry.left, height, "side", chats(screen, geometry.left, height)))
    if geometry.right:
        x = geometry.columns - geometry.right
        regions.append(Region("right", x, 0, geometry.right, height, "side", people(screen, geometry.right, height)))
    if screen.jump is not None:
        regions.append(_jump(screen, geometry.columns, height))
    first_id, last_id = min(ids, default=None), max(ids, default=None)
    return Frame(regions, (middle, y, geometry.middle, geometry.input), first_id, last_id, quoted, screen.typing)


def _jump(screen: Screen, columns: int, height: int) -> Region:
    wide = min(columns - 2, 48)
    rows = jump(screen, wide, max(3, min(14, height - 3)))
    return Region("jump", (columns - wide) // 2, min(2, max(0, height - len(rows))), wide, len(rows), "dialog", rows)


def _seen(screen: Screen, rows: list[Row]) -> tuple[set[int], set[int]]:
    said = screen.feed.said
    ids = {row.id for row in rows if row.id is not None}
    quoted = {
        reply_to
        for id in ids
        if isinstance(item := said.get(id), Said)
        and (reply_to := item.message.reply_to) is not None
        and screen.message(reply_to) is None
    }
    return ids, quoted


def _empty(screen: Screen, height: int) -> list[Row]:
    """What stands in the middle of a feed without anything in it."""
    wide = screen.geometry.feed_columns
    lines = [line for text in _nothing(screen) for line in wrap([("empty", text)], wide - 4)][:height]
    above = max(0, height // 2 - len(lines))
    rows = [Row((("", " " * ((wide - row_width(line)) // 2)), *line)) for line in lines]
    return [Row(())] * above + rows + [Row(())] * (height - above - len(rows))


def _nothing(screen: Screen) -> list[str]:
    room = screen.open
    if screen.view is not None:
        return ["nothing here"]
    if not room.loaded:
        return ["loading …" if screen.online else "not connected yet" if screen.connection else "connecting …"]
    who = "everyone" if room.name == "main" else f"only {room.name[1:]} and you" if room.direct else "its members"
    brings = [f"/invite {room.name} <username> brings others in"] if room.name.startswith("#") else []
    return [
        "what was said here has expired" if room.was_used else "nothing was said here yet: write the first line",
        f"Enter sends it, {who} can read it",
        *brings,
        "/ and Tab list the commands · F1 all keys",
    ]
