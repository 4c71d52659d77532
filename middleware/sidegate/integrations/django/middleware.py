"""LimiterMiddleware: checks the limits of a request when Django has found its view."""

# Django has no types of its own.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportDeprecated=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async

from sidegate.integrations.django.responses import add_fields, answer, refusal_of
from sidegate.integrations.django.settings_limiter import limiter
from sidegate.limiter.checks.asking import give_back
from sidegate.limiter.checks.current import begin, end
from sidegate.limiter.checks.exceeded import RateLimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidegate.limiter.checks.current import Current


class LimiterMiddleware:
    """A middleware for MIDDLEWARE, behind AuthenticationMiddleware. SIDEGATE has its options.

    `request.sidegate` has what was decided, as `limiter.current`. Limits are checked when the view
    is known and before it runs; what comes to no view is checked by those of the application when
    it is answered.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        _ = limiter.core  # wrong settings are told when Django starts
        if self._is_async:
            markcoroutinefunction(self)
        self.process_view: Any = self._aprocess_view if self._is_async else self._process_view

    def __call__(self, request: Any) -> Any:  # noqa: ANN401  # no types
        """Handle one request; under ASGI this returns a coroutine."""
        return self._acall(request) if self._is_async else self._call(request)

    def _call(self, request: Any) -> Any:  # noqa: ANN401  # no types
        current = request.sidegate = limiter.request(request)
        token = begin(current)
        try:
            response = self._get_response(request)
            if not current.is_enforced:
                checked = limiter.check(current, limiter.core.enforcer.elsewhere)
                if checked.verdict is not None:
                    response.close()
                    response = refusal_of(checked, request)
            return _finished(current, response, limiter.core.clients.threads)
        finally:
            end(token)

    async def _acall(self, request: Any) -> Any:  # noqa: ANN401  # no types
        current = request.sidegate = limiter.request(request)
        token = begin(current)
        try:
            response = await self._get_response(request)
            if not current.is_enforced:
                checked = await limiter.acheck(current, limiter.core.enforcer.elsewhere)
                if checked.verdict is not None:
                    response.close()
                    response = await sync_to_async(refusal_of)(checked, request)
            return _finished(current, response, limiter.core.clients.loops)
        finally:
            end(token)

    def _process_view(self, request: Any, view: Any, _args: object, _kwargs: object) -> Any:  # noqa: ANN401
        """Return a refusal, or None: the view may run."""
        checked = limiter.check(request.sidegate, limiter.limits(request, view))
        return None if checked.verdict is None else refusal_of(checked, request)

    async def _aprocess_view(self, request: Any, view: Any, _args: object, _kwargs: object) -> Any:  # noqa: ANN401
        checked = await limiter.acheck(request.sidegate, limiter.limits(request, view))
        if checked.verdict is None:
            return None
        return await sync_to_async(refusal_of)(checked, request)

    def process_exception(self, request: Any, exception: Exception) -> Any:  # noqa: ANN401
        """Answer RateLimitExceeded out of a view; Django asks in a thread."""
        return answer(exception, request) if isinstance(exception, RateLimitExceeded) else None


def _finished(current: Current, response: Any, client: Any) -> Any:  # noqa: ANN401  # no types
    """Return a response with the fields of its limits."""
    current.is_answered = True
    if current.charged:
        give_back(limiter.core.enforcer, client, current, response)
    add_fields(response, current.fields, only_missing=current.is_refused)
    return response
