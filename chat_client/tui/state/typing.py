"""Typed lines and pasted blocks, carried out in the full screen.

What a line asks for is `common.typed_lines`; here it meets what the screen has open: a view, an answer or an edit that
is composed, a question.
"""

from typing import assert_never

from msgspec import structs

from chat_client.common import typed_lines, wording
from chat_client.common.cells import safe
from chat_client.common.emoji import emojis
from chat_client.common.local_commands import LocalCommand
from chat_client.common.typed_lines import (
    AskSecrets,
    AskServer,
    AskTarget,
    ConfirmPaste,
    Context,
    Insert,
    OverlongText,
    Refuse,
    RunLocal,
    Say,
)
from chat_client.sdk.errors import ChatError, Refused
from chat_client.sdk.events import Ended
from chat_client.sdk.typed_line import find
from chat_client.tui.state.composer import ComposeTarget
from chat_client.tui.state.dialogs import Question
from chat_client.tui.state.effects import Exit, InsertText, PostMessage, SendText
from chat_client.tui.state.front_end import ScreenFrontEnd, named_chat
from chat_client.tui.state.history import fetch_around, show_newest
from chat_client.tui.state.incoming import OVER
from chat_client.tui.state.items import excerpt
from chat_client.tui.state.navigation import open_chat, open_thread, search
from chat_client.tui.state.notes import note
from chat_client.tui.state.requests import Opening
from chat_client.tui.state.screen_state import ScreenState


def submit(screen: ScreenState, line: str) -> bool:
    """Carry out what the line asks for; whether it was taken: if not, it stays in the input."""
    if line.strip() and (target := screen.composer.target) is not None:
        return _compose(screen, target, line)
    if _waits(line):
        if screen.opening is not None:
            screen.behind.append((screen.opening, line))
            return True
        if screen.doubt:
            _leave_in_line(screen, line, screen.doubt)
            screen.doubt = ""
            return False
    # A command that was meant for another chat does not take the one that stands there now.
    return _carry_out(screen, line, "" if _doubt(screen) else screen.chats.open_name)


def _waits(line: str) -> bool:
    """Whether it is done in what is about to be opened. The server's commands need not wait: it keeps their order."""
    local = typed_lines.local_command(line)
    return local is not None and local.says is None and not local.at_once


def go_on(screen: ScreenState, why: Opening, outcome: str) -> None:
    """Do what waited for this to open something; or if it has not, say so of each line. The first one stands in the
    input again, where that is free."""
    lines = [line for opening, line in screen.behind if opening is why]
    screen.behind = [each for each in screen.behind if each[0] is not why]
    is_free = screen.opening is None and screen.hindrance(why) is None and not screen.composer.text
    before = screen.opening, screen.doubt, screen.moves
    for line in lines:
        if not outcome:
            _carry_out(screen, line, screen.chats.open_name)
        elif is_free:
            is_free = False
            screen.set_text(line)
            _leave_in_line(screen, line, outcome)
        else:
            note(screen, screen.chats.open_name, "error", f"{outcome}; not done: {safe(line)}")
    # Where they have led is on the way to what was typed behind them.
    screen.opening, screen.doubt, screen.moves = before


def _leave_in_line(screen: ScreenState, line: str, doubt: str) -> None:
    screen.tell("info", f"{doubt}: Enter does this in {safe(screen.chats.open_name)}", 10.0, line)


def _carry_out(screen: ScreenState, line: str, open_chat: str) -> bool:
    context = Context(screen.session.commands, open_chat, screen.session.text_max)
    match typed_lines.intention(line, context):
        case None | AskSecrets():  # without `asks_secrets` in the context no line asks for passwords
            return False
        case Say(text):
            return _say(screen, text)
        case OverlongText() as overlong:
            return _refuse_overlong(screen, overlong)
        case RunLocal(command, arguments):
            run_local(screen, command, arguments)
        case typed_lines.Post(verb, arguments):
            screen.do(PostMessage(verb, arguments))
        case AskServer() as command:
            _ask_server(screen, command)
        case AskTarget(line, usage):
            screen.set_text(line)
            screen.tell("info", f"Enter does it for the open chat; {usage}", 8.0, line)
            return False
        case Refuse(error):
            _refuse(screen, error)
        case other:
            assert_never(other)
    return True


def _refuse(screen: ScreenState, error: ChatError) -> None:
    why = wording.reason(error)
    note(screen, screen.chats.open_name, "error", why, answer=True)
    if screen.opening is not None:
        screen.tell("error", why, 8.0)  # another chat may be opened before the note has been read


# ---- text


def _say(screen: ScreenState, text: str) -> bool:
    if not _is_open(screen):
        return False
    if (thread := screen.thread) is not None:
        if thread.answered is None:
            screen.tell("error", "nothing is left in this thread to reply to; Esc goes back to the chat")
            return False
        addressee, message = "this thread", PostMessage("reply", {"id": thread.answered, "text": text})
    else:
        screen.view = None
        addressee = safe(screen.chats.addressee)
        message = PostMessage("send", {"target": screen.chats.open_name, "text": text})
    if _doubt(screen):
        _ask_whether_to_send(screen, addressee, message)
        return False
    _send(screen, message)
    return True


def _doubt(screen: ScreenState) -> str:
    """Why a text may be meant for another chat or thread than the one that is open; empty: it is not."""
    if (gone := screen.chats.removed_from) is not None and screen.thread is None:
        return f"you are no longer in {safe(gone)}"
    return screen.doubt


def _ask_whether_to_send(screen: ScreenState, addressee: str, message: PostMessage) -> None:
    words = f"send this to {addressee}? {_doubt(screen)}"
    screen.dialogs.question = Question(words, "elsewhere", (addressee, message))


def settle_doubt(screen: ScreenState, doubt: str) -> None:
    """It is known what the last opening has come to; a question that is being asked says so, too."""
    screen.doubt = doubt
    question = screen.dialogs.question
    if question is not None and question.kind == "elsewhere":
        _ask_whether_to_send(screen, *question.subject)


def _is_open(screen: ScreenState) -> bool:
    """Whether there will ever be a connection again; if not, that is told."""
    if isinstance(screen.session.connection, Ended):
        screen.tell("error", f"not sent: {OVER}", 3600.0)
        return False
    return True


def _send(screen: ScreenState, message: PostMessage) -> None:
    """Send it, and bring the end of what is open into sight."""
    if (thread := screen.thread) is not None:
        thread.feed.follow_end()
        thread.feed.selected = None
    else:
        screen.chats.open.new_after = None
        show_newest(screen)
    screen.do(message)


def _refuse_overlong(screen: ScreenState, overlong: OverlongText) -> bool:
    """It stays in the line, and may go as a file; but a thread takes no files."""
    if screen.view is not None:
        _refuse_overlong_text(screen, overlong.length, overlong.most)
    elif _is_open(screen):
        _offer_file(screen, overlong, is_typed=True)
    return False


def _refuse_overlong_text(screen: ScreenState, length: int, most: int) -> None:
    screen.tell("error", f"{wording.too_long(length, most)}; send it in parts", 8.0, screen.composer.text)


def _offer_file(screen: ScreenState, overlong: OverlongText, is_typed: bool = False) -> None:
    """Offer to send as a file a text that no message can hold; one `is_typed` is then removed from the line."""
    target = screen.chats.open.name
    words = f"send it to {target} as a file? {wording.text_size(overlong.text, overlong.most)}"
    screen.dialogs.question = Question(words, "file", (target, overlong.text, is_typed))


# ---- an answer, an edit or a reaction to a message


def _compose(screen: ScreenState, target: ComposeTarget, text: str) -> bool:
    if (most := screen.session.text_max) < len(text):
        _refuse_overlong_text(screen, len(text), most)
        return False
    if target.kind == "reply":
        screen.do(PostMessage("reply", {"id": target.id, "text": text}))
        if screen.view is None:
            show_newest(screen)
    elif not screen.session.is_online:
        screen.tell("error", "not connected: Enter changes it once there is a connection; Esc gives it up")
        return False
    elif not (_edit(screen, target, text) if target.kind == "edit" else _react(screen, target, text)):
        return False
    screen.composer.target = None
    if target.draft:
        screen.set_text(target.draft)
    return True


def _edit(screen: ScreenState, target: ComposeTarget, text: str) -> bool:
    message = screen.message(target.id)
    if message is not None and message.deleted:
        screen.tell("error", "it was deleted meanwhile; Esc gives it up")
        return False
    now = target.text if message is None else screen.changes.text_of(message)
    if now != target.text:
        screen.composer.target = structs.replace(target, text=now)
        screen.tell("error", f"changed meanwhile: Enter again overwrites “{safe(excerpt(now))[:40]}”", 10.0)
        return False
    screen.change(target.chat, "edit", target.id, text)
    return True


def _react(screen: ScreenState, target: ComposeTarget, text: str) -> bool:
    word = text.strip()
    emoji = _emoji(word)
    if emoji == ":" or any(char.isalpha() for char in emoji):
        words = f"{safe(excerpt(word))[:40]} is not an emoji: type one, or :name: and Tab; Esc goes back"
        screen.tell("error", words, line=text)
        return False
    verb = "unreact" if screen.has_reacted(target.id, emoji) else "react"
    screen.change(target.chat, verb, target.id, emoji)
    return True


def _emoji(word: str) -> str:
    """The emoji of what follows the `:` in the line: a name, an emoji, or a sign like `:)`."""
    rest = word.removeprefix(":")
    return emojis().get(word.strip(":"), word if rest.isascii() else rest)


# ---- commands


def run_local(screen: ScreenState, command: LocalCommand, arguments: dict[str, str]) -> None:
    try:
        command.run(ScreenFrontEnd(screen), **arguments)
    except ChatError as error:
        _refuse(screen, error)


def _ask_server(screen: ScreenState, command: AskServer) -> None:
    """Some answers have a view of their own; the others are shown where the command was typed."""
    arguments = command.arguments or {}
    words = command.line.partition(" ")[2].strip()
    selected = screen.selected
    if command.verb == "search" and words:
        search(screen, words)
    elif command.verb == "thread" and "id" in arguments and arguments["id"].lstrip("#").isdecimal():
        open_thread(screen, int(arguments["id"].lstrip("#")))
    elif command.verb == "thread" and not words and selected is not None:
        open_thread(screen, selected.id)
    elif command.verb == "history" and _is_place(arguments):
        open_chat(screen, named_chat(screen, arguments["chat"]))
        fetch_around(screen, int(arguments["around"].lstrip("#")))
    elif command.verb in ("search", "thread") and not words and (form := find(command.verb, screen.session.commands)):
        _refuse(screen, Refused("bad_argument", wording.usage(form)))
    else:
        screen.run(command)


def _is_place(arguments: dict[str, str]) -> bool:
    """Whether a history is asked for around a message alone, which is shown in its place in the chat."""
    return arguments.keys() == {"chat", "around"} and arguments["around"].lstrip("#").isdecimal()


# ---- what is pasted, and the dialogs


def paste(screen: ScreenState, text: str) -> None:
    """A block from the clipboard: one message; a big one asks first."""
    match typed_lines.pasted(text, screen.session.text_max):
        case Insert(block):
            screen.do(InsertText(block))
        case ConfirmPaste(block, question):
            screen.dialogs.question = Question(question, "paste", block)
        case OverlongText() as overlong:
            _offer_file(screen, overlong)


def type_anyway(screen: ScreenState, text: str) -> None:
    """Text that is typed or pasted into a dialog which has no use for it: the dialog closes, and the text goes into the
    line."""
    screen.dialogs.question = screen.dialogs.keys_page = None
    if screen.is_choosing:
        screen.end_choosing()
    if len(text) > 1:
        paste(screen, text)
    else:
        screen.do(InsertText(text))


def answer_question(screen: ScreenState, yes: bool) -> None:
    question, screen.dialogs.question = screen.dialogs.question, None
    if question is None or not yes:
        return
    if question.kind == "paste":
        screen.do(InsertText(question.subject))
    elif question.kind == "delete":
        screen.change(screen.chats.open_name, "delete", question.subject)
    elif question.kind == "file":
        target, text, is_typed = question.subject
        if is_typed:
            screen.set_text("")
        screen.do(SendText(target, text))
    elif question.kind == "elsewhere":
        screen.chats.removed_from, screen.doubt = None, ""
        screen.set_text("")
        _, message = question.subject
        _send(screen, message)  # where the question said, whatever is open by now
    elif question.kind == "leave":
        screen.do(Exit())
