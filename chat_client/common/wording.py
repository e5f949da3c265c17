"""Events and replies as lines of text, for --plain, --follow and logs. Pure.

The words are the server's own (`chat_server.protocol.formats.text`), the times are those of this machine. No control
character gets through, whatever the server let through.
"""

from typing import Any

from chat_client.sdk import clock
from chat_client.sdk.events import Connected, Ended, Forgotten, Lost, OtherReply, Outgoing, TokenNotKept, Unknown
from chat_client.sdk.local_time import local, local_value
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.files import Upload
from chat_server.protocol.formats import text
from chat_server.protocol.messages import Message, Sent
from chat_server.protocol.sanitize import clean
from chat_server.protocol.times import clock_time, distance

TEXT_CHARS_SHOWN = 60


def event(event: Event, now: str) -> list[str]:
    """`now`: UTC, as the protocol writes times."""
    if isinstance(event, Unknown):
        return _lines(f"* {event.name}: {_fields(event.fields)}")
    return _lines(text.event(event, local(now)).decode())


def reply(reply: Reply, verb: str, now: str) -> list[str]:
    if isinstance(reply, OtherReply):
        return _lines(f"+ {verb} {_fields(reply.fields)}".rstrip())
    return _lines(text.reply(reply, None, local(now)).decode())


def _lines(lines: str) -> list[str]:
    return clean(lines).removesuffix("\n").split("\n") if lines else []


def _fields(fields: dict[str, Any]) -> str:
    return ", ".join(f"{name} {local_value(str(value), clock.now())}" for name, value in fields.items()).replace(
        "\n", " "
    )


def state(state: object, elapsed: float) -> list[str]:
    """What a person wants to know of the connection's states; `elapsed` is that of `clock`."""
    match state:
        case Connected(server=server, signed_in=signed_in, resumed=resumed):
            ban = f"; banned until {clock_time(local(signed_in.ban.until), '')}" if signed_in.ban else ""
            return _lines(f"* {'back at' if resumed else 'connected to'} {server} as {signed_in.user}{ban}")
        case Lost(why=why, retry_at=retry_at):
            pause = distance(round(max(0.0, retry_at - elapsed) * 1000))
            return _lines(f"* no connection: {why}; next try in {pause}, /reconnect tries now".replace("\n", " "))
        case Ended(code=code, why=why):
            return [] if code == "closed" else _lines(f"* the connection has ended: {why}".replace("\n", " "))
        case Forgotten():
            return ["* the server was restored from an older copy: messages that you saw may be gone"]
        case TokenNotKept(told=told):
            return _lines(f"* {told}".replace("\n", " "))
    return []


def outgoing(command: Outgoing, user: str, now: str) -> list[str]:
    """What became of something that was sent."""
    started = short(command.told)
    match command.state:
        case "sent" if isinstance(command.reply, Upload):
            return _lines(f"+ sent #{command.reply.id}: {short(str(command.arguments['name']))}")
        case "sent" if isinstance(command.reply, Sent) and command.target is not None:
            answer = command.reply
            message = Message(answer.id, answer.id, command.target, user, answer.at, command.text)
            return event(message, now)
        case "sent" if command.reply is not None:
            return reply(command.reply, command.verb, now)
        case "failed":
            return _lines(f"- {command.error}; not sent: {started}")
        case "held":
            return _lines(f"* older than five minutes: {started}; /confirm sends what is held, /discard does not")
        case "waiting" if command.error is not None:
            return _lines(f"* waiting: {started}; {command.error}; it goes out again by itself")
        case "discarded" if command.verb == "send_file":
            return _lines(f"* {short(str(command.arguments['name']))}: cancelled")
        case "discarded":
            return _lines(f"* not sent: {started}")
    return _lines(f"* waiting: {started}")


def short(words: str) -> str:
    first = clean(words).split("\n", 1)[0]
    return first if first == words and len(words) <= TEXT_CHARS_SHOWN else f"{first[:TEXT_CHARS_SHOWN]}…"


def error(error: Exception) -> list[str]:
    """Why something was not done."""
    return _lines(f"- {str(error).replace(chr(10), ' ')}")
