"""Drafts of the chats: what is kept between runs, and what comes back."""

from collections.abc import Mapping

from chat_client.common.typed_lines import may_be_kept
from chat_client.tui.state.composer import Composer
from chat_client.tui.state.screen_state import ScreenState


def current_drafts(screen: ScreenState) -> dict[str, str]:
    """The drafts of the chats; that of the open one is in the line. Nothing that may carry a password is a draft."""
    chats = screen.chats
    drafts = chats.drafts | {chat.name: chat.draft for chat in chats.by_name.values()}
    drafts[chats.open_name] = _typed(screen.composer)
    commands = screen.session.commands
    return {chat: text for chat, text in drafts.items() if text and may_be_kept(text, commands)}


def _typed(composer: Composer) -> str:
    """What is worth keeping of the line: an answer that was begun, but not an edit or a reaction."""
    target = composer.target
    if target is None:
        return composer.aside or composer.text
    return composer.text if target.kind == "reply" and composer.text.strip() else target.draft


def restore_drafts(screen: ScreenState, drafts: Mapping[str, str]) -> None:
    """Give the chats their drafts; those that are not listed yet get theirs when they are."""
    for name, text in drafts.items():
        if name == screen.chats.open_name:
            screen.set_text(text)
        elif name in screen.chats.by_name:
            screen.chats.by_name[name].draft = text
        else:
            screen.chats.drafts[name] = text
