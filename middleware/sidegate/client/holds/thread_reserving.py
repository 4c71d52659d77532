"""Reserving in a thread: `with client.reserve(…) as reserved:`."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from sidegate.client.holds.loop_reserving import part_of
from sidegate.client.holds.reservation import NOTHING, HeldPart, HeldTokens
from sidegate.client.holds.wanted_hold import commit_question, require_done, tokens
from sidegate.errors import SidegateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from sidegate.buckets.decision import Decision
    from sidegate.client.holds.wanted_hold import WantedHold
    from sidegate.client.shared import Shared

log = logging.getLogger("sidegate")

ATTEMPTS: Final = 3  # of a commit, each within a budget: a thread has nobody who could try later


class ThreadReservation(HeldTokens):
    """What is held for the block of a `with client.reserve(…)`."""

    def __init__(self, shared: Shared, parts: Sequence[HeldPart]) -> None:
        super().__init__(parts)
        self._shared = shared

    def add(self, amount: int) -> bool:
        """Hold so many tokens more, if all buckets have them; tell whether they had.

        As `LoopReservation.add`.
        """
        more = tokens(amount)
        if not all(self._add_to(part, more) for part in self._parts):
            return False
        for part in self._parts:
            part.granted += more
        return True

    def _add_to(self, part: HeldPart, more: int) -> bool:
        if part.id == NOTHING:
            return part.begins(held_by(self._shared, part.wanted, more))
        ask = partial(part.wanted.reserve, more=part.id, amount=more)
        found = self._shared.hold(ask)
        if found is None or found.answer[0] != 1:
            return False
        part.id = found.reservation or part.id  # nobody who holds it could be asked
        return True


class ThreadReserving:
    """Reserves when its block begins, and commits when it ends.

    `decision` is the Decision of the key that was denied, else of the first; None before.
    """

    def __init__(
        self, shared_of: Callable[[], Shared], wanted: Sequence[Callable[[], WantedHold]]
    ) -> None:
        self.decision: Decision | None = None
        self._shared_of = shared_of
        self._wanted = wanted
        self._held: ThreadReservation | None = None

    def __enter__(self) -> ThreadReservation | None:
        shared = self._shared_of()
        parts: list[HeldPart] = []
        held = ThreadReservation(shared, parts)
        try:
            for wanted in self._wanted:
                part = held_by(shared, wanted())
                self.decision = part.decision
                if not part.decision.allowed:
                    self._commit(held.commits(failed=True))
                    return None
                parts.append(part)
        except BaseException:
            self._commit(held.commits(failed=True))
            raise
        self.decision = parts[0].decision
        self._held = held
        return held

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if (held := self._held) is not None:
            self._held = None
            self._commit(held.commits(failed=kind is not None))

    def _commit(self, commits: list[tuple[str, int]]) -> None:
        for number, actual in commits:
            ask = partial(commit_question, reservation=number, actual=actual)
            shared = self._shared_of()  # another one in a process that was forked since
            found = next((it for _ in range(ATTEMPTS) if (it := shared.hold(ask))), None)
            if found is None:
                log.warning("a reservation could not be committed; at its end it is given back")
                continue
            try:
                require_done(found)
            except SidegateError as error:
                log.warning("a reservation was not committed: %s", error)


def held_by(shared: Shared, wanted: WantedHold, amount: int | None = None) -> HeldPart:
    """Reserve in a thread; where nobody can be asked it is decided as a check is, and nothing held.

    ReservationError and CheckError.
    """
    cost = wanted.check[2] if amount is None else amount
    found = shared.hold(partial(wanted.reserve, amount=amount))
    if found is None:
        key, text, _ = wanted.check
        made = shared.decide_alone((key, text, cost), wanted.limits)
        return HeldPart(wanted, wanted.enforced(made), NOTHING, cost)
    return part_of(wanted, found, cost)
