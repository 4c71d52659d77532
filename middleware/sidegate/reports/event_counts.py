"""Event counts: what was recorded by name and key, until it is told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from sidegate.errors import shown
from sidegate.protocol.keys import OTHER
from sidegate.protocol.messages import MAX_KEY_BYTES
from sidegate.protocol.report_messages import (
    MAX_COUNT,
    MAX_EVENT_BYTES,
    MAX_EVENT_ROWS,
    MAX_SUM,
    Events,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.protocol.report_messages import EventRow

    Recorded: TypeAlias = tuple[str, str, int]  # name, key, value in millionths

MAX_KEYS: Final = 1_024  # that wait to be told; what is beyond them is counted without a key
MAX_NAMES: Final = 64  # of those that are counted without a key; what is beyond is "other"
MILLION: Final = 10**6
MAX_VALUE: Final = MAX_SUM // MILLION


def recorded(name: object, key: object, value: object) -> Recorded:
    """Return an event as it is counted; ValueError names what makes no sense, and what would."""
    if not (isinstance(name, str) and name_is_good(name)):
        why = f'1 to {MAX_EVENT_BYTES} bytes of text without ":"'
        raise ValueError(f"name={shown(name)}: expected {why}")
    if not (isinstance(key, str) and _size_of(key) <= MAX_KEY_BYTES):
        raise ValueError(f"key={shown(key)}: expected at most {MAX_KEY_BYTES} bytes of text")
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MAX_VALUE:
        raise ValueError(f"value={shown(value)}: expected a number from 0 to {MAX_VALUE:,}")
    return str.__str__(name), str.__str__(key), round(value * MILLION)


def name_is_good(name: str) -> bool:
    """Tell if an event may be called so."""
    return ":" not in name and 0 < _size_of(name) <= MAX_EVENT_BYTES


def _size_of(text: str) -> int:
    """Return how many bytes a text has; more than any may have, for half a surrogate pair."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return MAX_KEY_BYTES + 1


class EventCounts:
    """How often each event came, and its sum, by name and key. At most 1,089 of them.

    Nothing is lost but keys: of those that came too late only their event is counted, and of
    events that came too late only that there were others.
    """

    __slots__ = ("_counts", "_keyless")

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str | None], list[int]] = {}
        self._keyless = 0

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, name: str, key: str | None, count: int, total: int) -> None:
        """Count an event so many times, with that sum in millionths."""
        found = self._counts.get((name, key))
        if found is None:
            found = self._counts.setdefault(self._place_of(name, key), [0, 0])
        found[0] += count
        found[1] += total

    def _place_of(self, name: str, key: str | None) -> tuple[str, str | None]:
        """Return under what a new key is counted."""
        if key is not None and len(self._counts) - self._keyless < MAX_KEYS:
            return name, key
        if (name, None) not in self._counts:
            if self._keyless >= MAX_NAMES:
                name = OTHER
            self._keyless += (name, None) not in self._counts
        return name, None

    def take(self) -> list[EventRow]:
        """Return what is to be told, and count anew. What is too much for a row is in several."""
        counts, self._counts, self._keyless = self._counts, {}, 0
        return [
            (name, key, *part)
            for (name, key), (count, total) in counts.items()
            for part in _parts(count, total)
        ]


def _parts(count: int, total: int) -> Iterator[tuple[int, int]]:
    while count > MAX_COUNT or total > MAX_SUM:
        part = min(count, MAX_COUNT), min(total, MAX_SUM)
        yield part
        count, total = count - part[0], total - part[1]
    yield count, total


def frames(rows: list[EventRow], hops: int = 0) -> list[Events]:
    """Return the messages that tell these rows."""
    starts = range(0, len(rows), MAX_EVENT_ROWS)
    return [Events(rows[start : start + MAX_EVENT_ROWS], hops) for start in starts]
