"""The core of a Limiter: its limits, its clients, and which framework it is in."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from sidegate.asgi.refusal import layers_of
from sidegate.errors import shown
from sidegate.http.keys import is_async
from sidegate.limiter.checks.ahead import Guesses
from sidegate.limiter.checks.current import current_of, outside
from sidegate.limiter.checks.enforcer import Enforcer
from sidegate.limiter.clients import Clients
from sidegate.limiter.limits.rule_name import is_rule_name
from sidegate.limiter.options import read_options
from sidegate.sidecar_rules import RulesOfSidecar, watch

if TYPE_CHECKING:
    from sidegate.asgi.types import App
    from sidegate.http.request_limiter import SidecarRules
    from sidegate.limiter.checks.current import Current
    from sidegate.limiter.limits.route_limit import RouteLimit

log = logging.getLogger("sidegate")

_FRAMEWORKS = (  # of an app, and the integration that sets it up
    ("flask", "Flask", "flask"),
    ("quart", "Quart", "quart"),
    ("starlette.applications", "Starlette", "starlette"),
)
_ROUTERS = (  # of what is inside an ASGI app, and the integration that knows its routes
    ("starlette.routing", "Router", "starlette"),
    ("starlette.applications", "Starlette", "starlette"),
    ("litestar", "Litestar", "litestar"),
)

_SOCKETS = (  # a websocket, and the integration that knows it
    ("quart.wrappers", "Websocket", "quart"),
    ("litestar.connection", "WebSocket", "litestar"),
)

RequestOf: TypeAlias = Callable[..., Any]
"""Makes a framework's own request of a scope."""


class Core:
    """What the parts of one Limiter share."""

    def __init__(self, limiter: Any, limits: object, options: dict[str, Any]) -> None:  # noqa: ANN401 - a Limiter
        read = read_options(limits, options)
        self.limiter = limiter
        self.key = read.key
        self.settings = read.settings
        self.enforcer = Enforcer(
            read.settings, read.application, read.defaults, read.on_denied, read.meta
        )
        self.is_marked = bool(self.enforcer.defaults)  # has it limits that need a framework?
        self._is_told = False  # has the log said that the middleware is missing?
        for rule in self.settings.rules:
            if rule.in_flight:
                raise ValueError(
                    f"{rule!r}: in_flight is for a RateLimitMiddleware, which holds slots"
                )
        self.clients = Clients(options, self.settings)
        self.enforcer.limiter.count = self.clients.count
        given = options.get("client")
        client = self.clients if given is None else given
        self.enforcer.limiter.names = RulesOfSidecar(client)  # asked once code names a rule
        self._is_by_name = False  # does it?
        if read.settings.from_sidecar:
            watch(self.enforcer.limiter, client, options, is_own=given is None)
        self.guesses = Guesses()
        self.stops: dict[Any, Any] = {}  # of the framework, by what it knows of a request
        self._finders: list[Callable[[Core], Current | None]] = []

    # --- frameworks

    def framework_inside(self, app: App) -> RequestOf | None:
        """Return what makes the requests of the framework inside an ASGI app, if it is known.

        From then on its routes check the limits of each request.
        """
        for layer in layers_of(app):
            for module, kind, integration in _ROUTERS:
                if _is_of(layer, module, kind):
                    place = f"sidegate.integrations.{integration}"
                    made: RequestOf = import_module(place).install()
                    return made
        self.tell_of_routes(app)
        return None

    def tell_of_routes(self, app: object) -> None:
        """Log that limits of routes don't apply in an app, if there are any."""
        if self.is_marked:
            log.error(
                "sidegate: limits of routes and default_limits do NOT apply in %.80r: its framework"
                " isn't known here; docs/apps says how each is set up",
                app,
            )

    def mark(self, limit: RouteLimit, limits: object) -> None:
        """Note a limit of routes, and its limits as they are written.

        Where the framework of the routes is there already, they check it.
        """
        self._is_by_name |= is_rule_name(limits)
        self.is_marked = True
        self.enforcer.sets.add(limit)
        if "starlette.routing" in sys.modules:
            import_module("sidegate.integrations.starlette").install()

    @property
    def rules_to_hear_of(self) -> SidecarRules | None:
        """The sidecar's rules, where requests are limited by them, or routes by their names."""
        limiter = self.enforcer.limiter
        is_by_name = self._is_by_name and self.settings.enabled
        return limiter.names if is_by_name else limiter.sidecar

    def tell_of_no_middleware(self) -> None:
        """Log, once, which limits don't apply in an app that lacks the middleware, if any."""
        others = self.enforcer.application or self.enforcer.defaults
        if (others or self.enforcer.limiter.may_have_rules) and not self._is_told:
            self._is_told = True
            log.warning(
                "sidegate: app.add_middleware(limiter.asgi) is missing: limits=, rules= and"
                " default_limits= do NOT apply but to routes with limits of their own"
            )

    @staticmethod
    def integration_of(websocket: object) -> Any:  # noqa: ANN401 - a module
        """Return the integration that knows a framework's websocket."""
        found = (name for module, kind, name in _SOCKETS if _is_of(websocket, module, kind))
        return import_module(f"sidegate.integrations.{next(found, 'starlette')}")

    def find_current_by(self, finder: Callable[[Core], Current | None]) -> None:
        """Have a framework say what its present request is, where it keeps that itself."""
        if finder not in self._finders:
            self._finders.append(finder)

    def current(self) -> Current:
        """Return the present request and its decisions; without any outside of one."""
        found = (finder(self) for finder in self._finders)
        return next(filter(None, found), None) or current_of(self.limiter) or outside(self.limiter)

    def require_plain_functions(self) -> None:
        """Raise ValueError if a function of the limits of all routes has to be awaited."""
        limits = [*self.enforcer.defaults, *(each.limit for each in self.enforcer.elsewhere)]
        functions = [function for limit in limits for function in limit.functions]
        for function in [self.key, *functions, *self.enforcer.filters]:
            if is_async(function.function):
                raise ValueError(f"{function!r}: must be a plain function in WSGI")
        for rule in self.settings.rules:
            if rule.awaits:
                raise ValueError(f"{rule!r}: key and cost must be plain functions in WSGI")

    def init_app(self, app: Any) -> None:  # noqa: ANN401 - of any framework
        """Set an app up; ValueError if its framework isn't known."""
        for module, kind, integration in _FRAMEWORKS:
            if _is_of(app, module, kind):
                import_module(f"sidegate.integrations.{integration}").init_app(self, app)
                return
        raise ValueError(
            f"app={shown(app)}: expected an app of Flask, Quart, FastAPI or Starlette; docs/apps"
            " says how others are set up"
        )


def _is_of(value: object, module: str, name: str) -> bool:
    """Tell whether something is of a class that a framework has, without importing it."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)
