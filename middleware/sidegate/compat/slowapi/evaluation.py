"""One request: what its limits ask, all at once, and what becomes of the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.buckets.limits import MAX_LIMITS
from sidegate.compat.slowapi.counts.rate_limiter import is_undecided, refusing, stats_of, together
from sidegate.compat.slowapi.rates import text_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Generator, Iterable, Sequence
    from typing import Self, TypeAlias

    from starlette.requests import Request

    from sidegate.buckets.decision import Decision
    from sidegate.compat.slowapi.counts.counts import HitCounts, Wanted
    from sidegate.compat.slowapi.counts.rate_limiter import RateLimiter, WindowStats
    from sidegate.compat.slowapi.rates import RateLimitItem
    from sidegate.compat.slowapi.wrappers import Limit

    Question: TypeAlias = tuple[HitCounts, Sequence[Wanted]]
    Answer: TypeAlias = Sequence[Decision | None]

_MAX_SHOWN = 200  # characters of a key in the log: clients make keys up


class PlannedHit(NamedTuple):
    """One limit of a request: whom and what it counts, and what the request costs."""

    limit: Limit
    args: list[str]  # (prefix,) key and scope, as slowapi has them
    cost: int


class ViewRateLimit(tuple["RateLimitItem", list[str]]):  # noqa: SLOT001 - a tuple has no room
    """What `request.state.view_rate_limit` is: a rate and its arguments, of the limit to tell of.

    `stats` are those of the decision about this very request, None where nobody knows.
    """

    stats: WindowStats | None

    @classmethod
    def of(cls, hit: PlannedHit, stats: WindowStats | None) -> Self:
        """Return what tells of a limit."""
        made = cls((hit.limit.limit, hit.args))
        made.stats = stats
        return made


class LimitsOutcome(NamedTuple):
    """What became of a request: the limit that refused it, and the one to tell of."""

    failed: Limit | None = None
    view: ViewRateLimit | None = None
    is_undecided: bool = False  # was there nobody to decide?


class Evaluation:
    """Evaluates limits of requests, for one Limiter."""

    def __init__(self, prefix: str, logger: logging.Logger) -> None:
        self._prefix = [prefix] if prefix else []
        self._log = logger

    def steps(
        self, request: Request, endpoint: str, limits: Iterable[Limit], rates: RateLimiter
    ) -> Generator[Question, Answer, LimitsOutcome]:
        """Yield checks to be made, and where; return what their decisions mean."""
        hits = [hit for limit in limits if (hit := self._hit(request, endpoint, limit))]
        if not hits:
            return LimitsOutcome()
        too_dear = [hit for hit in hits if hit.cost > hit.limit.limit.amount]
        # What can never pass charges nothing, and is only looked at.
        asked = [[too_dear[0]._replace(cost=0)]] if too_dear else _grouped(hits)
        decisions = yield rates.storage.counts, [_check(group, rates) for group in asked]
        at, index = _told_of(asked, decisions)
        hit, decision = asked[at][index], decisions[at]
        stats = None if decision is None else stats_of(decision, index)
        view, undecided = ViewRateLimit.of(hit, stats), is_undecided(decisions)
        if not too_dear and (decision is None or decision.allowed):
            return LimitsOutcome(None, view, undecided)
        if not undecided:
            self._refused(too_dear[0] if too_dear else hit, stats, rates)
        return LimitsOutcome(hit.limit, view, undecided)

    def _hit(self, request: Request, endpoint: str, limit: Limit) -> PlannedHit | None:
        if not limit.applies_to(request):
            return None
        key, scope = limit.terms.key(request), limit.scope_at(endpoint, request)
        if not (key and scope):
            self._log.error("Skipping limit: %s. Empty value found in parameters.", limit.limit)
            return None
        return PlannedHit(limit, [*self._prefix, text_of(key), scope], limit.tokens(request))

    def _refused(self, hit: PlannedHit, stats: WindowStats | None, rates: RateLimiter) -> None:
        rate, (*_, key, scope) = hit.limit.limit, hit.args
        shown = (text if text.isprintable() else repr(text) for text in (key, scope))
        self._log.warning(
            "ratelimit %s (%.*s) exceeded at endpoint: %.*s",
            rate,
            *(it for text in shown for it in (_MAX_SHOWN, text)),
        )
        if stats is not None:
            ours = rates.storage.key(hit.args)
            rates.storage.refused(ours, rates.limit(rate), hit.cost, stats.reset_time)


def _grouped(hits: Iterable[PlannedHit]) -> list[list[PlannedHit]]:
    """Put hits together that may be one check: of one key and cost, and each limit once."""
    groups: list[list[PlannedHit]] = []
    for hit in hits:
        for group in groups:
            if _fits(hit, group):
                group.append(hit)
                break
        else:
            groups.append([hit])
    return groups


def _fits(hit: PlannedHit, group: Sequence[PlannedHit]) -> bool:
    first = group[0]
    return (
        (hit.args, hit.cost) == (first.args, first.cost)
        and len(group) < MAX_LIMITS
        and all(hit.limit.limit.bucket != it.limit.limit.bucket for it in group)
    )


def _check(group: Sequence[PlannedHit], rates: RateLimiter) -> Wanted:
    limits = together(*[rates.limit(hit.limit.limit) for hit in group])
    return rates.storage.key(group[0].args), limits, group[0].cost


def _told_of(groups: Sequence[Sequence[PlannedHit]], decisions: Answer) -> tuple[int, int]:
    """Return where the limit is that the response tells of.

    The first that refused, else the one with the shortest unit; of equals the first.
    """
    for at, decision in enumerate(decisions):
        if decision is not None and not decision.allowed:
            return at, min(refusing(decision), len(groups[at]) - 1)
    places = [(at, index) for at, group in enumerate(groups) for index in range(len(group))]
    return min(places, key=lambda it: groups[it[0]][it[1]].limit.limit.GRANULARITY.seconds)
