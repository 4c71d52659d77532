"""Doubts: what a reader should know who only looks at the verdict and the figures. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidegate_sidecar.loadtest.plan.scenario import Expect
from sidegate_sidecar.loadtest.send.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate_sidecar.loadtest.judge.allowance import Allowance
    from sidegate_sidecar.loadtest.judge.facts import Facts
    from sidegate_sidecar.loadtest.judge.percentile import Times
    from sidegate_sidecar.loadtest.plan.scenario import Stream
    from sidegate_sidecar.loadtest.send.record import Record

LATE: Final = 10.0  # ms at the 99th percentile: from here on latencies are partly our own

_OVER_NOTHING: Final = {Expect.ANY, Expect.WITHIN}  # "limited" promises it, "allowed" the reverse


def doubts(facts: Facts, allowances: list[Allowance | None], late: Times | None) -> list[str]:
    """Return warnings: first on the whole run, then on each stream that has a limit.

    `late` is how late the requests were sent, as percentiles.
    """
    found = [_late(late)] if late and late.p99 > LATE else []
    streams = zip(facts.scenario.streams, facts.records.streams, allowances, strict=True)
    for stream, record, allowance in streams:
        if allowance:
            found += [f"{stream.name}: {text}" for text in _of_stream(stream, record, allowance)]
    return found


def _late(late: Times) -> str:
    return (
        f"the generator was late itself (p99 {late.p99:.1f} ms): latencies from the planned start"
        " are in part its own; give it a core, or lower the rate"
    )


def _of_stream(stream: Stream, record: Record, allowance: Allowance) -> Iterator[str]:
    if stream.expected in _OVER_NOTHING and not allowance.denied:
        yield "the limit was never reached: this proves nothing of it"
    sources = {record.source(at) for at in record.with_outcome(Outcome.ADMITTED, Outcome.DENIED)}
    if sources == {None}:
        yield "no answer names a source: nothing says who decided, or that anybody did"
