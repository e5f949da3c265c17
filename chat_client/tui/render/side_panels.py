"""The panes at the sides: the chats with what is unread in them, who is there; and the dialog that jumps."""

from collections.abc import Sequence

from chat_client.common.cells import Fragment, cut, fit, pad, row_width, width
from chat_client.tui.render.colours import name_style
from chat_client.tui.render.items import Row
from chat_client.tui.state.navigation import find, recent
from chat_client.tui.state.room import Room
from chat_client.tui.state.screen import Screen

UNREAD_SHOWN_MAX = 999
Line = Row | tuple[int, Room]  # a chat with its number is laid out where it is in sight


def count(number: int) -> str:
    return str(number) if number <= UNREAD_SHOWN_MAX else f"{UNREAD_SHOWN_MAX}+"


def badge(room: Room) -> list[Fragment]:
    """What is unread in it: mentions set apart."""
    calls = len(room.calls)
    parts: list[Fragment] = [("badge-called", f" @{count(calls)} ")] if calls else []
    if room.unread > calls:
        style = "badge-muted" if room.muted else "badge-called" if room.direct and not calls else "badge"
        parts.append((style, f" {count(room.unread)} "))
    return parts


def chats(screen: Screen, columns: int, height: int) -> list[Row]:
    inside = columns - 1
    rows: list[Line] = []
    at = 0
    heading = ""
    for number, room in enumerate(screen.rooms.values(), 1):
        kind = "people" if room.direct else "chats"
        if kind != heading:
            rows += _heading(kind, rows)
            heading = kind
        if room.name == screen.open_name:
            at = len(rows)
        rows.append((number, room))
    if screen.invitations:
        rows += _heading("invited to", rows)
    for name in screen.invitations:
        rows.append(Row((("invitation", fit(f"   {name}", inside)),), command=f"/join {name}"))
    if screen.requests:
        rows += _heading("asking to join", rows)
    for chat, user in screen.requests:
        rows.append(Row((("invitation", fit(f"   {user} {chat}", inside)),), command=f"/approve {chat} {user}"))
    shown = [
        line if isinstance(line, Row) else _chat(screen, *line, inside) for line in _window(rows, at, height, inside)
    ]
    return _edged(shown, columns, height)


def _heading(text: str, above: list[Line]) -> list[Line]:
    return [*([Row(())] if above else []), Row((("heading", f" {text}"),))]


def _chat(screen: Screen, number: int, room: Room, cells: int) -> Row:
    unread = badge(room)
    is_open = room.name == screen.open_name
    if room.direct:
        person = room.name[1:]
        dot = ("dot-on", "●") if screen.users.get(person) else ("dot-off", "○")
        name, style = person, "chat"
    else:
        dot, name, style = ("", ""), room.name, "chat"
    if room.unread and not room.muted:
        style = "chat-unread"
    elif room.muted:
        style = "chat-muted"
    if is_open:
        style = "chat-open"
    key = ("chat-number", f"{number} " if number < 10 else "  ")
    mark = ("chat-mark", "▌") if is_open else ("", " ")
    start = [mark, key, *([dot, ("", " ")] if room.direct else [])]
    room_left = cells - row_width(start) - row_width(unread) - 1
    fragments = [*start, (style, pad(name, max(1, room_left))), *unread]
    return Row(tuple(fragments), "open" if is_open else "", chat=room.name)


def _window(rows: list[Line], at: int, height: int, cells: int) -> list[Line]:
    """So many of them as fit, the one at `at` among them; at either end what is out of sight."""
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
    rooms = [line[1] for line in lines if not isinstance(line, Row)]
    unread = [room for room in rooms if room.unread and not room.muted]
    many = len(rooms) + sum(isinstance(line, Row) and line.command is not None for line in lines)
    numbers: list[Fragment] = []
    if unread:
        pressing = any(room.direct or room.calls for room in unread)
        style = "badge-called" if pressing else "badge"
        numbers = [(style, f" {count(sum(room.unread for room in unread))} ")]
    return Row((("dim", pad(f" {arrow} {many} more", cells - row_width(numbers) - 1)), *numbers))


def _edged(rows: Sequence[Row], columns: int, height: int) -> list[Row]:
    """With a line at the right side, and filled up."""
    edged = []
    for number in range(height):
        row = rows[number] if number < len(rows) else Row(())
        fragments = cut(row.fragments, columns - 1)
        space = " " * (columns - 1 - row_width(fragments))
        edged.append(Row((*fragments, ("", space), ("edge", "│")), row.fill, row.id, row.chat, row.command))
    return edged


def people(screen: Screen, columns: int, height: int) -> list[Row]:
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


def _present(screen: Screen) -> tuple[list[str], list[str]]:
    """Who is in the open chat: online, recent speakers first; and offline (not for main: that is everybody)."""
    room = screen.open
    if room.name == "main":
        known = [user for user, online in screen.users.items() if online]
    else:
        known = list(room.members or [])
        if room.direct:
            known = [room.name[1:], screen.me]
    order = {name: place for place, name in enumerate(recent([room], ""))}
    known.sort(key=lambda name: (order.get(name, len(order)), name.casefold()))
    here: list[str] = []
    away: list[str] = []
    for name in known:
        (here if screen.users.get(name) or name == screen.me else away).append(name)
    return here, away


def _person(screen: Screen, name: str, online: bool, cells: int) -> Row:
    dot = ("dot-on", "●") if online else ("dot-off", "○")
    if name in screen.away:
        dot = ("dot-away", "◐")
    style = "name-mine" if name == screen.me else name_style(name) if online else "dim"
    owner = " ★" if screen.open.owner == name else ""
    chat = None if name == screen.me else f"@{name}"
    text = fit(name, cells - 3 - width(owner))
    return Row((("", " "), dot, ("", " "), (style, text), ("dim", owner)), chat=chat)


def jump(screen: Screen, columns: int, height: int) -> list[Row]:
    """The dialog: what is sought, and what was found."""
    assert screen.jump is not None
    found = find(screen, screen.jump.text)
    at = min(screen.jump.at, max(0, len(found) - 1))
    shown = height - 2
    start = max(0, min(at - shown // 2, len(found) - shown))
    rows = [Row((("dialog-title", " jump to "), ("dialog-text", fit(screen.jump.text, columns - 12)), ("cursor", " ")))]
    for number, name in enumerate(found[start : start + shown], start):
        room = screen.rooms.get(name)
        style = "dialog-at" if number == at else "dialog"
        unread = badge(room) if room else []
        space = columns - 2 - row_width(unread) - 1
        rows.append(Row((("", "  "), (style, pad(name, space)), *unread), style, chat=name))
    if not found:
        rows.append(Row((("dim", "  nothing has this in its name"),)))
    rows.append(Row((("dim", "  ↑ ↓ choose · Enter opens · Esc"),)))
    return rows
