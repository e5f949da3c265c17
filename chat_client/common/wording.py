"""The wording of events, replies, states and errors, the same in both front ends.

The words are the server's own (`chat_server.protocol.formats.wording`) where this client knows what is said, and the
times are those of this machine. A text may have line breaks; no other control character gets through, whatever the
server let through. `now` is Unix time in seconds. Each front end lays a text out in its own way: `plain.lines` puts the
marks of the protocol before it, the full screen a sign and a colour.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from chat_client.common.listening import preference_in_words
from chat_client.sdk import clock
from chat_client.sdk.errors import Refused
from chat_client.sdk.events import (
    AnyEvent,
    Connected,
    Ended,
    Forgotten,
    Lost,
    OtherReply,
    Outgoing,
    TokenNotKept,
    Unknown,
)
from chat_client.sdk.local_time import local, local_now, local_value
from chat_client.sdk.transfers import Progress
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import Closing, CommandForm
from chat_server.protocol.file_names import describe_size
from chat_server.protocol.files import Upload
from chat_server.protocol.people import PreferenceSet
from chat_server.protocol.rooms import Approved, Left
from chat_server.protocol.sanitize import clean
from chat_server.protocol.table import GROUPS
from chat_server.protocol.times import clock_time, distance

if TYPE_CHECKING:
    from chat_server.protocol.formats import Format

TEXT_CHARS_SHOWN = 60
CANCEL_HINT = "/cancel cancels it"
FILE_HINT = "what no message can hold goes as a file: /send_file <target> <path>"
NOTHING_WAITS = "nothing waits to be sent"
_CONTINUED = "\n    | "  # what `text` puts before a line that goes on

Kind = Literal["info", "done", "error"]


class Answer(Struct, frozen=True):
    """What a command has done, and the items that it lists; `done` is empty where there is nothing but a list."""

    done: str
    items: tuple[str, ...] = ()


# ---- what the server says


def event(event: Event, me: str, now: float) -> str:
    """Nothing for what a person has no use for. A message is one line with its place, or several."""
    match event:
        case Unknown():
            return clean(_named(event.name, event.fields))
        case Left(user=user, by=by) if user == me:
            return clean(f"{by} removed you from {event.chat}" if by else f"you are no longer in {event.chat}")
        case Approved():
            return clean(f"you are in {event.chat} now: /open {event.chat}")
        case Closing(code="kicked"):
            return clean(event.reason)
        case Closing():
            return clean(f"the server closes: {event.reason}")
    return clean(_joined(_server_wording().event(event, local_now(now))).removeprefix("* "))


def reply(reply: Reply, verb: str, now: float) -> Answer:
    if isinstance(reply, OtherReply):
        return Answer(clean(_named("", reply.fields)) or f"{verb}: done")
    if isinstance(reply, PreferenceSet) and (words := preference_in_words(reply.name, reply.value)) is not None:
        return Answer(clean(words))
    lines = clean(_server_wording().reply(reply, "", None, local_now(now)).decode()).removesuffix("\n")
    *items, done = lines.replace(_CONTINUED, "\0").split("\n")
    return Answer(_broken(done.removeprefix("+ ")), tuple(_broken(item.removeprefix("  ")) for item in items))


def _server_wording() -> "Format":
    """It is loaded at its first use: the first screen says nothing of it, and need not wait 2 ms for it."""
    from chat_server.protocol.formats import TEXT

    return TEXT


def _broken(line: str) -> str:
    return line.replace("\0", "\n")


def _joined(lines: bytes) -> str:
    return lines.decode().removesuffix("\n").replace(_CONTINUED, "\n")


def _named(name: str, fields: Mapping[str, Any]) -> str:
    """What this client has no words for: its fields as they are."""
    said = ", ".join(f"{key}: {_value(value)}" for key, value in fields.items())
    return f"{name.replace('_', ' ')}{': ' if said and name else ''}{said}".replace("\n", " ")


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "; ".join(_value(each) for each in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(each)}" for key, each in value.items())
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else local_value(str(value), clock.now())


# ---- the connection


def state(state: AnyEvent, elapsed: float) -> str:
    """What a person wants to know of the connection's state; `elapsed` is that of `clock`."""
    match state:
        case Connected(server=server, signed_in=signed_in, resumed=resumed):
            ban = f"; banned until {clock_time(local(signed_in.ban.until), '')}" if signed_in.ban else ""
            return one_line(f"{'back at' if resumed else 'connected to'} {server} as {signed_in.user}{ban}")
        case Lost(why=why, going_to=str(server)):
            return one_line(f"{why}; going on at {server}")
        case Lost(why=why, retry_at=retry_at):
            pause = distance(round(max(0.0, retry_at - elapsed) * 1000))
            return one_line(f"no connection: {why}; next try in {pause}, /reconnect tries now")
        case Ended(code=code, why=why):
            return "" if code == "closed" else one_line(f"the connection has ended: {why}")
        case Forgotten():
            return "the server was restored from an older copy: messages that you saw may be gone"
        case TokenNotKept(why=why):
            return one_line(f"the token cannot be kept: {why}; sign in again next time")
    return ""


def lost_chat(chat: str) -> str:
    """A chat that the user is no longer in."""
    return one_line(f"you are no longer in {chat}")


def open_chat(chat: str) -> str:
    return one_line(f"what you type goes to {chat}")


# ---- what is sent


def outgoing(command: Outgoing, now: float) -> tuple[Kind, str]:
    """What became of something that was sent; a message that was sent is shown as a message instead."""
    started = short(command.summary)
    match command.state:
        case "sent" if isinstance(command.reply, Upload):
            return "done", one_line(f"sent #{command.reply.id}: {_file_name(command)}")
        case "sent" if command.reply is not None:
            return "done", reply(command.reply, command.verb, now).done
        case "failed":
            return "error", one_line(f"{coded_reason(command.error)}; not sent: {started}")
        case "held":
            words = f"held, since it is older than five minutes: {started}; /confirm sends it, /discard drops it"
            return "info", one_line(words)
        case "waiting" if command.error is not None:
            # What the refusal advises, such as to try again, the client does.
            why = reason(command.error).removeprefix("nothing was done: ").partition("; ")[0]
            return "info", one_line(f"waiting: {started}; {why}; it is sent again later")
        case "discarded" if command.verb == "send_file":
            return "info", one_line(f"{_file_name(command)}: cancelled")
        case "discarded":
            return "info", one_line(f"not sent: {started}")
    return "info", one_line(f"waiting: {started}")


def unsent(command: Outgoing) -> str:
    """What is told of a command that still waits when one leaves."""
    fate = "it is not known whether this was sent" if command.in_doubt else "not sent"
    return one_line(f"{fate}: {short(command.summary)}")


def waiting(unsent: Iterable[tuple[str, Outgoing]]) -> Answer:
    """What `/waiting` lists: the commands that wait, each with its chat."""
    items = tuple(one_line(f"{chat}: {short(command.summary)} ({command.state})") for chat, command in unsent)
    return Answer(f"{len(items)} waiting to be sent" if items else NOTHING_WAITS, items)


def _file_name(command: Outgoing) -> str:
    return short(str(command.arguments["name"]))


# ---- files


def cancelled(name: str) -> str:
    return f"{short(name)}: cancelled"


def saved(file_id: int, path: Path) -> str:
    return one_line(f"file {file_id} is {path}")


def progress(progress: Progress) -> str:
    """How far a file is and how fast: `40 % of 1 MiB, 2 MiB/s, 3 s left`."""
    part = progress.done * 100 // progress.size if progress.size else 0
    left = "" if progress.left is None else f", {distance(round(progress.left * 1000))} left"
    return f"{part} % of {describe_size(progress.size)}, {describe_size(int(progress.rate))}/s{left}"


# ---- refusals and errors


def reason(error: Exception | None) -> str:
    """Why something was not done, in words alone: the code of a refusal is for programs."""
    match error:
        case Refused():
            return one_line(error.text)
        case OSError(filename=str(name)):
            return one_line(f"{Path(name).name}: {error.strerror or error}")
        case OSError():
            return one_line(str(error.strerror or error))
    return one_line(str(error))


def coded_reason(error: Exception | None) -> str:
    """The same with the code of a refusal before it, as the protocol writes it."""
    return one_line(f"{error.code}: {error.text}") if isinstance(error, Refused) else reason(error)


def usage(form: CommandForm) -> str:
    return f"usage: {form.usage}"


def ask_target(line: str, usage: str) -> str:
    """What is asked where a command that takes something away is typed without its target."""
    return one_line(f"which one? If you mean the open chat, say {line}; {usage}")


def asked_secret(verb: str, name: str, user: str) -> str:
    """Words that ask for a password, and say what it is for where that cannot be undone."""
    if verb == "delete_account":
        return f"to delete {user} and all that {user} wrote: the password, or without one the name"
    return name if name == "password" else f"{name} password"


def too_long(length: int, most: int) -> str:
    return f"{length} characters: a message has at most {most}"


def text_size(text: str, most: int | None) -> str:
    """How much of a message a text is."""
    lines, length = text.count("\n") + 1, len(text)
    of = "" if most is None else f" of {most:,}"
    return f"{lines:,} line{'' if lines == 1 else 's'} · {length:,}{of} characters"


# ---- help


def overview(commands: Iterable[CommandForm]) -> Answer:
    """All the commands that there are here, by their groups."""
    groups: dict[str, list[str]] = {group: [] for group in GROUPS}
    for each in commands:
        groups.setdefault(each.group, []).append(f"/{each.verb}")
    items = tuple(f"{group}: {'  '.join(verbs)}" for group, verbs in groups.items() if verbs)
    return Answer("/help <command> explains one, Tab completes them, /keys shows the keys", items)


def help(form: CommandForm) -> Answer:
    """One command."""
    also = (f"also {', '.join(f'/{alias}' for alias in form.aliases)}",) if form.aliases else ()
    left_out = tuple(
        f"without {word} it means the open chat"
        for word, argument in zip(form.usage.split(" ")[1:], form.arguments, strict=False)
        if argument.get("open_chat") == "fills"
    )
    return Answer("", (form.usage, form.help, *also, *left_out, f"for example: {form.example}"))


# ---- text


def replies(count: int) -> str:
    return f"{count} repl{'y' if count == 1 else 'ies'}"


def short(words: str) -> str:
    """How a text begins."""
    first = clean(words).split("\n", 1)[0]
    return first if first == words and len(words) <= TEXT_CHARS_SHOWN else f"{first[:TEXT_CHARS_SHOWN]}…"


def one_line(words: str) -> str:
    """The words for one line of a terminal."""
    return clean(words).replace("\n", " ").rstrip()
