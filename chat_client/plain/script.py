"""The client in a script: it sends one message, or prints a chat's messages. An error is one line on stderr."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from json import dumps as json_of
from json import loads
from typing import BinaryIO

from msgspec.json import Encoder

from chat_client import standard_streams
from chat_client.common import wording
from chat_client.common.losses import Losses
from chat_client.plain import lines
from chat_client.sdk import clock
from chat_client.sdk.chat import Chat
from chat_client.sdk.errors import Disconnected
from chat_client.sdk.events import Connected, Ended, Lost, TokenNotKept
from chat_client.sdk.transfers import fields
from chat_client.settings import Settings, UsageError
from chat_server.protocol.messages import Message

STDIN_BYTES_MAX = 1 << 20
# A server that restarts is waited for; then the script is told that it is not known whether the message was sent.
SEND_SECONDS_MAX = 60
CLOSE_SECONDS_MAX = 2
EVERY_CHAT = "all"
Write = Callable[[str], None]


def message(settings: Settings, stdin: BinaryIO) -> str:
    """What is to be sent: the words of the command line, or all of stdin as one message. Raises UsageError."""
    if settings.text is not None:
        return settings.text
    try:
        data = stdin.read(STDIN_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"cannot read stdin: {error.strerror or error}") from None
    if len(data) > STDIN_BYTES_MAX:
        raise UsageError(f"stdin has more than {STDIN_BYTES_MAX} bytes, which no message may have; send it as a file")
    try:
        text = standard_streams.decode(data)
    except UnicodeDecodeError:
        raise UsageError("stdin is not UTF-8; send it as a file") from None
    if not text.strip():
        raise UsageError(
            f"there is nothing to send: stdin is {'closed' if 'stdin' in standard_streams.CLOSED else 'empty'}"
        )
    return text.removesuffix("\n")


async def send(chat: Chat, target: str, text: str) -> None:
    """Raises Refused, or Disconnected if there was no answer in SEND_SECONDS_MAX: its `done` says what is known."""
    sending = asyncio.ensure_future(chat.send(target, text))
    try:
        async with asyncio.timeout(SEND_SECONDS_MAX):
            await asyncio.shield(sending)
    except (TimeoutError, asyncio.CancelledError) as error:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await chat.close()  # ends `sending` with an error that says what is known
        if sending.done():
            await sending
        late = f"no answer within {SEND_SECONDS_MAX} s" if isinstance(error, TimeoutError) else "ended"
        raise Disconnected(f"{late}; it is not known whether it was sent", None) from None


async def follow(chat: Chat, wanted: str, write: Write, warn: Write, json: bool) -> None:
    """Print the messages of a chat (or of EVERY_CHAT) from now on, without a gap over a lost connection.

    Returns when there is nothing more to come. Raises Refused if there is no such chat for this user, Disconnected if
    it was ended from the other side.
    """
    if wanted != EVERY_CHAT:
        wanted = await _name(chat, wanted)
    encode = Encoder().encode
    since_now, losses = False, Losses()
    async for event in chat:
        is_news = losses.is_news(event)
        match event:
            case Connected():
                since_now = True
            case Message() if since_now and wanted in (EVERY_CHAT, event.chat):
                if json:
                    line = encode(event).decode()
                    write(f"{line if standard_streams.is_utf_8() else json_of(loads(line))}\n")
                else:
                    write("".join(f"{line}\n" for line in lines.event(event, chat.user, clock.now())))
            case Lost() if is_news:
                warn(wording.state(event, 0) if event.going_to else f"no connection: {event.why}")
            case TokenNotKept():
                warn(wording.state(event, 0))
            case Ended(code="closed"):
                return
            case Ended():
                raise Disconnected(event.why)


async def _name(chat: Chat, wanted: str) -> str:
    """The chat as the server names it, however it was typed. Raises Refused, Disconnected."""
    while True:
        try:
            return str(fields((await chat.command("history", chat=wanted, limit=1)).reply)["chat"])
        except Disconnected:
            await chat.wait_until_connected()
