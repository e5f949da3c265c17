"""Events and replies of every type, drawn from their own declarations: a new type or field is covered by itself.

A text is hostile unless its field holds a time, the name of a file or, in a message, names and emojis: these are
checked.
"""

from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

from chat_server import protocol
from chat_server.protocol import control
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.connection import HelpText
from chat_server.protocol.files import FileChunk, FileInChat, FileSent
from chat_server.protocol.messages import File, Message
from chat_server.protocol.people import Limit, StatusReport
from tests.unit.strategies import base64s, chat_names, cleaned, emojis, file_names, names, times

# Not those that the client adds for what it does not know.
# Those of the control socket too.
EVENTS = [*protocol.EVENTS, *(event for event in Event.__subclasses__() if event.__module__ == control.__name__)]
ANY_EVENT: Any = Union[tuple(EVENTS)]  # noqa: UP007 (there is no other way to write it)
REPLIES = [reply for reply in Reply.__subclasses__() if reply.__module__.startswith("chat_server.")]
_TIMES = {"at", "until", "due", "since", "last_seen", "edited", "expires"}


@cache
def samples(cls: type[Struct]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls)
    values = {}
    for field in fields(cls):
        value = _value(cls, field.name, hints[field.name])
        values[field.name] = value if field.default is NODEFAULT else st.just(field.default) | value
    if cls is StatusReport:
        keys = st.sampled_from(("main_messages", "delayed", "file_bytes", "reports"))
        values["limits"] = st.dictionaries(keys, samples(Limit))
    if cls is Message:
        values["reactions"] = st.none() | st.dictionaries(emojis, st.lists(names, min_size=1, max_size=3), max_size=3)
    if cls is HelpText:
        values["help"] = st.lists(cleaned, min_size=1, max_size=3)
    return st.builds(cls, **values)


def _value(cls: type[Struct], name: str, hint: Any) -> st.SearchStrategy[Any]:
    if hint is str:
        if name in _TIMES:
            return times
        if cls is FileChunk:
            return base64s
        if name == "name" and cls in (File, FileInChat, FileSent):
            return file_names
        if cls is Message:
            return {"chat": chat_names, "from_": names}.get(name, cleaned)
        return cleaned
    return _of_type(hint)


def _of_type(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) in (Union, UnionType):
        (inner,) = (part for part in get_args(hint) if part is not NoneType)
        return _of_type(inner)
    match get_origin(hint), get_args(hint):
        case None, _ if isinstance(hint, type) and issubclass(hint, Struct):
            return samples(hint)
        case origin, (item, *_) if origin in (list, tuple):
            items = st.lists(_of_type(item), max_size=3)
            return items.map(tuple) if origin is tuple else items
        case origin, (key, value) if origin is dict:
            return st.dictionaries(_of_type(key), _of_type(value), max_size=3)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(), int: st.integers(0, 2**53), str: cleaned, Any: st.booleans()
    }  # fmt: skip
    return plain[hint]
