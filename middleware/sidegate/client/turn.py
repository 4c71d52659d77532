"""A turn: the checks that one turn of an event loop makes, and who waits for their answers."""

from __future__ import annotations

from asyncio import InvalidStateError
from typing import TYPE_CHECKING

from sidegate.buckets.decision import Decision, Source
from sidegate.client.answers import decision
from sidegate.errors import CheckError

LONE_TURNS = 8  # in a row: who is wrong needs a frame more, 8 µs, once in so many turns

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from sidegate.buckets.limits import Limits
    from sidegate.client.unreachable.alone import Alone
    from sidegate.link.link import Link
    from sidegate.protocol.messages import Answer, Answers, Check, Trace

    class Deciding(Protocol):
        """What a turn needs of its session."""

        alone: Alone

        def note_denial(self, key: str, denial: Decision, asked_at: int) -> None:
            """Remember a denial, as of when it was asked."""
            ...

        def decides_alone(self) -> Callable[[Check, Limits], Decision]:
            """Return what decides checks that get no answer."""
            ...


class LoneTurns:
    """Counts the turns in a row that had one check, with nothing else in flight on the link.

    After some the next check is taken for a lone one too, and sent without waiting for the end of
    its turn: 0.6 µs of 21, on asyncio 1.6 of 29. Others that follow it after all find it in flight,
    leave together, and begin the count anew.
    """

    __slots__ = ("_count", "_link")

    def __init__(self, link: Link | None) -> None:
        self._link = link
        self._count = 0

    @property
    def go_on(self) -> bool:
        """Is a check that comes now taken for a lone one?"""
        link = self._link
        return self._count >= LONE_TURNS and link is not None and not link.in_flight

    def note(self, checks: int) -> None:
        """Called when a turn is about to send so many checks at its end."""
        if checks:
            link = self._link
            is_lone = checks == 1 and link is not None and not link.in_flight
            self._count = self._count + 1 if is_lone else 0

    def end(self) -> None:
        """Begin the count anew."""
        self._count = 0


class Turn:
    """The checks, their limits, and the futures that wait. It is the asker of their frame."""

    __slots__ = ("_session", "asked_at", "checks", "futures", "limits")

    traces: list[Trace] | None = None  # of those who trace, which is another class

    def __init__(self, session: Deciding) -> None:
        self._session = session
        self.asked_at = 0  # ns
        self.checks: list[Check] = []
        self.limits: list[Limits] = []
        self.futures: list[asyncio.Future[Decision]] = []

    def answered(self, answers: Answers) -> None:
        """Resolve the futures; the plain case, all allowed by the owner, without detours."""
        if self._session.alone.is_out:
            self._session.alone.answered()
        if answers.source != Source.OWNER or answers.positions is not None:
            self._answered_otherwise(answers)
            return
        node, owner = answers.node, Source.OWNER
        known, size = None, 0  # most checks of a turn have the same limits
        asked = zip(self.futures, self.limits, self.checks, answers.answers, strict=True)
        for future, limits, check, answer in asked:
            if limits is not known:
                known, size = limits, len(limits.items) + 2 * len(limits.windows) + 1
            if type(answer) is list and answer[0] and len(answer) == size:
                del answer[0]  # the debts are left, without a copy of them
                try:  # instead of asking future.done(): 2 % of a check under load
                    future.set_result(Decision(True, limits, check[2], answer, owner, node))
                except InvalidStateError:  # its caller gave up
                    continue
            else:
                self._settle(future, limits, check, answers, answer)

    def _answered_otherwise(self, answers: Answers) -> None:
        positions = answers.positions
        for position, answer in zip(
            range(len(self.checks)) if positions is None else positions,
            answers.answers,
            strict=True,
        ):
            check, limits = self.checks[position], self.limits[position]
            self._settle(self.futures[position], limits, check, answers, answer)

    def _settle(
        self,
        future: asyncio.Future[Decision],
        limits: Limits,
        check: Check,
        answers: Answers,
        answer: Answer,
    ) -> None:
        if future.done():
            return  # its caller gave up
        key, _, cost = check
        try:
            made = decision(answers, answer, limits, cost)
        except CheckError as error:
            future.set_exception(error)
            return
        future.set_result(made)
        if not made.allowed:
            self._session.note_denial(key, made, self.asked_at)

    def unanswered(self, positions: Sequence[int] | None) -> None:
        """Decide without the sidecar: here, since it can't."""
        decide = self._session.decides_alone()
        for position in range(len(self.checks)) if positions is None else positions:
            future = self.futures[position]
            if not future.done():
                future.set_result(decide(self.checks[position], self.limits[position]))
