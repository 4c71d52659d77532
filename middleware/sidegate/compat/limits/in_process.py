"""Limits of one storage in this process alone: what sidegate+memory:// is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sidegate.client.answers import all_or_none
from sidegate.client.checks import refund_of
from sidegate.client.keys.key_lists import KeysForgotten
from sidegate.client.memory import HERE, STANDING, Memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits

_MILLION: Final = 1_000_000
_MICROSECOND: Final = 1_000  # ns


class WallMemory(Memory):
    """Goes by `time.time`, looked up each time: so it stands still where tests freeze that.

    In whole microseconds, which a float of today is exact to. Quotas go by it as it is.
    """

    def _now(self) -> int:
        return round(time.time() * _MILLION) * _MICROSECOND


class InProcess:
    """Asked as a client is; each has buckets of its own, but within `sidegate.testing.isolated`."""

    def __init__(self) -> None:
        self._own = WallMemory()

    def check(self, key: str, limits: Limits, cost: int) -> Decision:
        """Charge `cost` tokens to the key's buckets, if all have them."""
        decide = STANDING.decide or self._own.decide
        return decide((key, limits.asked, cost), limits)

    def decide_alone(self, key: str, limits: Limits, cost: int, _why: str) -> Decision:
        """Decide as ever: there is nobody else."""
        return self.check(key, limits, cost)

    def check_all(self, checks: Sequence[tuple[str, Limits, int]]) -> list[Decision | None]:
        """Make several checks: all are charged, or none."""
        made = [self.check(*check) for check in checks]
        return all_or_none([key for key, _, _ in checks], made, self._refund)

    def reset(self, key: str) -> dict[str, int]:
        """Make all buckets of a key full again."""
        return self._memory.fill(key)

    def reset_prefix(self, prefix: str) -> KeysForgotten:
        """Make all buckets full of all keys that begin so; return how many they were."""
        return KeysForgotten({HERE: self._memory.fill_all(prefix)}, [])

    def _refund(self, key: str, decision: Decision) -> None:
        if given := refund_of(key, decision, None):
            self._memory.refund(*given)

    @property
    def _memory(self) -> Memory:
        return STANDING.memory if STANDING.decide else self._own


class AwaitedInProcess:
    """The same for who awaits the answers."""

    def __init__(self) -> None:
        self._asked = InProcess()

    async def check(self, key: str, limits: Limits, cost: int) -> Decision:
        """As `InProcess.check`."""
        return self._asked.check(key, limits, cost)

    def decide_alone(self, key: str, limits: Limits, cost: int, _why: str) -> Decision:
        """As `InProcess.decide_alone`."""
        return self._asked.check(key, limits, cost)

    async def check_all(self, checks: Sequence[tuple[str, Limits, int]]) -> list[Decision | None]:
        """As `InProcess.check_all`."""
        return self._asked.check_all(checks)

    async def reset(self, key: str) -> dict[str, int]:
        """As `InProcess.reset`."""
        return self._asked.reset(key)

    async def reset_prefix(self, prefix: str) -> KeysForgotten:
        """As `InProcess.reset_prefix`."""
        return self._asked.reset_prefix(prefix)
