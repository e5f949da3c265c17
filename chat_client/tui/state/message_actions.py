"""Selecting messages, and what keys and clicks do to the selected one."""

from typing import Literal

from chat_client.common.links import links
from chat_client.tui.state.composer import ComposeTarget
from chat_client.tui.state.dialogs import Question
from chat_client.tui.state.effects import Copy, OpenLink
from chat_client.tui.state.navigation import open_in_place, open_thread
from chat_client.tui.state.quotes import quote_of
from chat_client.tui.state.screen_state import ScreenState
from chat_server.protocol.messages import Message


def choose(screen: ScreenState, by: int) -> None:
    """From here on keys act on the selected message, and on the next one up (-1) or down (1) where they do already."""
    feed = screen.feed
    if screen.is_choosing or feed.selected is None:
        step(screen, by)
    screen.chosen_in = None if feed.selected is None else feed
    if screen.is_choosing and screen.view is None:
        screen.chats.open.jump = None  # a page that came now would have the keys act on another message
    screen.flash = None  # the bar says what keys do now
    if feed.selected is not None:
        feed.reveal(feed.selected)


def step(screen: ScreenState, by: int) -> None:
    """Select the next message up (-1) or down (1)."""
    screen.feed.step(by)


def click(screen: ScreenState, id: int) -> None:
    """A click selects a message and no more: it is how one brings a window to the front, and what is typed next is
    text. The second one opens what was found."""
    feed = screen.feed
    screen.chosen_in = None
    if feed.selected == id and screen.shows_results:
        open_selected(screen)
    else:
        feed.selected = None if feed.selected == id else id


def open_selected(screen: ScreenState) -> None:
    """Open the thread of the selected message; a result is opened in its place."""
    message = screen.selected
    if message is None:
        return
    if screen.shows_results:
        open_in_place(screen, message)
    else:
        open_thread_of_selected(screen)


def open_thread_of_selected(screen: ScreenState) -> None:
    if (message := screen.selected) is not None:
        screen.end_choosing()
        open_thread(screen, message.id, screen.composer.text)


def compose(screen: ScreenState, kind: Literal["reply", "edit", "react"], text: str = "") -> None:
    """Reply to, edit or react to the selected message with the next line. `text` stands in it, and comes back then."""
    message = screen.selected
    if message is None:
        return
    if message.deleted:
        screen.tell("error", "this message was deleted")
    elif screen.session.ban is not None:
        screen.tell("error", "you are banned: you can only delete your own messages")
    elif kind == "edit" and message.from_ != screen.session.user:
        screen.tell("error", "only your own messages can be edited")
    else:
        screen.end_choosing()
        edited = screen.changes.text_of(message)
        screen.composer.target = ComposeTarget(kind, message.id, message.chat, text, edited)
        screen.set_text({"edit": edited, "react": ":"}.get(kind, ""))


def quote_selected(screen: ScreenState, text: str = "") -> None:
    """Put the selected message into the line, as a quote in front of what stands there."""
    if (message := screen.selected) is None:
        return
    if message.deleted or not message.text:
        screen.tell("error", "there is no text to quote")
        return
    screen.end_choosing()
    screen.set_text(quoted(message) + text)


def quoted(message: Message) -> str:
    """The text as people quote in mail: each line behind `> `, the first one with who said it."""
    lines = f"{message.from_}: {message.text}".splitlines()
    return "".join(f"> {line}\n" for line in lines)


def delete(screen: ScreenState) -> None:
    """Ask whether the selected message is to be deleted."""
    message = screen.selected
    if message is None:
        return
    if message.deleted:
        screen.tell("error", "this message was deleted")
    elif not screen.may_delete(message):
        screen.tell("error", "only your own messages can be deleted")
    else:
        screen.end_choosing()
        author, words = quote_of(message)
        whose = "" if author == screen.session.user else f" by {author}"
        screen.dialogs.question = Question(f"delete #{message.id}{whose} “{words[:40]}”?", "delete", message.id)


def copy_id(screen: ScreenState) -> None:
    if (message := screen.selected) is not None:
        screen.end_choosing()
        screen.do(Copy(f"#{message.id}"))
        screen.tell("done", f"copied #{message.id}")


def copy_selected(screen: ScreenState) -> None:
    if (message := screen.selected) is not None and message.text:
        screen.end_choosing()
        copy_text(screen, message)


def open_link_of_selected(screen: ScreenState) -> None:
    if (message := screen.selected) is not None:
        screen.end_choosing()
        open_link(screen, message)


def open_link(screen: ScreenState, message: Message, number: int = 1) -> None:
    """Open the link of this number in the message, from 1 on, or copy it where there is no desktop."""
    found = links(message.text or "")
    if number > len(found):
        many = {0: "no link", 1: "only one link"}.get(len(found), f"{len(found)} links")
        screen.tell("error", f"#{message.id} has {many}")
        return
    link = found[number - 1]
    others = f" · {number} of {len(found)}: /open_link {message.id} <number>" if len(found) > 1 else ""
    screen.do(OpenLink(link, others))


def copy_text(screen: ScreenState, message: Message) -> None:
    screen.do(Copy(message.text or ""))
    screen.tell("done", f"copied the text of #{message.id}")
