"""The wording of times, in the user's time zone (None: that of the machine)."""

from datetime import datetime, tzinfo
from functools import lru_cache

from chat_client.tui.render.look import DEFAULT_LOOK, Look


@lru_cache(maxsize=8192)
def local(at: str, zone: tzinfo | None) -> datetime:
    return datetime.fromisoformat(at).astimezone(zone)


def clock(at: str, zone: tzinfo | None, look: Look = DEFAULT_LOOK) -> str:
    when = local(at, zone)
    seconds = f":{when.second:02}" if look.seconds else ""
    if look.clock == "12":
        return f"{(when.hour + 11) % 12 + 1}:{when.minute:02}{seconds}{'am' if when.hour < 12 else 'pm'}"
    return f"{when.hour:02}:{when.minute:02}{seconds}"


def day(at: str, zone: tzinfo | None) -> str:
    when = local(at, zone)
    return f"{when:%A} {when.day} {when:%B} {when.year}"


def seconds(at: str) -> float:
    """Unix time."""
    return local(at, None).timestamp()


def moment(at: float, zone: tzinfo | None, now: float) -> str:
    """The time of day, with the date where that is not today."""
    when, today = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    return f"{when:%H:%M}" if when.date() == today.date() else f"{when.day} {when:%B %H:%M}"
