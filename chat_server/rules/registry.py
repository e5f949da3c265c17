"""Where rules and readings are registered for their commands.

    @rule(Command)     a change: runs on the writer's thread, in the batch's transaction, and returns its reply
    @reading(Query)    runs on a reader's thread, on a snapshot; returns its reply, after yielding pages if it has any

A rule checks first and writes after, so that a Refusal has nothing to undo. It MUST depend on nothing but the store and
the entry: no clock, no random source, no setting, no order of a set. The same log gives the same database.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, TypeVar

from chat_server.handlers import Handlers
from chat_server.protocol.base import Command, Reply
from chat_server.rules.authorization import refuse_non_operators
from chat_server.rules.context import Context, View
from chat_server.rules.outcomes import Answer, Result

# Which thread reads: what may take long, a search or a file, holds nobody up who reads messages.
ReaderName = Literal["messages", "searches", "files"]

RULES: Handlers[Callable[[Context, Any], Result]] = Handlers("logged")
READINGS: Handlers[Callable[[View, Any], Answer | Reply]] = Handlers("reading")
_READERS: dict[type, ReaderName] = {}
_Function = TypeVar("_Function", bound=Callable[..., Any])


def rule(command: type) -> Callable[[_Function], _Function]:
    def enter(function: _Function) -> _Function:
        RULES.register(command)(_guarded(command, function))
        return function

    return enter


def reading(query: type, reader: ReaderName = "messages") -> Callable[[_Function], _Function]:
    """A reader other than that of messages is named where the reading may take long."""

    def enter(function: _Function) -> _Function:
        READINGS.register(query)(_guarded(query, function))
        _READERS[query] = reader
        return function

    return enter


def reader_of(query: Any) -> ReaderName:
    return _READERS[type(query)]


def _guarded(command: type, function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The one place that checks whether whoever asks is an operator."""
    if not issubclass(command, Command) or command.spec.who not in ("operators", "machine"):
        return function

    @wraps(function)
    def guarded(asked: Context | View, command: Any) -> Any:
        refuse_non_operators(asked)
        return function(asked, command)

    return guarded
