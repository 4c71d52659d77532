"""Bounds: what a limit lets through, and what a kill may cost, by the figures of replication."""

import pytest

from sidegate.buckets.limits import SECOND, parse_limits
from sidegate_sidecar.loadtest.judge.bounds import LOST, max_in
from sidegate_sidecar.replication.flush import FLUSH_EVERY
from sidegate_sidecar.replication.sync import SHORT


def test_a_kill_may_cost_what_its_backup_was_not_told_of() -> None:
    """Changes since the last flush, and debts too short to be flushed.

    The load test may import nothing of the sidecar that it judges, so its bound is written there
    by hand; who changes one of the three has to change the verdict with it.
    """
    assert round(LOST * SECOND) == FLUSH_EVERY + SHORT


@pytest.mark.parametrize(
    ("limit", "seconds", "most"),
    [("100/minute", 0, 100), ("100/minute", 60, 200), ("60/minute burst 5", 2.9, 7)],
)
def test_a_limit_lets_through_its_burst_and_the_refill(
    limit: str, seconds: float, most: int
) -> None:
    assert max_in(parse_limits(limit).items[0], seconds) == most
