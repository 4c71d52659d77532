"""Rates: limits as slowapi's users write them, such as "5 per minute; 100/2 hours". Pure."""

from __future__ import annotations

import re
from functools import lru_cache, total_ordering
from typing import TYPE_CHECKING, Final, NamedTuple

from sidegate.buckets.limits import MAX_TEXT, parse_limits
from sidegate.errors import LimitError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence


class Granularity(NamedTuple):
    """A unit of time: how long it is, and its name."""

    seconds: int
    name: str


_DAY = 86_400
_GRANULARITIES: Final = {
    name: Granularity(seconds, name)
    for name, seconds in (
        ("second", 1),
        ("minute", 60),
        ("hour", 3_600),
        ("day", _DAY),
        ("month", 30 * _DAY),
        ("year", 360 * _DAY),  # as the library limits has it, for who reads it; ours has 365
    )
}
_RATE = re.compile(r"([0-9]+)\s*(?:/|per)\s*([0-9]+)?\s*([a-z]+)", re.IGNORECASE)
NAMESPACE: Final = "LIMITER"  # with which keys begin


@total_ordering
class RateLimitItem:
    """So many hits in a window: `amount` in `multiples` of its `GRANULARITY`.

    As text it is "5 per 1 minute"; the one with the shorter unit is the smaller one.
    """

    def __init__(self, amount: int, multiples: int, granularity: Granularity) -> None:
        """LimitError for what no limit can be."""
        self.namespace = NAMESPACE
        self.amount = amount
        self.multiples = multiples
        self.GRANULARITY = granularity
        self.bucket = parse_limits(self._text).items[0]
        self.window = parse_limits(f"{self._text} window").items[0]

    @property
    def _text(self) -> str:
        return f"{self.amount}/{self.multiples} {self.GRANULARITY.name}"

    def get_expiry(self) -> int:
        """Return the length of its window in seconds."""
        return self.GRANULARITY.seconds * self.multiples

    def key_for(self, *identifiers: object) -> str:
        """Return the key under which slowapi counts for these, "LIMITER/KEY/SCOPE/5/1/minute"."""
        parts = [text_of(it) for it in identifiers]
        return "/".join([self.namespace, *parts, *map(str, self._counted)])

    @property
    def _counted(self) -> tuple[int, int, str]:
        return self.amount, self.multiples, self.GRANULARITY.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RateLimitItem) and self._counted == other._counted

    def __lt__(self, other: RateLimitItem) -> bool:
        return self.GRANULARITY.seconds < other.GRANULARITY.seconds

    def __hash__(self) -> int:
        return hash(self._counted)

    def __repr__(self) -> str:
        return f"{self.amount} per {self.multiples} {self.GRANULARITY.name}"


def parse_many(text: object) -> Sequence[RateLimitItem]:
    """Return the rates in a text, joined by ";", "," or "|". LimitError, a ValueError, names it.

    What was read is remembered, 1,024 texts of it: functions say the same ones again and again.
    """
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise LimitError(f'{shown(text)}: expected a text such as "5/minute", of 1,024 characters')
    return _read(text)


@lru_cache(maxsize=1_024)
def _read(text: str) -> Sequence[RateLimitItem]:
    return tuple(_parse(part.strip(), text) for part in re.split("[;,|]", text))


def _parse(part: str, text: str) -> RateLimitItem:
    match = _RATE.fullmatch(part)
    unit = match[3].lower().removesuffix("s") if match else ""
    if match is None or unit not in _GRANULARITIES:
        raise LimitError('expected a limit such as "5/minute" or "5 per 2 hours"', part, text)
    return RateLimitItem(int(match[1]), int(match[2] or 1), _GRANULARITIES[unit])


def text_of(identifier: object) -> str:
    """Return a part of a key as text."""
    return identifier.decode(errors="replace") if isinstance(identifier, bytes) else str(identifier)
