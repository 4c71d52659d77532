"""Holds in threads: what a BlockingClient has of reservations."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING

from sidegate.client.config import Configured
from sidegate.client.holds.committed import Committed
from sidegate.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.buckets.limits import Limits
    from sidegate.client.holds.thread_reserving import ThreadReserving
    from sidegate.client.shared import Shared
    from sidegate.link.endpoint import Endpoint


class ThreadHolds(Configured):
    """The reservations of a blocking client."""

    _options: Endpoint

    @abstractmethod
    def _here(self) -> Shared:
        """Return what this process shares."""

    def reserve(
        self,
        key: str,
        limits: str | Limits,
        amount: int,
        ttl: float = 60,
        id: str | None = None,  # noqa: A002 - that is what it is called everywhere
        *,
        max_fraction: float = 1.0,
    ) -> ThreadReserving:
        """Return what charges `amount` tokens when its block begins, and commits at its end.

        As `Client.reserve`. Each question dials the sidecar, so as not to hold up the checks of
        others; a commit that gets no answer is tried three times.
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
    ) -> ThreadReserving:
        """Return what reserves the same amount of several keys, each with limits of its own.

        As `Client.reserve_all`.
        """
        from sidegate.client.holds.thread_reserving import (  # noqa: PLC0415 - few want it
            ThreadReserving,
        )
        from sidegate.client.holds.wanting import wanted_in_thread  # noqa: PLC0415

        asked = amount, ttl, id, max_fraction
        wanted = wanted_in_thread(self, keys, asked, self._options.budget)
        return ThreadReserving(self._here, wanted)

    def commit(self, reservation_id: str, actual: int) -> Committed:
        """Say how many tokens a reservation has used, by the id that it had here or elsewhere.

        As `Client.commit`.
        """
        from sidegate.client.holds.wanted_hold import (  # noqa: PLC0415 - few want it
            commit_question,
            committed_of,
        )

        asked = commit_question(0, reservation_id, actual)
        if not reservation_id:
            return Committed(asked.actual, 0, 0)
        found = self._here().hold(
            partial(commit_question, reservation=reservation_id, actual=actual)
        )
        if found is None:
            raise Unreachable(reservation_id, "the reservation could not be committed")
        return committed_of(found)
