"""The options of a Limiter, read: a mistake in them is a ValueError that names the option."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sidegate.errors import require_known, shown
from sidegate.http.keys import client_ip
from sidegate.http.rules import flag, read_limits
from sidegate.limiter.checks.meta import META
from sidegate.limiter.limits.applied import APPLICATION
from sidegate.limiter.limits.functions import AppFunction
from sidegate.limiter.limits.other_names import OF_LIMITERS
from sidegate.limiter.limits.route_limit import LimitOptions, RouteLimit, on_denied, route_limit
from sidegate.limiter.limits.rule_name import is_rule_name
from sidegate.middleware_options import CommonOptions, Options, settings_of
from sidegate.sidecar_rules import SIDECAR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.http.settings import Settings
    from sidegate.limiter.limits.route_limit import LimitsOf

_DEFAULT = "default_limits_"
_OF_DEFAULTS = ("per_method", "cost", "exempt_when", "charge_when")


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

    With `rules="sidecar"` what it says applies beside the limits of routes; a rule of the file has
    its own key, and `key` is that of routes' limits.

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


class ReadOptions(NamedTuple):
    """What the options of a Limiter say."""

    key: AppFunction
    settings: Settings
    application: RouteLimit | None
    defaults: list[RouteLimit]
    meta: RouteLimit | None
    on_denied: AppFunction | None


def read_options(limits: object, options: dict[str, Any]) -> ReadOptions:
    """Return what a Limiter's options say."""
    known = {*LimiterOptions.__annotations__, *CommonOptions.__annotations__}
    require_known("a Limiter", options, known, OF_LIMITERS)
    key = AppFunction("key", options.get("key") or client_ip())
    return ReadOptions(
        key,
        _settings(limits, options),
        _application(limits, key, options),
        _defaults(key, options),
        _meta(key, options),
        on_denied(options.get("on_denied")),
    )


def _settings(limits: object, options: dict[str, Any]) -> Settings:
    rules = options.get("rules")
    has_rules = rules is not None
    ours = ("default_limits", "meta_limits", "limits")
    kept = {name: it for name, it in options.items() if not name.startswith(ours)}
    if not has_rules:  # else they belong to a rule, as settings_of says
        kept = {name: it for name, it in kept.items() if name not in {"key", "cost"}}
    elif limits is not None:
        kept["limits"] = limits  # which is one too many
    if rules == SIDECAR:  # whose rules have keys of their own: it is that of routes' limits
        kept.pop("key", None)
    return settings_of(cast("Options[Any]", kept), needs_rules=False)


def _application(limits: object, key: AppFunction, options: dict[str, Any]) -> RouteLimit | None:
    if limits is None:
        return None
    if is_rule_name(limits):
        raise ValueError(
            f"limits={shown(limits)}: a rule by its name is for routes, expected"
            " limiter.limit('@NAME'), or default_limits='@NAME' for all of them"
        )
    return route_limit(limits, key, {"scope": APPLICATION, "cost": options.get("cost", 1)})


def _defaults(key: AppFunction, options: dict[str, Any]) -> list[RouteLimit]:
    given = options.get("default_limits")
    named = {name: options.get(f"{_DEFAULT}{name}") for name in _OF_DEFAULTS}
    own = {name: it for name, it in named.items() if it is not None}
    flag(f"{_DEFAULT}per_method", own.get("per_method", False))
    if given is None:
        _require_none(own)
        return []
    try:
        return [route_limit(given, key, cast("LimitOptions", own))]
    except ValueError as error:
        of_limits = str(error).startswith("limits=")
        raise ValueError(f"{'default_' if of_limits else _DEFAULT}{error}") from None


def _require_none(options: dict[str, object]) -> None:
    """Raise ValueError for options of default limits that there aren't."""
    for name in options.keys() - {"per_method"}:
        told = f"{_DEFAULT}{name}={shown(options[name])}"
        raise ValueError(f"{told}: belongs to default_limits=, which is not given")


def _meta(key: AppFunction, options: dict[str, Any]) -> RouteLimit | None:
    given = options.get("meta_limits")
    if given is None:
        return None
    try:
        return route_limit(read_limits(given), key, {"scope": META, "cost": 0})
    except ValueError as error:
        raise ValueError(f"meta_{error}") from None
