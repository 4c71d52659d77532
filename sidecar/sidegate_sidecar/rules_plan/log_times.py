"""Log times: the moments that access logs write, in ns since 1970. It reads no clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from sidegate.errors import shown
from sidegate_sidecar.rules_plan.logged_request import BadLine

MAX_SECONDS: Final = 253_402_300_799  # the end of the year 9999, which is what can be written out
_MAX_TEXTS: Final = 1_024  # remembered: lines of one second have the same
_MAX_TEXT: Final = 64  # characters; the longest has 36
_NS: Final = 10**9
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS: Final = {
    "Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6,
    "Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12,
}  # fmt: skip
_COMMON: Final = re.compile(
    r"(\d{1,2})/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
    r"(?: ([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"\d{1,19}(?:\.\d{1,9})?", re.ASCII)
# From which number on it isn't seconds, but 1/1,000, 1/1,000,000 or ns. Seconds end in 5138.
_FINER: Final = ((10**17, 1), (10**14, 10**3), (10**11, 10**6))
_EXPECTED: Final = (
    "expected a time such as 10/Oct/2026:13:55:36 +0000, 2026-10-10T13:55:36Z or seconds since 1970"
)


def log_time(value: object) -> int:
    """Return the moment that a text or a number says; BadLine if it is none from 1970 to 9999.

    What names no time zone is UTC.
    """
    if isinstance(value, str) and len(value) <= _MAX_TEXT:
        return _text_time(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_time(value)
    raise BadLine(f"{shown(value)}: {_EXPECTED}")


@lru_cache(_MAX_TEXTS)
def _text_time(text: str) -> int:
    if _NUMBER.fullmatch(text):
        return _number_time(float(text) if "." in text else int(text))
    try:
        found = _COMMON.fullmatch(text)
        moment = _common(found) if found else datetime.fromisoformat(text.strip("[]"))
        since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, KeyError, OverflowError):
        raise BadLine(f"{shown(text)}: {_EXPECTED}") from None
    return _checked((since.days * 86_400 + since.seconds) * _NS + since.microseconds * 1_000, text)


def _common(found: re.Match[str]) -> datetime:
    day, month, year, hour, minute, second, part, sign, hours, minutes = found.groups(default="")
    zone = UTC
    if sign:
        ahead = timedelta(hours=int(hours), minutes=int(minutes))
        zone = timezone(ahead if sign == "+" else -ahead)
    return datetime(
        int(year),
        _MONTHS[month],
        int(day),
        int(hour),
        int(minute),
        59 if second == "60" else int(second),  # a leap second is the one before it
        int(part[:6].ljust(6, "0")),
        zone,
    )


def _number_time(number: float) -> int:
    for least, ns in _FINER:
        if number >= least:
            return _checked(int(number) * ns, number)
    if isinstance(number, int):
        return _checked(number * _NS, number)
    return _checked(round(number * 10**6) * 1_000, number)  # a float has no more than that


def _checked(ns: int, value: object) -> int:
    if 0 <= ns <= MAX_SECONDS * _NS:
        return ns
    raise BadLine(f"{shown(value)}: {_EXPECTED}, from 1970 to 9999")


def time_text(ns: int) -> str:
    """Return a moment as people and scripts read it, to the second."""
    return (_EPOCH + timedelta(seconds=ns // _NS)).strftime("%Y-%m-%dT%H:%M:%SZ")
