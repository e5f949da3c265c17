"""The single rows: the title over the feed, the bar over the input, the status at the bottom."""

from datetime import tzinfo
from math import ceil

from chat_client.common import wording
from chat_client.common.cells import Fragment, cut, fit, fit_middle, row_width, safe, width
from chat_client.common.links import links
from chat_client.common.transfers import Transfer
from chat_client.sdk.events import Connected, Connecting, Ended, Lost
from chat_client.tui.render.geometry import INPUT_ROWS_MAX, NEAR_LIMIT, Geometry
from chat_client.tui.render.row import Row
from chat_client.tui.render.side_panels import badge, count
from chat_client.tui.render.times import moment, seconds
from chat_client.tui.state.composer import ComposeTarget
from chat_client.tui.state.screen_state import ScreenState
from chat_server.protocol.messages import Message
from chat_server.protocol.times import distance

_METER_CELLS = 6
_NAME_CELLS_MIN, _NAME_CELLS_MAX = 6, 24  # of a file on its way
_FULL_HINT_COLUMNS = 70


def _ends(left: list[Fragment], right: list[Fragment], columns: int) -> Row:
    """What stands at both ends; the left one gives way, but for half of the row."""
    right = list(cut(right, max(columns // 2, columns - row_width(left))))
    space = columns - row_width(right)
    left = list(cut(left, space))
    return Row((*left, ("", " " * (space - row_width(left))), *right))


def title(screen: ScreenState, geometry: Geometry) -> Row:
    chat, view = screen.chats.open, screen.view
    if screen.dialogs.keys_page is not None:
        return _ends([("title-name", " keys"), ("title-dim", "   also: /help, /help <command>")],
                     [("title-dim", "PgUp PgDn · Esc ")], geometry.middle)  # fmt: skip
    if view is not None:
        many = len(view.feed.messages)
        shown = f"{many}{'' if view.feed.at_start else '+'} message{'' if many == 1 else 's'}"
        return _ends([("title-name", f" {safe(view.title)}")], [("title-dim", f" {shown} · Esc ")], geometry.middle)
    left: list[Fragment] = [("title-name", f" {chat.name}")]
    about = _about(screen)
    if about:
        left.append(("title-dim", f"  {safe(about)}"))
    right: list[Fragment] = []
    if not geometry.left:
        right = _elsewhere(screen, geometry.middle // 2)
    elif not geometry.right and chat.name == "main":
        right = [("title-dim", f"{sum(screen.roster.online.values())} here ")]
    return _ends(left, right, geometry.middle)


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
    return f"{topic}{' · muted' if chat.muted else ''}"


def bar(screen: ScreenState, columns: int) -> Row:
    """What concerns the line that is typed; one thing at a time, the most pressing one."""
    right = _scrolled(screen)
    if screen.dialogs.question is not None:
        return _question(screen.dialogs.question.text, columns)
    if screen.bare:
        key = screen.keymap.first("bare") or "/bare"
        return _ends([("composing", f" text alone, to be selected · {key} shows all ")], right, columns)
    if screen.flash is not None:
        told = [*_mode(screen), (f"note-{screen.flash.kind}", f" {safe(screen.flash.text)}")]
        fits = row_width(told) + row_width(right) <= columns
        return _ends(told, right if fits else [], columns)  # the right end comes back when this has been told
    size = text_size(screen)
    if screen.composer.target is not None:
        return _ends(_target(screen, screen.composer.target), [*size, ("hint", " Esc cancels ")], columns)
    if screen.composer.usage:
        return _ends([("hint", f" {screen.composer.usage}")], right, columns)
    if size and screen.is_typing:
        return _ends(size, right, columns)
    if screen.shows_results and screen.composer.text and screen.is_typing:
        return _ends(
            [("hint", f" Enter sends this to {screen.chats.addressee} and leaves what was found")], right, columns
        )
    if screen.selected is not None:
        return Row(cut(_choices(screen, screen.selected, columns), columns))
    if screen.transfers:
        key = screen.keymap.first("cancel_transfers") or "/cancel"
        right = [("hint", f" {key} cancels " if columns >= _FULL_HINT_COLUMNS else f" {key} ")]
        space = columns - row_width(right)
        return _ends(
            [part for transfer in screen.transfers.values() for part in _transfer(transfer, space)], right, columns
        )
    if not right and screen.shows_chat and screen.feed.ends_with_answer:
        right = [("hint", " Esc: clears the answer ")]
    return _ends(_typists(screen, columns - row_width(right)), right, columns)


def _typists(screen: ScreenState, cells: int) -> list[Fragment]:
    """Who types in the open chat, where nothing else is told; as many names as there is room for."""
    users = [safe(user) for user in screen.typists.of(screen.chats.open_name)]
    for named in range(min(2, len(users)), 0, -1):
        more = len(users) - named
        names = ", ".join(users[:named]) if more else " and ".join(users[:named])
        words = f" {names}{f' and {more} more' if more else ''} {'is' if len(users) == 1 else 'are'} typing … "
        if width(words) <= cells:
            return [("hint", words)]
    return []


def text_size(screen: ScreenState) -> list[Fragment]:
    """How long the text in the line is, where that is not seen at a glance."""
    text, most = screen.composer.text, screen.session.text_max
    is_near = len(text) >= most * NEAR_LIMIT
    if not is_near and text.count("\n") < INPUT_ROWS_MAX:
        return []
    return [("status-warn" if is_near else "hint", f" {wording.text_size(text, most)} ")]


def hint(screen: ScreenState) -> str:
    """What an empty line may become; nothing where keys do not go into it, or what it will be is told in the bar."""
    if not screen.is_typing or screen.composer.target is not None:
        return ""
    name = screen.chats.addressee
    if screen.view is not None and screen.view.kind == "thread":
        can_answer = screen.view.answered is not None
        return f"answer in this thread, to {name}" if can_answer else "nothing is left here to answer · Esc"
    return f"message to {name} · / for commands"


def _question(question: str, columns: int) -> Row:
    """Which key says yes is never cut off."""
    hint = " Enter: yes · any other key: no"
    if width(question) + 2 + width(hint) > columns:
        hint = " Enter: yes"
    return Row(cut([("question", f" {fit(question, columns - 2 - width(hint))} "), ("hint", hint)], columns))


def _mode(screen: ScreenState) -> list[Fragment]:
    """What keys or the next line do that is not said now, while something else is told."""
    if screen.is_choosing:
        return [("chosen-id", f" #{screen.feed.selected} ")]
    return _target(screen, screen.composer.target)[:1] if screen.composer.target is not None else []


def _choices(screen: ScreenState, message: Message, columns: int) -> list[Fragment]:
    """What keys do to the chosen message; of one that is marked alone, how it is chosen."""
    id = f" #{message.id} "
    if screen.is_choosing:
        words, style = _actions(screen, message), "chosen-id"
    elif screen.shows_results:
        acts, step = _keys(screen, "choose_up", "acts on it"), _keys(screen, "result_up result_down", "step")
        words, style = [*step, *_keys(screen, "open_result", "opens its place"), *acts, "Esc back"], "hint"
    else:
        words, style = [*_keys(screen, "choose_up", "acts on it"), "Esc"], "hint"
    while width(id + " · ".join(words)) > columns and len(words) > 1:
        words.pop(-2)
    return [(style, id), ("hint", " · ".join(words))]


def _actions(screen: ScreenState, message: Message) -> list[str]:
    words = [*_keys(screen, "thread", "thread"), *_keys(screen, "copy_id", "copy"), "Esc"]
    if message.deleted:
        return words
    delete = _keys(screen, "delete", "delete") if screen.may_delete(message) else []
    if screen.session.ban is not None:
        return [*delete, *words]
    edit = _keys(screen, "edit", "edit") if message.from_ == screen.session.user else []
    return [
        *_keys(screen, "reply", "reply"),
        *_keys(screen, "react", "react"),
        *(_keys(screen, "open_link", "link") if links(message.text or "") else []),
        *edit,
        *delete,
        *words[:-1],
        *_keys(screen, "quote", "quote"),
        "Esc",
    ]


def _keys(screen: ScreenState, names: str, does: str) -> list[str]:
    """The keys of these actions and what they do, or nothing where they have none."""
    keys = " ".join(filter(None, map(screen.keymap.first, names.split())))
    return [f"{keys} {does}"] if keys else []


def _scrolled(screen: ScreenState) -> list[Fragment]:
    if screen.view is not None:
        return []
    if screen.reading.unread_above:
        key = screen.keymap.first("first_unread") or "/first_unread"
        return [("scrolled", f" ↑ {count(screen.reading.unread_above)} unread · {key} · Esc: read ")]
    if not screen.is_scrolled:
        return []
    new = screen.chats.open.unread
    return [("scrolled", f" ↓ {f'{count(new)} new' if new else 'newer below'} · Esc ")]


def _target(screen: ScreenState, target: ComposeTarget) -> list[Fragment]:
    who, text = screen.quote(target.id) or (f"#{target.id}", "")
    if target.kind == "edit":
        return [("composing", " editing "), ("hint", f" #{target.id}")]
    verb = "replying to" if target.kind == "reply" else "reacting to"
    where = "" if target.chat == screen.chats.open_name else f" in {safe(target.chat)}"
    more = " · an emoji, or :name: with Tab" if target.kind == "react" else ""
    return [("composing", f" {verb} {safe(who)}{where} "), ("hint", f" {fit(text, 40)}{more}")]


def _transfer(transfer: Transfer, cells: int) -> list[Fragment]:
    """How far it is, whole where it fits into so many cells at all: the meter gives way to it, then the name does."""
    progress = transfer.progress
    arrow, words = "↑" if transfer.is_upload else "↓", f" {wording.progress(progress)} "
    space = cells - width(f" {arrow} {words}")
    name = fit(transfer.name, min(_NAME_CELLS_MAX, max(_NAME_CELLS_MIN, space)))
    meter: list[Fragment] = []
    if width(name) + 1 + _METER_CELLS <= space:
        full = progress.done * _METER_CELLS // progress.size if progress.size else 0
        meter = [("hint", " "), ("meter-full", "━" * full), ("meter", "━" * (_METER_CELLS - full))]
    return [("hint", f" {arrow} {name}"), *meter, ("hint", words)]


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
    keys = _keys(screen, "keys_page", "keys") or ["/keys"]
    if columns >= 100 and screen.selected is None:
        keys = [*_keys(screen, "jump", "jump"), *_keys(screen, "choose_up", "choose"), *keys]
    right: list[Fragment] = [("status-dim", f"{' · '.join(keys)} ")]
    space = columns - sum(width(text) for _, text in left)
    if space < row_width(right):
        right = []
    return _ends(left, right, columns)


def _connection(screen: ScreenState, zone: tzinfo | None) -> list[Fragment]:
    state = screen.session.connection
    if isinstance(state, Connected) and screen.session.old_since is not None:
        when = moment(seconds(screen.session.old_since), zone, screen.now)
        return [("status-warn", f" ◌ {safe(screen.session.server)}, as of {when}")]
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
