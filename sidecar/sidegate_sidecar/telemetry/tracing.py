"""Tracing: a span for each check of a frame whose asker has one, from its arrival to its answer.

Imported only where OpenTelemetry is switched on.
"""

from __future__ import annotations

import asyncio
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace
from opentelemetry import trace
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from sidegate.buckets.decision import Source
from sidegate.buckets.limits import parse_limits
from sidegate.client.answers import decision
from sidegate.errors import CheckError, SidegateError
from sidegate.protocol.codec import WireError
from sidegate.protocol.keys import rule_of
from sidegate.protocol.messages import NOBODY, TracedChecks
from sidegate.protocol.traces import SAMPLED, parse_traceparent, traceparent
from sidegate.telemetry.attributes import (
    SCOPE,
    SOURCE,
    attributes_of,
    attributes_of_error,
)
from sidegate.version import __version__

if TYPE_CHECKING:
    from typing import TypeAlias

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from sidegate.protocol.messages import Answer, Answers, Checks, Trace
    from sidegate_sidecar.node.forward import Send
    from sidegate_sidecar.node.node import Decide

    Spans: TypeAlias = dict[int, Span]

CLOSE_WITHIN: Final = 2.0  # seconds at the end, to send what is left: no trace is worth a restart
_DECIDES: Final = "sidegate.decide"
_FORWARDS: Final = "sidegate.forward"
_ELSEWHERE: Final = frozenset({Source.OWNER, Source.BACKUP})  # sources that may be another node's


class Tracing:
    """The spans of one node, `name`, made by an SDK's provider."""

    def __init__(self, name: str, provider: TracerProvider) -> None:
        self._name = name
        self._provider = provider
        self._tracer = provider.get_tracer(SCOPE, __version__)
        self._decide: Decide | None = None

    def watch(self, decide: Decide) -> Decide:
        """Return what decides as this does, and makes spans."""
        self._decide = decide
        return self.decide

    def decide(self, frame: Checks, send: Send, by: str = "", /) -> None:
        """Have a frame decided; each check in it that has a trace gets a span below that.

        WireError for a trace of a check that isn't there.
        """
        assert self._decide is not None  # see watch
        if type(frame) is not TracedChecks or not frame.traces:
            self._decide(frame, send, by)
            return
        if any(position >= len(frame.checks) for position, _ in frame.traces):
            raise WireError("bad-message", f"a trace of none of {len(frame.checks)} checks")
        spans: Spans = {}
        begun = [(position, self._begin(spans, position, of)) for position, of in frame.traces]
        traces: list[Trace] = [(position, parent) for position, parent in begun if parent]
        frame = replace(frame, traces=traces or None)
        self._decide(frame, partial(self._answer, frame, send, spans), by)

    def _begin(self, spans: Spans, position: int, of: str) -> str:
        """Begin a span below that of who asks; return what it is called, for who is asked next.

        Nothing if who asks has none that is sampled.
        """
        asker = parse_traceparent(of)
        if asker is None:
            return ""
        trace_id, span_id, flags = asker
        remote = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
        above = trace.set_span_in_context(NonRecordingSpan(remote))
        span = self._tracer.start_span(_DECIDES, above, SpanKind.SERVER)
        context = span.get_span_context()
        if not (span.is_recording() and context.trace_flags & SAMPLED):  # left out by a sampler
            return of
        spans[position] = span
        return traceparent(context.trace_id, context.span_id)

    def _answer(self, frame: TracedChecks, send: Send, spans: Spans, answers: Answers) -> None:
        """Send answers, then end the spans of their checks."""
        send(answers)
        positions = range(len(frame.checks)) if answers.positions is None else answers.positions
        for position, answer in zip(positions, answers.answers, strict=True):
            if (span := spans.pop(position, None)) is not None:
                self._end(span, frame, position, answers, answer)

    def _end(
        self, span: Span, frame: TracedChecks, position: int, answers: Answers, answer: Answer
    ) -> None:
        key, limits, cost = frame.checks[position]
        if answers.source in _ELSEWHERE and answers.node != self._name:
            span.update_name(_FORWARDS)
        if answers.source == NOBODY:  # whoever forwarded it asks another node
            span.set_attributes({"sidegate.rule": rule_of(key), SOURCE: NOBODY})
        elif isinstance(answer, str):
            span.set_attributes(attributes_of_error(key, CheckError(answer)))
            span.set_status(Status(StatusCode.ERROR))
        else:
            try:
                made = decision(answers, answer, parse_limits(limits), cost)
            except SidegateError as error:  # of a later release, where a node of that decides
                span.set_attributes(attributes_of_error(key, error))
            else:
                span.set_attributes(attributes_of(key, made))
        span.end()

    async def close(self) -> None:
        """Send what is left, within a moment."""
        ending = Thread(target=self._provider.shutdown, name="sidegate-otel", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, CLOSE_WITHIN)
