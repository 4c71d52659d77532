"""Marks: the limits of an app, and of those of its views that have decorators."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from sidegate.compat.slowapi.views import innermost, name_of
from sidegate.compat.slowapi.wrappers import Limit, LimitGroup, Terms

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Sequence

    from starlette.requests import Request

    from sidegate.compat.slowapi.views import View
    from sidegate.compat.slowapi.wrappers import StrOrCallableStr


def _no_limits() -> list[LimitGroup | Limit]:
    return []


@dataclass(slots=True)
class ViewMarks:
    """What the decorators of a view say."""

    limits: list[LimitGroup | Limit] = field(default_factory=_no_limits)
    is_exempt: bool = False
    checks_itself: bool = False  # all that it is limited by, so that the middleware has no say


_UNMARKED: Final = ViewMarks()


class MarkedViews:
    """Which limits a request has that comes to a view.

    Of the views that are marked none is kept from ending: the app has them.
    """

    def __init__(
        self, of_app: Sequence[LimitGroup], of_routes: Sequence[LimitGroup], log: logging.Logger
    ) -> None:
        self._of_app = of_app
        self._of_routes = of_routes
        self._log = log
        self._views: WeakKeyDictionary[View, ViewMarks] = WeakKeyDictionary()

    def of(self, view: View | None) -> ViewMarks:
        """Return the marks of a view."""
        try:
            return self._views.get(innermost(view), _UNMARKED) if view else _UNMARKED
        except TypeError:  # what can't be a key can't be marked
            return _UNMARKED

    def put(self, view: View) -> ViewMarks:
        """Return the marks of a view, to be added to."""
        return self._views.setdefault(innermost(view), ViewMarks())

    def add(self, view: View, limit_value: StrOrCallableStr, terms: Terms) -> None:
        """Mark a view. As in slowapi a text that can't be read is logged, and limits nothing."""
        group, marks = LimitGroup(limit_value, terms), self.put(view)
        if callable(limit_value):
            marks.limits.append(group)
            return
        marks.checks_itself = True
        try:
            marks.limits += group
        except ValueError as error:
            line = "Failed to configure throttling for %s (%s)"
            self._log.error(line, name_of(view), error)

    def limits_ahead(self) -> list[Limit]:
        """Return the limits that the middleware checks."""
        return [*chain(*self._of_app), *chain(*self._of_routes)]

    def limits_at(self, view: View | None, request: Request) -> list[Limit]:
        """Return the limits that a view checks itself.

        The defaults are among them if it has no other ones, or only such as don't override them.
        """
        limits: list[Limit] = []
        for it in self.of(view).limits:
            try:
                limits += [it] if isinstance(it, Limit) else it.with_request(request)
            except ValueError as error:
                line = "failed to load ratelimit for view function %s (%s)"
                self._log.error(line, name_of(view), error)
        if not any(limit.override_defaults for limit in limits):
            limits += chain(*self._of_routes)
        return limits


def groups_of(
    limits: Iterable[StrOrCallableStr], key_func: Callable[..., Any], scope: str | None = None
) -> list[LimitGroup]:
    """Return limits of the app. LimitError, a ValueError, for a text that can't be read."""
    terms = Terms(key_func=key_func, scope=scope)
    one_by_one = [limits] if isinstance(limits, str) else dict.fromkeys(limits)
    groups = [LimitGroup(limit, terms) for limit in one_by_one]
    for group in groups:
        group.require_valid()
    return groups
