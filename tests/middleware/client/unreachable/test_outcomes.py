"""What an app decides without its sidecar: how it is counted, told and said."""

import pytest

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import parse_limits
from sidegate.client.unreachable.outcomes import OutcomeCounts, ShareLog
from sidegate.protocol.outcome_messages import OUTCOMES, Outcomes


def test_nothing_is_told_when_nothing_was_decided() -> None:
    assert OutcomeCounts().due(100.0) is None


def test_outcomes_are_told_once_with_their_counts() -> None:
    counts = OutcomeCounts()
    for outcome in ("open", "key-error", "open"):
        counts.count(outcome)
    assert counts.due(100.0) == Outcomes([("open", 2), ("key-error", 1)])
    assert counts.due(200.0) is None


def test_outcomes_are_told_at_most_once_a_second() -> None:
    counts = OutcomeCounts()
    told: list[Outcomes] = []
    for at in range(41):
        counts.count("local")
        told += filter(None, [counts.due(100.0 + at / 16)])
    assert told == [Outcomes([("local", count)]) for count in (1, 16, 16)]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_each_outcome_of_the_protocol_is_one(outcome: str) -> None:
    counts = OutcomeCounts()
    counts.count(outcome)
    assert counts.due(100.0) == Outcomes([(outcome, 1)])


def test_decisions_are_told_by_their_keys() -> None:
    counts = OutcomeCounts()
    limits = parse_limits("5/day")
    for cost, allowed in ((2, True), (1, True), (1, False)):
        counts.decided("k", Decision(allowed, limits, cost, [5], Source.LOCAL))
    counts.decided("other", Decision(True, limits, 1, [], Source.OPEN))
    told = counts.due(100.0)
    assert told == Outcomes(
        [("local", 3), ("open", 1)],
        [("k", "local", 1, 2, 3), ("k", "local", 0, 1, 0), ("other", "open", 1, 1, 0)],
    )


def test_another_outcome_is_named() -> None:
    with pytest.raises(ValueError, match="'owner': expected one of open"):
        OutcomeCounts().count("owner")


def test_shares_are_said_at_once_and_then_once_a_minute_with_their_count() -> None:
    shares = ShareLog()
    lines = {at: line for at in range(121) if (line := shares.decided("busy", 1000.0 + at))}
    assert list(lines) == [0, 60, 120]
    assert lines[0] == (
        "sidegate: 1 check was decided by this process's share of the limit alone: busy"
    )
    assert "60 checks were decided" in lines[60]
