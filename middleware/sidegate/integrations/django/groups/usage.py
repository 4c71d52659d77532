"""is_ratelimited and get_usage: checks that an app asks for itself, as in django-ratelimit."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

from django.core.exceptions import ImproperlyConfigured

from sidegate.buckets.decision import Source
from sidegate.integrations.django.groups.group_limit import GroupLimit, note
from sidegate.integrations.django.groups.rates import ALL
from sidegate.limiter.limits.applied import route_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sidegate.integrations.django.groups.group_limit import GroupOutcome

    Key: TypeAlias = str | Callable[[str, Any], object]
    Rate: TypeAlias = str | tuple[int, int] | Callable[[str, Any], object] | None
    Method: TypeAlias = str | list[str] | tuple[str | None, ...] | None


MAX_REMEMBERED: Final = 1_024  # sets of arguments: places in the code of an app


class Usage(TypedDict):
    """What `get_usage` tells: tokens spent, the limit, whether to refuse, and seconds to wait.

    `time_left` is until the bucket is full again, -1 where nobody knows.
    """

    count: int
    limit: int
    should_limit: bool
    time_left: int


def group_of(group: object, fn: object) -> str:
    """Return the name of a group: its own, else that of the view."""
    if group is None and fn is not None:
        return route_of(fn).key
    if isinstance(group, str) and group:
        return group
    raise ImproperlyConfigured(f"group={group!r:.80}: expected a name, or fn= with a view")


def get_usage(  # noqa: PLR0917 - in the order of django-ratelimit
    request: Any,  # noqa: ANN401  # no types
    group: str | None = None,
    fn: Callable[..., object] | None = None,
    key: Key | None = None,
    rate: Rate = None,
    method: Method = ALL,
    increment: bool = False,
) -> Usage | None:
    """Return what a key has spent of its rate; `increment` charges a token first.

    None if the request isn't limited by it. In a loop it is `aget_usage`.
    """
    limit = _limit(group_of(group, fn), key, rate, method, in_loop=False)
    return _usage(request, limit.check(request, charge=increment), increment=increment)


async def aget_usage(  # noqa: PLR0917 - in the order of django-ratelimit
    request: Any,  # noqa: ANN401  # no types
    group: str | None = None,
    fn: Callable[..., object] | None = None,
    key: Key | None = None,
    rate: Rate = None,
    method: Method = ALL,
    increment: bool = False,
) -> Usage | None:
    """Return what `get_usage` does, in a loop."""
    limit = _limit(group_of(group, fn), key, rate, method, in_loop=True)
    return _usage(request, await limit.acheck(request, charge=increment), increment=increment)


def is_ratelimited(  # noqa: PLR0917 - in the order of django-ratelimit
    request: Any,  # noqa: ANN401  # no types
    group: str | None = None,
    fn: Callable[..., object] | None = None,
    key: Key | None = None,
    rate: Rate = None,
    method: Method = ALL,
    increment: bool = False,
) -> bool:
    """Tell whether a key has used up its rate; `increment` charges a token first."""
    usage = get_usage(request, group, fn, key, rate, method, increment)
    return usage is not None and usage["should_limit"]


async def ais_ratelimited(  # noqa: PLR0917 - in the order of django-ratelimit
    request: Any,  # noqa: ANN401  # no types
    group: str | None = None,
    fn: Callable[..., object] | None = None,
    key: Key | None = None,
    rate: Rate = None,
    method: Method = ALL,
    increment: bool = False,
) -> bool:
    """Return what `is_ratelimited` does, in a loop."""
    usage = await aget_usage(request, group, fn, key, rate, method, increment)
    return usage is not None and usage["should_limit"]


def _usage(request: Any, outcome: GroupOutcome, *, increment: bool) -> Usage | None:  # noqa: ANN401
    decision = outcome.decision
    if increment:
        note(request, outcome)
    if decision is None or decision.source is Source.OPEN:
        return None
    if decision.remaining is None:  # nobody knows more than that it is refused
        return {"count": 0, "limit": 0, "should_limit": outcome.is_limited, "time_left": -1}
    refused = outcome.is_limited or (not increment and decision.remaining == 0)
    return {
        "count": decision.limit - decision.remaining,
        "limit": decision.limit,
        "should_limit": refused,
        "time_left": ceil(decision.reset_after or 0.0),
    }


def _limit(group: str, key: object, rate: object, method: object, *, in_loop: bool) -> GroupLimit:
    if isinstance(method, list):  # which nobody can remember
        method = tuple(cast("list[object]", method))
    try:
        return _remembered(group, key, rate, method, in_loop=in_loop)
    except TypeError:
        return GroupLimit(group, key, rate, method, in_loop=in_loop)


@lru_cache(MAX_REMEMBERED)
def _remembered(
    group: str, key: object, rate: object, method: object, *, in_loop: bool
) -> GroupLimit:
    return GroupLimit(group, key, rate, method, in_loop=in_loop)
