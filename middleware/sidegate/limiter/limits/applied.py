"""Applied limits: which limits a route has, and the names of their buckets. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache, partial
from inspect import isclass, isfunction
from typing import TYPE_CHECKING

from sidegate.http.rules import MAX_NAME, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidegate.buckets.limits import Limits
    from sidegate.limiter.limits.route_limit import Mark, RouteLimit

MAX_RULES = 4_096  # limits that functions return, by route: plans, not clients
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_OTHER = "OTHER"  # for all methods that nobody has defined, which a client may make up
_UNFIT = re.compile(r"[^ !#-.0-9;-[\]-~]")
_DIGITS = 8  # of a hash: tells routes of one app apart


def plain_method(method: str) -> str:
    """Return a method by which a route may count: HEAD is GET, as the same code answers both."""
    if method == "HEAD":
        return "GET"
    return method if method in _METHODS else _OTHER


def fit_name(text: str) -> str:
    """Return a text as the name of a bucket: as it is, or cut, with a hash that keeps it apart."""
    plain = _UNFIT.sub("_", text)
    if plain == text and 0 < len(text) <= MAX_NAME:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{plain[: MAX_NAME - _DIGITS - 1]}~{digest}"


@dataclass(frozen=True, slots=True)
class RouteName:
    """A route as limits count it: `key` is unique in the app and the same in all of its processes.

    `name` says it to clients, in the fields of a response. `has_views`: it is a class, of which
    each method with limits of its own counts for itself.
    """

    key: str
    name: str
    has_views: bool = False

    def of(self, view: str) -> RouteName:
        """Return the route as a function with limits counts it: as itself, if it has views."""
        if not view or not self.has_views:
            return self
        return RouteName(fit_name(f"{self.key}.{view}"), fit_name(f"{self.name}.{view}"))


def route_of(endpoint: object, path: str = "") -> RouteName:
    """Return the route of a function, a method, a class or an object.

    `path` is that of the route: it tells apart what there may be several of under one name, such as
    objects, their methods, and functions that are made in functions.
    """
    suffix = "" if _is_named(endpoint) else path
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    named = endpoint if hasattr(endpoint, "__qualname__") else type(endpoint)
    name = str(getattr(named, "__name__", "route"))
    key = f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', name)}"
    has_views = isinstance(endpoint, type)
    return RouteName(fit_name(f"{key} {suffix}" if suffix else key), fit_name(name), has_views)


def _is_named(endpoint: object) -> bool:
    """Tell whether an endpoint is the only one of its name in its module."""
    if not (isfunction(endpoint) or isclass(endpoint)):
        return False
    return "<" not in endpoint.__qualname__  # of <locals> and <lambda>


@dataclass(frozen=True, slots=True)
class Applied:
    """One limit at one route, for one method: `bucket` begins its keys, `name` is for clients.

    `suffix` keeps apart what is counted apart: methods, or the messages of a websocket.
    """

    limit: RouteLimit
    bucket: str
    name: str
    suffix: str = ""

    def rule(self, limits: Limits, service: str) -> Rule:
        """Return the rule that these limits are here."""
        return _rule(self.name, self.bucket, limits, service)

    def of(self, scope: str) -> Applied:
        """Return it with a scope that a function gave."""
        name = fit_name(f"{scope}{self.suffix}")
        return Applied(self.limit, name, name, self.suffix)


@lru_cache(MAX_RULES)
def _rule(name: str, bucket: str, limits: Limits, service: str) -> Rule:
    return Rule(name, limits).of(service, bucket)


def applied(limit: RouteLimit, route: RouteName, method: str, suffix: str = "") -> Applied:
    """Return a limit at a route; `suffix` keeps apart what is counted apart."""
    bucket = limit.scope if isinstance(limit.scope, str) else route.key
    name = limit.scope if isinstance(limit.scope, str) else route.name
    if limit.per_method:
        suffix = f"{suffix} {plain_method(method)}"
    return Applied(limit, fit_name(f"{bucket}{suffix}"), fit_name(f"{name}{suffix}"), suffix)


def limits_at(
    route: RouteName, method: str, marks: Sequence[Mark], defaults: Iterable[RouteLimit]
) -> tuple[Applied, ...]:
    """Return the limits of a route for a method, of which none is exempt.

    A limit stands in for the defaults only where it applies, so that no method is left without.
    """
    found = [(mark, mark.limit) for mark in marks if mark.limit and _counts(mark.limit, method)]
    own = [
        applied(limit, route.of(mark.view), method)
        for mark, limit in found
        if not mark.is_dependency
    ]
    if any(limit.override_defaults for _, limit in found):
        return tuple(own)
    rest = [applied(limit, route, method) for limit in defaults if _counts(limit, method)]
    return (*own, *rest)


def _counts(limit: RouteLimit, method: str) -> bool:
    return limit.methods is None or method in limit.methods
