"""Options of both middlewares, read and checked when they are made."""

import logging
import os
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypedDict, TypeVar, cast

from sidegate.buckets.decision import Decision, OnUnreachable, require_on_unreachable
from sidegate.buckets.limits import Limits
from sidegate.client.config import DEFAULT_BUDGET, require_seconds
from sidegate.errors import require_known, shown
from sidegate.http.keys import Cost, Identity, client_ip, is_async, needs_proxies
from sidegate.http.patterns import covers, path_matcher
from sidegate.http.request.proxies import NO_PROXIES, parse_proxies
from sidegate.http.request.request import Request
from sidegate.http.rules import Rule, flag
from sidegate.http.settings import HeaderStyle, OnKeyError, Settings
from sidegate.sidecar_rules import comes_from_sidecar, default_of
from sidegate.trust.tls import Tls

C = TypeVar("C")
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

log = logging.getLogger("sidegate")

KEY_TIMEOUT = 1.0  # seconds: a database that is asked who it is may be slower than a check
MAX_KEY_TIMEOUT = 60.0

_SERVICE = re.compile(r"[!-.0-9;-~]{1,64}")  # printable ASCII but blank, colon and slash


class CommonOptions(TypedDict, Generic[C], total=False):
    """The options that the middleware and a Limiter share; see `Options`."""

    rules: Iterable[Rule] | str | None
    default: str | Limits | Iterable[str] | Iterable[Rule] | None
    rules_copy: str | Path | None
    exempt: Iterable[str]
    service: str | None
    sidecar: str | None
    secret: str | bytes | None
    tls: Tls | None
    client: C | None
    on_unreachable: str
    budget: float
    trusted_proxies: int | Iterable[str]
    on_key_error: str | None
    key_timeout: float
    preflights: bool
    headers: str | bool | None
    expose_source: bool
    shadow: bool
    enabled: bool
    otel: bool | None
    lease: bool | None


class Options(CommonOptions[C], total=False):
    """The options of both middlewares; a wrong one raises ValueError when they are made.

    - `limits`: for every request, like one rule named "default", with `key` (default:
      `client_ip()`) and `cost` (default: 1); or `rules`, of which the first that matches applies
      (the next, where its key is None), and a request that none matches isn't limited. Exactly
      one of the two. `rules="sidecar"` takes them from the sidecar's rules file, as it changes;
      `default` applies until they are there: limits, or a list of Rules; without it, or by
      "allow", nothing is limited then. The file `rules_copy` keeps those that were pushed last.
      See docs/apps/rules-from-the-sidecar.md.
    - `exempt`: paths that are never limited, written as in a Rule, as the app's routes have them.
    - `service`: keeps the buckets of this service apart from those of others on the same ring
      (default: SIDEGATE_SERVICE, or none).
    - `sidecar`, `secret`, `tls`, `budget`, `on_unreachable`, `otel`, `lease`: as for a
      `Client`.
    - `client`: a client that exists, instead of these; it is shared, and not closed.
    - `trusted_proxies`: how many proxies stand in front, or their networks; see `Proxies`.
    - `on_key_error`: "open" lets a request through whose key or cost raises, gives nonsense or
      isn't there within `key_timeout` seconds (1); "closed" answers it with 503. The default is
      "closed" where `on_unreachable` is, else "open". While a key of a Limiter awaits the body of
      a request, its time stands still: a client that sends slowly isn't let through for it.
    - `preflights`: count the preflights of CORS too, which rules leave alone unless their
      methods name OPTIONS.
    - `on_denied`: makes the body of a refusal, see docs/apps/responses.md.
    - `headers`: "draft" (default), "legacy" (`X-RateLimit-*`), "both", or None for none.
    - `expose_source`: False leaves out Sidegate-Source, which tells who decided.
    - `shadow`: count and mark what would have been refused, and let it through.
    - `enabled`: False passes everything and asks nobody.

    A key or cost function that fails is logged at once with its rule, and then once a minute.
    A cost above what the limit holds is refused with 429 and no Retry-After: it can never pass,
    and letting it through would be a way around the limit.
    """

    limits: str | Limits | Iterable[str] | None
    key: Identity | None
    cost: int | Cost
    on_denied: Callable[[Request, Decision], object] | None


def settings_of(options: Options[C], *, needs_rules: bool = True) -> Settings:
    """Return the options of one middleware, checked; ValueError names what is wrong with one.

    An option that there isn't is a TypeError, as for any argument. Without `needs_rules`, neither
    limits nor rules need to be given.
    """
    _require_known(options)
    proxies = parse_proxies(options.get("trusted_proxies", 0))
    exempt = [path_matcher("exempt", it) for it in _listed("exempt", options.get("exempt", ()))]
    from_sidecar = comes_from_sidecar(options)
    needs_rules = needs_rules and not from_sidecar
    given = _rules(_with_default(options) if from_sidecar else options, needs_rules)
    service = service_name(options.get("service"))
    _require_reachable(given, exempt)
    if proxies is NO_PROXIES:
        _require_no_proxies(given)
    timeout = options.get("key_timeout", KEY_TIMEOUT)
    on_unreachable = require_on_unreachable(options.get("on_unreachable", OnUnreachable.OPEN))
    return Settings(
        rules=tuple(rule.of(service) for rule in given),
        from_sidecar=from_sidecar,
        service=service,
        exempt=exempt,
        proxies=proxies,
        budget=require_seconds("budget", options.get("budget", DEFAULT_BUDGET)),
        key_timeout=require_seconds("key_timeout", timeout, MAX_KEY_TIMEOUT),
        on_unreachable=on_unreachable,
        on_key_error=_on_key_error(options.get("on_key_error"), on_unreachable),
        headers=_headers(options.get("headers", HeaderStyle.DRAFT)),
        on_denied=_on_denied(options.get("on_denied")),
        expose_source=flag("expose_source", options.get("expose_source", True)),
        preflights=flag("preflights", options.get("preflights", False)),
        shadow=flag("shadow", options.get("shadow", False)),
        enabled=flag("enabled", options.get("enabled", True)),
    )


def _on_key_error(option: str | None, on_unreachable: OnUnreachable) -> OnKeyError:
    if option is not None:
        return _one_of("on_key_error", option, OnKeyError)
    return OnKeyError.CLOSED if on_unreachable is OnUnreachable.CLOSED else OnKeyError.OPEN


def service_name(option: object) -> str:
    """Return the service that an option names, or SIDEGATE_SERVICE, or "" for none.

    ValueError for an option that can't be one; such a variable is logged, and not used.
    """
    expected = "expected 1 to 64 printable ASCII characters without blanks, colons and slashes"
    if option is not None:
        if isinstance(option, str) and _SERVICE.fullmatch(option):
            return option
        raise ValueError(f"service={shown(option)}: {expected}")
    name = os.environ.get("SIDEGATE_SERVICE", "")
    if not name or _SERVICE.fullmatch(name):
        return name
    log.error(
        "sidegate: SIDEGATE_SERVICE=%r: %s; it is not used, so this app shares the buckets of"
        " other apps that have rules of the same names",
        name[:80],
        expected,
    )
    return ""


def _require_known(options: Options[C]) -> None:
    require_known("the middleware", options, Options.__annotations__)
    if options.get("client") is not None:
        for option in ("sidecar", "secret", "tls", "otel", "lease"):
            if options.get(option) is not None:
                raise ValueError(f"{option}= given with client=, which has its own")


def _with_default(options: Options[C]) -> Options[C]:
    """Return options that say what `default` does, as if that were all."""
    found = default_of(options)
    others = cast("Options[C]", {name: it for name, it in options.items() if name != "rules"})
    if isinstance(found, Limits):
        others["limits"] = found
    elif found:
        others["rules"] = cast("Iterable[Rule]", found)
    return others


def _rules(options: Options[C], needs_rules: bool) -> tuple[Rule, ...]:
    limits, rules = options.get("limits"), options.get("rules")
    if limits is None and rules is None and not needs_rules:
        return ()
    if (limits is None) == (rules is None):
        raise ValueError(
            f"limits={shown(limits)}, rules={shown(rules)}: exactly one of them must be given,"
            " expected limits='100/minute' or rules=[Rule(…), …]"
        )
    if limits is not None:
        key = options.get("key") or client_ip()
        return (Rule("default", limits, key=key, cost=options.get("cost", 1)),)
    for option in ("key", "cost"):
        if options.get(option) is not None:
            raise ValueError(f"{option}={options.get(option)!r}: belongs to limits=, or to a Rule")
    names: set[str] = set()
    given = _listed("rules", cast("Iterable[Rule] | None", rules) or ())
    if not given:
        raise ValueError(f"rules={rules!r}: expected at least one Rule")
    for rule in given:
        if _name_of(rule) in names:
            raise ValueError(f"rules: two of them are named {rule.name!r}, and would share buckets")
        names.add(rule.name)
    return given


def _require_reachable(rules: tuple[Rule, ...], exempt: list[Callable[[str], object]]) -> None:
    """Raise ValueError for a rule that no request ever comes to."""
    for at, rule in enumerate(rules):
        for earlier in rules[:at]:
            if earlier.covers(rule):
                raise ValueError(
                    f"rules: {rule!r} can never apply, since {earlier!r} before it takes all of"
                    " its requests: put the more special rule first"
                )
        if any(covers(matches, rule.path) for matches in exempt):
            raise ValueError(f"rules: {rule!r} can never apply, since all of its paths are exempt")


def _require_no_proxies(rules: tuple[Rule, ...]) -> None:
    for rule in rules:
        if needs_proxies(rule.key):
            raise ValueError(
                f"key={rule.key!r} of rule {rule.name!r}: proxies append to that field, expected"
                " trusted_proxies= to tell which of its entries is the client's"
            )


def _name_of(rule: object) -> str:
    if isinstance(rule, Rule):
        return rule.name
    raise ValueError(f"rules: {shown(rule)} must be a Rule")


def _listed(option: str, values: Iterable[T]) -> tuple[T, ...]:
    if isinstance(values, str | bytes) or not _is_iterable(values):
        raise ValueError(f"{option}={shown(values)}: must be a list")
    return tuple(values)


def _is_iterable(values: object) -> bool:
    return isinstance(values, Iterable)


def _one_of(option: str, value: object, choices: type[E]) -> E:
    try:
        return choices(str(value))
    except ValueError:
        names = ", ".join(choices)
        raise ValueError(f"{option}={shown(value)}: expected one of {names}") from None


def _headers(value: object) -> HeaderStyle:
    if value is True:
        return HeaderStyle.DRAFT
    if value is False or value is None:
        return HeaderStyle.NONE
    return _one_of("headers", value, HeaderStyle)


def _on_denied(
    value: Callable[[Request, Decision], object] | None,
) -> Callable[[Request, Decision], object] | None:
    if value is None or (callable(value) and not is_async(value)):
        return value
    raise ValueError(
        f"on_denied={shown(value)}: expected a plain function of the request and the decision"
    )
