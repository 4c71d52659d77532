"""Refusals and fields of responses: exceptions that views raise, and who answers them."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpResponse
from django.urls import get_callable, get_resolver, get_urlconf

from sidegate.http.headers import CURRENT, POLICY, tells_of_limits
from sidegate.integrations.django.meta import http_request
from sidegate.limiter.checks.exceeded import RateLimitExceeded
from sidegate.wsgi import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidegate.http.headers import Pair
    from sidegate.http.request_limiter import Verdict
    from sidegate.limiter.checks.enforcer import Checked

log = logging.getLogger("sidegate")

_LISTS: Final = {POLICY, CURRENT}  # fields that are lists: more of them are joined


class Ratelimited(RateLimitExceeded, PermissionDenied):  # type: ignore[misc]  # it has no types
    """RateLimitExceeded in a view. With LimiterMiddleware it is answered as a 429.

    Without, Django takes it for the PermissionDenied that it is, and `handler403` gets it.
    """


def exception_of(checked: Checked, request: Any) -> Exception:  # noqa: ANN401  # no types
    """Return what to raise in a view whose request is refused, as its framework has it."""
    exceeded = checked.exceeded
    if exceeded is None:
        return cast("Exception", BadRequest(checked.verdict.detail if checked.verdict else ""))
    told = exceeded.decision, exceeded.verdict, exceeded.detail
    if http_request(request) is not request and "rest_framework" in sys.modules:
        raised = import_module("sidegate.integrations.django.rest_framework").APIRateLimitExceeded
        made: Exception = raised(*told)
        return made
    return Ratelimited(*told)


def refusal_of(checked: Checked, request: Any) -> Any:  # noqa: ANN401  # no types
    """Return the response to a request that is refused: that of `handler429`, or the usual one."""
    assert checked.verdict is not None
    if checked.exceeded is None:
        return _usual(checked.verdict)
    exceeded = checked.exceeded
    if not isinstance(exceeded, Ratelimited):
        exceeded = Ratelimited(exceeded.decision, exceeded.verdict, exceeded.detail)
    return answer(exceeded, request)


def answer(exceeded: RateLimitExceeded, request: Any) -> Any:  # noqa: ANN401  # no types
    """Return the response to an exception: that of `handler429`, or the usual one."""
    handler = handler429()
    if handler is None:
        return _usual(exceeded.verdict)
    try:
        response = handler(request, exception=exceeded)
        told = [pair for pair in exceeded.verdict.fields if tells_of_limits(pair[0])]
    except Exception:
        log.exception("handler429 failed; refused in the usual form")
        return _usual(exceeded.verdict)
    add_fields(response, told, only_missing=True)
    return response


def handler429() -> Any:  # noqa: ANN401  # no types
    """Return what the root URLconf has as `handler429`, as for `handler404`; None if nothing."""
    urls: Any = get_resolver(get_urlconf()).urlconf_module
    handler: object = getattr(urls, "handler429", None)
    return None if handler is None else get_callable(handler)


def _usual(verdict: Verdict) -> Any:  # noqa: ANN401  # no types
    response: Any = HttpResponse(verdict.body, status=verdict.status)
    for name, value in as_text(verdict.fields):
        response[name] = value
    return response


def add_fields(response: Any, fields: Iterable[Pair], *, only_missing: bool) -> None:  # noqa: ANN401
    """Add fields about limits; what the response has itself stays, and lists are joined."""
    pairs = list(fields)
    own = {name for name, _ in pairs if _title(name) in response}
    for (name, _), (title, value) in zip(pairs, as_text(pairs), strict=True):
        if only_missing and name in own:
            continue
        if title not in response:
            response[title] = value
        elif name in _LISTS:
            response[title] = f"{response[title]}, {value}"


def _title(name: bytes) -> str:
    return name.decode("ascii").title()
