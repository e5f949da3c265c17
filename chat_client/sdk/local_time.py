"""Times of the protocol in this machine's time zone, also within the server's texts."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chat_server.protocol.times import clock_time

_ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
_TOLD = r"(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d:\d\d) UTC"


def local(at: str) -> str:
    """A time of the protocol in the time zone of this machine."""
    try:
        return datetime.fromisoformat(at).astimezone().isoformat()
    except (ValueError, OverflowError):
        return at


def local_now(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).astimezone().isoformat()


def local_text(text: str, fields: Mapping[str, Any], now: float) -> str:
    """A text of the server's with its times in this zone. Which day is meant, the fields beside it say."""
    known = [value for value in fields.values() if isinstance(value, str) and re.fullmatch(_ISO, value)]

    def localize(match: re.Match[str]) -> str:
        named = (at for at in known if at[11:19] == match[2] and match[1] in (None, at[:10]))
        try:
            at = next(named, None) or _nearest(match[1], match[2], now)
        except (ValueError, OverflowError):
            return match[0]
        return clock_time(at, local_now(now))

    return re.sub(_TOLD, localize, text)


def local_value(value: str, now: float) -> str:
    """The value of a field that this client does not know, in this zone if it is a time."""
    return clock_time(value, local_now(now)) if re.fullmatch(_ISO, value) else value


def _nearest(day: str | None, time: str, now: float) -> str:
    """The nearest moment that a time without a day can mean."""
    if day is not None:
        return f"{day}T{time}Z"
    at = datetime.fromtimestamp(now, UTC)
    days = [datetime.fromisoformat(f"{(at + timedelta(days=by)).date()}T{time}+00:00") for by in (-1, 0, 1)]
    return min(days, key=lambda each: abs(each - at)).isoformat()
