"""The lines of one column: words behind the marks of the protocol.

`+ ` done    `- ` refused    `[` a message    `* ` an event    two spaces: an item    four and `| `: more of a text
"""

from msgspec import Struct
from msgspec.structs import replace

from chat_client.common import wording
from chat_client.common.wording import Answer, Kind
from chat_server.protocol.base import Event
from chat_server.protocol.files import FileChunk
from chat_server.protocol.messages import Message
from chat_server.protocol.people import PresenceChanged

_MARKS: dict[Kind, str] = {"info": "* ", "done": "+ ", "error": "- "}
_CONTINUED = "\n    | "


def note(kind: Kind, text: str) -> list[str]:
    """Nothing for an empty text."""
    return _lines(_MARKS[kind], text)


class LineForm(Struct, frozen=True):
    """What is printed besides who says what where: the time and the id of a message, and who comes and goes."""

    times: bool = True
    ids: bool = True
    presence: bool = True


EVERYTHING = LineForm()


def event(event: Event, me: str, now: float, form: LineForm = EVERYTHING) -> list[str]:
    """A message has its time and place before it, and no mark."""
    if isinstance(event, PresenceChanged) and not form.presence:
        return []
    if isinstance(event, FileChunk):  # two lines, the bytes with a mark of their own
        told = wording.event(event, me, now).split("\n")
        return [line if line.startswith("= ") else f"* {line}" for line in told if line]
    if not isinstance(event, Message):
        return _lines("* ", wording.event(event, me, now))
    first, *more = _lines("", wording.event(event, me, now))
    if not form.times:
        first = first.partition("] ")[2]
    id = f" (#{event.id})"
    replies = f" ({wording.replies(event.replies)})" if event.replies else ""
    return [first.removesuffix(id) + replies + (id if form.ids else ""), *more]


def reactions(before: Message, now: Message, form: LineForm = EVERYTHING) -> list[str] | None:
    """Who has reacted or taken that back since the message was printed; None: something else of it is different."""
    if _without_reactions(before) != _without_reactions(now) or now.seq <= before.seq:
        return None
    was, is_ = _reactions(before), _reactions(now)
    acts = [f"{who} reacts with {emoji} to" for emoji, who in is_ if (emoji, who) not in was]
    acts += [f"{who} takes {emoji} back from" for emoji, who in was if (emoji, who) not in is_]
    id = f" (#{now.id})" if form.ids else ""
    return [line for act in acts for line in note("info", f"{act} {now.from_}: {wording.short(now.text or '')}{id}")]


def _without_reactions(message: Message) -> Message:
    return replace(message, seq=0, reactions=None, replies=0, last_reply=None)


def _reactions(message: Message) -> list[tuple[str, str]]:
    return [(emoji, who) for emoji, names in (message.reactions or {}).items() for who in names]


def answer(answer: Answer) -> list[str]:
    """The items, then what was done, as the server writes a reply."""
    items = [line for item in answer.items for line in _lines("  ", item)]
    return [*items, *note("done", answer.done)]


def _lines(mark: str, text: str) -> list[str]:
    return f"{mark}{text}".replace("\n", _CONTINUED).split("\n") if text else []
