"""Reserving in an event loop: `async with client.reserve(…) as reserved:`."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from sidegate.client.holds.reservation import NOTHING, HeldPart, HeldTokens
from sidegate.client.holds.wanted_hold import (
    commit_question,
    decision_of,
    require_done,
    tokens,
)
from sidegate.errors import SidegateError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from sidegate.buckets.decision import Decision
    from sidegate.client.holds.wanted_hold import WantedHold
    from sidegate.client.session import Session
    from sidegate.protocol.holds.reservation_messages import Reserved

log = logging.getLogger("sidegate")

RETRY_AFTER: Final = 0.1  # seconds; twice as long each time, up to
RETRY_AT_MOST: Final = 5.0
MAX_RETRYING: Final = 1_024  # commits of a loop that wait for a sidecar: 2 MB


class LoopReservation(HeldTokens):
    """What is held for the block of an `async with client.reserve(…)`."""

    def __init__(self, session: Session, parts: Sequence[HeldPart]) -> None:
        super().__init__(parts)
        self._session = session

    async def add(self, amount: int) -> bool:
        """Hold so many tokens more, if all buckets have them; tell whether they had.

        It is charged as a check is, and False too once the reservation is over. Of several keys
        all get it, or none may use it.
        """
        more = tokens(amount)
        for part in self._parts:
            if not await self._add_to(part, more):
                return False
        for part in self._parts:
            part.granted += more
        return True

    async def _add_to(self, part: HeldPart, more: int) -> bool:
        if part.id == NOTHING:  # then more is asked for as the first was
            return part.begins(await held_in(self._session, part.wanted, more))
        ask = partial(part.wanted.reserve, more=part.id, amount=more)
        found = await self._session.hold(ask)
        if found is None or found.answer[0] != 1:
            return False
        part.id = found.reservation or part.id  # nobody who holds it could be asked
        return True


class LoopReserving:
    """Reserves when its block begins, and commits when it ends.

    `decision` is the Decision of the key that was denied, else of the first; None before.
    """

    def __init__(
        self,
        session_of: Callable[[], Session],
        wanted: Sequence[Callable[[], Awaitable[WantedHold]]],
        retrying: set[asyncio.Task[None]],
    ) -> None:
        self.decision: Decision | None = None
        self._session_of = session_of
        self._wanted = wanted
        self._retrying = retrying
        self._session: Session | None = None
        self._held: LoopReservation | None = None

    async def __aenter__(self) -> LoopReservation | None:
        session = self._session = self._session_of()
        parts: list[HeldPart] = []
        held = LoopReservation(session, parts)
        try:
            for wanted in self._wanted:
                part = await self._reserve(session, await wanted())
                self.decision = part.decision
                if not part.decision.allowed:
                    await self._commit(session, held.commits(failed=True))
                    return None
                parts.append(part)
        except BaseException:
            await self._commit(session, held.commits(failed=True))
            raise
        self.decision = parts[0].decision
        self._held = held
        return held

    async def _reserve(self, session: Session, wanted: WantedHold) -> HeldPart:
        """Reserve one key; who is cancelled meanwhile has what was charged given back."""
        task = session.loop.create_task(held_in(session, wanted))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(partial(self._give_back, session))
            raise

    def _give_back(self, session: Session, task: asyncio.Task[HeldPart]) -> None:
        if not task.cancelled() and task.exception() is None and (number := task.result().id):
            self._begin(session, number, 0)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session, held = self._session, self._held
        if session is not None and held is not None:
            self._held = None
            await self._commit(session, held.commits(failed=kind is not None))

    async def _commit(self, session: Session, commits: list[tuple[str, int]]) -> None:
        """Have these committed: within a budget, or in the background."""
        tasks = [self._begin(session, *commit) for commit in commits]
        if tasks:
            await asyncio.wait(tasks, timeout=session.budget)

    def _begin(self, session: Session, number: str, actual: int) -> asyncio.Task[None]:
        task = session.loop.create_task(self._commit_one(session, number, actual))
        self._retrying.add(task)
        task.add_done_callback(self._retrying.discard)
        return task

    async def _commit_one(self, session: Session, number: str, actual: int) -> None:
        pause = RETRY_AFTER
        ask = partial(commit_question, reservation=number, actual=actual)
        while (found := await session.hold(ask)) is None:
            if pause > RETRY_AT_MOST or session.is_closed or len(self._retrying) > MAX_RETRYING:
                log.warning("a reservation could not be committed; at its end it is given back")
                if (this := asyncio.current_task()) is not None:
                    self._retrying.discard(this)  # now: others look in the same turn
                return
            await asyncio.sleep(pause)
            pause *= 2
        try:
            require_done(found)
        except SidegateError as error:
            log.warning("a reservation was not committed: %s", error)


async def held_in(session: Session, wanted: WantedHold, amount: int | None = None) -> HeldPart:
    """Reserve in a loop; where nobody can be asked it is decided as a check is, and nothing held.

    ReservationError and CheckError.
    """
    cost = wanted.check[2] if amount is None else amount
    found = await session.hold(partial(wanted.reserve, amount=amount))
    if found is None:
        key, text, _ = wanted.check
        made = session.decides_alone()((key, text, cost), wanted.limits)
        return HeldPart(wanted, wanted.enforced(made), NOTHING, cost)
    return part_of(wanted, found, cost)


def part_of(wanted: WantedHold, found: Reserved, cost: int) -> HeldPart:
    """Return what is held by what a sidecar says."""
    made = wanted.enforced(decision_of(found, wanted, cost))
    granted = found.held if found.reservation else cost
    return HeldPart(wanted, made, found.reservation, granted)
