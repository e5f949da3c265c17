"""The first and the last row of the screen: the title over the feed, and the status at the bottom."""

from datetime import tzinfo
from math import ceil

from chat_client.common.cells import Fragment, fit_middle, row_width, safe, width
from chat_client.sdk.events import Connected, Connecting, Ended, Lost
from chat_client.tui.render.bar import keys_for
from chat_client.tui.render.geometry import Geometry
from chat_client.tui.render.row import Row, ends
from chat_client.tui.render.side_panels import badge
from chat_client.tui.render.times import moment, seconds
from chat_client.tui.state.screen_state import ScreenState
from chat_server.protocol.times import distance, duration

_SERVER_CELLS_MIN = 8


def title(screen: ScreenState, geometry: Geometry) -> Row:
    chat, view = screen.chats.open, screen.view
    if screen.dialogs.keys_page is not None:
        keys: list[Fragment] = [("title-name", " keys"), ("title-dim", "   also: /help, /help <command>")]
        return ends(keys, [("title-dim", "PgUp PgDn · Esc ")], geometry.middle)
    if view is not None:
        many = len(view.feed.messages)
        shown = f"{many}{'' if view.feed.at_start else '+'} message{'' if many == 1 else 's'}"
        return ends([("title-name", f" {safe(view.title)}")], [("title-dim", f" {shown} · Esc ")], geometry.middle)
    left: list[Fragment] = [("title-name", f" {chat.name}")]
    about = _about(screen)
    if about:
        left.append(("title-dim", f"  {safe(about)}"))
    right: list[Fragment] = []
    if not geometry.left:
        right = _elsewhere(screen, geometry.middle // 2)
    elif not geometry.right and chat.name == "main":
        right = [("title-dim", f"{sum(screen.roster.online.values())} here ")]
    return ends(left, right, geometry.middle)


def _elsewhere(screen: ScreenState, cells: int) -> list[Fragment]:
    """The chats with something unread, the most pressing first: those that fit, and how many more."""
    opened, known = screen.chats.open, screen.chats.by_name.values()
    chats = [chat for chat in known if chat is not opened and chat.unread and not chat.muted]
    chats.sort(key=lambda chat: (not chat.mentions, not chat.is_direct))
    shown: list[Fragment] = []
    for at, chat in enumerate(chats):
        piece: list[Fragment] = [("title-dim", f" {fit_middle(chat.name, 12)} "), *badge(chat)]
        more = f" +{len(chats) - at} "
        if row_width(shown) + row_width(piece) + (len(more) if at + 1 < len(chats) else 1) > cells:
            return [*shown, ("title-dim", more)]
        shown += piece
    return [*shown, ("", " ")]


def _about(screen: ScreenState) -> str:
    chat = screen.chats.open
    if chat.is_direct:
        person = chat.name[1:]
        if person in screen.roster.away:
            return f"away: {screen.roster.away[person]}"
        return "online" if screen.roster.online.get(person) else "offline: will see it when back"
    topic = chat.topic or ("everyone" if chat.name == "main" else "")
    slow = f"slow mode: {duration(chat.slow_mode * 1000)}" if chat.slow_mode else ""
    return " · ".join(filter(None, (topic, slow, "muted" if chat.muted else "")))


def status(screen: ScreenState, zone: tzinfo | None, columns: int) -> Row:
    left, connection = [*_connection(screen, zone)], screen.session.connection
    if screen.session.user and not isinstance(connection, Lost):
        left += [("status-dim", " · "), ("status-name", screen.session.user)]
    held = sum(unsent.command.state == "held" for unsent in screen.unsent.values())
    if held:
        left += [("status-dim", " · "), ("status-warn", f"{held} held: /confirm or /discard")]
    elif screen.unsent:
        left += [("status-dim", " · "), ("status-warn", f"{len(screen.unsent)} to send")]
    if screen.session.ban is not None:
        left += [("status-dim", " · "), ("status-warn", _ban(screen, zone))]
    elif isinstance(connection, Lost):
        left += [("status-dim", f" · {safe(connection.why)}")]  # behind what asks for something, since it may be long
    elif limit := _limit(screen, zone):
        left += [("status-dim", " · "), limit]
    if isinstance(connection, Connected) and (over := row_width(left) - columns) > 0:
        style, server = left[1]  # it gives way to what comes behind it
        left[1] = style, fit_middle(server, max(_SERVER_CELLS_MIN, width(server) - over))
    keys = keys_for(screen, "keys_page", "keys") or ["/keys"]
    if columns >= 100 and screen.selected is None:
        keys = [*keys_for(screen, "jump", "jump"), *keys_for(screen, "choose_up", "choose"), *keys]
    right: list[Fragment] = [("status-dim", f"{' · '.join(keys)} ")]
    space = columns - sum(width(text) for _, text in left)
    if space < row_width(right):
        right = []
    return ends(left, right, columns)


def _connection(screen: ScreenState, zone: tzinfo | None) -> list[Fragment]:
    state = screen.session.connection
    if isinstance(state, Connected) and screen.session.old_since is not None:
        when = moment(seconds(screen.session.old_since), zone, screen.now)
        server = safe(screen.session.server)
        return [("status-warn", " ◌ "), ("status-warn", server), ("status-warn", f", as of {when}")]
    if isinstance(state, Connected):
        return [("status-dot", " ● "), ("status", safe(screen.session.server))]
    if isinstance(state, Lost):
        left = max(1, ceil(state.retry_at - screen.elapsed))
        return [("status-bad", " ○ not connected"), ("status-warn", f" · next try in {left} s (/reconnect)")]
    if isinstance(state, Ended):
        return [("status-bad", f" ○ {safe(state.why)}")]
    if isinstance(state, Connecting):
        return [("status-warn", f" ◌ connecting to {safe(state.server)} …")]
    return [("status-warn", " ◌ connecting …")]


def _ban(screen: ScreenState, zone: tzinfo | None) -> str:
    assert screen.session.ban is not None
    return f"banned until {_until(screen, zone, screen.session.ban.until)}"


def _limit(screen: ScreenState, zone: tzinfo | None) -> Fragment | None:
    limit = screen.session.limits.get("main_messages")
    if limit is None or (limit.until and seconds(limit.until) <= screen.now):
        return None
    left = max(0, limit.max - limit.used)
    if left:
        return ("status-dim" if left > 3 else "status-warn", f"{left} of {limit.max} left in main")
    again = f" until {_until(screen, zone, limit.until)}" if limit.until else ""
    return "status-warn", f"none left in main{again}"


def _until(screen: ScreenState, zone: tzinfo | None, time: str) -> str:
    end = seconds(time)
    left = distance(max(0, int((end - screen.now) * 1000)))
    return f"{moment(end, zone, screen.now)} ({left})"
