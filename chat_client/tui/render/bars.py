"""The single lines: the title over the feed, the bar over the input, the status at the bottom."""

from math import ceil

from chat_client.common.cells import Fragment, cut, fit, row_width, safe, width
from chat_client.sdk.events import Connected, Connecting, Ended, Lost
from chat_client.tui.render.geometry import Geometry
from chat_client.tui.render.items import Row
from chat_client.tui.render.side_panels import badge, count
from chat_client.tui.render.times import moment, seconds
from chat_client.tui.state.screen import Composing, Screen, Transfer
from chat_server.protocol.file_names import size_told
from chat_server.protocol.messages import Message
from chat_server.protocol.times import distance

_METER_CELLS = 12


def _ends(left: list[Fragment], right: list[Fragment], columns: int) -> Row:
    """What stands at both ends; the left one gives way."""
    right = list(cut(right, max(0, columns // 2)))
    space = columns - row_width(right)
    left = list(cut(left, space))
    return Row((*left, ("", " " * (space - row_width(left))), *right))


def title(screen: Screen, geometry: Geometry) -> Row:
    room, view = screen.open, screen.view
    if screen.help_from is not None:
        return _ends([("title-name", " keys"), ("title-dim", "   also: /help, /help <command>")],
                     [("title-dim", "PgUp PgDn · Esc ")], geometry.middle)  # fmt: skip
    if view is not None:
        many = len(view.feed.said)
        shown = f"{many}{'' if view.feed.at_start else '+'} message{'' if many == 1 else 's'}"
        return _ends([("title-name", f" {safe(view.title)}")], [("title-dim", f" {shown} · Esc ")], geometry.middle)
    left: list[Fragment] = [("title-name", f" {room.name}")]
    about = _about(screen)
    if about:
        left.append(("title-dim", f"  {safe(about)}"))
    right: list[Fragment] = []
    if not geometry.left:
        right = _elsewhere(screen, geometry.middle // 2)
    elif not geometry.right and room.name == "main":
        right = [("title-dim", f"{sum(screen.users.values())} here ")]
    return _ends(left, right, geometry.middle)


def _elsewhere(screen: Screen, cells: int) -> list[Fragment]:
    """The chats with something unread, the most pressing first: those that fit, and how many more."""
    rooms = [room for room in screen.rooms.values() if room is not screen.open and room.unread and not room.muted]
    rooms.sort(key=lambda room: (not room.calls, not room.direct))
    shown: list[Fragment] = []
    for at, room in enumerate(rooms):
        piece: list[Fragment] = [("title-dim", f" {fit(room.name, 12)} "), *badge(room)]
        more = f" +{len(rooms) - at} "
        if row_width(shown) + row_width(piece) + (len(more) if at + 1 < len(rooms) else 1) > cells:
            return [*shown, ("title-dim", more)]
        shown += piece
    return [*shown, ("", " ")]


def _about(screen: Screen) -> str:
    room = screen.open
    if room.direct:
        person = room.name[1:]
        if person in screen.away:
            return f"away: {screen.away[person]}"
        return "online" if screen.users.get(person) else "offline: will see it when back"
    topic = room.topic or ("everyone" if room.name == "main" else "")
    return f"{topic}{' · muted' if room.muted else ''}"


def bar(screen: Screen, columns: int) -> Row:
    """What concerns the line that is typed; one thing at a time, the most pressing one."""
    right = _scrolled(screen)
    if screen.question is not None:
        return _asked(screen.question.text, columns)
    if screen.flash is not None:
        told = (f"note-{screen.flash[0]}", f" {safe(screen.flash[1])}")
        return _ends([*_mode(screen), told], right, columns)
    if screen.composing is not None:
        return _ends(_composing(screen, screen.composing), [("hint", " Esc: not ")], columns)
    if screen.usage:
        return _ends([("hint", f" {screen.usage}")], right, columns)
    if screen.view is not None and screen.view.kind == "results" and screen.typed and screen.typing:
        return _ends([("hint", f" Enter sends this to {screen.addressee} and leaves what was found")], right, columns)
    if screen.selected is not None:
        return Row(cut(_selected(screen, screen.selected, columns), columns))
    if screen.transfers:
        return _ends([part for transfer in screen.transfers.values() for part in _transfer(transfer)],
                     [("hint", " Alt-X cancels ")], columns)  # fmt: skip
    return _ends([], right, columns)


def _asked(question: str, columns: int) -> Row:
    """Which key says yes is never cut off."""
    hint = " Enter: yes · any other key: no"
    if width(question) + 2 + width(hint) > columns:
        hint = " Enter: yes"
    return Row(cut([("question", f" {fit(question, columns - 2 - width(hint))} "), ("hint", hint)], columns))


def _mode(screen: Screen) -> list[Fragment]:
    """What keys or the next line do that is not said now, while something else is told."""
    if screen.choosing:
        return [("picked-id", f" #{screen.feed.selected} ")]
    return _composing(screen, screen.composing)[:1] if screen.composing is not None else []


def _selected(screen: Screen, message: Message, columns: int) -> list[Fragment]:
    """What keys do to the chosen message; of one that is marked alone, how it is chosen."""
    id = f" #{message.id} "
    if screen.choosing:
        words, style = _actions(screen, message), "picked-id"
    elif screen.view is not None and screen.view.kind == "results":
        words, style = ["↑ ↓ step", "Enter opens its place", "Alt-↑ acts on it", "Esc back"], "hint"
    else:
        words, style = ["Alt-↑ acts on it", "Esc"], "hint"
    while width(id + " · ".join(words)) > columns and len(words) > 1:
        words.pop(-2)
    return [(style, id), ("hint", " · ".join(words))]


def _actions(screen: Screen, message: Message) -> list[str]:
    words = ["t thread", "y copy", "Esc"]
    if message.deleted:
        return words
    delete = ["d delete"] if screen.may_delete(message) else []
    if screen.ban is not None:
        return [*delete, *words]
    edit = ["e edit"] if message.from_ == screen.me else []
    return ["r reply", "+ react", *edit, *delete, *words]


def _scrolled(screen: Screen) -> list[Fragment]:
    if screen.view is not None:
        return []
    if screen.above:
        return [("scrolled", f" ↑ {count(screen.above)} unread · Alt-U · Esc: read ")]
    if not screen.scrolled:
        return []
    new = screen.open.unread
    return [("scrolled", f" ↓ {f'{count(new)} new' if new else 'newer below'} · Esc ")]


def _composing(screen: Screen, composing: Composing) -> list[Fragment]:
    who, text = screen.quote(composing.id) or (f"#{composing.id}", "")
    if composing.kind == "edit":
        return [("composing", " editing "), ("hint", f" #{composing.id}")]
    verb = "replying to" if composing.kind == "reply" else "reacting to"
    where = "" if composing.chat == screen.open_name else f" in {safe(composing.chat)}"
    more = " · an emoji, or :name: with Tab" if composing.kind == "react" else ""
    return [("composing", f" {verb} {safe(who)}{where} "), ("hint", f" {fit(text, 40)}{more}")]


def _transfer(transfer: Transfer) -> list[Fragment]:
    part = transfer.done / transfer.size if transfer.size else 0.0
    full = int(part * _METER_CELLS)
    left = "" if transfer.left is None else f" · {distance(round(transfer.left * 1000))} left"
    arrow = "↑" if transfer.sending else "↓"
    return [
        ("hint", f" {arrow} {fit(transfer.name, 24)} "),
        ("meter-full", "━" * full),
        ("meter", "━" * (_METER_CELLS - full)),
        ("hint", f" {part:.0%} · {size_told(int(transfer.rate))}/s{left} "),
    ]


def status(screen: Screen, columns: int) -> Row:
    left = [*_connection(screen)]
    if screen.me and not isinstance(screen.connection, Lost):
        left += [("status-dim", " · "), ("status-name", screen.me)]
    waiting = screen.waiting.values()
    held = sum(command.state == "held" for command in waiting)
    if held:
        left += [("status-dim", " · "), ("status-warn", f"{held} held: /confirm or /discard")]
    elif waiting:
        left += [("status-dim", " · "), ("status-warn", f"{len(waiting)} to send")]
    if screen.ban is not None:
        left += [("status-dim", " · "), ("status-bad", _ban(screen))]
    elif limit := _limit(screen):
        left += [("status-dim", " · "), limit]
    right: list[Fragment] = [("status-dim", "F1 keys ")]
    if columns >= 100 and screen.selected is None:
        right = [("status-dim", "Ctrl-K jump · Alt-↑ choose · F1 keys ")]
    space = columns - sum(width(text) for _, text in left)
    if space < row_width(right):
        right = []
    return _ends(left, right, columns)


def _connection(screen: Screen) -> list[Fragment]:
    state = screen.connection
    if isinstance(state, Connected):
        return [("dot-on", " ● "), ("status", safe(screen.server))]
    if isinstance(state, Lost):
        left = max(1, ceil(state.retry_at - screen.elapsed))
        when = f" · next try in {left} s (/reconnect)"
        return [("status-bad", " ○ not connected"), ("status-warn", when), ("status-dim", f" · {safe(state.why)}")]
    if isinstance(state, Ended):
        return [("status-bad", f" ○ {safe(state.why)}")]
    if isinstance(state, Connecting):
        return [("status-warn", f" ◌ connecting to {safe(state.server)} …")]
    return [("status-warn", " ◌ connecting …")]


def _ban(screen: Screen) -> str:
    assert screen.ban is not None
    return f"banned until {_until(screen, screen.ban.until)}"


def _limit(screen: Screen) -> Fragment | None:
    limit = screen.limits.get("main_messages")
    if limit is None or (limit.until and seconds(limit.until) <= screen.now):
        return None
    left = max(0, limit.max - limit.used)
    if left:
        return ("status-dim" if left > 3 else "status-warn", f"{left} of {limit.max} left in main")
    again = f" until {_until(screen, limit.until)}" if limit.until else ""
    return "status-bad", f"none left in main{again}"


def _until(screen: Screen, time: str) -> str:
    end = seconds(time)
    left = distance(max(0, int((end - screen.now) * 1000)))
    return f"{moment(end, screen.zone, screen.now)} ({left})"
