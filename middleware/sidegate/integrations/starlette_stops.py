"""Stops of Starlette and FastAPI: which limits the request has that comes to a route."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import Host, Mount, Router

from sidegate.asgi.refusal import layers_of
from sidegate.limiter.limits.applied import STANDARD, route_of
from sidegate.limiter.limits.marks import (
    MARKS,
    handler_of,
    marks_in_all,
    marks_of,
    marks_of_handler,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from starlette.types import Scope

    from sidegate.limiter.core import Core
    from sidegate.limiter.limits.applied import Applied, RouteName
    from sidegate.limiter.limits.marks import Mark

    Key: TypeAlias = tuple[int, int, int, str | None]

MAX_STOPS = 4_096  # of one limiter: routes times methods
_OUTER = (Mount, Host)  # routes behind which others may come; a union would be made at each look


@dataclass(frozen=True, slots=True, eq=False)
class RouteStop:
    """One method of a route, for one limiter. It holds while no function is marked anew."""

    limits: Sequence[Applied]
    asks_the_app: bool  # have functions of the app a say in them?
    is_last: bool  # can no other route come behind it?
    is_only: bool  # is it, and has no other limiter marked it too?
    marks: int  # how many there were in all
    route: object  # these three are kept, so that nothing else gets their ids
    endpoint: object
    included: object


def is_at(stop: RouteStop, route: object, scope: Scope) -> bool:
    """Tell whether a request has come to a stop that was guessed, and will come to no other."""
    return (
        stop.route is route
        and stop.endpoint is scope.get("endpoint")
        and stop.included is _included(scope)
        and stop.marks == marks_in_all()
        and stop.is_only
    )


def known_stop(core: Core, route: object, scope: Scope) -> RouteStop | None:
    """Return the last stop of a request, if one like it has been there."""
    stop: RouteStop | None = core.stops.get(_key(route, scope))
    return stop if stop is not None and stop.marks == marks_in_all() else None


def stop_at(core: Core, route: Any, scope: Scope) -> RouteStop:  # noqa: ANN401 - any route
    """Find out about a stop, and remember it if it is a last one, and no other limiter's too."""
    limits = _limits(core, route, scope)
    is_last = not isinstance(route, _OUTER)
    is_only = is_last and all(mark.limiter is core.limiter for mark in all_marks(scope))
    stop = RouteStop(
        limits,
        asks_the_app=core.enforcer.asks_the_app(limits),
        is_last=is_last,
        is_only=is_only,
        marks=marks_in_all(),
        route=route,
        endpoint=scope.get("endpoint"),
        included=_included(scope),
    )
    # Of other methods a client can make up any number.
    if is_only and method_of(scope) in STANDARD:
        if len(core.stops) >= MAX_STOPS:
            core.stops.clear()
        core.stops[_key(route, scope)] = stop
    return stop


def _key(route: object, scope: Scope) -> Key:
    return id(route), id(scope.get("endpoint")), id(_included(scope)), scope.get("method")


def _included(scope: Scope) -> object:
    """Return what FastAPI says of a route that came with a router."""
    fastapi = scope.get("fastapi")
    return fastapi.get("effective_route_context") if fastapi else None


def _limits(core: Core, route: Any, scope: Scope) -> Sequence[Applied]:  # noqa: ANN401 - any route
    """Return the limits of the endpoint that a scope came to; () for one that is exempt."""
    marks = marks_of_route(core, route, scope)
    return core.enforcer.limits(name_of(scope, route), method_of(scope), marks)


def is_last(route: Any, scope: Scope) -> bool:  # noqa: ANN401 - any route
    """Tell whether no other route comes behind this one, and it takes the request's method.

    Behind a mounted app whose layers can't be seen one may come nevertheless: it checks its own.
    """
    if isinstance(route, _OUTER):
        return not any(isinstance(layer, (Router, Starlette)) for layer in layers_of(route.app))
    methods = getattr(route, "methods", None)
    return not methods or scope["type"] != "http" or scope["method"] in methods


def method_of(scope: Scope) -> str:
    return "GET" if scope["type"] == "websocket" else str(scope["method"]).upper()


def name_of(scope: Scope, route: Any) -> RouteName:  # noqa: ANN401 - any route
    return route_of(scope.get("endpoint"), str(getattr(route, "path", "")))


def all_marks(scope: Scope) -> Sequence[Mark]:
    """Return the marks of an endpoint, and of the method of one that is a class."""
    endpoint = scope.get("endpoint")
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    marks: Sequence[Mark] = getattr(endpoint, MARKS, ())
    if isinstance(endpoint, type):
        marks = (*marks, *getattr(handler_of(endpoint, method_of(scope)), MARKS, ()))
    return marks


def marks_of_endpoint(scope: Scope, limiter: object) -> list[Mark]:
    """Return the marks of the function or the class, and those of its method."""
    endpoint = scope.get("endpoint")
    marks = marks_of(endpoint, limiter)
    if isinstance(endpoint, type):
        marks += marks_of_handler(handler_of(endpoint, method_of(scope)), limiter)
    return marks


def marks_of_route(core: Core, route: Any, scope: Scope) -> list[Mark]:  # noqa: ANN401 - any route
    """Return the marks of the endpoint that a scope came to, and those of its dependencies."""
    marks = marks_of_endpoint(scope, core.limiter)
    return marks + _marks_of_dependencies(_dependant(route, scope), core.limiter)


def _dependant(route: Any, scope: Scope) -> Any:  # noqa: ANN401 - of FastAPI
    """Return what FastAPI knows of a route's dependencies, with those of routers around it."""
    included = _included(scope)
    is_of_route = getattr(included, "original_route", None) is route
    return getattr(included if is_of_route else route, "dependant", None)


def _marks_of_dependencies(dependant: Any, limiter: object) -> list[Mark]:  # noqa: ANN401 - as above
    """Return the marks of each `Depends(limiter.dep(…))`: limits that a route has otherwise."""
    marks: list[Mark] = []
    for inner in getattr(dependant, "dependencies", ()):
        marks += [*marks_of(inner.call, limiter), *_marks_of_dependencies(inner, limiter)]
    return marks
