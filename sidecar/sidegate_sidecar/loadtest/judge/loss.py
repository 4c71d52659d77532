"""Loss: how much more a stream may have admitted because nodes were killed, or late. Pure.

For a kill that is what was admitted in the LOST seconds before a node died, key by key: its backup
may not have heard of it. For a late owner it is at most what its backup admitted in its place.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from operator import sub
from typing import TYPE_CHECKING

from sidegate.buckets.decision import Source
from sidegate_sidecar.loadtest.judge.bounds import LOST
from sidegate_sidecar.loadtest.judge.crashes import CLOCKS_WITHIN, DEAD_WITHIN
from sidegate_sidecar.loadtest.send.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate_sidecar.loadtest.judge.crashes import Crash
    from sidegate_sidecar.loadtest.send.record import Record


def lost(record: Record, crashes: Sequence[Crash]) -> dict[int, int]:
    """Return how many requests of each key may be admitted once more.

    Whoever its owner was. A node died from CLOCKS_WITHIN before the note of its kill to DEAD_WITHIN
    after it: the worst moment counts.
    """
    found: dict[int, int] = {}
    longest = max(map(sub, record.ended, record.planned), default=0.0)
    for crash in crashes:
        begin, end = crash.killed - CLOCKS_WITHIN, crash.killed + DEAD_WITHIN
        first = bisect_left(record.planned, begin - LOST - longest)
        numbers = range(first, bisect_right(record.planned, end))
        for key, spans in _admitted(record, numbers).items():
            found[key] = found.get(key, 0) + max_within(spans, begin, end)
    return found


def not_heard_of(record: Record, crashes: Sequence[Crash]) -> Counter[int]:
    """Return how many requests of each key a backup admitted that no kill explains.

    Its owner was there and late, so it may have admitted as many that the backup had not heard of.
    """
    return Counter(
        record.keys[number]
        for number in record.with_outcome(Outcome.ADMITTED)
        if record.source(number) is Source.BACKUP
        and not any(it.explains(record.started[number], record.ended[number]) for it in crashes)
    )


def _admitted(record: Record, numbers: range) -> dict[int, list[tuple[float, float]]]:
    """Return for each key the spans in which it was admitted, of these requests."""
    spans: dict[int, list[tuple[float, float]]] = {}
    for number in numbers:
        if record.outcomes[number] == Outcome.ADMITTED and record.is_decided(number):
            span = record.started[number], record.ended[number]
            spans.setdefault(record.keys[number], []).append(span)
    return spans


def max_within(spans: Sequence[tuple[float, float]], begin: float, end: float) -> int:
    """Return how many decisions may lie in LOST seconds that end between `begin` and `end`.

    Each was made somewhere within its span.
    """
    starts = sorted(started for started, _ in spans)
    ends = sorted(ended for _, ended in spans)
    moments = [begin, *(started for started in starts if begin <= started <= end)]
    return max(bisect_right(starts, at) - bisect_left(ends, at - LOST) for at in moments)
