"""A storage's sidecar that counts what it is asked."""

from collections.abc import Sequence
from typing import Any, cast

from sidegate.buckets.decision import Decision
from sidegate.buckets.limits import Limits
from sidegate.compat.limits import AsyncSidegateStorage, SidegateStorage
from sidegate.compat.limits.in_process import InProcess


class Asked(InProcess):
    """Decides in this process, and counts the ways there and back."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0

    def check(self, key: str, limits: Limits, cost: int) -> Decision:
        self.times += 1
        return super().check(key, limits, cost)

    def check_all(self, checks: Sequence[tuple[str, Limits, int]]) -> list[Decision | None]:
        before = self.times
        made = super().check_all(checks)
        self.times = before + 1
        return made


def counted() -> tuple[SidegateStorage, Asked]:
    """Return a storage, and who is asked by it."""
    storage, asked = SidegateStorage("sidegate://"), Asked()
    cast("Any", storage)._client = asked
    return storage, asked


def counted_in_loops() -> tuple[AsyncSidegateStorage, Asked]:
    """Return a storage for event loops, and who is asked by it."""
    storage, asked = AsyncSidegateStorage("async+sidegate+memory://"), Asked()
    cast("Any", storage)._client._asked = asked
    return storage, asked
