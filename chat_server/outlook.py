"""The outlook: warnings before a certificate ends and before the disk is full.

They are logged, and told to the operators who are signed in: of a certificate when 30 days, 7 days and 1 day are left,
and once a day when it is over; of the disk once a day, and at once when nothing new is taken any more.
"""

import logging
from collections import deque
from collections.abc import Callable

from chat_server.certificates import Validity
from chat_server.disk_space import Space
from chat_server.protocol.file_names import describe_size
from chat_server.protocol.times import DAY_MS, distance, iso
from chat_server.runtime import Clock

log = logging.getLogger("chat.outlook")

# How often all of this is looked at, and how often whether there is room for anything new.
CHECK_SECONDS = 600.0
ROOM_SECONDS = 1.0
DAYS_BEFORE_END = (30, 7, 1)
DAY_SECONDS = 86_400.0
# The rate at which the disk fills is that of the last day, and not guessed from less than an hour.
RATE_SECONDS, RATE_SECONDS_MIN = DAY_SECONDS, 3_600.0
# A warning says that the disk will have no room for anything new within so many days, or has little room now: twice
# the reserve, or so many bytes if there is no reserve.
FULL_DAYS = 3
LITTLE_BYTES = 512 << 20
# A full disk has room again only once so much more is free. Otherwise one at the limit would be told of every second.
ROOM_BYTES = 4 << 20


class Forecast:
    """When the disk will be full, if it goes on to fill as in the last day."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now: float, free_bytes: int) -> None:
        """`now` is monotonic."""
        self._seen.append((now, free_bytes))
        while self._seen[0][0] < now - RATE_SECONDS:
            self._seen.popleft()

    def seconds_until(self, left_bytes: int) -> float | None:
        """Return when no more than this is free; None if that is not known, or the disk does not fill."""
        if not self._seen:
            return None
        (begun, first), (now, last) = self._seen[0], self._seen[-1]
        if last <= left_bytes:
            return 0.0
        if now - begun < RATE_SECONDS_MIN or first <= last:
            return None
        return (last - left_bytes) / ((first - last) / (now - begun))


class Outlook:
    def __init__(self, clock: Clock, space: Space, tell: Callable[[str], None]) -> None:
        """`tell` tells the operators who are signed in."""
        self.certificate: Validity | None = None
        self._clock = clock
        self._space = space
        self._tell = tell
        self._forecast = Forecast()
        self._told_stage: tuple[Validity, str] | None = None
        self._told_at: dict[str, float] = {}
        self._is_full = False

    # ---- numbers

    def certificate_seconds(self) -> float | None:
        """Return how long the certificate is still valid, negative if it is over; None without one."""
        return None if self.certificate is None else (self.certificate.ends_ms - self._clock.now_ms()) / 1000

    def disk_seconds(self) -> float | None:
        """Return when there will be no room for anything new; None if that is not known."""
        return self._forecast.seconds_until(self._space.reserve_bytes)

    def counts(self) -> dict[str, int]:
        """Return what /stats tells of this."""
        found = {"certificate_days_left": self.certificate_seconds(), "disk_days_left": self.disk_seconds()}
        return {name: int(seconds // DAY_SECONDS) for name, seconds in found.items() if seconds is not None}

    def gauges(self) -> dict[str, float]:
        found = {"certificate_seconds_left": self.certificate_seconds(), "disk_seconds_left": self.disk_seconds()}
        return {name: seconds for name, seconds in found.items() if seconds is not None}

    # ---- warnings

    def check(self) -> None:
        """Look at both, and warn. MUST be called at the start, and every CHECK_SECONDS."""
        self._forecast.add(self._clock.monotonic(), self._space.free_bytes())
        self._check_certificate()
        self._check_disk()

    def check_room(self) -> None:
        """Tell when nothing new is taken any more, and when it is again. MUST be called every ROOM_SECONDS."""
        if self._is_full:
            if self._space.has_room(ROOM_BYTES):
                self._is_full = False
                del self._told_at["disk"]
                self._warn("the disk has room again: what is new is taken")
        elif not self._space.has_room():
            self._is_full = True
            self._told_at["disk"] = self._clock.monotonic()
            free, reserve = describe_size(self._space.free_bytes()), describe_size(self._space.reserve_bytes)
            self._warn(
                f"the disk is nearly full: {free} are free, and {reserve} stay free (--disk-reserve); nothing new is"
                " taken until you make room",
                logging.ERROR,
            )

    def _check_certificate(self) -> None:
        found = self.certificate
        if found is None:
            return
        now_ms = self._clock.now_ms()
        left_ms = found.ends_ms - now_ms
        if now_ms < found.begins_ms:
            stage, text = (
                "early",
                f"is not valid before {iso(found.begins_ms)}, so that clients refuse it",
            )
        elif left_ms <= 0:
            stage, text = "over", f"ended at {iso(found.ends_ms)}: clients refuse it; put a new one there, then reload"
        else:
            days = [each for each in DAYS_BEFORE_END if left_ms <= each * DAY_MS]
            if not days:
                return
            stage = str(min(days))
            text = f"ends in {distance(left_ms)}, at {iso(found.ends_ms)}; put a new one there, then reload"
        is_new = self._told_stage != (found, stage)
        self._told_stage = found, stage
        if self._is_due("certificate", anew=is_new) and (is_new or stage in ("early", "over")):
            self._warn(f"the certificate for TLS {text}")

    def _check_disk(self) -> None:
        free, reserve = self._space.free_bytes(), self._space.reserve_bytes
        seconds = self.disk_seconds()
        room = f"{describe_size(max(0, free - reserve))} is left for anything new"
        if seconds is not None and 0 < seconds <= FULL_DAYS * DAY_SECONDS:
            lasts = distance(int(seconds * 1000))
            text = f"the disk is filling: {room}, which is used up in {lasts} at the rate of the last day"
        elif free < (2 * reserve or LITTLE_BYTES):
            text = f"the disk has little room: {room}; make room, or nothing new will be taken"
        else:
            return
        if self._is_due("disk", anew=False):
            self._warn(text)

    def _is_due(self, what: str, *, anew: bool) -> bool:
        """Tell whether this was not told within a day; `anew` it is at once."""
        now = self._clock.monotonic()
        # A check comes a little early or late.
        if not anew and now - self._told_at.get(what, float("-inf")) < DAY_SECONDS - CHECK_SECONDS / 2:
            return False
        self._told_at[what] = now
        return True

    def _warn(self, text: str, level: int = logging.WARNING) -> None:
        log.log(level, "%s", text)
        self._tell(text)
