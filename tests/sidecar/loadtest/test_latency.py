"""Which times are in percentiles, and from when they count."""

from html import unescape

import pytest

from sidegate_sidecar.loadtest.judge.facts import Facts
from sidegate_sidecar.loadtest.plan.scenario import Scenario, Stream
from sidegate_sidecar.loadtest.send.outcome import Outcome
from sidegate_sidecar.loadtest.send.record import Records
from sidegate_sidecar.loadtest.show.page import page
from sidegate_sidecar.loadtest.show.summary import summary
from tests.sidecar.loadtest.records import ADMITTED, DENIED, facts, note, report


def test_latency_counts_from_the_planned_moment() -> None:
    """A request that was sent half a second late and took 1 ms took its user 501 ms."""
    run = facts()
    note(run.records, 1.0, late=0.5, took=0.001)
    (stream,) = report(run).streams
    assert stream.latency_ms
    assert stream.service_ms
    assert stream.latency_ms.p50 == pytest.approx(501)
    assert stream.service_ms.p50 == pytest.approx(1)


def test_a_stall_never_lowers_a_percentile() -> None:
    """A timeout counts as long as it took, in the stream, its curve and its second."""
    run = facts()
    for number in range(90):
        note(run.records, number / 100, took=0.002)
    for number in range(10):
        note(run.records, 0.9 + number / 100, Outcome.TIMEOUT, source=None, took=5.0)
    found = report(run)
    (stream,) = found.streams
    second = found.series[0]
    assert stream.latency_ms
    assert stream.service_ms
    assert second.latency_ms
    assert stream.latency_ms.p99 == stream.service_ms.p99 == second.latency_ms.p99 == 5000
    assert stream.latency_ms.p90 == 2
    assert stream.curve[-1].ms == 5000


def test_what_a_stall_adds_is_seen_too() -> None:
    """Though those requests were never admitted."""
    streams = [Stream("free", rate=1), Stream("api", rate=1, limit="5/second")]
    run = Facts(Scenario(10, streams, baseline="free"), Records(2), 0.0, 10.0)
    for second in range(10):
        note(run.records, second, took=0.002)
        outcome = Outcome.TIMEOUT if second > 5 else ADMITTED
        note(run.records, second, outcome, stream=1, took=5.0 if second > 5 else 0.003)
    found = report(run)
    assert found.added_ms
    assert found.added_ms.p99 == 4998


def test_requests_in_no_percentile_are_counted_above_them() -> None:
    """Those that weren't sent, and those that failed, which may be quicker than any answer."""
    run = facts()
    note(run.records, 1.0)
    note(run.records, 1.0, Outcome.TIMEOUT, source=None)
    assert "not in it" not in summary(report(run), [])
    for outcome in (Outcome.HELD_BACK, Outcome.HELD_BACK, Outcome.FAILED):
        note(run.records, 2.0, outcome, source=None)
    found = report(run)
    assert found.streams[0].unmeasured == 3
    words = "at which a request was to start; 3 that weren't sent, or failed, are not in it"
    assert words in summary(found, [])
    assert words in unescape(page(found))


def test_the_baseline_is_compared_at_the_same_time() -> None:
    """What it took before the stream began is of no interest, nor what was denied."""
    streams = [Stream("free", rate=1), Stream("api", rate=1, start=5, limit="5/second")]
    run = Facts(Scenario(10, streams, baseline="free"), Records(2), 0.0, 10.0)
    for second in range(10):
        note(run.records, second, took=0.5 if second < 5 else 0.002)
    for second in range(5, 10):
        note(run.records, second, stream=1, took=0.003)
        note(run.records, second, DENIED, stream=1, took=0.0001)
    found = report(run)
    assert found.added_ms
    assert (found.added_ms.p50, found.added_ms.p99) == (1.0, 1.0)
    assert found.streams[1].added_ms == found.added_ms
    assert found.streams[0].added_ms is None


def test_the_display_counts_the_same_times() -> None:
    """While it runs: not those of requests that failed at once."""
    run = facts()
    for outcome in Outcome:
        note(run.records, 1.0, outcome, took=0.5)
    assert len(run.records.latest) == 3
