"""Series: how a run went, second by second. Pure."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import msgspec

from sidegate_sidecar.loadtest.judge.percentile import Times, times
from sidegate_sidecar.loadtest.send.outcome import MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate_sidecar.loadtest.send.record import Record


class Second(msgspec.Struct):
    """What became of the requests that were planned for one second.

    `admitted` and `denied` are by the limiter, `by_policy` is what a policy answered; `errors` got
    no proper answer, `held_back` weren't sent. Latencies are those of answers and timeouts.
    """

    second: int
    admitted: int = 0
    denied: int = 0
    by_policy: int = 0
    errors: int = 0
    held_back: int = 0
    latency_ms: Times | None = None


def series(records: Iterable[Record], seconds: float) -> list[Second]:
    """Return each second of a run of so many, all records together."""
    found = [Second(second) for second in range(ceil(seconds))]
    latencies: list[list[float]] = [[] for _ in found]
    for record in records:
        for number, planned in enumerate(record.planned):
            at = min(int(planned), len(found) - 1)
            kind = record.kind(number)
            setattr(found[at], kind, getattr(found[at], kind) + 1)
            if record.outcomes[number] in MEASURED:
                latencies[at].append(record.ended[number] - planned)
    for second, some in zip(found, latencies, strict=True):
        second.latency_ms = times(sorted(some))
    return found
