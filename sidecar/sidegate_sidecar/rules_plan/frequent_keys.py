"""FrequentKeys: which keys come most, of however many, in a bounded memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.reports.space_saving import SpaceSaving, lot_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from sidegate_sidecar.reports.space_saving import Lot

COUNTERS: Final = 4_096
MAX_BYTES: Final = 2 << 20
MAX_WAITING: Final = 8_192  # different keys that wait to be counted together


class FrequentKeys:
    """Counts keys. What is said of one is never too small."""

    def __init__(self) -> None:
        self._waiting: Counter[str] = Counter()
        self._counts = SpaceSaving(COUNTERS, MAX_BYTES)

    def add(self, key: str) -> None:
        """Count a key once."""
        self._waiting[key] += 1
        if len(self._waiting) >= MAX_WAITING:
            self._fold()

    def ranked(self, most: int) -> list[tuple[str, int, int]]:
        """Return (key, count, how much too large it may be), most first."""
        self._fold()
        return self._counts.ranked()[:most]

    def _fold(self) -> None:
        if self._waiting:
            self._counts.add(_made(lot_of(self._waiting, self._counts.most)))
            self._waiting = Counter()


def _made(steps: Generator[int, None, Lot]) -> Lot:
    """Return a lot at once: nobody else waits for this thread."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            lot: Lot = end.value
            return lot
