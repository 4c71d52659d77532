"""ratelimit: a decorator of views with the arguments of django-ratelimit's."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportDeprecated=false

from __future__ import annotations

from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http.response import HttpResponseBase

from sidegate.errors import shown
from sidegate.integrations.django.groups.group_limit import GroupLimit, note
from sidegate.integrations.django.groups.rates import ALL, UNSAFE
from sidegate.integrations.django.groups.usage import group_of
from sidegate.integrations.django.meta import http_request
from sidegate.integrations.django.responses import add_fields, exception_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.integrations.django.groups.group_limit import GroupOutcome
    from sidegate.integrations.django.groups.usage import Key, Method, Rate
    from sidegate.limiter.checks.current import Current

F = TypeVar("F")

MAX_GROUPS: Final = 64  # that one decorator is put on: the methods of a class


class Ratelimit:
    """The decorator `ratelimit`: a limit of a view for each key, as django-ratelimit has it.

        @ratelimit(key="user_or_ip", rate="5/m", method=ratelimit.UNSAFE)
        def post(request): ...

    - `key`: "ip", "user", "user_or_ip", "header:NAME", "get:NAME", "post:NAME", or a function of
      group and request, or the path of one.
    - `rate`: "5/m", "100/5m", "0/s" (nothing passes), None (no limit), limits as anywhere in
      sidegate, or a function of group and request, or the path of one.
    - `method`: those that count: a name, a list, `UNSAFE`, or `ALL`.
    - `group`: whose buckets these are (default: the view's own).
    - `block`: raise Ratelimited where the limit refuses; else only `request.limited` tells.

    It stands on functions, coroutine functions, and by Django's `method_decorator` on classes.
    ImproperlyConfigured at once for a wrong argument.
    """

    ALL = ALL
    UNSAFE = UNSAFE

    def __call__(
        self,
        group: str | None = None,
        key: Key | None = None,
        rate: Rate = None,
        method: Method = ALL,
        block: bool = True,
    ) -> Callable[[F], F]:
        """Return the decorator for these arguments."""
        if type(block) is not bool:
            raise ImproperlyConfigured(f"block={shown(block)}: expected True or False")

        @lru_cache(MAX_GROUPS)  # for method_decorator, which decorates at each call
        def limit_of(name: str, *, in_loop: bool) -> GroupLimit:
            return GroupLimit(name, key, rate, method, in_loop=in_loop)

        def decorate(view: F) -> F:
            in_loop = iscoroutinefunction(view)
            limit = limit_of(group_of(group, view), in_loop=in_loop)
            made = (_limited_in_loop if in_loop else _limited)(view, limit, block)
            return cast("F", made)

        return decorate


ratelimit: Final = Ratelimit()


def _limited(view: Any, limit: GroupLimit, block: bool) -> Any:  # noqa: ANN401  # no types
    @wraps(view)
    def run(request: Any, *args: object, **kwargs: object) -> Any:  # noqa: ANN401  # no types
        outcome = limit.check(request)
        _judge(request, outcome, block)
        return _told(view(request, *args, **kwargs), outcome)

    return run


def _limited_in_loop(view: Any, limit: GroupLimit, block: bool) -> Any:  # noqa: ANN401  # no types
    @wraps(view)
    async def run(request: Any, *args: object, **kwargs: object) -> Any:  # noqa: ANN401  # no types
        outcome = await limit.acheck(request)
        _judge(request, outcome, block)
        return _told(await view(request, *args, **kwargs), outcome)

    return run


def _judge(request: Any, outcome: GroupOutcome, block: bool) -> None:  # noqa: ANN401  # no types
    """Note what was decided; raise if it is a refusal that blocks."""
    note(request, outcome)
    request.limited = outcome.is_limited or getattr(request, "limited", False)
    if not (outcome.is_limited and block):
        return
    current = cast("Current | None", getattr(http_request(request), "sidegate", None))
    if current is not None:  # who answers the exception, such as DRF, may not know of the fields
        current.fields = [*outcome.fields, *current.fields]
        current.is_refused = True
    raise exception_of(outcome.checked, request)


def _told(response: Any, outcome: GroupOutcome) -> Any:  # noqa: ANN401  # no types
    """Return the response with the fields of the limit."""
    if isinstance(response, HttpResponseBase):
        add_fields(response, outcome.fields, only_missing=False)
    return response
