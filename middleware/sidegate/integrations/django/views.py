"""Which route a view is, and which limits were left on it: a function, a class, or of DRF."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from sidegate.limiter.limits.applied import RouteName, fit_name
from sidegate.limiter.limits.marks import MARKS, handler_of, marks_of, marks_of_handler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidegate.limiter.limits.marks import Mark

_OF_API_VIEW: Final = "WrappedAPIView"  # the class that each @api_view makes
_GENERIC: Final = ("django.", "rest_framework.")  # whose views stand at many routes


def route_of_view(view: Any, told: str, method: str) -> RouteName:  # noqa: ANN401  # no types
    """Return the route of a view by its own name, not by the path that was asked.

    So a view at two paths has one route. `told`, the name of its URL or the pattern, tells views
    apart that have no name of their own: generic ones, and those that a decorator hides.
    """
    named, action = _named(view, method)
    name = str(getattr(named, "__name__", "view"))
    place = str(getattr(named, "__qualname__", name))
    place = name if place == _OF_API_VIEW else place
    module = str(getattr(named, "__module__", ""))
    key = f"{module}.{place}"
    if action:
        key, name = f"{key}.{action}", f"{name}.{action}"
    elif module.startswith(_GENERIC) or "<" in place or _arguments(view):
        key, name = f"{key} {told}", f"{name} {told}"
    return RouteName(fit_name(key), fit_name(name))


def marks_of_view(view: Any, method: str, limiter: object) -> list[Mark]:  # noqa: ANN401  # no types
    """Return the marks that a limiter left on a view, its class, or its method."""
    marks = [mark for place in _places(view, method) for mark in marks_of(place, limiter)]
    marks += marks_of_handler(_handler_of_view(view, method), limiter)
    return list(dict.fromkeys(marks))


def _places(view: Any, method: str) -> Iterator[object]:  # noqa: ANN401  # no types
    yield view
    while isinstance(view, partial):
        view = view.func
        yield view
    if (kind := _class(view)) is not None:
        yield kind
        if kind.__qualname__ == _OF_API_VIEW:  # it keeps the function in a closure only
            for cell in getattr(_handler_of_view(view, method), "__closure__", None) or ():
                if hasattr(cell.cell_contents, MARKS):
                    yield cell.cell_contents


def _handler_of_view(view: Any, method: str) -> object:  # noqa: ANN401  # no types
    """Return the method of a view's class that handles a request, or None."""
    while isinstance(view, partial):
        view = view.func
    kind, action = _class(view), _action(view, method)
    return getattr(kind, action, None) if action else handler_of(kind, method)


def _named(view: Any, method: str) -> tuple[Any, str]:  # noqa: ANN401  # no types
    """Return what has the name of a view, and the action of a viewset."""
    while isinstance(view, partial):
        view = view.func
    kind = _class(view)
    if kind is not None:
        return kind, _action(view, method)
    return view if hasattr(view, "__qualname__") else cast("Any", type(view)), ""


def _class(view: Any) -> Any:  # noqa: ANN401  # no types
    return getattr(view, "view_class", None) or getattr(view, "cls", None)


def _action(view: Any, method: str) -> str:  # noqa: ANN401  # no types
    actions = cast("dict[str, str]", getattr(view, "actions", None) or {})
    return actions.get("get" if method == "HEAD" else method.lower(), "")


def _arguments(view: Any) -> object:  # noqa: ANN401  # no types
    """Return what `as_view` was given, by which views of one class differ."""
    return getattr(view, "view_initkwargs", None) or getattr(view, "initkwargs", None)
