"""The spans and counts of a client's checks, for whatever SDK the app has set up.

Imported only where OpenTelemetry is switched on. A check has a span where the span around it is
sampled: whatever traces the app's requests decides, and a check alone never begins a trace.

What the app has plugged into its SDK may fail. Then the log says so, once, and checks go on.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from sidegate.protocol.keys import OTHER
from sidegate.protocol.traces import SAMPLED, traceparent
from sidegate.telemetry.attributes import (
    SCOPE,
    SOURCE,
    attributes_of,
    attributes_of_error,
)
from sidegate.telemetry.tally import outcome_of
from sidegate.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span

    from sidegate.buckets.decision import Decision
    from sidegate.telemetry.attributes import Attributes
    from sidegate.telemetry.tally import Outcome

log = logging.getLogger("sidegate")

MAX_POLICIES: Final = 256  # with each result and source, what an SDK keeps apart of one counter


class CheckTelemetry:
    """Begins and ends spans of checks, and counts what became of them. For all threads."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer(SCOPE, __version__)
        self._requests = metrics.get_meter(SCOPE, __version__).create_counter(
            "rate_limiter.requests",
            unit="{request}",
            description="Checks of a rate limit, by the rule and what became of them.",
        )
        self._policies: set[str] = set()
        self._attributes: dict[Outcome, Attributes] = {}
        self._has_failed = False

    # --- spans

    def begin(self) -> Span | None:
        """Return the span of a check that is asked now, None outside of traces that are sampled."""
        around = trace.get_current_span()
        if around is trace.INVALID_SPAN or not around.get_span_context().trace_flags & SAMPLED:
            return None
        try:
            span = self._tracer.start_span("sidegate.check", kind=SpanKind.CLIENT)
        except Exception as error:  # noqa: BLE001 - it is logged
            self._tell(error)
            return None
        return span if span.is_recording() else None

    def trace_of(self, span: Span) -> str:
        """Return what a sidecar is told of a span, whose own is to be below; "" for nothing."""
        context = span.get_span_context()
        if not context.trace_flags & SAMPLED:
            return ""
        return traceparent(context.trace_id, context.span_id)

    def end(self, span: Span, key: str, made: Decision | BaseException) -> None:
        """End the span of a check that was decided, or that can't be."""
        if isinstance(made, BaseException):
            span.set_attributes(attributes_of_error(key, made))
            span.set_status(Status(StatusCode.ERROR))
        else:
            span.set_attributes(attributes_of(key, made))
        self.give_up(span)

    def give_up(self, span: Span) -> None:
        """End the span of a check whose caller has gone."""
        try:
            span.end()
        except Exception as error:  # noqa: BLE001 - as above
            self._tell(error)

    def recalled(self, key: str, denial: Decision) -> None:
        """Tell of a check that was denied without asking."""
        if span := self.begin():
            self.end(span, key, denial)
        self.count({outcome_of(key, denial): 1})

    # --- counts

    def count(self, outcomes: Mapping[Outcome, int]) -> None:
        """Count checks, so many of each outcome."""
        try:
            for outcome, times in outcomes.items():
                self._requests.add(times, self._attributes_of(outcome))
        except Exception as error:  # noqa: BLE001 - as above
            self._tell(error)

    def _tell(self, fault: Exception) -> None:
        """Log the first fault: a check must not suffer for who watches it."""
        if not self._has_failed:
            self._has_failed = True
            told = "sidegate: OpenTelemetry has failed; checks go on, this is said once"
            log.error(told, exc_info=fault)

    def _attributes_of(self, outcome: Outcome) -> Attributes:
        """Return the attributes of an outcome, the same each time; those of OTHER at the bound."""
        policy, result, source = outcome
        if policy not in self._policies and len(self._policies) >= MAX_POLICIES:
            policy = OTHER
        if found := self._attributes.get((policy, result, source)):
            return found
        self._policies.add(policy)
        made: Attributes = {"rate_limiter.policy": policy, "rate_limiter.result": result}
        if source:
            made[SOURCE] = source
        self._attributes[policy, result, source] = made
        return made
