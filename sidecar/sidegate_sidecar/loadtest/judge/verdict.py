"""The verdict: what a run had to hold, and what was seen of it. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from sidegate.buckets.decision import Source
from sidegate_sidecar.loadtest.judge.allowance import SLACK
from sidegate_sidecar.loadtest.judge.report import Promise
from sidegate_sidecar.loadtest.plan.scenario import Expect
from sidegate_sidecar.loadtest.send.outcome import BY_POLICY, ERRORS, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate_sidecar.loadtest.judge.allowance import Allowance
    from sidegate_sidecar.loadtest.judge.facts import Facts
    from sidegate_sidecar.loadtest.judge.percentile import Times
    from sidegate_sidecar.loadtest.plan.scenario import Stream
    from sidegate_sidecar.loadtest.send.record import Record

SHARES: Final = 0.01
"""Of all requests: what sidecars or apps may decide by their share of a limit. On a machine without
processor time to spare an owner and its backup may be late at once, or the app itself."""

TOO_LATE: Final = 100.0  # ms at the 99th percentile: beyond it the load isn't what was ordered

_BOUNDS: Final = {Expect.WITHIN, Expect.LIMITED}


def promises(facts: Facts, allowances: list[Allowance | None], late: Times | None) -> list[Promise]:
    """Return all that had to hold, first of the whole run, then of each stream.

    `late` is how late the requests were sent, as percentiles.
    """
    on_time = [_on_time(late)] if facts.paced else []
    found = [_sent(facts), *on_time, _answered(facts), _by_nodes(facts)]
    streams = zip(facts.scenario.streams, facts.records.streams, allowances, strict=True)
    for stream, record, allowance in streams:
        found += _of_stream(stream, record, allowance)
    return [*found, *facts.others]


# --- the generator


def _sent(facts: Facts) -> Promise:
    held_back = facts.records.total((Outcome.HELD_BACK,))
    total = facts.records.total()
    seen = f"{total - held_back:,} of {total:,}"
    if held_back:
        seen += "; too many were under way for the rest"
    if not facts.complete:
        seen += f"; ended after {facts.elapsed:.1f} s"
    kept = not held_back and facts.complete
    return Promise(kept, "", "the generator sends all that is planned", "all", seen)


def _on_time(late: Times | None) -> Promise:
    p99 = late.p99 if late else 0.0
    expected, seen = f"p99 at most {TOO_LATE:g} ms late", f"{p99:.1f} ms"
    return Promise(p99 <= TOO_LATE, "", "the generator keeps its plan", expected, seen)


# --- the answers


def _answered(facts: Facts) -> Promise:
    counts = {outcome: facts.records.total((outcome,)) for outcome in ERRORS}
    total = sum(counts.values())
    found = [f"{count:,} {outcome.label}" for outcome, count in counts.items() if count]
    expected = f"at most {facts.tolerated:,} errors" if facts.tolerated else "no errors"
    seen = ", ".join(found) or "none"
    return Promise(total <= facts.tolerated, "", "each request is answered", expected, seen)


def _by_nodes(facts: Facts) -> Promise:
    """Judge answers by policy: only while a node is known to be away, but for a few shares."""
    total = 0
    unexplained = Counter[Source | None]()
    for record in facts.records.streams:
        for number in _by_policy(record):
            started, ended = record.started[number], record.ended[number]
            total += 1
            if not any(crash.explains(started, ended) for crash in facts.crashes):
                unexplained[record.source(number)] += 1
    away = "only while a node is away" if facts.crashes else "none by policy"
    expected = f"{away}, or {SHARES:.0%} by shares"
    shares = unexplained[Source.LOCAL]
    kept = shares == unexplained.total() and shares <= SHARES * facts.records.total()
    return Promise(kept, "", "nodes decide", expected, _seen_by_policy(facts, total, unexplained))


def _seen_by_policy(facts: Facts, total: int, unexplained: Counter[Source | None]) -> str:
    seen = f"{total:,}" if total else "none"
    if total and facts.crashes:
        at_others = f"{unexplained.total():,} of them at other times"
        seen += f", {at_others}" if unexplained else ", all of them then"
    if shares := unexplained[Source.LOCAL]:
        seen += f"; {shares:,} by shares"
    return seen


def _by_policy(record: Record) -> Iterator[int]:
    return (number for number in range(len(record)) if record.source(number) in BY_POLICY)


# --- the limits


def _of_stream(stream: Stream, record: Record, allowance: Allowance | None) -> Iterator[Promise]:
    if stream.expected is Expect.ALLOWED:
        yield _never_denied(stream, record, allowance)
    if allowance is None:
        return
    yield _not_too_many(stream, allowance)
    if stream.expected in _BOUNDS:
        yield _not_too_few(stream, allowance)
    if stream.expected is Expect.LIMITED:
        seen = f"{allowance.denied:,} to be denied"
        text = "the stream goes over its limit"
        yield Promise(allowance.denied > 0, stream.name, text, "some to be denied", seen)


def _never_denied(stream: Stream, record: Record, allowance: Allowance | None) -> Promise:
    denied = sum(record.is_decided(number) for number in record.with_outcome(Outcome.DENIED))
    seen = f"{denied:,} denied"
    if allowance and allowance.denied:
        seen += f"; the scenario asks for it: an exact limiter denies {allowance.denied:,}"
    return Promise(not denied, stream.name, "nothing is denied", "0 denied", seen)


def _not_too_many(stream: Stream, allowance: Allowance) -> Promise:
    expected = f"at most {allowance.most:,}"
    extra = {"the kills": allowance.kills, "backups of late owners": allowance.backups}
    reasons = [f"{count:,} for {what}" for what, count in extra.items() if count]
    if reasons:
        expected += f" ({', '.join(reasons)})"
    seen = f"{allowance.admitted:,}"
    if allowance.excess:
        seen += f"; {allowance.excess:,} too many, of {_keys(allowance.keys_beyond)}"
    kept = not allowance.excess
    return Promise(kept, stream.name, "admits no more than the limit", expected, seen)


def _not_too_few(stream: Stream, allowance: Allowance) -> Promise:
    expected = f"at least {allowance.least:,} ({1 - SLACK:.0%} of exactly {allowance.exact:,})"
    seen = f"{allowance.admitted:,}"
    if allowance.missing:
        seen += f"; {allowance.missing:,} too few, of {_keys(allowance.keys_below)}"
    kept = allowance.admitted >= allowance.least and not allowance.missing
    return Promise(kept, stream.name, "admits what the limit allows", expected, seen)


def _keys(count: int) -> str:
    return "one key" if count == 1 else f"{count:,} keys"
