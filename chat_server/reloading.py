"""Settings that are read again while the server runs: what takes effect, and what waits for a restart."""

from dataclasses import replace
from typing import NamedTuple

from chat_server.settings import OPTIONS, SHARED, Settings, words

# TLS is switched on and off by a port, which is opened at the start.
_TLS = ("tls_cert", "tls_key")


class NewSettings(NamedTuple):
    """What became of settings that were read again: those that hold from now on, and one line for each change."""

    settings: Settings
    changes: list[str]
    at_restart: list[str]


def compare(old: Settings, new: Settings, *, is_member: bool) -> NewSettings:
    """Take over from the new settings what can change while the server runs.

    What all nodes of a cluster share is the cluster's: a member takes none of it from its own settings.
    """
    taken, changes, at_restart = {"given": new.given}, [], []
    waiting = set(_TLS) if (old.tls_cert is None) != (new.tls_cert is None) else set()
    # Unless it is given, it follows from the address, and what is listened on stays.
    if old.host != new.host and "report_min_age_ms" not in old.given | new.given:
        waiting.add("report_min_age_ms")
    for field, option in OPTIONS.items():
        was, now = getattr(old, field), getattr(new, field)
        if was == now:
            continue
        if option.takes_effect == "at a restart" or field in waiting:
            at_restart.append(f"{option.name} stays {words(field, was)}; a restart makes it {words(field, now)}")
            continue
        taken[field] = now
        if is_member and field in SHARED:
            continue
        since = ", for new connections" if option.takes_effect == "for new connections" else ""
        changes.append(f"{option.name} is {words(field, now)} now{since}; it was {words(field, was)}")
    return NewSettings(replace(old, **taken), changes, at_restart)  # type: ignore[arg-type]
