"""In threads: a span around each check that belongs to a trace that is sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidegate.client.shared import Shared
from sidegate.errors import CheckError
from sidegate.telemetry.tally import outcome_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Span

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.denials import Denials
    from sidegate.client.unreachable.alone import Alone
    from sidegate.link.blocking.exchange import Question
    from sidegate.link.endpoint import Endpoint


class TracedShared(Shared):
    """What the threads of a process share, where what becomes of their checks is told."""

    def __init__(self, options: Endpoint, alone: Alone, denials: Denials | None) -> None:
        super().__init__(options, alone, denials)
        assert options.telemetry is not None  # else it would be a Shared
        self._telemetry = options.telemetry

    def recall(self, key: str, limits: Limits, cost: int, now: int) -> Decision | None:
        """Return a denial that still holds."""
        denial = super().recall(key, limits, cost, now)
        if denial is not None:
            self._telemetry.recalled(key, denial)
        return denial

    def spend(self, key: str, limits: Limits, cost: int, now: int) -> Decision | None:
        """Return the decision of a check that leases can make."""
        made = super().spend(key, limits, cost, now)
        if made is not None:
            self._telemetry.recalled(key, made)
        return made

    def decide(self, question: Question, limits: Limits) -> Decision:
        """Return the decision. CheckError."""
        span = self._begin(question)
        try:
            made = super().decide(question, limits)
        except CheckError as error:
            self._tell(question, span, error)
            raise
        self._tell(question, span, made)
        return made

    def decide_all(
        self, asked: Sequence[tuple[Question, Limits]]
    ) -> list[Decision | BaseException]:
        """Return the decisions, or the CheckErrors in their place."""
        spans = [self._begin(question) for question, _ in asked]
        made = super().decide_all(asked)
        for (question, _), span, one in zip(asked, spans, made, strict=True):
            self._tell(question, span, one)
        return made

    def _begin(self, question: Question) -> Span | None:
        span = self._telemetry.begin()
        if span is not None:
            question.trace = self._telemetry.trace_of(span)
        return span

    def _tell(self, question: Question, span: Span | None, made: Decision | BaseException) -> None:
        telemetry, key = self._telemetry, question.check[0]
        telemetry.count({outcome_of(key, made): 1})
        if span is not None:
            telemetry.end(span, key, made)
