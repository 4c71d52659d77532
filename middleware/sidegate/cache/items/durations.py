"""Durations as people write them, "1h30m" or 90. Pure."""

from __future__ import annotations

import re

from sidegate.errors import shown

MICROSECONDS = {"ms": 1_000, "s": 10**6, "m": 60 * 10**6, "h": 3_600 * 10**6, "d": 86_400 * 10**6}
MAX_DURATION = 366 * MICROSECONDS["d"]
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*(ms|s|m|h|d)\s*")
_EXPECTED = 'expected seconds, or a text such as "5m", "1h30m" or "250ms", up to 366 days'


def parse_duration(option: str, value: object, *, least: int = 0) -> int:
    """Return microseconds; ValueError names the option for what is none, or below `least`."""
    time = _parsed(value)
    if time is None or not least <= time <= MAX_DURATION:
        more = ", and more than 0" if least else ""
        raise ValueError(f"{option}={shown(value)}: {_EXPECTED}{more}")
    return time


def _parsed(value: object) -> int | None:
    if isinstance(value, str):
        return _of_text(value.strip())
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return round(value * 1e6)
    return None


def _of_text(text: str) -> int | None:
    at, total = 0, 0.0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        total += float(part[1]) * MICROSECONDS[part[2]]
        at = part.end()
    return round(total) if text else None
