"""The plots of a report: what became of requests, and how long they took. Pure."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Final

from sidegate_sidecar.loadtest.show.plot import (
    MAX_LABELS,
    Axis,
    Plot,
    legend,
    linear,
    logarithmic,
    seconds,
)

if TYPE_CHECKING:
    from sidegate_sidecar.loadtest.judge.report import LoadReport

COLOURS: Final = 8  # of streams; further ones share them, and are told apart by their titles

_OUTCOMES: Final = (
    ("admitted", "admitted", "admitted"),
    ("denied", "denied", "denied (429)"),
    ("by_policy", "policy", "answered by a policy"),
    ("errors", "failed", "errors"),
    ("held_back", "held", "not sent"),
)
_PERCENTILES: Final = (("p50", "s0"), ("p90", "s1"), ("p99", "s2"))
_RARE: Final = ((0, "0"), (50, "50"), (90, "90"), (99, "99"), (99.9, "99.9"), (99.99, "99.99"))


def outcomes(report: LoadReport) -> str:
    """Draw requests a second by what became of them."""
    totals = [sum(getattr(second, field) for field, _, _ in _OUTCOMES) for second in report.series]
    across, up = seconds(report.planned_seconds), linear("requests / s", max(totals, default=1))
    plot = Plot("Requests a second by outcome", across, up)
    _bands(plot, report)
    seen: set[str] = set()
    for second in report.series:
        below = 0
        for field, colour, _ in _OUTCOMES:
            count = getattr(second, field)
            if count:
                seen.add(field)
                plot.bar((second.second, second.second + 1), (below, below + count), colour)
            below += count
    _marks(plot, report)
    shown = [(colour, text) for field, colour, text in _OUTCOMES if field in seen]
    return plot.svg() + legend(shown + _kills(report))


def latencies(report: LoadReport) -> str:
    """Draw percentiles of the latency, second by second."""
    found = [second.latency_ms for second in report.series if second.latency_ms]
    values = [value for one in found for value in (one.p50, one.p99)]
    across, up = seconds(report.planned_seconds), logarithmic("latency, ms", values)
    plot = Plot("Latency over time", across, up)
    _bands(plot, report)
    for name, colour in _PERCENTILES:
        points = [
            (second.second + 0.5, getattr(second.latency_ms, name) if second.latency_ms else None)
            for second in report.series
        ]
        plot.line(points, colour, name)
    _marks(plot, report)
    shown = [(colour, name) for name, colour in _PERCENTILES]
    return plot.svg() + legend(shown + _kills(report))


def curves(report: LoadReport) -> str:
    """Draw the distribution of each stream's latency, the rare ones spread out at the right."""
    values = [point.ms for stream in report.streams for point in stream.curve]
    most = max([stream.requests for stream in report.streams], default=1)
    end = min(max(log10(max(most, 10)), 1.0), 4.0)
    ticks = [(_rarity(percent), text) for percent, text in _RARE if _rarity(percent) <= end]
    title = "percentile of a stream's requests"
    plot = Plot("Latency by stream", Axis(title, 0, end, ticks), logarithmic("latency, ms", values))
    shown: list[tuple[str, str]] = []
    for number, stream in enumerate(report.streams):
        colour = f"s{number % COLOURS}"
        points = [
            (min(_rarity(point.percent), end), point.ms)
            for point in stream.curve
            if _rarity(point.percent) <= end or point.percent == 100
        ]
        plot.line(points, colour, stream.name)
        shown.append((colour, stream.name))
    return plot.svg() + legend(shown)


def _rarity(percent: float) -> float:
    """Return how many nines a percentile has: 90 is 1, 99 is 2; more than any for 100."""
    return 99.0 if percent >= 100 else -log10(1 - percent / 100)


# --- crashes


def _bands(plot: Plot, report: LoadReport) -> None:
    for crash in report.crashes:
        end = min(crash.back, report.elapsed)
        if end > 0:
            plot.band(max(crash.killed, 0), end, f"{crash.node} was away")


def _marks(plot: Plot, report: LoadReport) -> None:
    during = [crash for crash in report.crashes if 0 <= crash.killed <= report.planned_seconds]
    for crash in during:
        label = f"✕ {crash.node}" if len(during) <= MAX_LABELS else "✕"
        plot.mark(crash.killed, label)


def _kills(report: LoadReport) -> list[tuple[str, str]]:
    return [("band", "✕ a sidecar was killed, until it was back")] if report.crashes else []
