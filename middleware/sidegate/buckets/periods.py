"""Periods: the windows of quotas, by the calendar of a zone or of one length. Pure.

A window begins where a clock on the wall shows it: hours at full hours, days at midnight, weeks on
Monday (ISO 8601), months and years on the first. So a day has 23 hours where daylight saving begins
and 25 where it ends, and where midnight is left out the day begins at the first moment after it.
Where a clock shows midnight twice the day has begun by the first. Windows without a zone are those
of UTC, and windows of seconds and minutes are counted from 1970 on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sidegate.errors import LimitError, quoted

_SECOND = 10**9  # ns
HOUR = 3_600
DAY = 86_400
# Clocks are set by half an hour too: then a window lasts as long, and yet has a number of its own.
# They are counted from an hour before 1970 on, for the one in which that began.
_QUARTER = HOUR // 4
UNITS = {  # seconds, the largest first; months and years as they are on paper
    "year": 365 * DAY,
    "month": 30 * DAY,
    "week": 7 * DAY,
    "day": DAY,
    "hour": HOUR,
    "minute": 60,
    "second": 1,
}
_MONTHS = {"month": 1, "year": 12}
_DAYS = {"day": 1, "week": 7}
_EXACT = ("day", "hour", "minute", "second")  # each a number of the next
_WEEKS_FROM = 3  # 1970-01-01 was the fourth day of its week
_EPOCH = date(1970, 1, 1).toordinal()
# Calendars end in 9999, and a window may last 146 years.
_LAST = (date(9800, 1, 1).toordinal() - _EPOCH) * DAY * _SECOND
_ZONE = re.compile(r"[A-Z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+)*")
MAX_SECONDS = 2**62 // _SECOND  # 146 years: in ns they fit in 63 bits
MAX_ZONE = 64  # characters, twice what the longest has


class Window(NamedTuple):
    """One window: its number, from 0 on, and when it begins and ends (ns since 1970, UTC)."""

    number: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Period:
    """Windows of `times` units, such as 1 day; `zone` is an IANA name, "" for UTC.

    LimitError for a zone that isn't known, and for one that says nothing about such windows.
    """

    unit: str
    times: int = 1
    zone: str = ""
    length: int = field(init=False, compare=False)  # s, on paper

    def __post_init__(self) -> None:
        unit, times = self.unit, self.times
        if not 1 <= times * UNITS[unit] <= MAX_SECONDS:
            raise LimitError(
                f"a window of {str(times)[:30]} {unit}s, expected 1 second to 146 years"
            )
        for larger in _EXACT if unit in _EXACT and not self.zone else ():
            if UNITS[unit] * times % UNITS[larger] == 0:
                unit, times = larger, UNITS[unit] * times // UNITS[larger]
                break
        if self.zone:
            if unit in ("minute", "second") or (unit == "hour" and times > 1):
                what = f"{times} {unit}s" if times > 1 else f"a {unit}"
                raise LimitError(
                    f"a window of {what} is the same in each zone, or has no place in its days:"
                    f" expected no {quoted(self.zone)}, or an hour, days, weeks, months or years"
                )
            zone_of(self.zone)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "zone", "" if self.zone == "UTC" else self.zone)
        object.__setattr__(self, "length", UNITS[unit] * times)

    def at(self, time: int) -> Window:
        """Return the window of a time (ns since 1970, UTC); calendars have none after 9800."""
        if self.unit in _MONTHS or self.zone:
            return self._by_calendar(min(time, _LAST))
        length = self.length * _SECOND
        from_ = _WEEKS_FROM * DAY * _SECOND if self.unit == "week" else 0
        index = (time + from_) // length
        begin = index * length - from_
        return Window(index + 1, begin, begin + length)

    def _by_calendar(self, time: int) -> Window:
        zone = zone_of(self.zone)
        if self.unit == "hour":
            return _hour_at(zone, time)
        index = self._index(_day_at(zone, time))
        begin, end = (_midnight(zone, self._first_day(it)) for it in (index, index + 1))
        return Window(index + 1, begin * _SECOND, end * _SECOND)

    def _index(self, day: int) -> int:
        """Return which window a day (its ordinal) is in, the one of 1970-01-01 being 0."""
        if months := _MONTHS.get(self.unit):
            it = date.fromordinal(day)
            return ((it.year - 1970) * 12 + it.month - 1) // (months * self.times)
        from_ = _WEEKS_FROM if self.unit == "week" else 0
        return (day - _EPOCH + from_) // (_DAYS[self.unit] * self.times)

    def _first_day(self, index: int) -> int:
        if months := _MONTHS.get(self.unit):
            years, month = divmod(index * months * self.times, 12)
            return date(1970 + years, month + 1, 1).toordinal()
        from_ = _WEEKS_FROM if self.unit == "week" else 0
        return index * _DAYS[self.unit] * self.times + _EPOCH - from_

    def __str__(self) -> str:
        """Write it as it is read after a "/"."""
        unit = self.unit if self.times == 1 else f"{self.times} {self.unit}s"
        return f"{unit} window {self.zone}" if self.zone else f"{unit} window"


@lru_cache(maxsize=1_024)
def zone_of(name: str) -> tzinfo:
    """Return a zone by its IANA name, UTC for ""; LimitError if there is none of that name."""
    if not name:
        return UTC
    try:
        if len(name) <= MAX_ZONE and _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        pass
    raise LimitError(
        f"unknown zone {quoted(name[:MAX_ZONE])}, expected one such as Europe/Berlin"
        " (a system without any zones needs the package tzdata)"
    )


def _hour_at(zone: tzinfo, time: int) -> Window:
    """Return the hour of a time: from one full hour that the clock shows to the next."""
    seconds = time // _SECOND
    begin = seconds - (seconds + _offset(zone, seconds)) % HOUR
    offset = _offset(zone, begin)
    if (begin + offset) % HOUR:  # the clock was set since, and by a part of an hour
        begin = seconds - (seconds + offset) % HOUR
        begin -= HOUR if _offset(zone, begin) != offset else 0
    end = _next_full_hour(zone, begin)
    return Window((begin + HOUR) // _QUARTER + 1, begin * _SECOND, end * _SECOND)


def _next_full_hour(zone: tzinfo, begin: int) -> int:
    for start in (begin, begin + HOUR):
        offsets = {_offset(zone, start), _offset(zone, start + HOUR)}
        found = [start + HOUR - (start + offset) % HOUR for offset in offsets]
        shown = [it for it in found if (it + _offset(zone, it)) % HOUR == 0]
        if shown:
            return min(shown)
    raise AssertionError("a clock that was set twice within two hours")


def _day_at(zone: tzinfo, time: int) -> int:
    """Return the day of a time, as an ordinal."""
    seconds = time // _SECOND
    day = _local(zone, seconds).toordinal()
    return day + 1 if _midnight(zone, day + 1) <= seconds else day


@lru_cache(maxsize=4_096)
def _midnight(zone: tzinfo, day: int) -> int:
    """Return the first second (since 1970, UTC) at which a clock shows that day or a later one."""
    midnight = datetime.fromordinal(day)
    earlier, later = (int(midnight.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (1, 0))
    if earlier >= later:  # it comes once, or twice: the first counts
        return later
    while earlier < later:  # the clock was put forward over it, somewhere between these
        middle = (earlier + later) // 2
        if _local(zone, middle).toordinal() >= day:
            later = middle
        else:
            earlier = middle + 1
    return later


def _local(zone: tzinfo, seconds: int) -> datetime:
    # Not by fromtimestamp, which has its own bounds on some systems.
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(zone)


def _offset(zone: tzinfo, seconds: int) -> int:
    offset = _local(zone, seconds).utcoffset()
    assert offset is not None
    return offset // timedelta(seconds=1)
