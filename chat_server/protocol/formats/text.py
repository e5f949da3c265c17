"""The text format, for people. The first characters of a line tell its kind:

    `+ ` done    `- ` refused    `[` a message    `* ` an event    two spaces: an item    four and `| `: more of a text
    `= ` bytes of a file in base64

MUST NOT let a text of a user begin a line: every line break in one is followed by the continuation mark.
`now` is the time in ISO 8601, UTC; times of another day carry their date.
"""

import re
from functools import lru_cache
from typing import Any

from chat_server.errors import Refusal
from chat_server.protocol.arguments import NOTHING_SHOWS, Target, Text
from chat_server.protocol.base import Argument, Command, Event, Reply, Spec
from chat_server.protocol.files import FileChunk
from chat_server.protocol.formats.format import LABEL, Format, Head, read_value, usage_refusal
from chat_server.protocol.formats.wording import EVENTS, REPLIES, describe_file
from chat_server.protocol.left_out import leaves_out, leaves_out_chat
from chat_server.protocol.messages import Message, Send, SendAll, Sent
from chat_server.protocol.sanitize import clean, visible
from chat_server.protocol.search_query import PIECE
from chat_server.protocol.times import clock_time

_LABELLED = re.compile(rf"@({LABEL.pattern}) +(?=/)", re.ASCII)
_NOT_A_COMMAND = "commands start with /; to talk to everyone: /send_all <text>, or /talk main and just type"
_TO_ONE = "; to one person: /send <username> <text>"
_CONTINUED = "\n    | "
# All messages of a batch have the same time.
_clock_time = lru_cache(maxsize=64)(clock_time)


class TextFormat(Format):
    name = "text"
    catch_up_order = "id"
    activity_marks_read = True
    wants_token = False
    tells_commands = False

    def split(self, line: str) -> Head:
        label = None
        if line.startswith("@") and (match := _LABELLED.match(line)):
            label, line = match[1], line[match.end() :]
        if not line.startswith("/"):
            return label, None, line
        verb, _, rest = line[1:].partition(" ")
        return label, verb, rest

    def without_verb(self, text: str, talk: Target | None) -> Command:
        if talk is None:
            raise Refusal("not_a_command", _NOT_A_COMMAND + (_TO_ONE if text.startswith("@") else ""))
        body = visible(text)
        if not body:
            raise Refusal("bad_argument", NOTHING_SHOWS)
        return SendAll(Text(body)) if talk.kind == "main" else Send(talk, Text(body))

    def read_arguments(self, spec: Spec, rest: str, talk: Target | None) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if spec.marked:
            rest = _marked(spec, rest, values)
        for argument, required_after in spec.positional:
            rest = rest.lstrip(" ")
            if talk is not None and argument.open_chat:
                chat = _open_chat(spec, argument, rest, required_after, talk)
                if chat is not None:
                    values[argument.field] = chat
                    continue
            if not argument.required and leaves_out(rest, required_after, argument.kind.starts):
                continue
            if not rest:
                if argument.required:
                    raise usage_refusal(spec, f"{argument.usage} is missing")
                break
            if argument.kind.takes_rest:
                word, rest = rest, ""
            elif rest[0] == '"':
                word, rest = _quoted(spec, rest)
            else:
                word, _, rest = rest.partition(" ")
            values[argument.field] = read_value(spec, argument, word)
        if rest:
            _pairs(spec, rest, values)
        return values

    def event(self, event: Event, now: str, label: str | None = None) -> bytes:
        """Nothing for what a person has no use for."""
        if type(event) is Message:
            return _message(event, now)
        if type(event) is FileChunk:
            head = f"* file {event.file.id} {event.file.name} {event.file.size}\n" if event.file else ""
            return f"{head}= {event.data}\n".encode() if event.data else head.encode()
        words = EVENTS[type(event)](event, now)
        return b"" if words is None else f"* {_indented(words)}\n".encode()

    def label_lines(self, lines: bytes, label: str) -> bytes:
        return lines

    def reply(self, reply: Reply, verb: str, label: str | None, now: str) -> bytes:
        """The items that the reply lists, then the reply."""
        if type(reply) is Sent and label is None and reply.note is None:
            return b"+ sent #%d\n" % reply.id
        items, words = REPLIES[type(reply)](reply, now)
        before = f"* {_indented(reply.note)}\n" if type(reply) is Sent and reply.note else ""
        mark = "+" if label is None else f"+ @{label}"
        listed = [f"  {_indented(item)}\n" for item in items]
        return "".join([before, *listed, f"{mark} {_indented(words)}\n"]).encode()

    def refusal(self, refusal: Refusal, verb: str, label: str | None) -> bytes:
        mark = "-" if label is None else f"- @{label}"
        return f"{mark} {refusal.code}: {_indented(refusal.text)}\n".encode()


TEXT = TextFormat()


def _open_chat(spec: Spec, argument: Argument, rest: str, required_after: int, talk: Target) -> Any:
    """The open chat as this argument, where the line leaves that out; None if it does not, or the chat is none."""
    assert argument.kind.of_chat is not None
    chat = argument.kind.of_chat(talk)
    if argument.open_chat == "asks":
        if chat is None or rest:
            return None
        raise usage_refusal(spec, f"which one? If you mean the open chat, say /{spec.verb} {talk}")
    return chat if leaves_out_chat(rest, required_after, argument.kind.starts, spec.pairs) else None


def _quoted(spec: Spec, rest: str) -> tuple[str, str]:
    word, quote, rest = rest[1:].partition('"')
    if not quote:
        raise usage_refusal(spec, 'a quote is not closed: "like this"')
    return word, rest


def _marked(spec: Spec, rest: str, values: dict[str, Any]) -> str:
    """Take what is marked, `in:main`, out of the words; what is in quotes is not."""
    left, end = "", 0
    for piece in PIECE.finditer(rest):
        name, mark, raw = piece[0].partition(":")
        argument = spec.marked.get(name.lower()) if mark else None
        if argument is None:
            continue
        left, end = left + rest[end : piece.start()], piece.end()
        if argument.field in values:
            raise usage_refusal(spec, f"{argument.name}: is said twice")
        values[argument.field] = read_value(spec, argument, raw)
    return left + rest[end:]


def _pairs(spec: Spec, rest: str, values: dict[str, Any]) -> None:
    words = rest.split()
    for name, raw in zip(words[::2], (*words[1::2], None), strict=False):
        argument = spec.pairs.get(name.lower())
        if argument is None or raw is None or argument.field in values:
            why = "is not expected here" if argument is None or raw is not None else "needs a number, like 42"
            raise usage_refusal(spec, f"“{clean(name)[:40]}” {why}")
        values[argument.field] = read_value(spec, argument, raw)


def _indented(words: str) -> str:
    return words.replace("\n", _CONTINUED)


def _marks(message: Message) -> str:
    """What is to be known of a message besides its text."""
    if (
        message.reply_to is None
        and message.edited is None
        and message.file is None
        and not message.delayed
        and not message.reactions
    ):
        return ""
    words = [
        describe_file(message.file) if message.file and message.text != message.file.name else "",
        f"on #{message.reply_to}" if message.reply_to else "",
        "edited" if message.edited else "",
        "delayed" if message.delayed else "",
        *(f"{emoji} {' '.join(names)}" for emoji, names in (message.reactions or {}).items()),
    ]
    return "".join(f" ({word})" for word in words if word)


def _message(message: Message, now: str) -> bytes:
    chat, sender = message.chat, message.from_
    if chat[0] != "@":
        where = f"{chat} {sender}"
    elif chat[1:] == sender:
        where = chat
    else:
        where = f"to {chat}"
    first = "(deleted)" if message.deleted else message.text or ""
    if message.file is not None and message.text == message.file.name:
        first = describe_file(message.file)
    more = ""
    if "\n" in first:
        first, *parts = first.split("\n")
        more = "".join([f"    | {part}\n" for part in parts])
    return f"[{_clock_time(message.at, now)}] {where}: {first}{_marks(message)} (#{message.id})\n{more}".encode()
