"""Marks: what a decorator of a limiter leaves on a function, a class of views or a blueprint.

They are found at request time, from the endpoint that the framework has come to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeVar, cast

from sidegate.errors import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.limiter.limits.route_limit import RouteLimit

F = TypeVar("F")

MAX_MARKS = 4_096  # of methods of classes
MARKS = "__sidegate_limits__"  # on a function, a class or a blueprint: its Marks
_PUT: list[None] = []  # one for each mark there is


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """What a decorator of a limiter leaves on a function; without a limit: it is exempt.

    `is_dependency`: the function itself checks the limit, as a dependency of the route.
    `is_in_part`: requests by other methods may have other limits in its place.
    """

    limiter: object
    limit: RouteLimit | None
    is_dependency: bool = False
    is_in_part: bool = False


def put_mark(marked: F, mark: Mark) -> F:
    """Leave a mark on a function, a class or a blueprint, and return it. TypeError if it can't be.

    It stays what it is: so it doesn't matter whether a route was made of it before or after.
    """
    _PUT.append(None)
    for each in _places(marked):
        holder = _holder(each)
        marks = (*cast("tuple[Mark, ...]", getattr(holder, MARKS, ())), mark)
        try:
            setattr(holder, MARKS, marks)
        except (AttributeError, TypeError):
            raise TypeError(f"{shown(each)} can't have limits: it takes no attributes") from None
    return marked


def marks_in_all() -> int:
    """Return how many marks were put, whose change tells that what was found out may be wrong."""
    return len(_PUT)


def _holder(marked: object) -> object:
    """Return what takes the attribute: a method of an object has none.

    Litestar's decorators make objects of functions, and of a websocket's listener one more.
    """
    if isinstance(marked, type):
        return marked
    function = getattr(marked, "__func__", None) or getattr(marked, "fn", marked)
    return function if function is marked else getattr(function, "_fn", function)


def _places(marked: object) -> Iterable[object]:
    """Return what bears the mark: of a controller of Litestar its own handlers too."""
    if isinstance(marked, type):
        return [*(each for each in vars(marked).values() if hasattr(each, "fn")), marked]
    is_blueprint = hasattr(marked, "before_request") and hasattr(marked, "record")
    is_whole = hasattr(marked, "routes") or hasattr(marked, "matches")  # a router, an app, a route
    if is_blueprint or (callable(getattr(marked, "__func__", marked)) and not is_whole):
        return [marked]
    raise TypeError(
        f"{shown(marked)} can't have limits: expected a function, a class or a blueprint; for a"
        " router give it dependencies=[Depends(limiter.dep(…))]"
    )


def marks_of(marked: object, limiter: object) -> list[Mark]:
    """Return the marks that a limiter left on something, the outermost first.

    Those of a partial are also those of its function.
    """
    marks = cast("tuple[Mark, ...]", getattr(marked, MARKS, ()))
    found = [mark for mark in reversed(marks) if mark.limiter is limiter]
    if isinstance(marked, partial):  # which may have copied them
        found += [mark for mark in marks_of(marked.func, limiter) if mark not in found]
    return found


# --- classes of views


def handler_of(view_class: object, method: str) -> object:
    """Return the method of a class of views that answers a request, or None.

    It is called as the request's method is; HEAD may be answered by what answers GET.
    """
    handler: object = getattr(view_class, method.lower(), None)
    if handler is None and method == "HEAD":
        return getattr(view_class, "get", None)
    return handler


def marks_of_handler(handler: object, limiter: object) -> list[Mark]:
    """Return the marks of a method of a class of views, the outermost first."""
    return [_of_handler(mark) for mark in marks_of(handler, limiter)]


@lru_cache(MAX_MARKS)
def _of_handler(mark: Mark) -> Mark:
    """Return the mark of a handler: each has its own buckets, unless others share them."""
    if mark.limit is None or mark.limit.scope is not None:
        return mark
    return replace(mark, limit=replace(mark.limit, per_method=True))
