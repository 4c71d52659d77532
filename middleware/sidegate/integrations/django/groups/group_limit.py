"""A limit of one group, as django-ratelimit has it: asked by a decorator, or by the app itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sidegate.http.headers import tells_of_limits
from sidegate.integrations.django.groups.rates import (
    key_function,
    rate_function,
    read_method,
    read_rate,
)
from sidegate.integrations.django.meta import http_request
from sidegate.integrations.django.settings_limiter import limiter
from sidegate.limiter.checks.current import Current, begin, end
from sidegate.limiter.checks.enforcer import PASSED, Checked
from sidegate.limiter.limits.applied import Applied, fit_name
from sidegate.limiter.limits.functions import AppFunction
from sidegate.limiter.limits.route_limit import route_limit

if TYPE_CHECKING:
    from sidegate.buckets.decision import Decision
    from sidegate.http.headers import Pair


class GroupOutcome(NamedTuple):
    """What one check of a group made of a request; `decision` is None where none was needed."""

    checked: Checked = PASSED
    decision: Decision | None = None
    fields: tuple[Pair, ...] = ()

    @property
    def is_limited(self) -> bool:
        """Whether it is refused."""
        return self.checked.verdict is not None


NOT_LIMITED: Final = GroupOutcome()


class GroupLimit:
    """The limit of a group for each key in it, by django-ratelimit's arguments."""

    def __init__(
        self, group: str, key: object, rate: object, method: object, *, in_loop: bool
    ) -> None:
        """ImproperlyConfigured names an argument that is wrong."""
        self._methods = read_method(method)
        limits = rate_function(rate, group, in_loop=in_loop) or read_rate(rate)
        whose = AppFunction("key", key_function(key, group, in_loop=in_loop))
        methods = " ".join(["", *sorted(self._methods or ())])  # each set of them counts for itself
        bucket = fit_name(f"{group}{methods}")
        self._applied: list[tuple[Applied, ...]] = [  # by the cost: to look, and to charge
            (Applied(made, bucket, bucket),)
            for made in (
                route_limit(limits, whose, {"cost": cost, "methods": self._methods})
                for cost in (0, 1)
                if limits is not None
            )
        ]

    def check(self, request: Any, *, charge: bool = True) -> GroupOutcome:  # noqa: ANN401
        """Check a request in a thread; without `charge` it only looks."""
        current = self._begun(request)
        if current is None:
            return NOT_LIMITED
        token = begin(current)
        try:
            return _outcome(current, limiter.check(current, self._applied[charge]))
        finally:
            end(token)

    async def acheck(self, request: Any, *, charge: bool = True) -> GroupOutcome:  # noqa: ANN401
        """Check a request in a loop, as `check`."""
        current = self._begun(request)
        if current is None:
            return NOT_LIMITED
        token = begin(current)
        try:
            return _outcome(current, await limiter.acheck(current, self._applied[charge]))
        finally:
            end(token)

    def _begun(self, request: Any) -> Current | None:  # noqa: ANN401  # no types
        """Return a request for a check of its own; None if it isn't limited."""
        counts = self._methods is None or request.method in self._methods
        if not (counts and self._applied):
            return None
        current = limiter.request(request)
        current.is_message = current.is_enforced = True  # it pays each time, and only for this
        return current


def _outcome(current: Current, checked: Checked) -> GroupOutcome:
    fields = tuple(pair for pair in current.fields if tells_of_limits(pair[0]))
    return GroupOutcome(checked, current.decision, fields)


def note(request: Any, outcome: GroupOutcome) -> None:  # noqa: ANN401  # no types
    """Have `request.sidegate` show what a check decided, beside what else was."""
    if outcome.decision is None:
        return
    http = http_request(request)
    current = getattr(http, "sidegate", None)
    if not isinstance(current, Current):
        current = http.sidegate = limiter.request(request)
    current.decisions = (*current.decisions, outcome.decision)
