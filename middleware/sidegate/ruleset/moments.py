"""Moments: the end of an override, as it is written and as seconds. It reads no clock."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from sidegate.errors import shown

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(rf"{_DAY.pattern}[Tt ][0-9:.]{{5,15}}([Zz]|[+-][0-9]{{2}}:[0-9]{{2}})")


def canonical_moment(text: str) -> str:
    """Return the moment that a text names, in UTC; a day lasts to its end.

    ValueError for any other text.
    """
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text) + timedelta(days=1)
            return f"{day.isoformat()}T00:00:00Z"
        if _MOMENT.fullmatch(text):
            moment = datetime.fromisoformat(text.upper()).astimezone(UTC).replace(microsecond=0)
            return moment.isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        f"{shown(text)}: expected a day such as 2027-01-31, which is the last, or a moment such as"
        " 2027-01-31T12:00:00Z"
    )


def seconds_of(moment: str) -> float:
    """Return a canonical moment in seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()
