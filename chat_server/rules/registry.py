"""Where rules are registered for their commands.

    @rule(Command)     a change: runs on the writer's thread, in the batch's transaction, and returns its reply
    @reading(Query)    runs on a reader's thread, on a snapshot; returns its reply, after yielding pages if it has any

A rule checks first and writes after, so that a Refusal has nothing to undo. It MUST depend on nothing but the store and
the entry: no clock, no random source, no setting, no order of a set. The same log gives the same database.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from chat_server.protocol.base import Command, Reply
from chat_server.rules.authorization import refuse_others
from chat_server.rules.context import Context, View
from chat_server.rules.outcomes import Answer, Result

RULES: dict[type, Callable[[Context, Any], Result]] = {}
READINGS: dict[type, Callable[[View, Any], Answer | Reply]] = {}
_Rule = TypeVar("_Rule", bound=Callable[..., Any])


def rule(command: type) -> Callable[[_Rule], _Rule]:
    def enter(function: _Rule) -> _Rule:
        assert command not in RULES
        RULES[command] = _for_operators(function) if _is_for_operators(command) else function
        return function

    return enter


def reading(query: type) -> Callable[[_Rule], _Rule]:
    def enter(function: _Rule) -> _Rule:
        assert query not in READINGS
        READINGS[query] = _for_operators(function) if _is_for_operators(query) else function
        return function

    return enter


def _is_for_operators(command: type) -> bool:
    return issubclass(command, Command) and command.spec.operators_only


def _for_operators(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The one place where it is looked at whether who asks is an operator."""

    @wraps(function)
    def guarded(asked: Context | View, command: Any) -> Any:
        refuse_others(asked)
        return function(asked, command)

    return guarded
