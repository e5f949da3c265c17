"""The rows of one item of a feed, at a width and beneath the item before it. They are laid out once and remembered."""

import re
from collections.abc import Callable, Iterator
from datetime import tzinfo
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from chat_client.common import wording
from chat_client.common.cells import Fragment, fit, fit_middle, pad, safe, width, wrap
from chat_client.common.mentions import mentions
from chat_client.tui.render import markup
from chat_client.tui.render.colours import name_style
from chat_client.tui.render.look import Look
from chat_client.tui.render.row import Row
from chat_client.tui.render.times import clock, day, local
from chat_client.tui.state.items import Item, MessageItem, NoteItem, UnsentItem
from chat_client.tui.state.quotes import Quote
from chat_server.protocol.file_names import describe_size
from chat_server.protocol.messages import File, Message

GROUP_SECONDS_MAX = 300  # within which messages of one person stand together
HEADING_CELLS_MAX = 14  # of the column for the headings of a list; a longer one goes into that of the texts
NAMES_MAX = 3  # by name in a reaction; more are counted
TEXT_ROWS_MAX = 400  # of one message
REMEMBERED_MAX = 1000  # items whose rows are remembered

# How an item of a list begins that has a heading.
_HEADING = r"  ([^\s:][^:\n]{0,39}:) (?=\S)"
_NOTE_SIGNS = {"info": "·", "done": "✓", "error": "✗"}


class RowContext(Struct, frozen=True):
    """All that the rows of an item depend on, besides itself and the item before it."""

    me: str
    width: int
    zone: tzinfo | None
    quote: Callable[[int], Quote | None]  # of a message, by its id
    new_from: int | None = None  # the message under the line `new from here`
    selected: int | None = None
    is_thread: bool = False  # whether all that answers the first one stands below it
    labels: bool = False  # whether each message tells its chat, as the results of a search do
    query: str = ""  # of the search that has found them
    bare: bool = False  # the text alone, for the terminal's own mouse to select
    name_cells: int = 8  # of the column of names
    look: Look = Look()


# The rows of each item as they were laid out last, with all that they depend on, by the identity of the item: items do
# not change. Each item is kept with them, so that no other one gets its identity.
_laid_out: dict[int, tuple[Item, Any, list[Row]]] = {}


def rows_of(item: Item, before: Item | None, context: RowContext) -> list[Row]:
    """The rows of the item, with the lines that part it from the one before it."""
    quote = _quote(item, context)
    selected = isinstance(item, MessageItem) and item.message.id == context.selected
    depends = (before and (before.at, _author(before), before.place), context.width, quote, selected, context.me,
               context.zone, _is_first_new(item, context), context.labels, context.query, context.bare,
               context.is_thread, context.name_cells, context.look)  # fmt: skip
    known = _laid_out.get(id(item))
    if known is not None and known[1] == depends:
        return known[2]
    if len(_laid_out) >= REMEMBERED_MAX:
        _laid_out.clear()
    rows = list(_rows(item, before, quote, context))
    _laid_out[id(item)] = (item, depends, rows)
    return rows


def _author(item: Item | None) -> str:
    if isinstance(item, MessageItem):
        return f"{item.message.chat} {item.message.from_}"
    return "" if isinstance(item, UnsentItem) else "*"


def _is_first_new(item: Item, context: RowContext) -> bool:
    return isinstance(item, MessageItem) and item.message.id == context.new_from


def _quote(item: Item, context: RowContext) -> tuple[int, str, str] | None:
    reply_to = item.message.reply_to if isinstance(item, MessageItem) else getattr(item, "reply_to", None)
    if reply_to is None:
        return None
    who, text = context.quote(reply_to) or ("", "")
    return reply_to, who, text


def _rows(item: Item, before: Item | None, quote: tuple[int, str, str] | None, context: RowContext) -> Iterator[Row]:
    if context.bare:
        yield from _bare_rows(item, context)
        return
    if before is None or local(before.at, context.zone).date() != local(item.at, context.zone).date():
        yield _rule(f" {day(item.at, context.zone)} ", "day", context.width)
    if _is_first_new(item, context):
        yield _rule(" new from here ", "new", context.width)
    if isinstance(item, NoteItem):
        yield from _note_rows(item, context)
    elif isinstance(item, UnsentItem):
        yield from _speech_rows(item, None, before, quote, context)
    elif isinstance(item, MessageItem):
        yield from _speech_rows(item, item.message, before, quote, context)


def _bare_rows(item: Item, context: RowContext) -> Iterator[Row]:
    text, id = "", None
    if isinstance(item, MessageItem):
        text, id = item.message.text or (item.message.file.name if item.message.file else ""), item.message.id
    elif isinstance(item, NoteItem | UnsentItem):
        text = item.text
    style = "bare-chosen" if id is not None and id == context.selected else "bare"
    for line in wrap([(style, text)], context.width)[:TEXT_ROWS_MAX]:
        yield Row(tuple(line), id=id)


def _rule(text: str, style: str, cells: int) -> Row:
    text = fit(text, cells)
    left = (cells - width(text)) // 2
    right = cells - left - width(text)
    return Row(((f"{style}-line", "─" * left), (style, text), (f"{style}-line", "─" * right)))


def _note_rows(note: NoteItem, context: RowContext) -> Iterator[Row]:
    indent = 7 if context.width < 84 else 9
    sign = _NOTE_SIGNS[note.kind]
    style = "note-error" if note.kind == "error" else "note"
    lines = [line for part in _labelled(note.text, style) for line in _wrap_indented(*part, context.width - indent - 1)]
    for number, line in enumerate(lines[:TEXT_ROWS_MAX]):
        start = pad(sign if number == 0 else "", indent - 1, right=True) + " "
        yield Row(((f"note-{note.kind}", start), *line))


def _labelled(text: str, style: str) -> Iterator[tuple[list[Fragment], list[Fragment]]]:
    """The lines of a note, each with what stands before its text: of what a command lists the headings, as in
    `online: bob, carol`, which have a column of their own."""
    lines = [(match[1], line[match.end() :]) if (match := re.match(_HEADING, line)) else ("", line)
             for line in text.split("\n")]  # fmt: skip
    column = min(HEADING_CELLS_MAX, max(width(safe(label)) for label, _ in lines)) + 1
    for label, rest in lines:
        if label:
            label = safe(label)
            long = [("note-heading", f"{label} ")] if width(label) >= column else []
            before = [("", "  ")] if long else [("", "  "), ("note-heading", pad(label, column))]
            yield before, [*long, (style, rest)]
        else:
            margin = len(rest) - len(rest.lstrip(" "))
            yield [("", " " * margin)], [(style, rest.lstrip(" "))]


def _wrap_indented(before: list[Fragment], text: list[Fragment], cells: int) -> list[list[Fragment]]:
    """Wrap a line behind what stands before it; where that has any width, its other rows are indented as far, or a
    little more where there is no heading."""
    used = sum(width(part) for _, part in before)
    further = used + 2 if used and len(before) == 1 else used
    first, *others = wrap(text, max(8, cells - further))
    return [[*before, *first], *([("", " " * further), *other] for other in others)]


def _speech_rows(
    item: MessageItem | UnsentItem,
    message: Message | None,
    before: Item | None,
    quote: tuple[int, str, str] | None,
    context: RowContext,
) -> Iterator[Row]:
    name = message.from_ if message else context.me
    is_own, is_mention = name == context.me, message is not None and mentions(message, context.me)
    selected = message is not None and message.id == context.selected
    fill = "chosen" if selected else "mention" if is_mention else ""
    bar = ("", " ")
    if selected:
        bar = ("bar-chosen", "█")
    elif is_mention:
        bar = ("bar-mention", "▌")
    elif is_own:
        bar = ("bar-own", "▎")
    name_cells = context.name_cells
    edge = 1 + context.look.time_cells + 1 + name_cells + 2
    repeats = quote is not None and _repeats_quote(quote[0], before, context)
    new_group = (quote is not None and not repeats) or not _continues(item, name, message, before, context)
    hour = clock(item.at, context.zone, context.look)
    if not new_group and before is not None and clock(before.at, context.zone, context.look) == hour and not selected:
        hour = ""
    head = _head(hour, name, name if new_group or selected else "", context)
    blank: list[Fragment] = [("", " " * (edge - 1))]
    lines: list[list[Fragment]] = []
    cells = context.width - edge - 1
    if context.labels and message is not None:
        lines.append([("dim", fit(f"{message.chat} #{message.id}", cells))])
    body = _body_lines(item, message, context, cells - (2 if repeats else 0))
    if repeats:
        body = [[("quote-line", "╰ " if number == 0 else "  "), *line] for number, line in enumerate(body)]
    elif quote is not None:
        lines.append(_quote_line(quote, cells))
    lines += body[:TEXT_ROWS_MAX]
    if isinstance(item, MessageItem):
        lines += _pill_lines(item, context, cells)
    id = message.id if message else None
    for number, line in enumerate(lines):
        yield Row((bar, *(head if number == 0 else blank), *line), fill, id)


def _head(hour: str, name: str, shown: str, context: RowContext) -> list[Fragment]:
    style = "name-own" if name == context.me else name_style(name)
    return [
        ("time", pad(hour, context.look.time_cells, right=True) + " "),
        (style, pad(fit_middle(shown, context.name_cells), context.name_cells, right=True) + "  "),
    ]


def name_speaker(row: Row, item: Item, context: RowContext) -> Row:
    """The row with the name and the time of who speaks, which are left out where the same person goes on speaking."""
    if (
        context.bare
        or len(row.fragments) < 3
        or row.fragments[1][0] != "time"
        or not isinstance(item, MessageItem | UnsentItem)
    ):
        return row
    name = item.message.from_ if isinstance(item, MessageItem) else context.me
    bar, _, _, *line = row.fragments
    return replace(row, fragments=(bar, *_head(clock(item.at, context.zone, context.look), name, name, context), *line))


def _continues(item: Item, name: str, message: Message | None, before: Item | None, context: RowContext) -> bool:
    """Whether the same person goes on speaking."""
    if isinstance(before, MessageItem):
        same = before.message.from_ == name and (message is None or before.message.chat == message.chat)
    else:
        same = isinstance(before, UnsentItem) and message is None
    if not same or before is None or context.labels or _is_first_new(item, context):
        return False
    then, now = local(before.at, context.zone), local(item.at, context.zone)
    return then.date() == now.date() and (now - then).total_seconds() < GROUP_SECONDS_MAX


def _repeats_quote(reply_to: int, before: Item | None, context: RowContext) -> bool:
    """Whether the row above is what is answered, or an answer to the same: it need not be quoted again."""
    if context.labels or not isinstance(before, MessageItem):
        return False
    return reply_to in (before.message.id, before.message.reply_to)


def _quote_line(quote: tuple[int, str, str], cells: int) -> list[Fragment]:
    id, who, text = quote
    if not who:
        return [("quote-line", "╭ "), ("quote", f"#{id}")]
    who = fit_middle(who, 16)
    return [("quote-line", "╭ "), (name_style(who), who + " "), ("quote", fit(text, max(1, cells - 3 - width(who))))]


def _body_lines(
    item: MessageItem | UnsentItem, message: Message | None, context: RowContext, cells: int
) -> list[list[Fragment]]:
    """What was said, and behind it what became of it."""
    if message is None:
        assert isinstance(item, UnsentItem)
        marks: dict[str, Fragment] = {
            "waiting": ("waiting", " ◌ waiting"),
            "held": ("waiting", " ◌ held: /confirm or /discard"),
            "failed": ("failed", f" ✗ not sent: {item.why}"),
        }
        return _text_lines(item.text, "body-waiting", None, [marks[item.state]], context, cells)
    if message.deleted:
        return wrap([("deleted", "(deleted)")], cells)
    is_own = message.from_ == context.me
    me = context.me if mentions(message, context.me) else None
    marks_behind: list[Fragment] = []
    if message.edited:
        marks_behind.append(("dim", " (edited)"))
    if message.delayed:
        marks_behind.append(("dim", " (delayed)"))
    if is_own:
        marks_behind.append(("sent", " ✓"))
    text, lines = message.text or "", []
    if message.file is not None:
        only_file = text in ("", message.file.name)
        lines = wrap([*_file(message.file), *(marks_behind if only_file else [])], cells)
        if only_file:
            return lines
    return lines + _text_lines(text, "body-own" if is_own else "body", me, marks_behind, context, cells)


def _text_lines(
    text: str, style: str, me: str | None, behind: list[Fragment], context: RowContext, cells: int
) -> list[list[Fragment]]:
    """A text in its blocks; what stands behind it has a row of its own behind code."""
    parts = markup.blocks(text)
    if behind and parts[-1].kind == "code":
        parts.append(markup.Block("prose", ""))
    lines: list[list[Fragment]] = []
    for number, part in enumerate(parts):
        if part.kind == "code":
            lines += markup.code_lines(part.text, style, cells, context.query)
            continue
        prose = markup.fragments(part.text, style, me)
        if context.query:
            prose = markup.mark_found(prose, context.query)
        lines += wrap([*prose, *(behind if number + 1 == len(parts) else [])], cells)
    return lines


def _file(file: File) -> list[Fragment]:
    return [
        ("file", f" {safe(file.name)} "),
        ("dim", f" {describe_size(file.size)} · /get_file {file.id}"),
    ]


def _pill_lines(item: MessageItem, context: RowContext, cells: int) -> list[list[Fragment]]:
    """How many answer the message, and the reactions to it, as many in a row as fit."""
    pills = []
    if item.replies and not context.is_thread:
        pills.append(("pill", f" {wording.replies(item.replies)} "))
    for emoji, names in (item.message.reactions or {}).items():
        who = str(len(names)) if len(names) > NAMES_MAX else " ".join(names)
        pills.append(("pill-own" if context.me in names else "pill", f" {fit(emoji, 8)} {fit(who, 40)} "))
    lines: list[list[Fragment]] = []
    used = cells
    for style, words in pills:
        pill = fit(words, cells)
        if used + width(pill) + 1 > cells:
            lines.append([])
            used = 0
        lines[-1] += [(style, pill), ("", " ")]
        used += width(pill) + 1
    return lines
