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

    from sidegate.limiter.limits.marks import Mark
    from sidegate.limiter.limits.route_limit import RouteLimit

MAX_MARKS = 4_096  # of blueprints, by their views


def carries(
    limit: RouteLimit, marks: Sequence[Mark], defaults: Sequence[RouteLimit], scopes: Scopes
) -> bool:
    """Tell whether a limit of a route carries; `marks` are all that the route has, as below."""
    return is_one_set(marks, defaults) if limit.scope is None else scopes.has_only(limit)


def is_one_set(marks: Sequence[Mark], defaults: Sequence[RouteLimit]) -> bool:
    """Tell whether the buckets that a route has for itself have the same limits for all requests.

    `marks` are all that it has, for whatever method.
    """
    own = [mark for mark in marks if mark.limit and mark.limit.scope is None]
    if any(mark.is_in_part for mark in own) or (own[1:] and any(it.is_dependency for it in own)):
        return False
    limits = [mark.limit for mark in own if mark.limit]
    if not any(it.limit and _overrides_always(it.limit) for it in marks):
        limits += [limit for limit in defaults if limit.scope is None]
    if not all(isinstance(limit.limits, Limits) for limit in limits):
        return False
    return len(limits) == 1 or len({_asked_when(limit) for limit in limits}) == 1


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


class Scopes:
    """The limits that the scopes of one limiter have."""

    def __init__(self) -> None:
        self._limits: dict[str, RouteLimit | None] = {}  # None: of several

    def add(self, limit: RouteLimit) -> None:
        """Note the scope of a limit, if it has one."""
        if isinstance(limit.scope, str):
            known = self._limits.setdefault(limit.scope, limit)
            if known is not limit:
                self._limits[limit.scope] = None

    def has_only(self, limit: RouteLimit) -> bool:
        """Tell whether no other limits have the scope of this one, and nobody decides about it."""
        is_fixed = isinstance(limit.limits, Limits) and isinstance(limit.scope, str)
        return is_fixed and self._limits.get(str(limit.scope)) is limit
