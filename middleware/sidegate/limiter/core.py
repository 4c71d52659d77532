"""The core of a Limiter: its options read, its clients, and what each framework makes of it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from sidegate.asgi.refusal import layers_of
from sidegate.errors import require_known, shown
from sidegate.http.keys import client_ip, is_async
from sidegate.http.rules import flag, read_limits
from sidegate.limiter.checks.current import current_of, outside
from sidegate.limiter.checks.enforcer import Enforcer
from sidegate.limiter.checks.meta import META
from sidegate.limiter.clients import Clients
from sidegate.limiter.limits.applied import APPLICATION
from sidegate.limiter.limits.functions import AppFunction
from sidegate.limiter.limits.other_names import OF_LIMITERS
from sidegate.limiter.limits.route_limit import LimitOptions, RouteLimit, on_denied, route_limit
from sidegate.middleware_options import CommonOptions, Options, settings_of

if TYPE_CHECKING:
    from sidegate.asgi.types import App
    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.http.settings import Settings
    from sidegate.limiter.checks.current import Current
    from sidegate.limiter.limits.route_limit import LimitsOf

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

_DEFAULT = "default_limits_"
_OF_DEFAULTS = ("per_method", "cost", "exempt_when", "charge_when")

RequestOf: TypeAlias = Callable[..., Any]
"""Makes a framework's own request of a scope."""


class LimiterOptions(CommonOptions[Any], total=False):
    """The options of a Limiter: those of the middleware (see `Options`), and these.

    - `limits`: of the whole app: one bucket for each client, whichever route it asks. It may be a
      function of the request, where the framework is known.
    - `default_limits`: of each route for itself, where it has none of its own; limits, or a
      function.
    - `meta_limits`: how often a client may be refused by limits of routes and default ones. After
      that all of its requests are refused, until time has given a token back.
    - `default_limits_per_method`: count each method of a route for itself in them.
    - `default_limits_cost`, `default_limits_exempt_when`, `default_limits_charge_when`: of these
      limits what `cost`, `exempt_when` and `charge_when` are of a route's (see `LimitOptions`).

    `key`, `cost` and `on_denied` may be functions of the framework's own request. `key` and
    `on_denied` are the default of routes' limits too.
    """

    default_limits: LimitsOf
    default_limits_per_method: bool
    default_limits_cost: int | Callable[..., object]
    default_limits_exempt_when: Callable[..., object] | None
    default_limits_charge_when: Callable[[Any], object] | None
    key: Callable[..., object] | None
    cost: int | Callable[..., object]
    on_denied: Callable[[Any, Decision], object] | None
    meta_limits: str | Limits | Iterable[str]


class Core:
    """What the parts of one Limiter share. Everything is read here, so a mistake shows at once."""

    def __init__(self, limiter: Any, limits: object, options: dict[str, Any]) -> None:  # noqa: ANN401 - a Limiter
        self.limiter = limiter
        self._options = options
        known = {*LimiterOptions.__annotations__, *CommonOptions.__annotations__}
        require_known("a Limiter", options, known, OF_LIMITERS)
        for option in ("rules", "exempt"):  # they are read again for each app
            if isinstance(values := options.get(option), Iterator):
                options[option] = tuple(cast("Iterator[object]", values))
        self.key = AppFunction("key", options.get("key") or client_ip())
        self._limits = limits
        self.settings = self._settings()
        self.enforcer = Enforcer(
            self.settings,
            self._application(),
            self._defaults(),
            on_denied(options.get("on_denied")),
            self._meta(),
        )
        self.is_marked = bool(self.enforcer.defaults)  # has it limits that need a framework?
        self._is_told = False  # has the log said that the middleware is missing?
        self.clients = Clients(options, self.settings)
        self.enforcer.limiter.count = self.clients.count
        self._finders: list[Callable[[Core], Current | None]] = []

    # --- options

    def _middleware_options(self) -> Options[Any]:
        ours = ("default_limits", "meta_limits", "limits")
        kept = {name: it for name, it in self._options.items() if not name.startswith(ours)}
        if self._options.get("rules") is None:  # else they belong to a rule, as settings_of says
            kept = {name: kept[name] for name in kept if name not in {"key", "cost"}}
        return cast("Options[Any]", kept)

    def _settings(self) -> Settings:
        options = self._middleware_options()
        if self._limits is not None and options.get("rules") is not None:
            options["limits"] = cast("Any", self._limits)  # which is one too many
        return settings_of(options, needs_rules=False)

    def _application(self) -> RouteLimit | None:
        if self._limits is None:
            return None
        options: LimitOptions = {"scope": APPLICATION, "cost": self._options.get("cost", 1)}
        return route_limit(self._limits, self.key, options)

    def _defaults(self) -> list[RouteLimit]:
        given = self._options.get("default_limits")
        options = {
            name: self._options[f"{_DEFAULT}{name}"]
            for name in _OF_DEFAULTS
            if self._options.get(f"{_DEFAULT}{name}") is not None
        }
        flag(f"{_DEFAULT}per_method", options.get("per_method", False))
        if given is None:
            _require_none(options)
            return []
        try:
            return [route_limit(given, self.key, cast("LimitOptions", options))]
        except ValueError as error:
            of_limits = str(error).startswith("limits=")
            raise ValueError(f"{'default_' if of_limits else _DEFAULT}{error}") from None

    def _meta(self) -> RouteLimit | None:
        given = self._options.get("meta_limits")
        if given is None:
            return None
        try:
            return route_limit(read_limits(given), self.key, {"scope": META, "cost": 0})
        except ValueError as error:
            raise ValueError(f"meta_{error}") from None

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

    def mark(self) -> None:
        """Note that routes have limits; where their framework is there already, they check them."""
        self.is_marked = True
        if "starlette.routing" in sys.modules:
            import_module("sidegate.integrations.starlette").install()

    def tell_of_no_middleware(self) -> None:
        """Log, once, which limits don't apply in an app that lacks the middleware, if any."""
        others = self.enforcer.application or self.enforcer.defaults or self.settings.rules
        if others and not self._is_told:
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


def _require_none(options: dict[str, object]) -> None:
    """Raise ValueError for options of default limits that there aren't."""
    for name in options.keys() - {"per_method"}:
        told = f"{_DEFAULT}{name}={shown(options[name])}"
        raise ValueError(f"{told}: belongs to default_limits=, which is not given")


def _is_of(value: object, module: str, name: str) -> bool:
    """Tell whether something is of a class that a framework has, without importing it."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)
