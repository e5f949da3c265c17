"""Times, durations and sizes as people and programs read and write them. All times are UTC."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": HOUR_MS, "d": DAY_MS}
_DURATION = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)([smhd]?)"
# The end of the year 9999: every time in the log can be written as a date.
TIME_MS_MAX = 253_402_300_799_999
# The least `elapsed_ms` of a new chat. 0 means never, and has to lie longer ago than any duration, even on a machine
# whose clock has no battery and begins in 1970.
BEGINNING_MS = 10 * 365 * DAY_MS


class Now(NamedTuple):
    """The two times of a chat, the wall clock and how long the chat has lived: see `chat_time`."""

    at_ms: int
    elapsed_ms: int

    def wall_ms(self, elapsed_ms: int) -> int:
        """What the wall clock will show then, as it goes now. Ends are shown so."""
        return self.at_ms + elapsed_ms - self.elapsed_ms


@lru_cache(maxsize=4096)
def iso(ms: int) -> str:
    """Format a time as `2026-11-21T12:00:01.250Z`. It is cached, since all messages of a batch have the same time."""
    return f"{_iso_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=4096)
def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_iso(text: str) -> int | None:
    """Return the milliseconds of an ISO 8601 time, which is UTC if it has no offset; None for another text."""
    try:
        when = datetime.fromisoformat(text)
        moment = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return round(moment * 1000)


def parse_duration(text: str) -> int | None:
    """Return the milliseconds of `90s`, `1.5m`, `2h`, `1d` or plain seconds; None for another text."""
    match = re.fullmatch(_DURATION, text.strip().lower())
    return round(Decimal(match[1]) * _UNITS_MS[match[2] or "s"]) if match else None


def duration(ms: int) -> str:
    """Write a duration as in the settings: `1h`, `90s`, `1500ms`."""
    for unit in "dhms":
        if ms and ms % _UNITS_MS[unit] == 0:
            return f"{ms // _UNITS_MS[unit]}{unit}"
    return f"{ms}ms" if ms else "0s"


def distance(ms: int) -> str:
    """Write how far away something is, rounded up to the smaller of the two units: `3 h 59 min`, `45 s`."""
    seconds, minutes, hours = (max(1, -(-ms // unit)) for unit in (1_000, 60_000, 3_600_000))
    if seconds < 60:
        return f"{seconds} s"
    if minutes < 24 * 60:
        named = ((minutes // 60, "h"), (minutes % 60, "min"))
    else:
        named = ((hours // 24, "d"), (hours % 24, "h"))
    return " ".join(f"{number} {unit}" for number, unit in named if number)


def clock_time(at: str, now: str) -> str:
    """Return `12:00:01` of an ISO time, after its date unless that is the date of `now`.

    The zone is that of `now`: UTC on the server, the zone of the machine in a client.
    """
    if not _is_utc(now):
        with suppress(ValueError, OverflowError):
            at = datetime.fromisoformat(at).astimezone().isoformat()
    return at[11:19] if at[:10] == now[:10] else f"{at[:10]} {at[11:19]}"


def moment(at: str, now: str) -> str:
    """Return a clock time with its zone, unless that is the reader's own."""
    return f"{clock_time(at, now)} UTC" if _is_utc(now) else clock_time(at, now)


def _is_utc(now: str) -> bool:
    """Tell whether a time is the server's; a client's ends with an offset."""
    return "+" not in now[19:] and "-" not in now[19:]


def until(ms: int, now_ms: int) -> str:
    return describe_end(iso(ms), iso(now_ms))


def describe_end(end: str, now: str) -> str:
    """Write the end of a limit as a time and as a distance: `until 16:00:05 UTC, in 3 h 59 min`."""
    return f"until {moment(end, now)}, in {distance((parse_iso(end) or 0) - (parse_iso(now) or 0))}"
