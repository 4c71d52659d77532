"""Percentiles of measured times. Pure."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the least of the ordered values that so many percent of them are not above.

    That is one which was measured, never one in between. ValueError when there are none.
    """
    if not ordered:
        raise ValueError("expected at least one value")
    rank = ceil(round(len(ordered) * percent / 100, 9))  # 99.9 % of 1000 is 999, not 999.0000001
    return ordered[max(rank, 1) - 1]


class Times(msgspec.Struct, frozen=True):
    """How long something took, in milliseconds rounded to microseconds."""

    p50: float
    p90: float
    p99: float
    max: float


def times(ordered: Sequence[float]) -> Times | None:
    """Return the percentiles of ordered seconds, None when there are none."""
    if not ordered:
        return None
    return Times(*(milliseconds(percentile(ordered, percent)) for percent in (50, 90, 99, 100)))


def milliseconds(seconds: float) -> float:
    """Return seconds as milliseconds, rounded to microseconds."""
    return round(seconds * 1e3, 3)
