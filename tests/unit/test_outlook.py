import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from chat_server.certificates import Validity
from chat_server.disk_space import Space
from chat_server.outlook import CHECK_SECONDS, ROOM_BYTES, ROOM_SECONDS, Forecast, Outlook
from chat_server.protocol.times import DAY_MS, HOUR_MS
from tests.unit.fakes import NOON_MS, FakeClock

GB = 1 << 30
RESERVE = 256 << 20


class Watch:
    """An outlook that is asked as often as the server asks it; `told` are the warnings and when they came, in days."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path, reserve: int = RESERVE) -> None:
        self.free = 100 * GB
        monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=self.free, f_frsize=1, f_blocks=GB))
        self.clock = FakeClock()
        self.told: list[tuple[float, str]] = []
        self.outlook = Outlook(self.clock, Space(path, reserve, self.clock), self._tell)

    def _tell(self, text: str) -> None:
        self.told.append(((self.clock.now_ms() - NOON_MS) / DAY_MS, text))

    def watch(self, days: float, filling: float = 0) -> None:
        """So much of the disk is filled a day."""
        for _ in range(round(days * 86_400 / CHECK_SECONDS)):
            self.outlook.check()
            self.clock.advance(CHECK_SECONDS * 1000)
            self.free -= round(filling * CHECK_SECONDS / 86_400)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Watch:
    return Watch(monkeypatch, tmp_path)


def test_a_certificate_that_ends_is_told_of_at_30_7_and_1_days_and_daily_when_it_is_over(watch: Watch) -> None:
    watch.outlook.certificate = Validity(0, NOON_MS + 40 * DAY_MS)
    watch.watch(43)
    days = [day for day, _ in watch.told]
    assert days == pytest.approx([10, 33, 39, 40, 41, 42], abs=0.1)
    assert "the certificate for TLS ends in 30 d, at 2026-12-31T12:00:00.000Z; put a new one" in watch.told[0][1]
    assert "ended at 2026-12-31T12:00:00.000Z: clients refuse it" in watch.told[3][1]
    watch.outlook.certificate = Validity(0, NOON_MS + 400 * DAY_MS)
    watch.watch(3)
    assert len(watch.told) == 6, "it was renewed"


@pytest.mark.parametrize(
    ("validity", "words"),
    [
        (Validity(0, NOON_MS - DAY_MS), "ended at 2026-11-20T12:00:00.000Z"),
        (Validity(NOON_MS + HOUR_MS, NOON_MS + 90 * DAY_MS), "is not valid before 2026-11-21T13:00:00.000Z"),
        (Validity(0, NOON_MS + 5 * DAY_MS), "ends in 5 d"),
    ],
)
def test_one_that_is_no_good_at_the_start_is_told_of_at_once(watch: Watch, validity: Validity, words: str) -> None:
    watch.outlook.certificate = validity
    watch.outlook.check()
    ((_, text),) = watch.told
    assert words in text
    for _ in range(5):
        watch.outlook.check()
    assert len(watch.told) == 1, "once a day"


def test_a_disk_that_fills_is_told_of_once_a_day_before_it_is_full(watch: Watch) -> None:
    watch.free = RESERVE + 10 * GB
    watch.watch(9.5, filling=GB)
    days = [day for day, _ in watch.told]
    assert days == pytest.approx([7, 8, 9], abs=0.2)
    assert "the disk is filling: 3" in watch.told[0][1] and "is used up in " in watch.told[0][1]


@pytest.mark.parametrize("reserve", [RESERVE, 0])
def test_a_disk_with_little_room_is_told_of_though_it_does_not_fill(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reserve: int
) -> None:
    watch = Watch(monkeypatch, tmp_path, reserve)
    watch.free = 300 << 20
    watch.watch(2)
    assert [round(day) for day, _ in watch.told] == [0, 1]
    assert all("the disk has little room" in text for _, text in watch.told)


def test_a_disk_that_takes_nothing_new_is_told_of_at_once_and_when_it_does_again(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    def look_at(*free: int) -> list[str]:
        del watch.told[:]
        for watch.free in free:
            watch.clock.advance(ROOM_SECONDS * 1000)
            watch.outlook.check_room()
        return [text for _, text in watch.told]

    assert look_at(RESERVE * 3, RESERVE * 2) == []
    (text,) = look_at(100 << 20, 0, RESERVE + (16 << 20), 0)
    assert text.startswith("the disk is nearly full: 100 MiB are free, and 256 MiB stay free")
    assert caplog.records[-1].levelname == "ERROR"
    watch.watch(0.9)
    assert len(watch.told) == 1, "once a day"
    (text,) = look_at(RESERVE, RESERVE + (16 << 20) + ROOM_BYTES)
    assert text == "the disk has room again: what is new is taken"
    watch.outlook.check()
    assert "the disk has little room" in watch.told[-1][1]
    assert len(look_at(RESERVE - 1)) == 1, "it is full anew"


def test_the_forecast_is_of_the_last_day() -> None:
    forecast = Forecast()
    assert forecast.seconds_until(0) is None
    for hour in range(100):
        forecast.add(hour * 3600.0, 100 * GB - max(0, hour - 50) * GB)
        if not hour:
            assert forecast.seconds_until(0) is None, "not guessed from one look"
    assert forecast.seconds_until(0) == pytest.approx(51 * 3600)
    assert forecast.seconds_until(51 * GB) == 0
    forecast.add(101 * 3600.0, 200 * GB)
    assert forecast.seconds_until(0) is None


def test_what_stats_and_metrics_have(watch: Watch) -> None:
    assert watch.outlook.counts() == watch.outlook.gauges() == {}
    watch.outlook.certificate = Validity(0, NOON_MS + 10 * DAY_MS)
    watch.watch(0.5, filling=GB)
    assert watch.outlook.counts() == {"certificate_days_left": 9, "disk_days_left": 99}
    assert watch.outlook.gauges().keys() == {"certificate_seconds_left", "disk_seconds_left"}
    watch.outlook.certificate = Validity(0, NOON_MS - DAY_MS)
    assert watch.outlook.counts()["certificate_days_left"] == -2
