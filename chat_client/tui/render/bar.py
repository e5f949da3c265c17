"""The bar over the input: what concerns the line, and what is told for a moment."""

from chat_client.common import wording
from chat_client.common.cells import Fragment, cut, fit, row_width, safe, width, wrap
from chat_client.common.links import links
from chat_client.common.transfers import Transfer
from chat_client.tui.render.row import INPUT_ROWS_MAX, Row, ends
from chat_client.tui.render.side_panels import count
from chat_client.tui.state.composer import ComposeTarget
from chat_client.tui.state.dialogs import Question
from chat_client.tui.state.screen_state import Flash, ScreenState
from chat_server.protocol.messages import Message

BAR_ROWS_MAX = 3
_NEAR_LIMIT = 0.9  # of what a message may have, from which on the bar says it in amber
_METER_CELLS = 6
_NAME_CELLS_MIN, _NAME_CELLS_MAX = 6, 24  # of a file on its way
_FULL_HINT_COLUMNS = 70


def bar_rows(screen: ScreenState, columns: int, most: int) -> list[Row]:
    """What concerns the line that is typed; one thing at a time, the most pressing one. What is told or asked is not
    cut off: it takes up to so many rows."""
    if screen.dialogs.question is not None:
        return _rows(_question(screen.dialogs.question, columns, most))
    right = _scrolled(screen)
    if screen.told is None:
        return [_bar(screen, right, columns)]
    lines = _told(screen, screen.told, columns, most)
    if len(lines) == 1 and row_width(lines[0]) + row_width(right) <= columns:
        return [ends(lines[0], right, columns)]
    return _rows(lines)  # the right end comes back when this has been told


def _rows(lines: list[list[Fragment]]) -> list[Row]:
    return [Row(tuple(line)) for line in lines]


def _bar(screen: ScreenState, right: list[Fragment], columns: int) -> Row:
    if screen.bare:
        back = _mode(screen)
        left: list[Fragment] = [("composing", " only the text, to select it ·"), *back]
        return ends(left if row_width(left) <= columns else back, right, columns)
    size = text_size(screen)
    if screen.composer.target is not None:
        return ends(_target(screen, screen.composer.target), [*size, ("hint", " Esc cancels ")], columns)
    if screen.composer.usage:
        return ends([("hint", f" {screen.composer.usage}")], right, columns)
    if size and screen.is_typing:
        return ends(size, right, columns)
    if screen.shows_results and screen.composer.text and screen.is_typing:
        return ends([("hint", f" Enter sends this to {screen.chats.addressee} and closes the results")], right, columns)
    if screen.selected is not None:
        choices = list(cut(_choices(screen, screen.selected, columns), columns))
        return ends(choices, right if row_width(choices) + row_width(right) <= columns else [], columns)
    if screen.transfers:
        key = screen.keymap.first("cancel_transfers") or "/cancel"
        right = [("hint", f" {key} cancels " if columns >= _FULL_HINT_COLUMNS else f" {key} ")]
        space = columns - row_width(right)
        return ends(
            [part for transfer in screen.transfers.values() for part in _transfer(transfer, space)], right, columns
        )
    if not right and screen.shows_chat and screen.feed.ends_with_answer:
        right = [("hint", " Esc clears the answer ")]
    return ends(_typists(screen, columns - row_width(right)), right, columns)


def _lines(words: list[Fragment], columns: int, most: int) -> list[list[Fragment]]:
    """Each begins with a blank, as the words do, where that takes no row too many."""
    first, *others = wrap(words, columns - 1)
    return [first, *([("", " "), *line] for line in others)] if 0 < len(others) < most else wrap(words, columns)


def _question(question: Question, columns: int, most: int) -> list[list[Fragment]]:
    """Which key says yes is never cut off; which ones say no is left out where it would take a row of its own."""
    asked, hint = ("question", f" {safe(question.text)} "), " Enter: yes"
    hints = (f"{hint} · any other key: no", hint)
    lines = min((_lines([asked, ("hint", each)], columns, most) for each in hints), key=len)
    if len(lines) <= most:
        return lines
    return [[("question", f" {fit(question.text, columns - 2 - width(hint))} "), ("hint", hint)]]


def _told(screen: ScreenState, flash: Flash, columns: int, most: int) -> list[list[Fragment]]:
    style = f"note-{flash.kind}"
    lines = _lines([*_mode(screen), (style, f" {safe(flash.text)}")], columns, most)
    if len(lines) > most:
        lines = [*lines[: most - 1], [*cut(lines[most - 1], columns - 1), (style, "…")]]
    return lines


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
    is_near = len(text) >= most * _NEAR_LIMIT
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
        return f"reply in this thread, to {name}" if can_answer else "nothing is left here to reply to · Esc"
    return f"message to {name} · / for commands"


def _mode(screen: ScreenState) -> list[Fragment]:
    """What keys or the next line do that is not said now, while something else is told."""
    if screen.bare:
        return [("composing", f" {screen.keymap.first('bare') or '/bare'} shows everything ")]
    if screen.is_choosing:
        return [("chosen-id", f" #{screen.feed.selected} ")]
    return _target(screen, screen.composer.target)[:1] if screen.composer.target is not None else []


def _choices(screen: ScreenState, message: Message, columns: int) -> list[Fragment]:
    """What keys do to the chosen message; of one that is marked alone, how it is chosen."""
    id = f" #{message.id} "
    if screen.is_choosing:
        words, style = _actions(screen, message), "chosen-id"
    elif screen.shows_results:
        acts, step = keys_for(screen, "choose_up", "acts on it"), keys_for(screen, "result_up result_down", "step")
        words, style = [*step, *keys_for(screen, "open_result", "shows it in its chat"), *acts, "Esc back"], "hint"
    else:
        words, style = [*keys_for(screen, "choose_up", "acts on it"), "Esc"], "hint"
    while width(id + " · ".join(words)) > columns and len(words) > 1:
        words.pop(-2)
    return [(style, id), ("hint", " · ".join(words))]


def _actions(screen: ScreenState, message: Message) -> list[str]:
    words = [*keys_for(screen, "thread", "thread"), *keys_for(screen, "copy_id", "copy"), "Esc"]
    if message.deleted:
        return words
    delete = keys_for(screen, "delete", "delete") if screen.may_delete(message) else []
    if screen.session.ban is not None:
        return [*delete, *words]
    edit = keys_for(screen, "edit", "edit") if message.from_ == screen.session.user else []
    return [
        *keys_for(screen, "reply", "reply"),
        *keys_for(screen, "react", "react"),
        *(keys_for(screen, "open_link", "link") if links(message.text or "") else []),
        *edit,
        *delete,
        *words[:-1],
        *keys_for(screen, "quote", "quote"),
        "Esc",
    ]


def keys_for(screen: ScreenState, names: str, does: str) -> list[str]:
    """The keys of these actions and what they do, or nothing where they have none."""
    keys = " ".join(filter(None, map(screen.keymap.first, names.split())))
    return [f"{keys} {does}"] if keys else []


def _scrolled(screen: ScreenState) -> list[Fragment]:
    if screen.view is not None:
        return []
    if screen.reading.unread_above:
        key = screen.keymap.first("first_unread") or "/first_unread"
        return [("scrolled", f" ↑ {count(screen.reading.unread_above)} unread · {key} · Esc marks it read ")]
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


def needs_bar(screen: ScreenState, is_scrolled: bool) -> bool:
    """Whether the bar over the input says something."""
    composer = screen.composer
    return (
        is_scrolled
        or screen.reading.unread_above > 0
        or bool(composer.target or composer.usage or screen.dialogs.question or screen.told or screen.transfers)
        or bool(screen.feed.selected)
        or (screen.shows_chat and screen.feed.ends_with_answer)
        or screen.composer.text.count("\n") >= INPUT_ROWS_MAX
        or len(screen.composer.text) >= screen.session.text_max * _NEAR_LIMIT
    )
