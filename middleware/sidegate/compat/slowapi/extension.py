"""Limiter: slowapi's, with limits that a sidecar counts, or this process."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from starlette.responses import JSONResponse, Response

from sidegate.compat.slowapi.config import RateLimitConfig, require_one_of
from sidegate.compat.slowapi.counts.counts import counts_at
from sidegate.compat.slowapi.counts.rate_limiter import (
    STRATEGIES,
    RateLimiter,
    Storage,
    say_what_differs,
)
from sidegate.compat.slowapi.errors import RateLimitExceeded
from sidegate.compat.slowapi.evaluation import Evaluation, LimitsOutcome, ViewRateLimit
from sidegate.compat.slowapi.fallback import MemoryFallback
from sidegate.compat.slowapi.marks import MarkedViews, groups_of
from sidegate.compat.slowapi.rates import NAMESPACE
from sidegate.compat.slowapi.views import limited, name_of
from sidegate.compat.slowapi.wrappers import Terms
from sidegate.errors import Unreachable
from sidegate.middleware_options import service_name

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from typing import TypeAlias

    from starlette.datastructures import MutableHeaders
    from starlette.requests import Request

    from sidegate.compat.slowapi.evaluation import Answer, Question
    from sidegate.compat.slowapi.rates import RateLimitItem
    from sidegate.compat.slowapi.views import View
    from sidegate.compat.slowapi.wrappers import StrOrCallableStr

    CurrentLimit: TypeAlias = tuple[RateLimitItem, list[str]] | None
    Steps: TypeAlias = Generator[Question, Answer, LimitsOutcome]

V = TypeVar("V", bound="Callable[..., Any]")


def answer_refusal(request: Request, exc: RateLimitExceeded) -> Response:
    """Answer a refusal as JSON, `{"error": "Rate limit exceeded: 5 per 1 minute"}`."""
    response = JSONResponse({"error": f"Rate limit exceeded: {exc.detail}"}, status_code=429)
    limiter: Limiter = request.app.state.limiter
    limiter.tell_in(response.headers, request)
    return response


_rate_limit_exceeded_handler = answer_refusal


class Limiter:
    """Limits of an app in its code; arguments and decorators are those of slowapi.

    Differing are `strategy`, `storage_uri` and `storage_options`, for which see
    docs/apps/from-slowapi.md.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - slowapi's
        self,
        key_func: Callable[..., Any],
        default_limits: Sequence[StrOrCallableStr] = (),
        application_limits: Sequence[StrOrCallableStr] = (),
        headers_enabled: bool = False,
        strategy: str | None = None,
        storage_uri: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
        auto_check: bool = True,
        swallow_errors: bool = False,
        in_memory_fallback: Sequence[StrOrCallableStr] = (),
        in_memory_fallback_enabled: bool = False,
        retry_after: str | None = None,
        key_prefix: str = "",
        enabled: bool = True,
        config_filename: str | None = None,
        key_style: Literal["endpoint", "url"] = "url",
    ) -> None:
        """ValueError names an option, or a setting, that can't be used."""
        self.logger = logging.getLogger("slowapi")
        if not self.logger.handlers:
            self.logger.addHandler(logging.NullHandler())
        config = RateLimitConfig(config_filename)
        self.enabled = config.switch("ENABLED", default=enabled)
        self.auto_check = auto_check
        self.key_style = require_one_of("key_style", key_style, ("url", "endpoint"))
        self._key_func = key_func
        self._swallow_errors = config.switch("SWALLOW_ERRORS", default=swallow_errors)
        self._headers_enabled = headers_enabled or config.switch("HEADERS_ENABLED", default=False)
        self._fields = config.fields(retry_after)

        prefix = key_prefix or config.text("KEY_PREFIX") or ""
        chosen = strategy or config.text("STRATEGY", STRATEGIES[0])
        options = config.options(storage_options or {})
        self._count(storage_uri or config.text("STORAGE_URL"), options, prefix, chosen)
        of_routes = groups_of(default_limits or config.texts("DEFAULT"), key_func)
        of_app = groups_of(application_limits or config.texts("APPLICATION"), key_func, "global")
        self._marked = MarkedViews(of_app, of_routes, self.logger)
        instead = groups_of(in_memory_fallback or config.texts("IN_MEMORY_FALLBACK"), key_func)
        self._fallback: MemoryFallback | None = None
        if in_memory_fallback_enabled or config.switch(
            "IN_MEMORY_FALLBACK_ENABLED", default=bool(instead)
        ):
            self._fallback = MemoryFallback(instead, self._limiter.strategy, self.logger)

    def _count(
        self, uri: str | None, options: Mapping[str, Any], prefix: str, strategy: object
    ) -> None:
        """Find out where limits are counted, under which keys, and how."""
        sidecar = None if uri else os.environ.get("SIDEGATE_SIDECAR")
        self.enabled = self.enabled and sidecar != "off"
        rule = require_one_of("strategy", strategy, STRATEGIES)
        counts = counts_at(uri, options, sidecar)
        self._storage = Storage(counts, prefix or service_name(None) or NAMESPACE)
        self._limiter = RateLimiter(self._storage, rule)
        self._evaluation = Evaluation(prefix, self.logger)
        say_what_differs(rule)

    # --- decorators

    def limit(  # noqa: PLR0917 - slowapi's
        self,
        limit_value: StrOrCallableStr,
        key_func: Callable[..., Any] | None = None,
        per_method: bool = False,
        methods: Sequence[str] | None = None,
        error_message: StrOrCallableStr | None = None,
        exempt_when: Callable[..., bool] | None = None,
        cost: float | Callable[..., float] = 1,
        override_defaults: bool = True,
    ) -> Callable[[V], V]:
        """Limit a view, which needs a parameter `request`.

        - `limit_value`: "5/minute", or a function that returns such a text; one with a parameter
          `key` is given what `key_func` says.
        - `key_func`: who is limited, by default the Limiter's.
        - `per_method`: whether each method is counted for itself.
        - `methods`: the methods that are limited, by default all.
        - `error_message`: the text of a refusal, or a function that returns it.
        - `exempt_when`: a function that says for which requests the limit isn't; it may take them.
        - `cost`: what a request costs, or a function of the request that says it.
        - `override_defaults`: whether `default_limits` don't apply to this view.
        """
        terms = Terms(
            key_func=key_func or self._key_func,
            per_method=per_method,
            methods=methods,
            error_message=error_message,
            exempt_when=exempt_when,
            cost=cost,
            override_defaults=override_defaults,
        )
        return self._decorator(limit_value, terms)

    def shared_limit(  # noqa: PLR0917 - slowapi's
        self,
        limit_value: StrOrCallableStr,
        scope: StrOrCallableStr,
        key_func: Callable[..., Any] | None = None,
        error_message: StrOrCallableStr | None = None,
        exempt_when: Callable[..., bool] | None = None,
        cost: float | Callable[..., float] = 1,
        override_defaults: bool = True,
    ) -> Callable[[V], V]:
        """Limit several views together, by a name: the `scope`, or a function of the endpoint."""
        terms = Terms(
            key_func=key_func or self._key_func,
            scope=scope,
            error_message=error_message,
            exempt_when=exempt_when,
            cost=cost,
            override_defaults=override_defaults,
        )
        return self._decorator(limit_value, terms)

    def _decorator(self, limit_value: StrOrCallableStr, terms: Terms) -> Callable[[V], V]:
        def decorated(view: V) -> V:
            made = limited(self, view)
            self._marked.add(view, limit_value, terms)
            return made

        return decorated

    def exempt(self, obj: V) -> V:
        """Have no limit apply to a view."""
        self._marked.put(obj).is_exempt = True
        return obj

    # --- one request

    def leaves_to_view(self, view: View) -> bool:
        """Tell whether the middleware has nothing to check: the view is exempt, or checks itself.

        Views whose limits are all functions have those of the app, and the defaults, as well.
        """
        marks = self._marked.of(view)
        return marks.is_exempt or marks.checks_itself

    def check_in_thread(
        self,
        request: Request,
        view: View | None,
        in_middleware: bool = True,
    ) -> None:
        """Raise RateLimitExceeded for a request that is refused. It waits for a budget at most."""
        with self._concluding(request):
            steps = self._steps(request, view, in_middleware=in_middleware)
            try:
                counts, checks = next(steps)
                while True:
                    counts, checks = steps.send(counts.check_all(checks))
            except StopIteration as end:
                self._conclude(request, end.value)

    async def check_in_loop(
        self, request: Request, view: View | None, *, in_middleware: bool = True
    ) -> None:
        """Raise RateLimitExceeded for a request that is refused; it doesn't hold up the loop."""
        with self._concluding(request):
            steps = self._steps(request, view, in_middleware=in_middleware)
            try:
                counts, checks = next(steps)
                while True:
                    counts, checks = steps.send(await counts.check_all_in_loop(checks))
            except StopIteration as end:
                self._conclude(request, end.value)

    @contextmanager
    def _concluding(self, request: Request) -> Generator[None]:
        """Swallow errors, if they are to be swallowed."""
        request.state.view_rate_limit = None
        try:
            yield
        except RateLimitExceeded:
            raise
        except Exception:
            if not self._swallow_errors:
                raise
            self.logger.exception("Failed to rate limit. Swallowing error")

    @staticmethod
    def _conclude(request: Request, outcome: LimitsOutcome) -> None:
        request.state.view_rate_limit = outcome.view
        if outcome.failed is not None:
            raise RateLimitExceeded(outcome.failed)

    def _steps(self, request: Request, view: View | None, *, in_middleware: bool) -> Steps:
        endpoint = request.scope["path"] if self.key_style == "url" else name_of(view)
        if not endpoint or not self.enabled or self._marked.of(view).is_exempt:
            return LimitsOutcome()
        marked = self._marked
        limits = marked.limits_ahead() if in_middleware else marked.limits_at(view, request)
        ask, fallback = partial(self._evaluation.steps, request, endpoint), self._fallback
        if fallback is None:
            return (yield from ask(limits, self._limiter))
        if not fallback.decides_now():
            outcome = yield from ask(limits, self._limiter)
            if outcome.view is not None:
                fallback.heard(is_undecided=outcome.is_undecided)
            if not outcome.is_undecided:
                return outcome
        if fallback.groups and not (in_middleware and self._marked.of(view).limits):
            limits = list(chain(*fallback.groups))
        return (yield from ask(limits, fallback.rates))

    # --- the response

    def tell_in(self, headers: MutableHeaders, request: Request) -> None:
        """Set the fields of what was last checked, if they are enabled."""
        self._inject_asgi_headers(headers, getattr(request.state, "view_rate_limit", None))

    def tell_result(self, request: Request, result: object, response: object) -> None:
        """Set the fields on what a view returned, or else on the response that it was given.

        TypeError where there is neither.
        """
        where = result if isinstance(result, Response) else response
        self._inject_headers(where, getattr(request.state, "view_rate_limit", None))

    def _inject_headers(self, response: Any, current_limit: CurrentLimit) -> Any:  # noqa: ANN401 - checked
        if self.enabled and self._headers_enabled and current_limit is not None:
            if not isinstance(response, Response):
                raise TypeError(
                    "parameter `response` must be an instance of starlette.responses.Response"
                )
            self._inject_asgi_headers(response.headers, current_limit)
        return response

    def _inject_asgi_headers(
        self, headers: MutableHeaders, current_limit: CurrentLimit
    ) -> MutableHeaders:
        if self.enabled and self._headers_enabled and current_limit is not None:
            rate, args = current_limit
            if isinstance(current_limit, ViewRateLimit):
                stats = current_limit.stats
            else:  # made by the app
                stats = self.limiter.get_window_stats(rate, *args)
            if stats is not None:
                self._fields.tell(headers, rate, stats)
        return headers

    # --- what else slowapi has

    _check_request_limit = check_in_thread

    @property
    def limiter(self) -> RateLimiter:
        """What counts now, to be asked from threads."""
        return self._fallback.rates if self._fallback and self._fallback.is_on else self._limiter

    @property
    def _storage_dead(self) -> bool:
        return self._fallback is not None and self._fallback.is_on

    @property
    def _in_memory_fallback_enabled(self) -> bool:
        return self._fallback is not None

    def reset(self) -> None:
        """Forget all that was counted, of a sidecar on all nodes; the log says if it can't be."""
        try:
            self._storage.reset()
        except Unreachable as error:
            self.logger.warning("Limits have not been reset: %s", error)
        else:
            self.logger.info("Storage has been reset and all limits cleared")
