"""A route limit: what one `limiter.limit(…)` says, checked where it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypedDict

from sidegate.buckets.limits import Limits
from sidegate.errors import require_known, shown
from sidegate.http.keys import ClientIP, Header, is_async
from sidegate.http.rules import flag, read_limits, read_methods, require_name
from sidegate.limiter.limits.functions import AppFunction
from sidegate.limiter.limits.other_names import OF_LIMITS
from sidegate.limiter.limits.rule_name import RuleName, rule_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.buckets.decision import Decision

_NONE: Final = read_limits("1/second")  # where a rule's name has no default: never asked about

LimitsOf: TypeAlias = "str | Limits | Iterable[str] | Callable[..., object]"
"""Limits, or a function that returns them, or None where a request isn't limited."""


class SharedOptions(TypedDict, total=False):
    """The options of `Limiter.shared_limit`: those of `LimitOptions` but the scope."""

    key: Callable[..., object] | None
    cost: int | Callable[..., object]
    methods: Iterable[str] | None
    per_method: bool
    exempt_when: Callable[..., object] | None
    override_defaults: bool
    lease: bool
    charge_when: Callable[[Any], object] | None
    on_denied: Callable[[Any, Decision], object] | None
    error_message: str | Callable[..., object] | None
    sync: bool


class LimitOptions(SharedOptions, total=False):
    """The options of `Limiter.limit`.

    - `key`: whose limit it is, a function of the request (default: the limiter's); None from it
      means that the request isn't limited by this.
    - `cost`: the tokens that a request takes (default: 1), or a function.
    - `methods`: only these; GET stands for HEAD too.
    - `per_method`: count each method for itself.
    - `scope`: who shares the buckets: a name, or a function of the request that returns one
      (default: each route has its own).
    - `exempt_when`: a function that says whether this request is let off.
    - `override_defaults`: False has `default_limits` apply too.
    - `lease`: False has nothing be borrowed of these limits; see docs/apps/leases.md.
    - `charge_when`: a function of the framework's response that says whether to charge for it. The
      request is charged at once, and gets its tokens back when this returns False.
    - `on_denied`: makes the body of a refusal, of the request and the decision.
    - `error_message`: a text for people in the usual form of a refusal, or a function.
    - `sync`: True has a request answered only when the key's backup has its charge too, so that no
      kill of one sidecar loses it; see `Client.check`.
    - `default`: of a limit by the name of a rule (`"@login"`), the limits while the sidecar's rules
      have none of that name, or aren't known. Without it requests aren't limited then. Either is a
      line in the log. `cost`, `per_method` and `scope` are the rule's own.
    """

    scope: str | Callable[..., object] | None
    default: str | Limits | Iterable[str] | None


@dataclass(frozen=True, slots=True, eq=False)  # one is only the same as itself
class RouteLimit:
    """Limits of a route, or of many; functions are those of the app."""

    limits: Limits | AppFunction  # of a rule by its name the default, whatever that is for none
    key: AppFunction
    cost: int | AppFunction
    methods: frozenset[str] | None
    per_method: bool
    scope: str | AppFunction | None
    exempt_when: AppFunction | None
    override_defaults: bool
    lease: bool
    charge_when: Callable[[Any], object] | None
    on_denied: AppFunction | None
    error_message: str | AppFunction | None
    sync: bool
    rule_name: RuleName | None

    @property
    def functions(self) -> list[AppFunction]:
        """Those that are called with a request before it is decided."""
        given = (self.limits, self.key, self.cost, self.scope, self.exempt_when)
        return [each for each in given if isinstance(each, AppFunction)]

    @property
    def is_plain(self) -> bool:
        """Whether no function needs the framework's own request."""
        return all(function.is_ours for function in self.functions)


def route_limit(limits: object, key: AppFunction, options: LimitOptions) -> RouteLimit:
    """Return what limits and options say; `key` is for who has none. ValueError names an option.

    An option that there isn't is a TypeError, as for any argument.
    """
    known = (*SharedOptions.__annotations__, "scope", "default")
    require_known("limit", options, known, OF_LIMITS)
    if isinstance(limits, ClientIP | Header):  # other libraries have their key there
        raise ValueError(f"limits={limits!r}: expected limits such as '100/minute', not a key")  # noqa: TRY004 - options raise ValueError by house rule
    named = rule_name(limits, options)
    if named is not None:
        limits = named.default or _NONE
    read = AppFunction("limits", limits) if callable(limits) else read_limits(limits)
    own = options.get("key")
    return RouteLimit(
        limits=read,
        key=key if own is None else AppFunction("key", own),
        cost=_cost(options.get("cost", 1), read),
        methods=read_methods(options.get("methods")),
        per_method=flag("per_method", options.get("per_method", False)),
        scope=_scope(options.get("scope")),
        exempt_when=_function("exempt_when", options.get("exempt_when")),
        override_defaults=flag("override_defaults", options.get("override_defaults", True)),
        lease=flag("lease", options.get("lease", True)),
        charge_when=_charge_when(options.get("charge_when")),
        on_denied=on_denied(options.get("on_denied")),
        error_message=_message(options.get("error_message")),
        sync=flag("sync", options.get("sync", False)),
        rule_name=named,
    )


def _function(option: str, value: object) -> AppFunction | None:
    return None if value is None else AppFunction(option, value)


def _cost(cost: object, limits: Limits | AppFunction) -> int | AppFunction:
    if callable(cost):
        return AppFunction("cost", cost)
    most = limits.smallest_burst if isinstance(limits, Limits) else None
    if type(cost) is int and cost >= 0 and (most is None or cost <= most):
        return cost
    whole = "a whole number from 0 up" if most is None else f"from 0 to {most}, the smallest burst"
    raise ValueError(f"cost={shown(cost)}: expected {whole}, or a function of the request")


def _scope(scope: object) -> str | AppFunction | None:
    if scope is None:
        return None
    return AppFunction("scope", scope) if callable(scope) else require_name("scope", scope)


def _message(message: object) -> str | AppFunction | None:
    if message is None or isinstance(message, str):
        return message
    if callable(message) and not is_async(message):
        return AppFunction("error_message", message)
    raise ValueError(f"error_message={shown(message)}: expected a text, or a plain function")


def on_denied(function: object) -> AppFunction | None:
    """Return what makes the bodies of refusals, None for the usual ones."""
    if function is not None and is_async(function):
        raise ValueError(
            f"on_denied={shown(function)}: expected a plain function of the request and the"
            " decision; what awaits belongs in an error handler for RateLimitExceeded"
        )
    return None if function is None else AppFunction("on_denied", function, 1)


def _charge_when(function: object) -> Callable[[Any], object] | None:
    if function is None:
        return None
    if callable(function) and not is_async(function):
        AppFunction("charge_when", function)
        return function
    raise ValueError(f"charge_when={shown(function)}: expected a plain function of the response")
