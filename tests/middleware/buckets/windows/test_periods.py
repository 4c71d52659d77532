"""Windows by the calendar, held to what a clock on the wall shows, from 1970 to 2100."""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidegate.buckets.periods import Period
from sidegate.errors import LimitError

SECOND = 10**9
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",  # 5:45 ahead
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "America/St_Johns",  # the clock was put back at a minute past midnight
    "America/Sao_Paulo",  # had no midnight on the first day of summer
    "Asia/Beirut",
    "Africa/Cairo",
    "Pacific/Apia",  # without 2011-12-30
    "Pacific/Kiritimati",
    "Africa/Monrovia",  # 44:30 minutes behind until 1972
    "Antarctica/Troll",  # two hours of daylight saving
]
BEGIN, END = (int(datetime(year, 1, 5, tzinfo=UTC).timestamp()) for year in (1970, 2100))


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    """Return a time that a clock shows, in ns."""
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(moment.timestamp()) * SECOND


@lru_cache(maxsize=512)
def days_around(zone: str, day: date) -> list[tuple[int, date]]:
    """Return when days began around that one: as a clock showed, looked at each 30 s.

    A day that it shows, and the one before it again, has begun.
    """
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) - 3 * 86_400
    shown = date.min
    found: list[tuple[int, date]] = []
    for seconds in range(start, start + 6 * 86_400, 30):
        it = datetime.fromtimestamp(seconds, ZoneInfo(zone)).date()
        if it > shown:
            found.append((seconds, it))
            shown = it
    return found[1:]


def naive_day(zone: str, seconds: int) -> tuple[int, date, int]:
    """Return when the day of a time began, which day it is, and when the next one does."""
    days = days_around(zone, datetime.fromtimestamp(seconds, ZoneInfo(zone)).date())
    place = bisect_right([begin for begin, _ in days], seconds) - 1
    return *days[place], days[place + 1][0]


times = st.integers(BEGIN, END)


def near(year: int, month: int, day: int, minutes: int) -> int:
    """Return a time around midnight, none before 1970."""
    days = (date(year, month, day) - date(1970, 1, 5)).days
    return max(BEGIN + days * 86_400 + minutes * 60, 0)


near_a_change = st.builds(
    near,
    st.integers(1970, 2037),
    st.sampled_from([1, 3, 4, 9, 10, 11, 12]),
    st.integers(1, 30),
    st.integers(-180, 180),
)


@given(st.sampled_from(ZONES), times | near_a_change)
@example("Pacific/Apia", at("2011-12-29T12:00", "Pacific/Apia") // SECOND)
@example("America/St_Johns", at("2000-10-29T00:00:30", "America/St_Johns") // SECOND)
@example("America/St_Johns", at("2000-10-28T23:30", "America/St_Johns", 1) // SECOND)
@example("America/Sao_Paulo", at("2017-10-15T01:00", "America/Sao_Paulo") // SECOND)
@example("Africa/Monrovia", at("1971-06-01T00:00", "Africa/Monrovia") // SECOND)
def test_a_day_is_what_a_clock_shows(zone: str, seconds: int) -> None:
    begin, day, end = naive_day(zone, seconds)
    found = Period("day", 1, zone).at(seconds * SECOND)
    assert (found.begin, found.end) == (begin * SECOND, end * SECOND)
    assert found.number == (day - date(1970, 1, 1)).days + 1


@given(st.sampled_from(ZONES), times | near_a_change)
def test_an_hour_ends_where_a_clock_shows_a_full_one(zone: str, seconds: int) -> None:
    found = Period("hour", 1, zone).at(seconds * SECOND)
    begin, end = found.begin // SECOND, found.end // SECOND
    assert begin <= seconds < end

    def is_full(moment: int) -> bool:
        shown = datetime.fromtimestamp(moment, ZoneInfo(zone))
        offset = shown.utcoffset() or timedelta()
        return (moment + offset // timedelta(seconds=1)) % 3_600 == 0

    assert is_full(begin)
    assert is_full(end)
    assert not any(map(is_full, range(begin + 30, end, 30)))


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["hour", "day", "week", "month", "year"]),
    st.integers(1, 5),
    times | near_a_change,
)
def test_windows_follow_each_other_without_a_gap(
    zone: str, unit: str, times: int, seconds: int
) -> None:
    period = Period(unit, 1 if unit == "hour" else times, zone)
    found = period.at(seconds * SECOND)
    assert found.begin <= seconds * SECOND < found.end
    assert period.at(found.begin) == period.at(found.end - 1) == found
    after = period.at(found.end)
    assert after.begin == found.end
    assert after.number > found.number
    assert found.number >= 0


@given(times)
def test_weeks_begin_on_monday_months_and_years_on_the_first(seconds: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    today = datetime.fromtimestamp(seconds, zone)
    for period, first in (
        ("week", today.date() - timedelta(days=today.isocalendar().weekday - 1)),
        ("month", today.date().replace(day=1)),
        ("year", today.date().replace(month=1, day=1)),
    ):
        found = Period(period, 1, "Europe/Berlin").at(seconds * SECOND)
        begin = datetime.fromtimestamp(found.begin // SECOND, zone)
        assert (begin.date(), begin.hour, begin.minute) == (first, 0, 0)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Tokyo", "2026-03-29", 24),
    ],
)
def test_the_days_on_which_clocks_are_set(zone: str, day: str, hours: float) -> None:
    found = Period("day", 1, zone).at(at(f"{day}T12:00", zone))
    assert found.end - found.begin == hours * 3_600 * SECOND


def test_half_an_hour_between_two_full_ones_is_a_window_of_its_own() -> None:
    """In Colombo the clock was put back from half past twelve to twelve."""
    zone = "Asia/Colombo"
    hour = Period("hour", 1, zone)
    short = hour.at(at("2006-04-15T00:15", zone))
    after = hour.at(short.end)
    assert short.end - short.begin == 1_800 * SECOND
    assert after.number > short.number > hour.at(short.begin - 1).number


def test_the_hour_in_which_1970_began_has_a_number() -> None:
    """As a machine has it that lost its clock."""
    assert min(Period("hour", 1, zone).at(0).number for zone in ZONES) > 0


def test_several_months_are_quarters_and_lengths_are_counted_from_1970() -> None:
    quarter = Period("month", 3).at(at("2026-11-30"))
    assert (quarter.begin, quarter.end) == (at("2026-10-01"), at("2027-01-01"))
    tens = Period("second", 10).at(1_234_567_890_123_456_789)
    assert (tens.begin, tens.end) == (1_234_567_890 * SECOND, 1_234_567_900 * SECOND)
    assert tens.number == 123_456_790


@pytest.mark.parametrize("text", ["month", "year", "day", "hour", "week"])
def test_the_end_of_the_calendar_is_no_fault(text: str) -> None:
    """As a log may have it, or a clock that is very wrong."""
    for time in (at("9799-12-31"), at("9999-12-31"), 10**30):
        found = Period(text, 1, "Asia/Tokyo").at(time)
        assert found.begin < found.end


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Period("minute", 60), Period("hour")),
        (Period("second", 86_400), Period("day")),
        (Period("hour", 48), Period("day", 2)),
        (Period("day", 1, "UTC"), Period("day")),
    ],
)
def test_the_same_windows_are_the_same_period(one: Period, other: Period) -> None:
    assert one == other
    assert str(one) == str(other)


def test_seven_days_from_1970_are_no_week_and_thirty_no_month() -> None:
    assert Period("day", 7) != Period("week")
    assert Period("day", 30) != Period("month")


@pytest.mark.parametrize(
    ("unit", "times", "zone", "why"),
    [
        ("day", 1, "Europe/Nowhere", 'unknown zone "Europe/Nowhere", expected one such as'),
        ("day", 1, "../etc/passwd", 'unknown zone "../etc/passwd"'),
        ("day", 1, "localtime", 'unknown zone "localtime"'),  # is another one on each machine
        ("day", 1, "Europe", 'unknown zone "Europe"'),
        ("day", 1, "E" * 10_000, 'unknown zone "EEE'),
        ("minute", 1, "Asia/Tokyo", "a window of a minute is the same in each zone"),
        ("hour", 5, "Asia/Tokyo", "a window of 5 hours is the same in each zone, or has no place"),
        ("year", 200, "", "a window of 200 years, expected 1 second to 146 years"),
        ("day", 0, "", "a window of 0 days, expected 1 second"),
        ("day", 10**40, "", "a window of 1000000000000"),
    ],
)
def test_what_is_no_period_is_named(unit: str, times: int, zone: str, why: str) -> None:
    with pytest.raises(LimitError, match=why) as raised:
        Period(unit, times, zone)
    assert len(str(raised.value)) < 300
