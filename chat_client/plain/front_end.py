"""The local commands in one column: lines, and another open chat. What it lacks it says in one line."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from chat_client.common import days, typed_lines, wording
from chat_client.common.listening import Listening
from chat_client.common.local_commands import FrontEnd, Task, with_local
from chat_client.common.recency import Recent
from chat_client.common.transfers import Transfers
from chat_client.common.typed_lines import AskServer
from chat_client.common.wording import Answer
from chat_client.plain.column import Column
from chat_client.sdk import clock
from chat_client.sdk.chat import Chat
from chat_client.sdk.errors import Disconnected, Refused
from chat_client.sdk.events import Connected, Outgoing, chat_name
from chat_server.protocol.base import Reply
from chat_server.protocol.connection import CommandForm
from chat_server.protocol.messages import Message, Talking
from chat_server.protocol.people import StatusReport

OPEN_SECONDS_MAX = 5
KEYS = "Tab completes, ↑ ↓ bring back what was typed, Ctrl-R searches it, Alt-Enter breaks the line, Ctrl-D leaves"


class PlainFrontEnd(FrontEnd):
    """`spawn` begins what takes its time; `leaves`: the user has asked to leave."""

    def __init__(
        self,
        chat: Chat,
        column: Column,
        recent: Recent,
        transfers: Transfers,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        listening: Listening,
    ) -> None:
        self._listening = listening
        self.open = "main"  # empty after the open chat is gone: text was perhaps meant for it alone
        self.has_opened = asyncio.Event()  # not set while the server is asked about a chat that is to be opened
        self.has_opened.set()
        self.leaves = False
        self.edit_next: Callable[[], None] | None = None  # has the next line edited, where there is an editor
        self._last = "main"  # the chat that was open before
        self._chat, self._column, self._recent = chat, column, recent
        self._transfers, self._spawn = transfers, spawn

    @property
    def commands(self) -> list[CommandForm]:
        return with_local(self._chat.commands)

    @property
    def user(self) -> str:
        return self._chat.user

    @property
    def unsent(self) -> list[tuple[str, Outgoing]]:
        return [(command.target or command.verb, command) for command in self._chat.outgoing]

    @property
    def listening(self) -> Listening:
        return self._listening

    def answer(self, answer: Answer) -> None:
        self._column.answer(answer)

    async def ask_server(self, *lines: str) -> None:
        for line in lines:
            await self.ask(typed_lines.whole_line(line))

    async def ask(self, command: AskServer) -> None:
        returned = await typed_lines.ask(self._chat, command)
        lines = [self._listening.hear(event, self._chat.user) for event in returned.lines]
        for event in lines:
            self._recent.note(event)
        hides = self._listening.hides
        self._column.print_events(line for line in lines if not (isinstance(line, Message) and hides(line)))
        self.show_reply(command.verb, returned.reply)

    def show_reply(self, verb: str, reply: Reply) -> None:
        self._recent.note(reply)
        self.answer(wording.reply(reply, verb, clock.now()))

    # ---- the open chat

    def lose_open_chat(self) -> None:
        """Open no chat: lines typed from now on may have been meant only for the one that is gone."""
        gone, self.open = self.open, ""
        self._column.note("info", f"{wording.lost_chat(gone)}; what you type goes nowhere until you /open a chat")

    def go_to(self, chat: str) -> None:
        if chat != self.open:
            self._last, self.open = self.open or "main", chat
        self._column.note("info", wording.open_chat(chat))

    def open_chat(self, name: str) -> Task:
        self.has_opened.clear()
        return self._open(chat_name(name))

    async def _open(self, chat: str) -> None:
        """The server says how a chat is named, and whether there is one; without it, it is opened as it was typed."""
        try:
            async with asyncio.timeout(OPEN_SECONDS_MAX):
                reply = (await self._chat.command("talk", target=chat)).reply
            if isinstance(reply, Talking) and reply.target:
                chat = reply.target
        except (TimeoutError, Disconnected):
            pass
        except Refused:
            self.open = ""  # the next lines are meant for somebody who is not there
            raise
        finally:
            self.has_opened.set()
        self.go_to(chat)

    def pick_chat(self) -> Task:
        raise Refused("bad_argument", f"which chat? /open <chat>: {', '.join(self._recent.chats)}")

    def open_next_chat(self, by: int) -> Task:
        chats = self._recent.chats
        at = chats.index(self.open) if self.open in chats else 0
        return self.open_chat(chats[(at + by) % len(chats)])

    def open_last_chat(self) -> Task:
        return self.open_chat(self._last)

    def open_unread_chat(self) -> Task:
        raise _lacking("everything is shown here as it comes; /status tells what is unread")

    def pin(self, name: str | None, number: int | None) -> Task:
        raise _lacking("no chat has a number here; /open <chat> opens one")

    async def mark_all_read(self) -> None:
        reply = (await self._chat.command("status")).reply
        unread = [chat for chat in reply.chats if chat.unread] if isinstance(reply, StatusReport) else []
        for chat in unread:
            lines = (await self._chat.command("history", chat=chat.name, limit=1)).lines
            if newest := [line.id for line in lines if isinstance(line, Message)]:
                await self._chat.command("read", chat=chat.name, id=newest[-1])
        many = len(unread)
        words = f"marked {many} chat{'' if many == 1 else 's'} as read" if many else "nothing is unread"
        self._column.note("done" if many else "info", words)

    def show_first_unread(self) -> Task:
        raise _lacking("nothing scrolls here; /history <chat> shows what was said")

    def go_to_time(self, when: str) -> Task:
        if not self.open:
            raise Refused("bad_argument", "no chat is open; /open <chat> opens one")
        return self.ask_server(f"/history {self.open} since {days.moment(when, clock.now())}")

    def copy(self, message_id: int) -> Task:
        raise _lacking("there is no clipboard here; select the text in the terminal")

    def open_editor(self) -> None:
        if self.edit_next is None:
            raise _lacking("an editor needs a terminal, and there is none here")
        self.edit_next()

    def quote(self, message_id: int) -> Task:
        raise _lacking("no messages are kept here to quote; begin a line with > yourself")

    def open_link(self, message_id: int, number: int) -> Task:
        raise _lacking("links stand in the text; most terminals open them on a click")

    def toggle_bare(self) -> Task:
        raise _lacking("the mouse always selects text here")

    def toggle_sides(self) -> Task:
        raise _lacking("there is one column here, and no sides")

    def clear(self) -> Task:
        raise _lacking("what was printed stays in the terminal")

    def redraw(self) -> Task:
        raise _lacking("there is nothing to draw here; Ctrl-L clears the terminal")

    def show_keys(self) -> None:
        self._column.note("info", KEYS)

    def reconnect(self) -> None:
        self._column.losses.tell_next()
        self._chat.reconnect()

    def confirm(self) -> None:
        self._chat.confirm()

    def discard(self) -> None:
        self._chat.discard()

    def send_file(self, target: str, path: str) -> None:
        command = self._transfers.send(target, path)
        if isinstance(self._chat.state, Connected):
            self._column.note("info", f"sending {wording.short(str(command.arguments['name']))}")
        self._column.show_posted(command)

    def get_file(self, file_id: int, name: str | None, opens: bool) -> None:
        """In the background, also with a pipe: at the end it waits for what is under way."""
        self._spawn(self._transfers.fetch(file_id, name, opens, self._column.note))

    def cancel_transfers(self) -> None:
        self._transfers.cancel()

    def leave(self) -> None:
        self.leaves = True


def _lacking(words: str) -> Refused:
    return Refused("bad_argument", words)
