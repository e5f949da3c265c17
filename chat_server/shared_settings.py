"""The settings that all nodes of a cluster share: their words as options, and the limits in the log.

Rules depend on them, so they stand in the log: as `Limits`, and as the operators that the settings name. A lone server
logs its own at each start. In a cluster the first start of its first node does, and then whoever runs it changes them
for all nodes. A node's own options for them count for nothing from then on; what differs is said at its start.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chat_server.errors import Refusal, StartError
from chat_server.log.entries import Limits
from chat_server.protocol.names import Name
from chat_server.setting_kinds import Rate
from chat_server.settings import OPTIONS, SHARED, Settings, words

_OPERATORS = "operators"
# Rates stand in the limits as a count and a window.
_RATES = {"main_rate": "main_rate", "accounts_rate": "accounts", "sign_in_tries": "tries"}
# In the order of the options: a refusal is the same on all nodes.
_BY_OPTION = {option.name: field for field, option in OPTIONS.items() if field in SHARED}


def limits_of(settings: Settings) -> Limits:
    """Return the limits that these settings would have logged."""
    values = {field: getattr(settings, field) for field in _BY_OPTION.values() if field != _OPERATORS}
    return _to_limits(values | {"allow_passwordless": settings.passwordless})


def with_limits(settings: Settings, limits: Limits) -> Settings:
    """Return the settings of a node, with those of the log in place of its own."""
    return replace(settings, **_values(limits))


def words_of(limits: Limits, operators: Sequence[str]) -> dict[str, str]:
    """Return the words of each shared setting by the name of its option."""
    values: dict[str, Any] = {**_values(limits), _OPERATORS: operators}
    return {option: words(field, values[field]) for option, field in _BY_OPTION.items()}


def differences(settings: Settings, limits: Limits, operators: Sequence[str]) -> Iterator[str]:
    """Yield one line about each shared setting that this node was given and that is another one in the cluster."""
    named = sorted({name.folded: name.name for name in settings.operators}.items())
    own = words_of(limits_of(settings), [name for _, name in named])
    for option, shared in words_of(limits, operators).items():
        if _BY_OPTION[option] in settings.given and own[option] != shared:
            yield (
                f"{option} is {shared} in the whole cluster, which holds here too; this node was given {own[option]}"
                f" (for all nodes: chat-server cluster settings {option} {own[option]})"
            )


def changed(limits: Limits, changes: Mapping[str, str]) -> tuple[Limits, list[Name] | None]:
    """Return the limits with the named options changed, and the operators if they are named. Raises Refusal."""
    values = _values(limits)
    operators: list[Name] | None = None
    for name, said in changes.items():
        field = _BY_OPTION.get(name)
        if field is None:
            own = name in {option.name for option in OPTIONS.values()}
            why = "is each node's own; say it at the node's start" if own else "is no setting"
            raise Refusal("bad_argument", f"{name} {why}; those of the cluster are {', '.join(_BY_OPTION)}")
        try:
            value = () if field == _OPERATORS and said == "none" else OPTIONS[field].read(said, name)
        except StartError as error:
            raise Refusal("bad_argument", str(error)) from None
        if field == _OPERATORS:
            operators = list(value)
        else:
            values[field] = value
    return _to_limits(values), operators


def refuse_open_door(settings: Settings, limits: Limits) -> None:
    """Refuse to listen beyond loopback where accounts without a password are allowed, unless told to.

    Raises StartError.
    """
    if limits.passwordless and not settings.passwordless:
        raise StartError(
            f"accounts without a password are allowed in this cluster, and this node would listen on {settings.host},"
            " beyond loopback: forbid them for all, at a node that runs (chat-server cluster settings"
            " allow-passwordless off), or start this node with --allow-passwordless"
        )


def _to_limits(values: Mapping[str, Any]) -> Limits:
    fields: dict[str, Any] = {}
    for field, value in values.items():
        if field in _RATES:
            fields[f"{_RATES[field]}_count"] = value.count if value else None
            fields[f"{_RATES[field]}_window_ms"] = value.window_ms if value else 0
        else:
            fields["passwordless" if field == "allow_passwordless" else field] = value
    return Limits(**fields)


def _values(limits: Limits) -> dict[str, Any]:
    """Return the values of the shared settings but the operators, by the names of their fields."""
    values: dict[str, Any] = {}
    for field in _BY_OPTION.values():
        if field == _OPERATORS:
            continue
        if field in _RATES:
            count = getattr(limits, f"{_RATES[field]}_count")
            values[field] = Rate(count, getattr(limits, f"{_RATES[field]}_window_ms")) if count is not None else None
        else:
            values[field] = getattr(limits, "passwordless" if field == "allow_passwordless" else field)
    return values
