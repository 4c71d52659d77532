"""What was removed of late: older values that are still on their way don't come back. Pure.

They come from the former owner of a key, or from who had its lease to fill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND

if TYPE_CHECKING:
    from sidegate_sidecar.cache.fills import Item

KEPT_FOR = 60 * SECOND  # ns: as long as a lease may hold, and longer than a handover
MAX_REMOVED = 16_384  # 4 MB; beyond it nothing that is older is taken for a while


class Removed:
    """The keys that were removed; ("users", "") stands for a whole namespace. `now` is in ns."""

    def __init__(self) -> None:
        self._until: dict[Item, int] = {}  # the oldest first
        self._all_until = 0

    def __len__(self) -> int:
        return len(self._until)

    def add(self, item: Item, now: int) -> None:
        """Remember one."""
        self._until.pop(item, None)
        if len(self._until) >= MAX_REMOVED:
            self._all_until = now + KEPT_FOR
            self._until.clear()
        self._until[item] = now + KEPT_FOR

    def has(self, item: Item, now: int) -> bool:
        """Was it removed of late, as far as we know?"""
        if now < self._all_until:
            return True
        return any(now < self._until.get(it, 0) for it in (item, (item[0], "")))

    def tick(self, now: int) -> None:
        """Forget what is long ago."""
        while self._until:
            item = next(iter(self._until))
            if self._until[item] > now:
                break
            del self._until[item]
