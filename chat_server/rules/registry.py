"""The registry of rules and readings by their commands.

    @rule(Command)     changes the store: runs on the writer's thread in the batch's transaction; returns its reply
    @reading(Query)    reads a snapshot: runs on a reader's thread; yields pages of events, the last with its reply

A rule checks first and writes after, so that a Refusal has nothing to undo. It MUST depend on the store and the entry
alone, and on no clock, random source, setting or order of a set, so that the same log gives the same database.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, TypeVar

from chat_server.handlers import Handlers
from chat_server.protocol.base import Command
from chat_server.rules.authorization import refuse_non_operators
from chat_server.rules.context import Context, View
from chat_server.rules.outcomes import Answer, LastPage, Result

# The thread that reads. Searches and files may take long, so they do not hold up readers of messages.
ReaderName = Literal["messages", "searches", "files"]

RULES: Handlers[Callable[[Context, Any], Result]] = Handlers("logged")
READINGS: Handlers[Callable[[View, Any], Answer | LastPage]] = Handlers("reading")
_READERS: dict[type, ReaderName] = {}
_SHOWING_ONLINE: set[type] = set()
_Function = TypeVar("_Function", bound=Callable[..., Any])


def rule(command: type) -> Callable[[_Function], _Function]:
    def register(function: _Function) -> _Function:
        RULES.register(command)(_guard(command, function))
        return function

    return register


def reading(
    query: type, reader: ReaderName = "messages", *, shows_online: bool = False
) -> Callable[[_Function], _Function]:
    """Register a reading. One that may take long names another reader than that of messages.

    With `shows_online` its view has the users who are online, and what the nodes of a cluster count.
    """

    def register(function: _Function) -> _Function:
        READINGS.register(query)(_guard(query, function))
        _READERS[query] = reader
        if shows_online:
            _SHOWING_ONLINE.add(query)
        return function

    return register


def reader_of(query: Any) -> ReaderName:
    return _READERS[type(query)]


def has_online_users(query: Any) -> bool:
    """Whether the view of this query has the users who are online."""
    return type(query) in _SHOWING_ONLINE


def _guard(command: type, function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Let operators alone run a command of theirs. This is the one place that checks it."""
    if not issubclass(command, Command) or command.spec.who not in ("operators", "machine"):
        return function

    @wraps(function)
    def guarded(asked: Context | View, command: Any) -> Any:
        refuse_non_operators(asked)
        return function(asked, command)

    return guarded
