"""Views: the functions that decorators limit, and which one a request comes to."""

from __future__ import annotations

import inspect
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.routing import Match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from starlette.routing import BaseRoute
    from starlette.types import Scope

    View: TypeAlias = Callable[..., Any]

V = TypeVar("V", bound="Callable[..., Any]")

_COMPLETE = "_rate_limiting_complete"  # in the state of a request: its decorators have asked
_NAMES = ("request", "websocket")


class ViewChecks(Protocol):
    """A Limiter, as its decorators and its middleware know it."""

    enabled: bool
    auto_check: bool

    def check_in_thread(
        self,
        request: Request,
        view: View | None,
        in_middleware: bool = True,
    ) -> None:
        """Raise RateLimitExceeded for a request that is refused."""
        ...

    async def check_in_loop(
        self, request: Request, view: View | None, *, in_middleware: bool = True
    ) -> None:
        """Raise RateLimitExceeded for a request that is refused; it doesn't hold up the loop."""
        ...

    def tell_result(self, request: Request, result: object, response: object) -> None:
        """Put the fields on what a view returned, or on the response that it was given."""
        ...


def limited(limiter: ViewChecks, view: V) -> V:
    """Return a view that is checked before it runs, and whose response tells of its limits.

    ValueError for one that has no parameter for the request.
    """
    names = list(inspect.signature(view).parameters)
    at = next((names.index(name) for name in names if name in _NAMES), None)
    if at is None:
        raise ValueError(f'No "request" or "websocket" argument on function "{view}"')

    @wraps(view)
    async def in_loop(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the view
        if not limiter.enabled:
            return await view(*args, **kwargs)
        request = _request_of(args, kwargs, at)
        if _is_first(limiter, request):
            await limiter.check_in_loop(request, view, in_middleware=False)
        result = await view(*args, **kwargs)
        limiter.tell_result(request, result, kwargs.get("response"))
        return result

    @wraps(view)
    def in_thread(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the view
        if not limiter.enabled:
            return view(*args, **kwargs)
        request = _request_of(args, kwargs, at)
        if _is_first(limiter, request):
            limiter.check_in_thread(request, view, in_middleware=False)
        result = view(*args, **kwargs)
        limiter.tell_result(request, result, kwargs.get("response"))
        return result

    made: Any = in_loop if inspect.iscoroutinefunction(view) else in_thread
    return made  # type: ignore[no-any-return]  # it is called as the view is


def _request_of(args: Sequence[Any], kwargs: Mapping[str, Any], at: int) -> Request:
    request = kwargs.get("request", args[at] if at < len(args) else None)
    if not issubclass(type(request), Request):
        raise TypeError("parameter `request` must be an instance of starlette.requests.Request")
    return request  # type: ignore[no-any-return]  # was looked at just now


def _is_first(limiter: ViewChecks, request: Request) -> bool:
    """Tell whether a request is still to be asked about, and note that it is."""
    if not limiter.auto_check or getattr(request.state, _COMPLETE, False):
        return False
    setattr(request.state, _COMPLETE, True)
    return True


def is_complete(request: Request) -> bool:
    """Tell whether the decorators of a view have asked about a request."""
    return bool(getattr(request.state, _COMPLETE, False))


def innermost(view: View) -> View:
    """Return the function that decorators were put around."""
    while isinstance(view, partial):
        view = view.func
    inner: View = inspect.unwrap(getattr(view, "__func__", view))
    return inner


def name_of(view: View | None) -> str:
    """Return what a view is called, with its module; "" for none."""
    if view is None:
        return ""
    inner = innermost(view)
    name = getattr(inner, "__name__", type(inner).__name__)
    return f"{inner.__module__}.{name}"


def view_at(routes: Iterable[BaseRoute], scope: Scope) -> View | None:
    """Return the view that a request is going to come to, None for no route."""
    for route in routes:
        match, child = route.matches(scope)
        if match is Match.FULL:
            return _view_of(route, scope, child)
    return None


def _view_of(route: Any, scope: Scope, child: Mapping[str, Any]) -> View | None:  # noqa: ANN401 - any route
    inner = {**scope, **child}
    while hasattr(route, "original_router"):  # FastAPI's, of include_router
        match, child, route, _ = route._match(inner)  # noqa: SLF001 - nothing else tells
        if match is not Match.FULL:
            return None
        inner |= child
    routes = getattr(route, "routes", None)
    if routes:  # behind a mount
        return view_at(routes, inner)
    view: View | None = getattr(route, "endpoint", None)
    return view
