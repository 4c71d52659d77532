"""FastAPI: `Depends(limiter.dep(…))`. All else is that of Starlette.

The middleware need not be there: without it a denial is answered all the same, and only responses
that are let through lack the fields.
"""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection

from sidegate.integrations.starlette import check_here
from sidegate.limiter.limits.marks import Mark, put_mark
from sidegate.limiter.limits.route_limit import route_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.limiter.core import Core
    from sidegate.limiter.limits.route_limit import LimitOptions, LimitsOf


_IDENTITY = "sidegate.identity"


def _of_dependency(request: HTTPConnection) -> object:
    """Return what the dependency that is the key has returned."""
    return request.scope[_IDENTITY]


def dependency(core: Core, limits: LimitsOf, options: LimitOptions) -> Callable[..., Any]:
    """Return a dependency that checks limits; see `Limiter.dep`. ValueError for a wrong option."""
    depends = options.get("key")
    is_depends = callable(getattr(depends, "dependency", None))
    if is_depends:
        options = {**options, "key": _of_dependency}
    limit = route_limit(limits, core.key, options)
    core.mark(limit, limits)

    async def check(connection: HTTPConnection, identity: object = None) -> None:
        if is_depends:
            connection.scope[_IDENTITY] = identity  # for the key, which is asked right now
        await check_here(core, limit, connection)

    parameters = [
        Parameter("connection", Parameter.POSITIONAL_OR_KEYWORD, annotation=HTTPConnection)
    ]
    if is_depends:
        parameters.append(
            Parameter("identity", Parameter.POSITIONAL_OR_KEYWORD, default=depends, annotation=Any)
        )
    check.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # FastAPI reads it
    return put_mark(check, Mark(core.limiter, limit, is_dependency=True))
