"""In an event loop: spans begin with checks, and end with the answers to their turn."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sidegate.buckets.limits import BY_NAME
from sidegate.client.checks import synced
from sidegate.client.session import Session
from sidegate.client.turn import Turn
from sidegate.protocol.messages import MAX_TRACES
from sidegate.telemetry.tally import tally

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable, Sequence

    from opentelemetry.trace import Span

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.turn import Deciding
    from sidegate.client.unreachable.alone import Alone
    from sidegate.link.endpoint import Endpoint
    from sidegate.protocol.messages import Answers, Trace
    from sidegate.telemetry.checks import CheckTelemetry


class TracedCheck:
    """A client's `check`, which has a span where it belongs to a trace that is sampled.

    `turn` returns the one that is open in the running loop.
    """

    def __init__(
        self,
        check: Callable[..., Future[Decision]],
        turn: Callable[[], Turn | None],
        telemetry: CheckTelemetry,
    ) -> None:
        self._check = check
        self._turn = turn
        self._telemetry = telemetry

    def __call__(
        self,
        key: str,
        limits: str | Limits,
        cost: int = 1,
        *,
        default: str | Limits | None = None,
        sync: bool = False,
    ) -> Future[Decision]:
        """Ask; see `Client.check`. What can't be asked raises, and has no span."""
        if sync:
            limits = synced(limits)
        if default is not None or (isinstance(limits, str) and limits.startswith(BY_NAME)):
            return self._check(key, limits, cost, default=default)  # which comes here again
        future = self._check(key, limits, cost)
        if not future.done() and (span := self._telemetry.begin()):  # nothing was sent yet
            turn = self._turn()
            assert isinstance(turn, TracedTurn)  # the check was just added to it
            turn.trace_last(span)
        return future


class TracedSession(Session):
    """A session whose checks are told of."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        options: Endpoint,
        alone: Alone,
        ended: Callable[[Session], None],
        *,
        remembers: bool,
    ) -> None:
        super().__init__(loop, options, alone, ended, remembers=remembers)
        assert options.telemetry is not None  # else it would be a Session
        self._telemetry = options.telemetry
        self.spend = self._spend
        self._new_turn = partial(TracedTurn, telemetry=options.telemetry)

    def flush(self) -> None:
        """Send the checks of this turn; never one before, for its span is added behind it."""
        super().flush()
        self.lone_turns.end()

    def recall(self, key: str, limits: Limits, cost: int) -> Decision | None:
        """Return the denial of this check, if one holds."""
        denial = super().recall(key, limits, cost)
        if denial is not None:
            self._telemetry.recalled(key, denial)
        return denial

    def _spend(self, key: str, limits: Limits, cost: int) -> Decision | None:
        """Return the decision of a check that leases can make."""
        made = self.leases.spend(key, limits, cost)
        if made is not None:
            self._telemetry.recalled(key, made)
        return made


class TracedTurn(Turn):
    """A turn some of whose checks have spans. It counts them all, those of one outcome at once."""

    __slots__ = ("_spans", "_telemetry", "traces")

    def __init__(self, session: Deciding, telemetry: CheckTelemetry) -> None:
        super().__init__(session)
        self.traces: list[Trace] | None = None
        self._spans: dict[int, Span] = {}
        self._telemetry = telemetry

    def trace_last(self, span: Span) -> None:
        """Have the check that was added last belong to a span."""
        position = len(self.checks) - 1
        self._spans[position] = span
        traces = self.traces or []
        if len(traces) < MAX_TRACES and (parent := self._telemetry.trace_of(span)):
            traces.append((position, parent))
            self.traces = traces

    def answered(self, answers: Answers) -> None:
        """Resolve the futures, and tell of them."""
        super().answered(answers)
        self._tell(answers.positions)

    def unanswered(self, positions: Sequence[int] | None) -> None:
        """Decide without the sidecar, and tell of it."""
        super().unanswered(positions)
        self._tell(positions)

    def _tell(self, positions: Sequence[int] | None) -> None:
        futures, checks = self.futures, self.checks
        told = range(len(futures)) if positions is None else positions
        made = [
            (checks[at][0], future.exception() or future.result())
            for at in told
            if not (future := futures[at]).cancelled()  # its caller gave up
        ]
        self._telemetry.count(tally(made))
        if self._spans:
            self._end_spans(told)

    def _end_spans(self, told: Sequence[int]) -> None:
        for at in told:
            if (span := self._spans.pop(at, None)) is None:
                continue
            future = self.futures[at]
            if future.cancelled():
                self._telemetry.give_up(span)
            else:
                made = future.exception() or future.result()
                self._telemetry.end(span, self.checks[at][0], made)
