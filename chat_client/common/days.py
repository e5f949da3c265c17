"""Days and times as people type them: `yesterday`, `monday`, `2026-11-01`, `14:30`, `2:30pm`, `3d`."""

import re
from datetime import UTC, date, datetime, time, timedelta

from chat_client.sdk.errors import Refused
from chat_server.protocol.times import parse_duration

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NAMED = ("today", "yesterday", *WEEKDAYS)
HELP = "since when? A day, a time, or how long ago: yesterday, monday 9:30, 2026-11-01, 14:30, 2h, 3d"
_TIME = "([0-9]{1,2})(?::([0-9]{2}))?(?::([0-9]{2}))? ?(am|pm)?"


def moment(words: str, now: float) -> str:
    """The moment in UTC, as the protocol writes it; a day is one of this machine's. `now` is in Unix seconds.

    A day of the week is the last one before today, a time without a day the last one that has passed. Raises Refused
    `bad_argument`.
    """
    try:
        found = _moment(" ".join(words.lower().split()), datetime.fromtimestamp(now, UTC))
        return found.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise Refused("bad_argument", HELP) from None


def _moment(words: str, now: datetime) -> datetime:
    """A moment without a zone is one of this machine's clock. Raises ValueError or OverflowError."""
    if words[-1:].isalpha() and (ms := parse_duration(words)) is not None:
        return now - timedelta(milliseconds=ms)  # by the clock of the machine, an hour would be lost or counted twice
    here = now.astimezone().replace(tzinfo=None)
    if re.fullmatch(_TIME, words) and not words.isdigit():
        found = datetime.combine(here.date(), _time(words))
        return found if found <= here else found - timedelta(days=1)
    day, _, at = words.partition(" ")
    if "t" in day and day[:1].isdigit():
        return datetime.fromisoformat(words.upper())
    return datetime.combine(_day(day, here.date()), _time(at) if at else time())


def _day(word: str, today: date) -> date:
    if word in ("today", "yesterday"):
        return today - timedelta(days=word == "yesterday")
    found = [number for number, name in enumerate(WEEKDAYS) if len(word) >= 3 and name.startswith(word)]
    if found:
        return today - timedelta(days=(today.weekday() - found[0] - 1) % 7 + 1)
    return date.fromisoformat(word)


def _time(word: str) -> time:
    """Raises ValueError."""
    match = re.fullmatch(_TIME, word)
    if match is None or (match[4] and not 1 <= int(match[1]) <= 12):
        raise ValueError(word)
    hour = int(match[1]) % 12 + 12 * (match[4] == "pm") if match[4] else int(match[1])
    return time(hour, int(match[2] or 0), int(match[3] or 0))
