"""Limiter: the limits of an app in its code, checked where they are written."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Unpack, cast

from sidegate.errors import shown
from sidegate.limiter.asgi_app import LimitedASGIApp
from sidegate.limiter.core import Core
from sidegate.limiter.keys import key_of
from sidegate.limiter.limits.functions import AppFunction
from sidegate.limiter.limits.marks import F, Mark, put_mark
from sidegate.limiter.limits.route_limit import route_limit
from sidegate.limiter.wsgi_app import LimitedWSGIApp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from wsgiref.types import WSGIApplication

    from sidegate.asgi.types import App
    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.http.keys import Id
    from sidegate.limiter.checks.current import Current
    from sidegate.limiter.limits.route_limit import LimitOptions, LimitsOf, SharedOptions
    from sidegate.limiter.options import LimiterOptions


class Limiter:
    """The limits of an app, made at import, so that a mistake in them is an error at import.

        limiter = Limiter("100/minute", service="shop")
        app.add_middleware(limiter.asgi)                   # FastAPI, Starlette
        limiter.init_app(app)                              # Flask, Quart
        application = limiter.wsgi(get_wsgi_application())  # any WSGI app

        @app.post("/login")
        @limiter.limit("5/minute; 20/hour")
        async def login(form: Login): ...

    `limits` are of the whole app, `default_limits` of each route that has none of its own. For the
    other options see `LimiterOptions`.
    """

    def __init__(self, limits: LimitsOf | None = None, **options: Unpack[LimiterOptions]) -> None:
        self._core = Core(self, limits, {**options})

    # --- routes

    def limit(self, limits: LimitsOf, **options: Unpack[LimitOptions]) -> Callable[[F], F]:
        """Limit a function, a class of views or a blueprint: a decorator; see `LimitOptions`.

        It may stand above or below the decorator that makes the route. The function stays as it is,
        and needs no argument for the request. A function that is made in another one, and a method
        of an object, count for each path that leads to them. ValueError at once for a wrong option.

        `"@login"` is the rule of that name in the sidecar's rules file: its limits, cost and mode,
        and its buckets, but whom it counts for says `key`. What the rule matches isn't asked.
        """
        limit = route_limit(limits, self._core.key, options)
        self._core.mark(limit, limits)
        return lambda marked: put_mark(marked, Mark(self, limit))

    def shared_limit(
        self, limits: LimitsOf, scope: str | Callable[..., object], **options: Unpack[SharedOptions]
    ) -> Callable[[F], F]:
        """Limit several routes by the same buckets: `limit` with a scope."""
        if scope is None:
            raise ValueError("scope=None: expected a name, or a function of the request")
        return self.limit(limits, **cast("LimitOptions", {**options, "scope": scope}))

    def exempt(self, marked: F) -> F:
        """Have a function, a class of views or a blueprint never be limited: a decorator."""
        return put_mark(marked, Mark(self, None))

    def request_filter(self, function: F) -> F:
        """Let a request off all limits where this function returns True: a decorator."""
        self._core.enforcer.filters.append(AppFunction("request_filter", function))
        return function

    def dep(self, limits: LimitsOf, **options: Unpack[LimitOptions]) -> Callable[..., Any]:
        """Return a dependency of FastAPI, for a route or a router: `Depends(limiter.dep(…))`.

        Its options are those of `limit`. `key=Depends(user_id)` takes what another dependency
        returns as the key. It is checked when FastAPI comes to it, after those before it.
        """
        fastapi = import_module("sidegate.integrations.fastapi")
        made: Callable[..., Any] = fastapi.dependency(self._core, limits, options)
        return made

    async def check_message(
        self,
        websocket: Any,  # noqa: ANN401 - the framework's
        limits: LimitsOf | None = None,
        **options: Unpack[LimitOptions],
    ) -> Decision | None:
        """Charge a message of a websocket, and return the decision; RateLimitExceeded refuses it.

        `limits` are by default those of the websocket's route, counted apart from its handshakes.
        Not caught, the exception closes the websocket with code 1008.
        """
        integration = self._core.integration_of(websocket)
        decision: Decision | None = await integration.check_message(
            self._core, websocket, limits, options
        )
        return decision

    @property
    def current(self) -> Current:
        """The present request and its decisions; without any outside of one."""
        return self._core.current()

    # --- what is spent

    def key(
        self, identity: Id, view: object = None, *, scope: str | None = None, method: str = ""
    ) -> str:
        """Return the key of a client's buckets, as a Client's `peek`, `reset` and `refund` take it.

        Those of a route for itself (`view`: its function or class, or its name in keys), else of a
        scope or a rule by its name, else of the application. `identity` is what the limits' `key`
        returns; of `client_ip` an address. `method` is for limits that count each for itself.
        ValueError for what names no buckets, TypeError for what is no identity.
        """
        return key_of(self._core, identity, view, scope, method)

    async def peek(
        self, identity: Id, view: object = None, *, scope: str | None = None, method: str = ""
    ) -> dict[str, int]:
        """Return the tokens that a client has spent and not got back yet, by the text of the limit.

        The buckets are those of `key`; see `Client.peek`.
        """
        key = self.key(identity, view, scope=scope, method=method)
        return await self._core.clients.to_inspect_in_loops().peek(key)

    async def reset(
        self, identity: Id, view: object = None, *, scope: str | None = None, method: str = ""
    ) -> dict[str, int]:
        """Make a client's buckets full again, and return what was forgotten.

        The buckets are those of `key`; see `Client.reset`.
        """
        key = self.key(identity, view, scope=scope, method=method)
        return await self._core.clients.to_inspect_in_loops().reset(key)

    def peek_blocking(
        self, identity: Id, view: object = None, *, scope: str | None = None, method: str = ""
    ) -> dict[str, int]:
        """Do as `peek`, in a thread."""
        key = self.key(identity, view, scope=scope, method=method)
        return self._core.clients.to_use_in_threads().peek(key)

    def reset_blocking(
        self, identity: Id, view: object = None, *, scope: str | None = None, method: str = ""
    ) -> dict[str, int]:
        """Do as `reset`, in a thread."""
        key = self.key(identity, view, scope=scope, method=method)
        return self._core.clients.to_use_in_threads().reset(key)

    # --- apps

    def init_app(self, app: Any) -> None:  # noqa: ANN401 - of any framework
        """Set an app up with these limits: of Flask, Quart, Starlette or FastAPI.

        ValueError for one of another framework.
        """
        self._core.init_app(app)

    def asgi(self, app: App) -> LimitedASGIApp:
        """Return an ASGI app with its limits: `app.add_middleware(limiter.asgi)`."""
        return LimitedASGIApp(app, self._core)

    def wsgi(self, app: WSGIApplication) -> LimitedWSGIApp:
        """Return a WSGI app with the limits of the application, and no routes'."""
        return LimitedWSGIApp(app, self._core)

    # --- waiting

    @asynccontextmanager
    async def wait(
        self,
        key: str,
        limits: str | Limits,
        cost: int = 1,
        timeout: float | None = None,  # noqa: ASYNC109  # as that of acquire
    ) -> AsyncGenerator[Decision]:
        """Enter the block when a check passes, and give its Decision; see `Client.acquire`."""
        yield await self._core.clients.to_wait_in_loops().acquire(key, limits, cost, timeout)

    @contextmanager
    def wait_blocking(
        self, key: str, limits: str | Limits, cost: int = 1, timeout: float | None = None
    ) -> Generator[Decision]:
        """Enter the block when a check passes, in a thread; see `BlockingClient.acquire`."""
        yield self._core.clients.to_use_in_threads().acquire(key, limits, cost, timeout)


def core_of(limiter: object) -> Core:
    """Return what an integration needs of a Limiter; ValueError for what is none."""
    if isinstance(limiter, Limiter):
        return limiter._core  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - its own module
    raise ValueError(f"limiter={shown(limiter)}: expected a Limiter")
