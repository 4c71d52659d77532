"""Assessing a run: from its facts to its report. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Final

from sidegate.version import __version__
from sidegate_sidecar.loadtest.judge.allowance import allowance
from sidegate_sidecar.loadtest.judge.percentile import milliseconds, percentile, times
from sidegate_sidecar.loadtest.judge.report import (
    Difference,
    Generator,
    LoadReport,
    Point,
    StreamReport,
)
from sidegate_sidecar.loadtest.judge.series import series
from sidegate_sidecar.loadtest.judge.verdict import promises
from sidegate_sidecar.loadtest.judge.warnings import doubts
from sidegate_sidecar.loadtest.send.outcome import ERRORS, MEASURED, Outcome, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate_sidecar.loadtest.judge.allowance import Allowance
    from sidegate_sidecar.loadtest.judge.facts import Facts
    from sidegate_sidecar.loadtest.plan.scenario import Stream
    from sidegate_sidecar.loadtest.send.record import Record

ANSWERED: Final = (Outcome.ADMITTED, Outcome.DENIED)
CURVE: Final = (0, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99, 100)
"""Percentiles of the curves."""


def assess(
    facts: Facts, *, name: str, url: str, urls: list[str], seed: int, prefix: str
) -> LoadReport:
    """Return the report; `name` is the scenario's, `urls` one of each stream."""
    scenario, records = facts.scenario, facts.records
    allowances = [
        allowance(record, stream.limits, facts.crashes, facts.begun) if stream.limits else None
        for stream, record in zip(scenario.streams, records.streams, strict=True)
    ]
    baseline = _baseline(facts)
    late = times(_lateness(records.streams))
    found = promises(facts, allowances, late)
    return LoadReport(
        sidegate=__version__,
        passed=all(promise.kept for promise in found),
        url=url,
        scenario=name,
        started=round(facts.begun, 3),
        planned_seconds=scenario.seconds,
        elapsed=round(facts.elapsed, 3),
        seed=seed,
        key_prefix=prefix,
        baseline=scenario.baseline,
        promises=found,
        warnings=doubts(facts, allowances, late),
        generator=Generator(late, records.total((Outcome.HELD_BACK,)), records.max_in_flight),
        added_ms=_added(_limited(facts), baseline),
        errors=dict(records.errors.most_common()),
        crashes=list(facts.crashes),
        streams=[
            _stream(facts, number, urls[number], allowances[number], baseline)
            for number in range(len(scenario.streams))
        ],
        series=series(records.streams, scenario.seconds),
    )


def _stream(
    facts: Facts, number: int, url: str, allowed: Allowance | None, baseline: Record | None
) -> StreamReport:
    stream, record = facts.scenario.streams[number], facts.records.streams[number]
    counts, kinds = facts.records.counts[number], facts.records.kinds[number]
    sources = Counter(record.source(at) for at in record.with_outcome(*ANSWERED))
    latencies = record.latencies(*MEASURED)
    compared = () if stream.name == facts.scenario.baseline else (record,)
    return StreamReport(
        name=stream.name,
        url=url,
        rate=stream.rate,
        seconds=facts.scenario.seconds_of(stream),
        start=stream.start,
        keys=stream.keys,
        limit=str(stream.limits or ""),
        expect=stream.expected,
        requests=len(record),
        admitted=kinds[OutcomeKind.ADMITTED],
        denied=kinds[OutcomeKind.DENIED],
        by_policy=kinds[OutcomeKind.BY_POLICY],
        errors={outcome.label: counts[outcome] for outcome in ERRORS if counts[outcome]},
        held_back=kinds[OutcomeKind.HELD_BACK],
        sources={source or "none": count for source, count in sources.most_common()},
        allowance=allowed,
        latency_ms=times(latencies),
        service_ms=times(record.service_times(*MEASURED)),
        unmeasured=len(record) - len(latencies),
        added_ms=_added(compared, baseline),
        curve=_curve(latencies),
    )


def _lateness(records: Iterable[Record]) -> list[float]:
    """Return by how many seconds each request was sent after its moment, in order."""
    return sorted(
        started - planned
        for record in records
        for started, planned in zip(record.started, record.planned, strict=True)
    )


def _curve(latencies: Sequence[float]) -> list[Point]:
    if not latencies:
        return []
    return [Point(percent, milliseconds(percentile(latencies, percent))) for percent in CURVE]


# --- what the limiter adds


def _baseline(facts: Facts) -> Record | None:
    scenario = facts.scenario
    if not scenario.baseline:
        return None
    return facts.records.streams[scenario.names.index(scenario.baseline)]


def _limited(facts: Facts) -> list[Record]:
    """Return the records of the streams that have a limit."""
    streams: list[Stream] = facts.scenario.streams
    pairs = zip(streams, facts.records.streams, strict=True)
    return [record for stream, record in pairs if stream.limit]


def _added(records: Iterable[Record], baseline: Record | None) -> Difference | None:
    """Compare what was admitted, since a denied request is spared the app, with the baseline.

    Timeouts count too, or a stall would lower it. Only the part of the baseline counts that was
    planned for the same time.
    """
    mine = [record for record in records if len(record)]
    if baseline is None or not mine:
        return None
    first = min(record.planned[0] for record in mine)
    last = max(record.planned[-1] for record in mine)
    theirs = _undenied(baseline, first, last)
    ours = sorted(time for record in mine for time in _undenied(record, first, last))
    if not ours or not theirs:
        return None
    theirs.sort()
    return Difference(
        *(milliseconds(percentile(ours, at) - percentile(theirs, at)) for at in (50, 99))
    )


def _undenied(record: Record, first: float, last: float) -> list[float]:
    begin, end = bisect_left(record.planned, first), bisect_left(record.planned, last) + 1
    return [
        record.ended[number] - record.planned[number]
        for number in range(begin, min(end, len(record)))
        if record.outcomes[number] in {Outcome.ADMITTED, Outcome.TIMEOUT}
    ]
