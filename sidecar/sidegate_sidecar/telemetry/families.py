"""Families of metrics, as collectors give them to Prometheus; each name begins with sidegate_."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from sidegate_sidecar.node.counts import LATENCIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prometheus_client import Metric

    from sidegate_sidecar.node.counts import Latency

_Labels = TypeVar("_Labels", bound=tuple[str, ...])  # the values, in the order of the names


def gauge(name: str, text: str, value: float) -> Metric:
    """Return a gauge without labels."""
    return GaugeMetricFamily(f"sidegate_{name}", text, float(value))


def gauges(
    name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    """Return a gauge with a value for each tuple of label values."""
    family = GaugeMetricFamily(f"sidegate_{name}", text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, float(value))
    return family


def counter(
    name: str, text: str, labels: tuple[str, ...], values: Mapping[_Labels, float]
) -> Metric:
    """Return a counter with a value for each tuple of label values, in their order."""
    family = CounterMetricFamily(f"sidegate_{name}", text, labels=labels)
    for label_values, value in sorted(values.items()):
        family.add_metric(label_values, value)
    return family


def histogram(name: str, text: str, latency: Latency) -> Metric:
    """Return a histogram of latencies, in seconds."""
    bounds = [*map(str, LATENCIES), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(latency.buckets)), strict=True))
    family = HistogramMetricFamily(f"sidegate_{name}", text)
    family.add_metric([], buckets, latency.total)
    return family
