"""Metrics of leases: what a scrape says of those that nobody gives back."""

from sidegate.buckets.buckets import BucketTable
from sidegate.buckets.lending import LAPSE, Lending
from sidegate.buckets.limits import parse_limits
from sidegate_sidecar.telemetry.lease_metrics import lease_metrics

NOW = 10**15


def values(lending: Lending, now: int) -> list[float]:
    """Return how many are open, and the tokens lapsed, lent, and returned."""
    return [sample.value for metric in lease_metrics(lending, now) for sample in metric.samples]


def test_leases_of_an_app_that_was_killed_are_over_though_nobody_borrows_any_more() -> None:
    lending = Lending(BucketTable())
    lending.lend(1, "api:busy", parse_limits("1000/second"), 10, NOW)
    assert values(lending, NOW) == [1, 0, 10, 0]
    assert values(lending, NOW + LAPSE) == [0, 10, 10, 0]
