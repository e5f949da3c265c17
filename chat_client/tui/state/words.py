"""Events and replies in words: the server's own, where this client knows them; else their fields as they are."""

from collections.abc import Mapping
from typing import Any

from chat_client.sdk import clock
from chat_client.sdk.events import OtherReply, Unknown
from chat_client.sdk.local_time import local_now, local_value
from chat_server.protocol.base import Event, Reply
from chat_server.protocol.formats import text

CONTINUED = "    | "  # what `text` puts before a line that goes on


def of_event(event: Event, now: float) -> str:
    """`now` is Unix time, in seconds. Nothing for what a person has no use for."""
    if isinstance(event, Unknown):
        return of_fields(event.name, event.fields)
    return _plain(text.event(event, local_now(now)).decode().removeprefix("* "))


def of_reply(verb: str, reply: Reply, now: float) -> str:
    """What was done, then what it lists."""
    if isinstance(reply, OtherReply):
        return of_fields("", reply.fields) or f"{verb}: done"
    *items, done = text.reply(reply, None, local_now(now)).decode().split("\n+ ")
    return _plain("\n".join([done.removeprefix("+ ").removesuffix("\n"), *items]))


def of_fields(name: str, fields: Mapping[str, Any]) -> str:
    said = ", ".join(f"{key}: {_value(value)}" for key, value in fields.items())
    return f"{name.replace('_', ' ')}{': ' if said and name else ''}{said}"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "; ".join(_value(each) for each in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(each)}" for key, each in value.items())
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else local_value(str(value), clock.now())


def _plain(lines: str) -> str:
    return lines.removesuffix("\n").replace(f"\n{CONTINUED}", "\n")
