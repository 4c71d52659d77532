"""Applied limits: which limits a route has, and the names of their buckets. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache, partial
from inspect import isclass, isfunction
from itertools import chain
from typing import TYPE_CHECKING

from sidegate.http.keys import client_ip, is_total
from sidegate.http.rules import MAX_NAME, Rule
from sidegate.limiter.limits.one_set import carries, in_parts

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from sidegate.buckets.limits import Limits
    from sidegate.http.keys import Identity
    from sidegate.limiter.limits.marks import Mark
    from sidegate.limiter.limits.one_set import LimitSets
    from sidegate.limiter.limits.route_limit import RouteLimit

MAX_RULES = 4_096  # limits that functions return, by route: plans, not clients
STANDARD = frozenset(  # RFC 9110 and 5789
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
)
OTHER = "OTHER"  # for all methods that no limit names, which a client may make up
APPLICATION = "default"  # the scope of limits of the application
_UNFIT = re.compile(r"[^ !#-.0-9;-[\]-~]")
_ADDRESS = client_ip()
_DIGITS = 8  # of a hash: tells routes of one app apart


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

    `name` says it to clients, in the fields of a response.
    """

    key: str
    name: str


def route_of(endpoint: object, path: str = "") -> RouteName:
    """Return the route of a function, a method, a class or an object.

    `path` is that of the route: it tells apart what there may be several of under one name, such as
    objects, their methods, and functions that are made in functions.
    """
    suffix = "" if is_named(endpoint) else path
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    named = endpoint if hasattr(endpoint, "__qualname__") else type(endpoint)
    name = str(getattr(named, "__name__", "route"))
    key = f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', name)}"
    return RouteName(fit_name(f"{key} {suffix}" if suffix else key), fit_name(name))


def is_named(endpoint: object) -> bool:
    """Tell whether an endpoint is the only one of its name in its module."""
    if not (isfunction(endpoint) or isclass(endpoint)):
        return False
    return "<" not in endpoint.__qualname__  # of <locals> and <lambda>


@dataclass(frozen=True, slots=True, eq=False)  # as a RouteLimit, and so quickly looked up
class Applied:
    """One limit at one route, for one method: `bucket` begins its keys, `name` is for clients.

    `suffix` keeps apart what is counted apart: methods, or the messages of a websocket. `carries`:
    these are all limits that its buckets' keys have, whatever is asked.
    """

    limit: RouteLimit
    bucket: str
    name: str
    suffix: str = ""
    carries: bool = False

    def rule(self, limits: Limits, service: str) -> Rule:
        """Return the rule that these limits are here."""
        key = self.limit.key.function
        named = self.name, self.bucket, service
        key = key if is_total(key) else _ADDRESS
        asked = limits.synced() if self.limit.sync else limits
        return _rule(named, asked, key, carries=self.carries, lease=self.limit.lease)

    def of(self, scope: str) -> Applied:
        """Return it with a scope that a function gave."""
        name = fit_name(f"{scope}{self.suffix}")
        return Applied(self.limit, name, name, self.suffix)


@lru_cache(MAX_RULES)
def _rule(
    named: tuple[str, str, str], limits: Limits, key: Identity, *, carries: bool, lease: bool
) -> Rule:
    name, bucket, service = named
    rule = Rule(name, limits, key=key, lease=lease).of(service, bucket)
    return rule if carries else rule.stand_apart()


@lru_cache(MAX_RULES)
def applied(
    limit: RouteLimit, route: RouteName, method: str, suffix: str = "", *, carries: bool = False
) -> Applied:
    """Return a limit at a route; `suffix` keeps apart what is counted apart."""
    bucket = limit.scope if isinstance(limit.scope, str) else route.key
    name = limit.scope if isinstance(limit.scope, str) else route.name
    if limit.per_method:
        suffix = f"{suffix} {counted_as(method, limit.methods or ())}"
    bucket, name = fit_name(f"{bucket}{suffix}"), fit_name(f"{name}{suffix}")
    return Applied(limit, bucket, name, suffix, carries)


def of_method(name: str, method: str) -> str:
    """Return the name of what counts one method of a route or a scope for itself."""
    return fit_name(f"{name} {counted_as(method)}")


def counted_as(method: str, named: Container[str] = ()) -> str:
    """Return a method as it is counted: HEAD is GET, as the same code answers both.

    `named` are methods that a limit knows beside the standard ones; all others are one.
    """
    if method == "HEAD":
        return "GET"
    return method if method in STANDARD or method in named else OTHER


def limits_at(
    route: RouteName,
    method: str,
    marks: Sequence[Mark],
    defaults: Sequence[RouteLimit],
    sets: LimitSets,
) -> tuple[Applied, ...]:
    """Return the limits of a route for a method, of which none is exempt.

    A limit stands in for the defaults only where it applies, so that no method is left without.
    """
    found = [(mark, mark.limit) for mark in marks if mark.limit and _counts(mark.limit, method)]
    own = [limit for mark, limit in found if not mark.is_dependency]
    overridden = any(limit.override_defaults for _, limit in found)
    rest = [] if overridden else [limit for limit in defaults if _counts(limit, method)]
    return tuple(
        applied(limit, route, method, carries=carries(limit, route.key, marks, defaults, sets))
        for limit in [*own, *rest]
    )


def nearest(levels: Iterable[Sequence[Mark]], method: str) -> list[Mark]:
    """Return the marks that count, of a view and of what lies around it: the innermost first.

    Those further outside count where there are none for the method, or where each that is there
    says so by `override_defaults=False`.
    """
    found: list[Mark] = []
    levels = list(levels)
    if sum(map(bool, levels)) > 1 and any(it.limit and it.limit.methods for it in chain(*levels)):
        levels = [[in_parts(mark) for mark in level] for level in levels]
    for level in levels:
        if any(mark.limit is None for mark in level):
            return found or list(level)
        counted = [mark for mark in level if mark.limit and _counts(mark.limit, method)]
        found += counted
        if any(mark.limit and mark.limit.override_defaults for mark in counted):
            break
    return found


def _counts(limit: RouteLimit, method: str) -> bool:
    return limit.methods is None or method in limit.methods
