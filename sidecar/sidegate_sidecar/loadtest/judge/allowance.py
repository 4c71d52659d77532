"""Allowance: how much of a stream its limits let through at most, and at least. Pure.

At most: burst plus refill for each key, from the moment at which its first request was sent to
that at which the last one admitted was answered. The limiter decided all of them in between, so it
can't have admitted more, however late its answers came. A backup that was asked because the owner
was late, and not killed, may not have heard of what the owner had just admitted: each request that
it admitted may be one more. What requests were let through by a policy is in neither bound.

At least: what an exact limiter would have admitted, had it seen each request when it was sent, less
SLACK (at least one), and less the requests whose fate nobody knows. So for each key by itself, and
for all together: keys that come once or twice show only there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from sidegate_sidecar.loadtest.judge.bounds import max_in
from sidegate_sidecar.loadtest.judge.loss import lost, not_heard_of
from sidegate_sidecar.loadtest.plan.exact import Replay
from sidegate_sidecar.loadtest.send.outcome import ERRORS, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate.buckets.limits import Limits
    from sidegate_sidecar.loadtest.judge.crashes import Crash
    from sidegate_sidecar.loadtest.send.record import Record

SLACK: Final = 0.1  # of what an exact limiter admits: what delays on the way may change


class Allowance(msgspec.Struct, frozen=True):
    """What a stream may have admitted, and how far its keys were beyond that, or below.

    `exact` is what an exact limiter admits of the same requests, `denied` what it denies. `kills`
    is the part of `most` that is due to kills, `backups` that of backups of late owners. `excess`
    is by how much keys were beyond their most, `missing` by how much keys were below their least:
    the sums, and the numbers of such keys.
    """

    admitted: int
    least: int
    exact: int
    denied: int
    most: int
    kills: int
    backups: int
    excess: int
    keys_beyond: int
    missing: int
    keys_below: int


class _Key:
    """One key's requests, as far as the limiter decided them, and how many have no known fate."""

    __slots__ = ("admitted", "exact", "first", "last", "unknown")

    def __init__(self, first: float) -> None:
        self.first = first
        self.last = first
        self.admitted = 0
        self.exact = 0
        self.unknown = 0


def allowance(
    record: Record, limits: Limits, crashes: Sequence[Crash] = (), begun: float = 0.0
) -> Allowance:
    """Judge all requests of a stream of a run that has `begun` so many seconds since 1970."""
    keys = _decided(record)
    denied = _replay(record, Replay(limits, begun), keys)
    unknown = _count_unknown(record, keys)
    for_kills, for_backups = lost(record, crashes), not_heard_of(record, crashes)
    mosts = {
        number: _most(limits, key) + for_kills.get(number, 0) + for_backups[number]
        for number, key in keys.items()
    }
    beyond = _above_0(key.admitted - mosts[number] for number, key in keys.items())
    below = _above_0(_least(key.exact, key.unknown) - key.admitted for key in keys.values())
    exact = sum(key.exact for key in keys.values())
    return Allowance(
        admitted=sum(key.admitted for key in keys.values()),
        least=_least(exact, unknown),
        exact=exact,
        denied=denied,
        most=sum(mosts.values()),
        kills=sum(for_kills.get(number, 0) for number in keys),
        backups=for_backups.total(),
        excess=sum(beyond),
        keys_beyond=len(beyond),
        missing=sum(below),
        keys_below=len(below),
    )


def _decided(record: Record) -> dict[int, _Key]:
    keys: dict[int, _Key] = {}
    for number in range(len(record)):
        if not record.is_decided(number):
            continue
        key = keys.get(record.keys[number])
        if key is None:
            key = keys[record.keys[number]] = _Key(record.started[number])
        key.first = min(key.first, record.started[number])
        if record.outcomes[number] == Outcome.ADMITTED:
            key.admitted += 1
            key.last = max(key.last, record.ended[number])
    return keys


def _replay(record: Record, exact: Replay, keys: dict[int, _Key]) -> int:
    """Count for each key what an exact limiter admits of it; return how many it denies."""
    denied = 0
    for number in range(len(record)):
        if not record.is_decided(number):
            continue
        if exact.admits(record.keys[number], record.started[number]):
            keys[record.keys[number]].exact += 1
        else:
            denied += 1
    return denied


def _count_unknown(record: Record, keys: dict[int, _Key]) -> int:
    """Count for each key the requests that may or may not have been charged; return all."""
    total = 0
    for number in record.with_outcome(*ERRORS):
        total += 1
        if record.keys[number] in keys:
            keys[record.keys[number]].unknown += 1
    return total


def _most(limits: Limits, key: _Key) -> int:
    return min(max_in(limit, key.last - key.first) for limit in limits)


def _least(exact: int, unknown: int) -> int:
    return max(int(exact * (1 - SLACK)) - unknown, 0)  # rounded down: at least one is forgiven


def _above_0(counts: Iterable[int]) -> list[int]:
    return [count for count in counts if count > 0]
