"""Messages: each one of a websocket pays for itself, by limits counted apart from handshakes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from sidegate.limiter.checks.asking import enforce
from sidegate.limiter.checks.current import Current
from sidegate.limiter.limits.applied import applied
from sidegate.limiter.limits.route_limit import route_limit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidegate.http.request.request import Request
    from sidegate.limiter.checks.enforcer import Checked
    from sidegate.limiter.core import Core
    from sidegate.limiter.limits.applied import RouteName
    from sidegate.limiter.limits.marks import Mark
    from sidegate.limiter.limits.route_limit import LimitOptions, LimitsOf, RouteLimit

MAX_LIMITS = 1_024  # written at messages; with a function that is made there, new each time


def message_of(core: Core, websocket: Any, view: Request) -> Current:  # noqa: ANN401 - the framework's
    """Return what stands for a message: a request of its own, which no rule applies to."""
    current = Current(core.limiter, view)
    current.request = websocket
    current.is_message = current.is_enforced = True
    return current


async def enforce_message(
    core: Core,
    message: Current,
    route: RouteName,
    given: tuple[LimitsOf | None, LimitOptions],
    marks: Sequence[Mark],
) -> Checked:
    """Check a message by the limits that are given, else by those of its route."""
    limits, options = given
    if limits is not None:
        found = [_limit_of(core, limits, options)]
    else:
        found = [mark.limit for mark in marks if mark.limit]
    if not found:
        raise ValueError("limits=None: expected limits, since the websocket's route has none")
    asked = [applied(limit, route, "GET", " message") for limit in found]
    return await enforce(core.enforcer, core.clients.loops, message, asked)


def _limit_of(core: Core, limits: LimitsOf, options: LimitOptions) -> RouteLimit:
    """Return a limit that is written at a message: the same one for each, 8 µs and not 13."""
    written = (limits, core.key, *options.items())
    try:
        hash(written)
    except TypeError:  # a list
        return route_limit(limits, core.key, options)
    return _known(written)


@lru_cache(MAX_LIMITS)
def _known(written: tuple[Any, ...]) -> RouteLimit:
    limits, key, *options = written
    return route_limit(limits, key, cast("LimitOptions", dict(options)))
