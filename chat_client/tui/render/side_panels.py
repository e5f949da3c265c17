"""The side panels with the chats and the people, and the finder."""

from collections.abc import Iterable, Sequence

from chat_client.common.cells import Fragment, cut, fit, fit_middle, pad, row_width, safe, width, wrap
from chat_client.common.chat_order import natural_order
from chat_client.tui.render.colours import name_style
from chat_client.tui.render.row import Row
from chat_client.tui.state.chat_state import ChatState
from chat_client.tui.state.items import excerpt
from chat_client.tui.state.navigation import found
from chat_client.tui.state.roster import recent_speakers
from chat_client.tui.state.screen_state import ScreenState

UNREAD_SHOWN_MAX = 999
_FIRST_STEP_CELLS = 24  # of the longest line for a newcomer; where there are less, a shorter one says it
_UNREAD_CELLS = 4
_NAME_CELLS_MAX = 24  # of a person; no pane is wider
Line = Row | tuple[int, ChatState]  # a chat with its number, which is laid out only where it is in sight


def count(number: int) -> str:
    return str(number) if number <= UNREAD_SHOWN_MAX else f"{UNREAD_SHOWN_MAX}+"


def badge(chat: ChatState) -> list[Fragment]:
    """The numbers of what is unread in a chat, mentions apart."""
    mentions = len(chat.mentions)
    parts: list[Fragment] = [("badge-mention", f" @{count(mentions)} ")] if mentions else []
    if chat.unread > mentions:
        style = "badge-muted" if chat.muted else "badge-mention" if chat.is_direct and not mentions else "badge"
        parts.append((style, f" {count(chat.unread)} "))
    return parts


def widest_chat_entry(screen: ScreenState) -> int:
    """The columns of the longest entry among the chats, with room for a number of unread messages behind each."""
    chats = [
        width(chat.name) + chat.is_direct + max(_UNREAD_CELLS, row_width(badge(chat)) if chat.unread else 0)
        for chat in screen.chats.by_name.values()
    ]
    asked = [width(name) for name in screen.roster.invitations]
    asked += [width(f"{user} {name}") for name, user in screen.roster.join_requests]
    steps = [_FIRST_STEP_CELLS] if screen.session.is_new else []
    return max((*chats, *asked, *steps)) + 5  # the mark and the number before it, a space behind it, the edge


def widest_person_entry(screen: ScreenState) -> int:
    """The columns of the longest entry among the people of the open chat."""
    chat = screen.chats.open
    if chat.name == "main":
        names: Iterable[str] = (name for name, is_online in screen.roster.online.items() if is_online)
    else:
        names = chat.members or []
    longest = 0
    for name in names:
        longest = max(longest, width(name))
        if longest >= _NAME_CELLS_MAX:
            break
    return longest + 5 + (2 if chat.owner else 0)  # the edge, the sign before it, a space behind it; a star


def chat_rows(screen: ScreenState, columns: int, height: int) -> list[Row]:
    inside = columns - 1
    rows: list[Line] = []
    at = 0
    heading = ""
    for number, chat in screen.chats.listed():
        kind = screen.chats.section(chat)
        if kind != heading:
            rows += _heading(kind, rows)
            heading = kind
        if chat.name == screen.chats.open_name:
            at = len(rows)
        rows.append((number, chat))
    rows += _first_steps(screen, inside)
    if screen.roster.invitations:
        rows += _heading("invited to", rows)
    for name in screen.roster.invitations:
        rows.append(Row((("invitation", fit_middle(f"   {name}", inside)),), command=f"/join {name}"))
    if screen.roster.join_requests:
        rows += _heading("asking to join", rows)
    for name, user in screen.roster.join_requests:
        rows.append(Row((("invitation", fit_middle(f"   {user} {name}", inside)),), command=f"/approve {name} {user}"))
    shown = [
        line if isinstance(line, Row) else _chat(screen, *line, inside) for line in _window(rows, at, height, inside)
    ]
    return _with_edge(shown, columns, height)


def _first_steps(screen: ScreenState, cells: int) -> list[Line]:
    """What a newcomer may do besides writing to everyone, until the first line is sent."""
    if not screen.session.is_new:
        return []
    jump = screen.keymap.first("jump") or "/open"
    to_a_person = f"{jump} write to a person"
    if width(to_a_person) >= cells:
        to_a_person = f"{jump} to a person"
    steps: tuple[tuple[str, str | None], ...] = ((to_a_person, None), ("/create_chat #team", "/create_chat #team"))
    rows: list[Line] = [Row(())]
    for words, command in steps:
        for line in wrap([("hint", words)], cells - 1):
            rows.append(Row((("", " "), *line), command=command))
    return rows


def _heading(text: str, above: list[Line]) -> list[Line]:
    return [*([Row(())] if above else []), Row((("heading", f" {text}"),))]


def _chat(screen: ScreenState, number: int, chat: ChatState, cells: int) -> Row:
    unread = badge(chat)
    is_open = chat.name == screen.chats.open_name
    if chat.is_direct:
        person = chat.name[1:]
        dot = ("dot-on", "●") if screen.roster.online.get(person) else ("dot-off", "○")
        name, style = person, "chat"
    else:
        dot, name, style = ("", ""), chat.name, "chat"
    if chat.unread and not chat.muted:
        style = "chat-unread"
    elif chat.muted:
        style = "chat-muted"
    if is_open:
        style = "chat-open"
    key = ("chat-number", f"{number} " if number < 10 else "  ")
    mark = ("chat-mark", "▌") if is_open else ("", " ")
    start = [mark, key, *([dot, ("", " ")] if chat.is_direct else [])]
    name_cells = cells - row_width(start) - row_width(unread) - 1
    fragments = [*start, (style, pad(fit_middle(name, max(1, name_cells)), max(1, name_cells))), *unread]
    return Row(tuple(fragments), "open" if is_open else "", chat=chat.name)


def _window(rows: list[Line], at: int, height: int, cells: int) -> list[Line]:
    """As many of the lines as fit, that at `at` among them. Either end tells what is out of sight there."""
    if len(rows) <= height:
        return rows
    start = max(0, min(at - height // 2, len(rows) - height))
    end = start + height
    shown = rows[start:end]
    if start:
        shown[0] = _hidden("↑", rows[: start + 1], cells)
    if end < len(rows):
        shown[-1] = _hidden("↓", rows[end - 1 :], cells)
    return shown


def _hidden(arrow: str, lines: list[Line], cells: int) -> Row:
    hidden = [line[1] for line in lines if not isinstance(line, Row)]
    unread = [chat for chat in hidden if chat.unread and not chat.muted]
    many = len(hidden) + sum(isinstance(line, Row) and line.command is not None for line in lines)
    numbers: list[Fragment] = []
    if unread:
        pressing = any(chat.is_direct or chat.mentions for chat in unread)
        style = "badge-mention" if pressing else "badge"
        numbers = [(style, f" {count(sum(chat.unread for chat in unread))} ")]
    return Row((("dim", pad(f" {arrow} {many} more", cells - row_width(numbers) - 1)), *numbers))


def _with_edge(rows: Sequence[Row], columns: int, height: int) -> list[Row]:
    """The rows with a line at their right, and as many empty ones as are needed."""
    edged = []
    for number in range(height):
        row = rows[number] if number < len(rows) else Row(())
        fragments = cut(row.fragments, columns - 1)
        space = " " * (columns - 1 - row_width(fragments))
        edged.append(Row((*fragments, ("", space), ("edge", "│")), row.fill, row.id, row.chat, row.command))
    return edged


def people_rows(screen: ScreenState, columns: int, height: int) -> list[Row]:
    here, away = _present(screen)
    lines: list[Row | tuple[str, bool]] = [
        Row((("heading", f" here · {len(here)}"),)),
        *((name, True) for name in here),
    ]
    if away:
        lines += [Row(()), Row((("heading", f" offline · {len(away)}"),)), *((name, False) for name in away)]
    if len(lines) > height:
        lines = [*lines[: height - 1], Row((("dim", f" … {len(lines) - height + 1} more"),))]
    rows = [line if isinstance(line, Row) else _person(screen, *line, columns - 2) for line in lines]
    edged = []
    for number in range(height):
        row = rows[number] if number < len(rows) else Row(())
        edged.append(Row((("edge", "│"), *cut(row.fragments, columns - 1)), row.fill, row.id, row.chat))
    return edged


def _present(screen: ScreenState) -> tuple[list[str], list[str]]:
    """Who is online in the open chat, recent speakers first; and who is offline (not in main: that is everybody)."""
    chat = screen.chats.open
    if chat.name == "main":
        known = [user for user, online in screen.roster.online.items() if online]
    else:
        known = list(chat.members or [])
        if chat.is_direct:
            known = [chat.name[1:], screen.session.user]
    order = {name: place for place, name in enumerate(recent_speakers([chat], ""))}
    known.sort(key=lambda name: (order.get(name, len(order)), natural_order(name)))
    here: list[str] = []
    away: list[str] = []
    for name in known:
        (here if screen.roster.online.get(name) or name == screen.session.user else away).append(name)
    return here, away


def _person(screen: ScreenState, name: str, online: bool, cells: int) -> Row:
    dot = ("dot-on", "●") if online else ("dot-off", "○")
    if name in screen.roster.away:
        dot = ("dot-away", "◐")
    style = "name-own" if name == screen.session.user else name_style(name) if online else "dim"
    owner = " ★" if screen.chats.open.owner == name else ""
    chat = None if name == screen.session.user else f"@{name}"
    text = fit_middle(name, cells - 3 - width(owner))
    return Row((("", " "), dot, ("", " "), (style, text), ("dim", owner)), chat=chat)


def finder_rows(screen: ScreenState, columns: int, height: int) -> list[Row]:
    """The finder: what is sought, and what was found."""
    finder = screen.dialogs.finder
    assert finder is not None
    names = found(screen)
    at = min(finder.at, max(0, len(names) - 1))
    shown = height - 2
    start = max(0, min(at - shown // 2, len(names) - shown))
    title = " jump to " if finder.lines is None else " typed before "
    sought = fit(finder.text, columns - width(title) - 3)
    rows = [Row((("dialog-title", title), ("dialog-text", sought), ("cursor", " ")))]
    for number, name in enumerate(names[start : start + shown], start):
        chat = screen.chats.by_name.get(name) if finder.lines is None else None
        style = "dialog-at" if number == at else "dialog"
        unread = badge(chat) if chat else []
        space = columns - 2 - row_width(unread) - 1
        shows = fit_middle(name, space) if finder.lines is None else fit(excerpt(safe(name)), space)
        opens = name if finder.lines is None else None
        rows.append(Row((("", "  "), (style, pad(shows, space)), *unread), style, chat=opens))
    if not names:
        rows.append(Row((("dim", "  nothing matches"),)))
    does = "opens" if finder.lines is None else "puts it into the line"
    rows.append(Row((("dim", f"  ↑ ↓ choose · Enter {does} · Esc"),)))
    return rows
