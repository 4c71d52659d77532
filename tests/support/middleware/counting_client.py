"""A client that decides in this process, and counts what it is asked."""

from asyncio import Future
from collections.abc import Sequence

from sidegate import Client, Decision
from sidegate.buckets.limits import Limits


class CountingClient(Client):
    """Decides by the buckets of `sidegate.testing`, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__("memory")
        self.single: list[tuple[str, str]] = []  # of `check`: a key, and its limits
        self.together: list[list[tuple[str, str]]] = []  # of `check_all`

    def check(
        self,
        key: str,
        limits: str | Limits,
        cost: int = 1,
        *,
        default: str | Limits | None = None,
        sync: bool = False,
    ) -> Future[Decision]:
        self.single.append((key, _text(limits)))
        return super().check(key, limits, cost, default=default, sync=sync)

    async def check_all(
        self, checks: Sequence[tuple[str, str | Limits, int]]
    ) -> list[Decision | None]:
        self.together.append([(key, _text(limits)) for key, limits, _ in checks])
        before = len(self.single)
        decisions = await super().check_all(checks)
        del self.single[before:]  # of which it is made
        return decisions


def _text(limits: str | Limits) -> str:
    return limits if isinstance(limits, str) else limits.text
