"""Debounce: whether questions by the present ring would be in vain, since it changes all the time.

Pure. A question is answered by who holds the same ring. Where a cluster begins, each node passes
through as many rings as there are nodes, and would ask each other one on each of them.
"""

from __future__ import annotations

QUIET_FOR = 20 * 10**6  # ns: a change that comes sooner after another one is one of many
HOLD_AT_MOST = 250 * 10**6  # ns: where changes never end, some questions are in vain


class Debounce:
    """One change after a while holds nobody up; of many the last is waited for. Times in ns."""

    __slots__ = ("_changed_at", "_has_changed", "_is_held", "_let_go_at")

    def __init__(self) -> None:
        self._has_changed = False
        self._is_held = False
        self._changed_at: int | None = None
        self._let_go_at = 0

    def changed(self) -> None:
        """Called when the ring has changed, before the next `holds`."""
        self._has_changed = True

    def holds(self, now: int) -> bool:
        """Tell if it is better to wait with questions."""
        if self._has_changed:
            self._has_changed = False
            self._is_held |= self._is_recent(now)
            self._changed_at = now
        self._is_held &= self._is_recent(now) and now - self._let_go_at < HOLD_AT_MOST
        if not self._is_held:
            self._let_go_at = now
        return self._is_held

    def _is_recent(self, now: int) -> bool:
        return self._changed_at is not None and now - self._changed_at < QUIET_FOR
