"""Days and times as people type them: `yesterday`, `monday`, `2026-11-01`, `14:30`, `3d`."""

from datetime import UTC, date, datetime, time, timedelta

from chat_client.sdk.errors import Refused
from chat_server.protocol.times import parse_duration

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NAMED = ("today", "yesterday", *WEEKDAYS)
HELP = "a day is today, yesterday, monday or 2026-11-01, and may have a time: yesterday 14:30; or it is 14:30, 2h, 3d"


def moment(words: str, now: float) -> str:
    """The moment in UTC, as the protocol writes it; a day is one of this machine's. `now` is in Unix seconds.

    A day of the week is the last one before today, a time without a day the last one that has passed. Raises Refused
    `bad_argument`.
    """
    here = datetime.fromtimestamp(now, UTC).astimezone().replace(tzinfo=None)
    try:
        found = _moment(words.strip().lower(), here)
        return found.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise Refused("bad_argument", HELP) from None


def _moment(words: str, here: datetime) -> datetime:
    """The moment by this machine's clock. Raises ValueError or OverflowError."""
    day, _, at = words.partition(" ")
    if day[:1].isdigit() and not at and (ms := parse_duration(day)) is not None and not day[-1].isdigit():
        return here - timedelta(milliseconds=ms)
    if ":" in day and "-" not in day and not at:
        found = datetime.combine(here.date(), _time(day))
        return found if found <= here else found - timedelta(days=1)
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
    hour, _, rest = word.strip().partition(":")
    return time.fromisoformat(f"{hour:0>2}:{rest or '00'}")
