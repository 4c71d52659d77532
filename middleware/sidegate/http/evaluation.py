"""Asking: which question a request is, by the rules' own functions, in ASGI and in WSGI alike.

The functions for keys and costs may be coroutine functions in ASGI. So the one road through them
is a generator: it yields what is to be awaited, and is sent what that gave.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeGuard, TypeVar

from sidegate.errors import CostError, MalformedRequest
from sidegate.http.headers import POLICY
from sidegate.http.request_limiter import not_awaited
from sidegate.http.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Sequence

    from sidegate.http.request.request import Request
    from sidegate.http.request_limiter import Chain, RequestLimiter, Verdict

R = TypeVar("R")

_RULES = Rule("rules", "1/second")  # stands for all of them where they fail; never sent


class RuleQuestion(NamedTuple):
    """What to ask the sidecar."""

    rule: Rule
    key: str
    cost: int


class Pending(NamedTuple):
    """What a rule's function gave that has to be awaited."""

    rule: Rule
    function: object
    value: Awaitable[object]


Asking: TypeAlias = "Generator[Pending, object, RuleQuestion | Verdict | None]"
"""Returns what to ask, what becomes of the request without asking, or None if it isn't limited."""


def asking(limiter: RequestLimiter, chain: Chain, request: Request) -> Asking:
    """Go through a chain of rules to the first that has a key for the request."""
    for rule in chain:
        if not limiter.counts(rule, request.method, request):
            continue
        function: object = rule.key
        try:
            identity: object = rule.key(request)
            if is_pending(identity):
                identity = yield Pending(rule, function, identity)
            if identity is None:
                if rule.next_rule:
                    continue
                return None
            if rule.stops:
                return None
            key = limiter.key_of(rule, identity)
            function = rule.cost
            cost: object = rule.cost(request) if callable(rule.cost) else rule.cost
            if is_pending(cost):
                cost = yield Pending(rule, function, cost)
            return RuleQuestion(rule, key, limiter.cost_of(rule, cost))
        except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
            return limiter.key_failed(rule, error, function=function)
    return None


def asked_by_sidecar(
    limiter: RequestLimiter, request: Request, root: str
) -> Sequence[RuleQuestion | Verdict] | None:
    """Return what the sidecar's rules ask, or what becomes of the request without asking.

    None where there are none: then the limiter's own apply. It never raises.
    """
    if limiter.sidecar is None:
        return None
    try:
        asked = limiter.sidecar.questions(request, root)
        if asked is None:
            return None
        if not limiter.settings.enabled or limiter.is_exempt(request.path, root):
            return ()
        return [_payable(limiter, RuleQuestion(*one)) for one in asked]
    except MalformedRequest as error:
        return [limiter.malformed(error, shadow=False)]
    except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
        failed = limiter.key_failed(_RULES, error, function="the sidecar's rules")
        return [failed.without(POLICY)]


def _payable(limiter: RequestLimiter, asked: RuleQuestion) -> RuleQuestion | Verdict:
    try:
        limiter.cost_of(asked.rule, asked.cost)
    except CostError as error:
        return limiter.key_failed(asked.rule, error, function="its cost")
    return asked


def run(steps: Generator[Pending, object, R]) -> R:
    """Go through steps where there is no loop.

    What has to be awaited is a TypeError there: any coroutine is true, so as a condition it would
    let each request off its limit.
    """
    try:
        pending = next(steps)
        while True:
            pending = steps.throw(not_awaited(pending.value))
    except StopIteration as end:
        result: R = end.value
        return result


def is_pending(value: object) -> TypeGuard[Awaitable[object]]:
    """Tell whether a function gave what has to be awaited."""
    return not isinstance(value, str | int) and isawaitable(value)  # in this order: 0.3 µs less
