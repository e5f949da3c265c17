from datetime import timedelta, timezone

from chat_client.tui.render.times import clock, day, moment, seconds

EAST = timezone(timedelta(hours=3))


def test_times_are_those_of_the_readers_zone() -> None:
    assert clock("2026-11-21T22:30:00.000Z", EAST) == "01:30"
    assert day("2026-11-21T22:30:00.000Z", EAST) == "Sunday 22 November 2026"
    assert seconds("1970-01-01T00:01:00.000Z") == 60


def test_a_moment_of_another_day_has_its_date() -> None:
    assert moment(0, EAST, 3600) == "03:00"
    assert moment(0, EAST, 10 * 86400) == "1 January 03:00"
