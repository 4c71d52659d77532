"""Which promise is broken by what."""

from dataclasses import replace

import msgspec
import pytest

from sidegate.buckets.decision import Source
from sidegate_sidecar.loadtest.judge.crashes import Crash
from sidegate_sidecar.loadtest.judge.report import LoadReport
from sidegate_sidecar.loadtest.plan.scenario import Expect
from sidegate_sidecar.loadtest.send.outcome import Outcome, outcome_of
from tests.sidecar.loadtest.records import ADMITTED, DENIED, broken, facts, note, promise, report


@pytest.mark.parametrize(
    ("status", "source", "outcome"),
    [
        (200, Source.OWNER, Outcome.ADMITTED),
        (204, None, Outcome.ADMITTED),
        (301, None, Outcome.REDIRECTED),
        (302, Source.OPEN, Outcome.REDIRECTED),  # wherever it leads, we didn't go there
        (304, Source.OWNER, Outcome.REDIRECTED),
        (404, Source.OWNER, Outcome.REFUSED),
        (429, Source.REMEMBERED, Outcome.DENIED),
        (429, None, Outcome.DENIED),
        (503, Source.CLOSED, Outcome.DENIED),  # a policy's answer, not a fault
        (503, None, Outcome.FAILED),
        (500, Source.OWNER, Outcome.FAILED),
    ],
)
def test_an_answer_is_what_its_status_says(
    status: int, source: Source | None, outcome: Outcome
) -> None:
    """But for what the policy "closed" refuses."""
    assert outcome_of(status, source) is outcome


def test_a_run_that_went_well_keeps_all_promises() -> None:
    """All that it admits is allowed, and all that is allowed is admitted."""
    run = facts("5/second", Expect.LIMITED)
    for number in range(10):
        note(run.records, 0.0, ADMITTED if number < 5 else DENIED)
    found = report(run)
    assert found.passed
    assert len(found.promises) == 7
    assert not found.warnings


@pytest.mark.parametrize(
    "outcome",
    [Outcome.FAILED, Outcome.REFUSED, Outcome.REDIRECTED, Outcome.TIMEOUT, Outcome.BROKEN],
)
def test_an_error_breaks_a_promise_unless_it_is_tolerated(outcome: Outcome) -> None:
    """Each kind of error, and it is named."""
    run = facts()
    note(run.records, 1.0)
    note(run.records, 2.0, outcome, source=None)
    assert broken(run) == ["each request is answered"]
    assert promise(run, "each request is answered").seen == f"1 {outcome.label}"
    assert broken(replace(run, tolerated=1)) == []


def test_a_request_that_was_not_sent_or_a_run_that_was_cut_short_breaks_a_promise() -> None:
    """The generator didn't do what it was told."""
    run = facts()
    note(run.records, 1.0)
    assert broken(replace(run, complete=False)) == ["the generator sends all that is planned"]
    note(run.records, 2.0, Outcome.HELD_BACK, source=None)
    assert broken(run) == ["the generator sends all that is planned"]


@pytest.mark.parametrize(("late", "warned", "kept"), [(0.005, 0, 1), (0.05, 1, 1), (0.2, 1, 0)])
def test_a_late_generator_says_so(late: float, warned: int, kept: int) -> None:
    """First it warns, and when it is the bottleneck it fails."""
    run = facts()
    for number in range(100):
        note(run.records, number / 10, late=late)
    assert len(report(run).warnings) == warned
    assert promise(run, "the generator keeps its plan").kept == bool(kept)


@pytest.mark.parametrize(
    ("at", "crashes", "kept"),
    [
        (5.0, [], False),
        (5.0, [Crash("n1", 4.5, 6.0)], True),
        (4.3, [Crash("n1", 4.5, 6.0)], True),  # clocks may differ a little
        (4.2, [Crash("n1", 4.5, 6.0)], False),
        (5.2, [Crash("n1", 1.0, 3.0, 4.0)], True),  # a second after it is ready, and clocks
        (5.3, [Crash("n1", 1.0, 3.0, 4.0)], False),
        (8.2, [Crash("n1", 1.0, 3.0)], True),  # 5 s after its start, since nobody noted more
        (8.3, [Crash("n1", 1.0, 3.0)], False),
        (9.9, [Crash("n1", 4.5)], True),  # it was never started again
    ],
)
@pytest.mark.parametrize("source", [Source.OPEN, Source.CLOSED, Source.LOCAL])
def test_a_policy_may_only_answer_while_a_node_is_away(
    source: Source, at: float, crashes: list[Crash], *, kept: bool
) -> None:
    """From the kill until a second after it is ready."""
    run = facts("5/second")
    note(run.records, at, source=source)
    assert promise(replace(run, crashes=crashes), "nodes decide").kept is kept


@pytest.mark.parametrize(
    ("source", "count", "kept"),
    [(Source.LOCAL, 3, True), (Source.LOCAL, 4, False), (Source.OPEN, 1, False)],
)
def test_owner_and_backup_may_be_late_at_once_now_and_then(
    source: Source, count: int, *, kept: bool
) -> None:
    """One in a hundred by shares; nobody lets through without a limit."""
    run = facts("5/second")
    for number in range(300):
        note(run.records, number / 10, source=source if number < count else Source.OWNER)
    assert promise(run, "nodes decide").kept is kept


def test_a_starved_key_breaks_a_promise() -> None:
    """One of 20: and it says how many."""
    run = facts("5/second")
    for key in range(20):
        for number in range(10):
            note(run.records, 0.0, ADMITTED if key and number < 5 else DENIED, key=key)
    assert broken(run) == ["admits what the limit allows"]
    assert promise(run, "admits what the limit allows").seen == "95; 4 too few, of one key"


@pytest.mark.parametrize(
    ("expect", "admitted", "denied", "texts"),
    [
        (Expect.WITHIN, 5, 5, []),
        (Expect.WITHIN, 6, 4, ["admits no more than the limit"]),
        (Expect.WITHIN, 3, 7, ["admits what the limit allows"]),
        (Expect.WITHIN, 3, 0, []),
        (Expect.LIMITED, 3, 0, ["the stream goes over its limit"]),
        (Expect.ALLOWED, 3, 0, []),
        (Expect.ALLOWED, 3, 1, ["nothing is denied"]),
        (Expect.ANY, 3, 7, []),
        (Expect.ANY, 6, 0, ["admits no more than the limit"]),
    ],
)
def test_a_limit_is_neither_too_lax_nor_too_strict(
    expect: Expect, admitted: int, denied: int, texts: list[str]
) -> None:
    """Five a second, all at one moment."""
    run = facts("5/second", expect)
    for number in range(admitted + denied):
        note(run.records, 0.0, ADMITTED if number < admitted else DENIED)
    assert broken(run) == texts


def test_a_scenario_that_asks_for_denials_is_told_so() -> None:
    """Below its limit it said, and an exact limiter would deny it too."""
    run = facts("5/second", Expect.ALLOWED)
    for number in range(6):
        note(run.records, 0.0, ADMITTED if number < 5 else DENIED)
    assert "an exact limiter denies 1" in promise(run, "nothing is denied").seen


def test_each_second_counts_what_was_planned_in_it() -> None:
    """By outcome; what came of it later still belongs to it."""
    run = facts("5/second", seconds=3)
    note(run.records, 0.9, took=1.5)
    note(run.records, 1.0, DENIED)
    note(run.records, 1.1, source=Source.OPEN)
    note(run.records, 1.2, Outcome.TIMEOUT, source=None)
    note(run.records, 2.9, Outcome.HELD_BACK, source=None)
    found = report(run).series
    counted = [
        (one.admitted, one.denied, one.by_policy, one.errors, one.held_back) for one in found
    ]
    assert counted == [(1, 0, 0, 0, 0), (0, 1, 1, 1, 0), (0, 0, 0, 0, 1)]
    assert found[0].latency_ms
    assert found[0].latency_ms.p50 == pytest.approx(1500)


def test_each_request_is_counted_once() -> None:
    """What a policy let through isn't counted as admitted: that would look like too many."""
    run = facts("5/second")
    note(run.records, 1.0)
    note(run.records, 1.0, DENIED)
    note(run.records, 1.1, source=Source.OPEN)
    note(run.records, 1.1, DENIED, source=Source.CLOSED)
    note(run.records, 1.2, Outcome.TIMEOUT, source=None)
    note(run.records, 1.3, Outcome.HELD_BACK, source=None)
    (stream,) = report(run).streams
    assert (stream.admitted, stream.denied, stream.by_policy) == (1, 1, 2)
    assert (stream.errors, stream.held_back, stream.requests) == ({"timeout": 1}, 1, 6)
    assert stream.sources == {"owner": 2, "open": 1, "closed": 1}


def test_the_report_survives_json() -> None:
    run = facts("5/second")
    note(run.records, 1.0)
    found = report(replace(run, crashes=[Crash("n1", 1.0)]))
    assert msgspec.json.decode(msgspec.json.encode(found), type=LoadReport) == found
    assert msgspec.json.decode(msgspec.json.encode(found))["version"] == 1
