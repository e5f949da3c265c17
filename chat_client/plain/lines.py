"""The lines of one column: words behind the marks of the protocol.

`+ ` done    `- ` refused    `[` a message    `* ` an event    two spaces: an item    four and `| `: more of a text
"""

from chat_client.common import wording
from chat_client.common.wording import Answer, Kind
from chat_server.protocol.base import Event
from chat_server.protocol.files import FileChunk
from chat_server.protocol.messages import Message

_MARKS: dict[Kind, str] = {"info": "* ", "done": "+ ", "error": "- "}
_CONTINUED = "\n    | "


def note(kind: Kind, text: str) -> list[str]:
    """Nothing for an empty text."""
    return _lines(_MARKS[kind], text)


def event(event: Event, me: str, now: float) -> list[str]:
    """A message has its time and place before it, and no mark."""
    return _lines("" if isinstance(event, Message | FileChunk) else "* ", wording.event(event, me, now))


def answer(answer: Answer) -> list[str]:
    """The items, then what was done, as the server writes a reply."""
    items = [line for item in answer.items for line in _lines("  ", item)]
    return [*items, *note("done", answer.done)]


def _lines(mark: str, text: str) -> list[str]:
    return f"{mark}{text}".replace("\n", _CONTINUED).split("\n") if text else []
