"""One set: do the keys of some buckets have the same limits whatever is asked? Pure.

Only such limits carry over what was spent of others: these were there before, and aren't any more.
Where the method, the app's functions or another route decide which limits a key is asked about, it
has all of them at a time, and each stands for itself.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from sidegate.buckets.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.http.rules import Rule
    from sidegate.limiter.limits.marks import Mark
    from sidegate.limiter.limits.route_limit import RouteLimit

MAX_MARKS = 4_096  # of blueprints, by their views
MAX_MADE = 64  # rules of a route: one or two for each method
MAX_ROUTES = 4_096  # whose limits are known; those of more stand apart


def carries(
    limit: RouteLimit,
    route: str,
    marks: Sequence[Mark],
    defaults: Sequence[RouteLimit],
    sets: LimitSets,
) -> bool:
    """Tell whether a limit of a route carries; `marks` are all that the route has, as below."""
    if limit.scope is not None:
        return sets.has_only(limit)
    is_same = sets.is_same(route, limits_of(marks, defaults))
    return is_same and is_one_set(marks, defaults)


def is_one_set(marks: Sequence[Mark], defaults: Sequence[RouteLimit]) -> bool:
    """Tell whether the buckets that a route has for itself have the same limits for all requests.

    `marks` are all that it has, for whatever method.
    """
    own = [mark for mark in marks if mark.limit and mark.limit.scope is None]
    limits = limits_of(marks, defaults)
    if any(mark.is_in_part for mark in own):
        return False
    if limits[1:] and any(mark.is_dependency for mark in own):  # which asks by itself
        return False
    if not all(isinstance(limit.limits, Limits) for limit in limits):
        return False
    return len(limits) == 1 or len({_asked_when(limit) for limit in limits}) == 1


def limits_of(marks: Sequence[Mark], defaults: Sequence[RouteLimit]) -> list[RouteLimit]:
    """Return the limits of the buckets that a route has for itself, for whatever method."""
    found = [mark.limit for mark in marks if mark.limit]
    limits = [limit for limit in found if limit.scope is None]
    if not any(map(_overrides_always, found)):
        limits += [limit for limit in defaults if limit.scope is None]
    return limits


def _overrides_always(limit: RouteLimit) -> bool:
    return limit.override_defaults and limit.methods is None


def _asked_when(limit: RouteLimit) -> tuple[object, ...]:
    """Return what limits have in common that are always asked about in one check."""
    when = limit.methods, limit.exempt_when, limit.rule_name  # whose default applies or doesn't
    return *when, limit.per_method, limit.cost, limit.key.function


@lru_cache(MAX_MARKS)
def in_parts(mark: Mark) -> Mark:
    """Return a mark in whose place there may be others, for other methods."""
    return replace(mark, is_in_part=True)


class LimitSets:
    """The limits that scopes, routes and rules of one limiter have."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._scopes: dict[str, RouteLimit | None] = {}  # None: of several
        self._routes: dict[str, _Route] = {}

    def add(self, limit: RouteLimit) -> None:
        """Note the scope of a limit, if it has one."""
        if not isinstance(limit.scope, str):
            return
        known = self._scopes.setdefault(limit.scope, limit)
        if known is not limit:
            self._scopes[limit.scope] = None
        if rule := self._rules.get(limit.scope):
            self._scopes[limit.scope] = None
            rule.stand_apart()

    def has_only(self, limit: RouteLimit) -> bool:
        """Tell whether no other limits have the scope of this one, and nobody decides about it."""
        is_fixed = isinstance(limit.limits, Limits) and isinstance(limit.scope, str)
        return is_fixed and self._scopes.get(str(limit.scope)) is limit

    def is_same(self, route: str, limits: Sequence[RouteLimit]) -> bool:
        """Note the limits of a route; tell whether it had the same whenever it was asked.

        A view may stand in several routers with dependencies of their own, or behind several
        decorators, and all have its name. If so, what was made of it before stands apart too.
        """
        found = frozenset(limit for limit in limits if not limit.per_method)
        if not found:
            return True
        if route not in self._routes and len(self._routes) >= MAX_ROUTES:
            return False
        known = self._routes.setdefault(route, _Route(found))
        if known.limits != found:
            known.is_several = True
            while known.made:
                known.made.pop().stand_apart()
        return not known.is_several

    def made(self, route: str, rules: Sequence[Rule]) -> None:
        """Note the rules that carry of those that the limits of a route are."""
        if (known := self._routes.get(route)) and not known.is_several:
            known.made += [rule for rule in rules if rule not in known.made]
            del known.made[:-MAX_MADE]


class _Route:
    """The limits that a route was first seen with, and the rules that were made of them."""

    def __init__(self, limits: frozenset[RouteLimit]) -> None:
        self.limits = limits
        self.is_several = False
        self.made: list[Rule] = []
