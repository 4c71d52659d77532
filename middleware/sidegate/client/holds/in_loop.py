"""Holds in event loops: what a Client has of reservations."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING

from sidegate.client.config import Configured
from sidegate.client.holds.committed import Committed
from sidegate.errors import Unreachable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from sidegate.buckets.limits import Limits
    from sidegate.client.holds.loop_reserving import LoopReserving
    from sidegate.client.session import Session
    from sidegate.link.endpoint import Endpoint


class LoopHolds(Configured):
    """The reservations of a client, in any number of event loops."""

    _options: Endpoint
    _committing: set[asyncio.Task[None]]

    @abstractmethod
    def _here(self) -> Session:
        """Return the session of the running loop."""

    def reserve(
        self,
        key: str,
        limits: str | Limits,
        amount: int,
        ttl: float = 60,
        id: str | None = None,  # noqa: A002 - that is what it is called everywhere
        *,
        max_fraction: float = 1.0,
    ) -> LoopReserving:
        """Return what charges `amount` tokens when its block begins, and commits at its end.

            async with client.reserve(key, "20000/day", 5_000) as reserved:
                if reserved is None:
                    ...  # denied
                reserved.actual = 1_200

        All limits are charged, or none. Unless `actual` was set all stays charged that is held; an
        exception gives all back. After `ttl` seconds (up to an hour) all is given back, and what is
        committed later is charged then. The same `id` (of this key) again within 10 minutes is the
        same reservation. More than `max_fraction` of the smallest burst is cut to that: see `held`.

        What can't be asked raises at once, as in `check`.
        """
        return self.reserve_all([(key, limits)], amount, ttl, id, max_fraction=max_fraction)

    def reserve_all(
        self,
        keys: Iterable[tuple[str, str | Limits]],
        amount: int,
        ttl: float = 60,
        id: str | None = None,  # noqa: A002 - as in `reserve`
        *,
        max_fraction: float = 1.0,
    ) -> LoopReserving:
        """Return what reserves the same amount of several keys, each with limits of its own.

        One after the other; where one is denied, those before are given back. Up to 8 keys.
        """
        from sidegate.client.holds.loop_reserving import LoopReserving  # noqa: PLC0415 - few want it
        from sidegate.client.holds.wanting import wanted_in_loop  # noqa: PLC0415

        asked = amount, ttl, id, max_fraction
        wanted = wanted_in_loop(self, keys, asked, self._options.budget)
        return LoopReserving(self._here, wanted, self._committing)

    async def commit(self, reservation_id: str, actual: int) -> Committed:
        """Say how many tokens a reservation has used, by the id that it had here or elsewhere.

        What is left is given back, and what is missing is charged. The second time nothing is
        changed. Once it has been over for 10 minutes it is a ReservationError, as is an id that no
        sidecar of this cluster has given. Unreachable if no answer has come: say it again.
        """
        from sidegate.client.holds.wanted_hold import (  # noqa: PLC0415 - few want it
            commit_question,
            committed_of,
        )

        asked = commit_question(0, reservation_id, actual)
        if not reservation_id:  # nobody could be asked then, and nothing was held
            return Committed(asked.actual, 0, 0)
        ask = partial(commit_question, reservation=reservation_id, actual=actual)
        found = await self._here().hold(ask)
        if found is None:
            raise Unreachable(reservation_id, "the reservation could not be committed")
        return committed_of(found)
