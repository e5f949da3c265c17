"""A line that was typed: where it goes. What the client itself executes is in OWN_COMMANDS."""

import re
from collections.abc import Callable

from msgspec import structs

from chat_client.common.cells import safe
from chat_client.common.emoji import EMOJIS
from chat_client.sdk.events import Ended, chat_name
from chat_client.sdk.typed_line import find
from chat_client.tui.state.dialogs import KeysPage, Question
from chat_client.tui.state.effects import (
    CancelTransfers,
    Confirm,
    Discard,
    GetFile,
    InsertText,
    Leave,
    Post,
    Reconnect,
    Run,
    SendFile,
    SendText,
)
from chat_client.tui.state.history import fetch_around, show_newest
from chat_client.tui.state.incoming import OVER
from chat_client.tui.state.items import excerpt
from chat_client.tui.state.navigation import leave, open_chat, open_thread, search
from chat_client.tui.state.notes import note
from chat_client.tui.state.requests import TypedRequest
from chat_client.tui.state.screen_state import ScreenState

PASTE_LINES_MAX, PASTE_CHARS_MAX = 8, 1500  # more is asked about first

_AROUND = re.compile(r"/history\s+(\S+)\s+around\s+#?(\d+)\s*", re.IGNORECASE)


def submit(screen: ScreenState, text: str) -> bool:
    """Whether it was taken: if not, it stays in the input."""
    if not text.strip():
        return False
    if screen.composer.target is not None:
        return _composed(screen, text)
    if text.startswith("/") and not text.startswith("//"):
        _command(screen, text)
        return True
    return _say(screen, text[1:] if text.startswith("//") else text)


def _fits(screen: ScreenState, text: str) -> bool:
    if len(text) > screen.session.text_max:
        screen.tell(
            "error", f"{len(text)} characters: a message has at most {screen.session.text_max}; send it in parts", 8.0
        )
        return False
    return True


def _say(screen: ScreenState, text: str) -> bool:
    if isinstance(screen.session.connection, Ended):
        screen.tell("error", f"not sent: {OVER}", 3600.0)
        return False
    if len(text) > screen.session.text_max and screen.view is None:
        _offer_file(screen, text, typed=True)
        return False
    if not _fits(screen, text):
        return False
    view = screen.view
    if view is not None and view.kind == "thread":
        if view.answered is None:
            screen.tell("error", "nothing is left in this thread to answer; Esc goes back to the chat")
            return False
        screen.do(Post("reply", {"id": view.answered, "text": text}))
        view.feed.follow_end()
        view.feed.selected = None
        return True
    screen.view = None
    if screen.chats.removed_from is not None:
        words = (
            f"send this to {safe(screen.chats.addressee)}? you are not in {safe(screen.chats.removed_from)} any more"
        )
        screen.dialogs.question = Question(words, "elsewhere", text)
        return False
    _send(screen, text)
    return True


def _send(screen: ScreenState, text: str) -> None:
    room = screen.chats.open
    room.new_after = None
    show_newest(screen)
    screen.do(Post("send", {"target": room.name, "text": text}))


def _composed(screen: ScreenState, text: str) -> bool:
    composing = screen.composer.target
    assert composing is not None
    if not _fits(screen, text):
        return False
    if composing.kind != "reply" and not screen.session.is_online:
        screen.tell("error", "there is no connection: it can be changed when there is one; Esc leaves it as it is")
        return False
    if composing.kind == "reply":
        screen.do(Post("reply", {"id": composing.id, "text": text}))
        if screen.view is None:
            show_newest(screen)
    elif composing.kind == "edit":
        message = screen.message(composing.id)
        if message is not None and message.deleted:
            screen.tell("error", "it was deleted meanwhile; Esc leaves it")
            return False
        now = composing.text if message is None else screen.changes.text_of(message)
        if now != composing.text:
            screen.composer.target = structs.replace(composing, text=now)
            screen.tell("error", f"changed meanwhile: Enter again overwrites “{safe(excerpt(now))[:40]}”", 10.0)
            return False
        screen.change(composing.chat, "edit", composing.id, text)
    else:
        word = text.strip()
        emoji = _emoji(word)
        if emoji == ":" or any(char.isalpha() for char in emoji):
            screen.tell(
                "error", f"{safe(excerpt(word))[:40]} is no emoji: 👍, or :name: with Tab; Esc goes back to the line"
            )
            return False
        verb = "unreact" if screen.has_reacted(composing.id, emoji) else "react"
        screen.change(composing.chat, verb, composing.id, emoji)
    screen.composer.target = None
    if composing.draft:
        screen.set_text(composing.draft)
    return True


def pasted(screen: ScreenState, text: str) -> None:
    """A block from the clipboard: one message; a big one asks first."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.count("\n") + 1
    if lines <= PASTE_LINES_MAX and len(text) <= PASTE_CHARS_MAX:
        screen.do(InsertText(text))
        return
    if len(text) > screen.session.text_max:
        _offer_file(screen, text)
        return
    screen.dialogs.question = Question(f"paste {lines} lines, {len(text)} characters?", "paste", text)


def _offer_file(screen: ScreenState, text: str, typed: bool = False) -> None:
    """Offer to send as a file a text that no message can hold. `typed`: it stands in the line, and is removed then."""
    target = screen.chats.open.name
    words = f"{len(text)} of at most {screen.session.text_max} characters: send a file to {target}?"
    screen.dialogs.question = Question(words, "file", (target, text, typed))


def _emoji(word: str) -> str:
    """The emoji of what follows the `:` in the line: a name, an emoji, or a sign like `:)`."""
    rest = word.removeprefix(":")
    return EMOJIS.get(word.strip(":"), word if rest.isascii() else rest)


def type_anyway(screen: ScreenState, text: str) -> None:
    """Text that is typed or pasted into a dialog which has no use for it: the dialog closes, and the text goes into the
    line."""
    screen.dialogs.question = screen.dialogs.keys_page = None
    if screen.is_choosing:
        screen.end_choosing()
    if len(text) > 1:
        pasted(screen, text)
    else:
        screen.do(InsertText(text))


def answer(screen: ScreenState, yes: bool) -> None:
    """To the question that is open."""
    question, screen.dialogs.question = screen.dialogs.question, None
    if question is None or not yes:
        return
    if question.kind == "paste":
        screen.do(InsertText(question.subject))
    elif question.kind == "delete":
        screen.change(screen.chats.open_name, "delete", question.subject)
    elif question.kind == "file":
        target, text, typed = question.subject
        if typed:
            screen.set_text("")
        screen.do(SendText(target, text))
    elif question.kind == "elsewhere":
        screen.chats.removed_from = None
        screen.set_text("")
        _send(screen, question.subject)
    elif question.kind == "leave":
        screen.do(Leave())


# ---- commands


def _command(screen: ScreenState, line: str) -> None:
    verb, _, rest = line[1:].partition(" ")
    own = OWN_COMMANDS.get(verb.lower())
    around = _AROUND.fullmatch(line)
    if own is not None:
        own(screen, rest.strip())
    elif around:
        open_chat(screen, chat_named(screen, around[1]))
        fetch_around(screen, int(around[2]))
    else:
        screen.do(Run(line, TypedRequest(screen.chats.open_name, safe(line))))


def chat_named(screen: ScreenState, name: str) -> str:
    """The chat that is meant: `main`, `#team`, `@bob`; a bare name is a user's."""
    for known in (*screen.chats.by_name, *(f"@{user}" for user in screen.roster.online)):
        if known.casefold() in (name.casefold(), f"@{name}".casefold()):
            return known
    return chat_name(name)


def _open(screen: ScreenState, rest: str) -> None:
    name = chat_named(screen, rest.split(" ")[0])
    known = name in screen.chats.by_name or name[1:] in screen.roster.online
    if not rest:
        note(screen, screen.chats.open_name, "error", "/open <chat>: which one? Ctrl-K shows them")
    elif known:
        open_chat(screen, name)
    elif name.startswith("@"):
        # A stranger: the server knows whether there is one.
        screen.do(Run(f"/get_chat_with {name}", TypedRequest(screen.chats.open_name, rest)))
    else:
        note(screen, screen.chats.open_name, "error", f"you are in no chat {safe(name)}; Ctrl-K shows yours")


def _search(screen: ScreenState, rest: str) -> None:
    if rest:
        search(screen, rest)
    else:
        note(screen, screen.chats.open_name, "error", "/search <words> [in:<chat>] [from:<user>]: which words?")


def _thread(screen: ScreenState, rest: str) -> None:
    digits = rest.removeprefix("#")
    if digits.isascii() and digits.isdigit():
        open_thread(screen, int(digits))
    elif (message := screen.selected) is not None:
        open_thread(screen, message.id)
    else:
        note(screen, screen.chats.open_name, "error", "/thread <id>: of which message? Alt-Up selects one")


def _send_file(screen: ScreenState, rest: str) -> None:
    target, _, path = rest.partition(" ")
    path = path.strip()
    if not target or not path:
        note(screen, screen.chats.open_name, "error", "/send_file <target> <path>: to whom, and which file?")
        return
    screen.do(SendFile(screen.chats.open_name, chat_named(screen, target), path))


def _get_file(screen: ScreenState, rest: str) -> None:
    _fetch(screen, rest, "get_file")


def _open_file(screen: ScreenState, rest: str) -> None:
    _fetch(screen, rest, "open_file")


def _fetch(screen: ScreenState, rest: str, verb: str) -> None:
    number, _, name = rest.partition(" ")
    digits = number.removeprefix("#")
    if not (digits.isascii() and digits.isdigit()):
        note(screen, screen.chats.open_name, "error", f"/{verb} <id>: which file? Its number stands beside its name")
        return
    screen.do(GetFile(screen.chats.open_name, int(digits), name.strip() or None, open=verb == "open_file"))


def _waiting(screen: ScreenState, rest: str) -> None:
    lines = [f"{each.chat}: {safe(each.command.told)[:60]} ({each.command.state})"
             for each in screen.unsent.values()]  # fmt: skip
    note(screen, screen.chats.open_name, "info", "\n".join(lines) or "nothing waits to be sent")


def _help(screen: ScreenState, rest: str) -> None:
    """The commands that there are here: the server's, without those that the client does of itself, and its own."""
    form = find(rest, screen.session.commands) if rest else None
    if form is not None:
        also = f"\nalso {', '.join(f'/{alias}' for alias in form.aliases)}" if form.aliases else ""
        note(
            screen,
            screen.chats.open_name,
            "info",
            f"{form.usage}\n{form.help}{also}\nfor example: {form.example}",
            True,
        )
    elif rest or not screen.session.commands:
        screen.do(Run(f"/help {rest}".rstrip(), TypedRequest(screen.chats.open_name, "/help")))
    else:
        groups: dict[str, list[str]] = {}
        for each in screen.session.commands:
            groups.setdefault(each.group, []).append(f"/{each.verb}")
        lines = [f"{group}: {'  '.join(verbs)}" for group, verbs in groups.items()]
        told = "/help <command> tells more of one, Tab completes them; F1 shows the keys"
        note(screen, screen.chats.open_name, "info", "\n".join([*lines, told]), True)


def _keys(screen: ScreenState, rest: str) -> None:
    screen.dialogs.keys_page = KeysPage()


OWN_COMMANDS: dict[str, Callable[[ScreenState, str], None]] = {
    "open": _open,
    "talk": _open,
    "search": _search,
    "thread": _thread,
    "send_file": _send_file,
    "get_file": _get_file,
    "open_file": _open_file,
    "waiting": _waiting,
    "keys": _keys,
    "help": _help,
    "reconnect": lambda screen, rest: screen.do(Reconnect()),
    "confirm": lambda screen, rest: screen.do(Confirm()),
    "discard": lambda screen, rest: screen.do(Discard()),
    "cancel": lambda screen, rest: screen.do(CancelTransfers()),
    "quit": lambda screen, rest: leave(screen),
    "exit": lambda screen, rest: leave(screen),
    "close": lambda screen, rest: leave(screen),
}
