"""Fixed limits: no function of the app has a say in them, so nothing but whose they are is to come.

Nearly all limits are: by address or by header. What to ask of them is known when their route first
is, and `enforce` takes this short way, in a sixth of the time of planning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidegate.buckets.limits import Limits
from sidegate.errors import LimitError
from sidegate.http.keys import is_total
from sidegate.http.request.proxies import MAX_ADDRESS
from sidegate.limiter.checks.planning import KeyQuestion, LimitRule, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.http.request.request import Request
    from sidegate.http.request_limiter import RequestLimiter
    from sidegate.http.rules import Rule
    from sidegate.limiter.limits.applied import Applied
    from sidegate.limiter.limits.route_limit import RouteLimit


class FixedQuestion(NamedTuple):
    """Fixed limits whose buckets have one key: a KeyQuestion that lacks the key."""

    rule: Rule
    cost: int
    parts: Sequence[LimitRule]

    def of(self, request: Request, limiter: RequestLimiter) -> KeyQuestion:
        """Return the question about a request. It raises what its identity raises."""
        rule = self.rule
        if rule.key_of_peer is not None and len(address := request.client) <= MAX_ADDRESS:
            key = rule.key_of_peer(address)  # which is cached
        else:
            key = limiter.key_of(rule, rule.key(request))
        return KeyQuestion(rule, key, self.cost, self.parts)


def fixed_questions(limits: Sequence[Applied], service: str) -> Sequence[FixedQuestion] | None:
    """Return what to ask about limits if all are fixed, else None."""
    if not all(_is_fixed(one.limit) for one in limits):
        return None
    groups: dict[tuple[str, object, int], list[LimitRule]] = {}
    for one in limits:
        limit = one.limit
        assert isinstance(limit.limits, Limits)
        assert isinstance(limit.cost, int)
        part = LimitRule(one.rule(limit.limits, service), limit)
        group = groups.setdefault((one.bucket, limit.key.function, limit.cost), [])
        if all(other.rule is not part.rule for other in group):  # else the first has paid for it
            group.append(part)
    try:
        return [FixedQuestion(_rule(parts), key[2], parts) for key, parts in groups.items()]
    except LimitError:  # more than one check holds
        return None


def _is_fixed(limit: RouteLimit) -> bool:
    called = (limit.limits, limit.cost, limit.scope, limit.exempt_when)
    return not any(map(callable, called)) and is_total(limit.key.function)


def _rule(parts: list[LimitRule]) -> Rule:
    return parts[0].rule if len(parts) == 1 else joined(tuple(part.rule for part in parts))
