"""Gate: what both middlewares do with a request and a decision, whatever carries them.

No I/O, except that a fault is logged.
"""

import logging
from collections.abc import Iterable
from functools import lru_cache
from inspect import iscoroutine
from typing import Generic, TypedDict, TypeVar

import msgspec

from sidegate.decision import Decision, Source
from sidegate.errors import CostError
from sidegate.fallback import OnUnreachable
from sidegate.fields import CURRENT, SHADOW, SOURCE, Pair, Policy, legacy, refusal, retry_after
from sidegate.identity import Cost, Identity, bucket_key, client_ip
from sidegate.limits import Limits
from sidegate.options import DEFAULT_BUDGET, MOST_BUDGET, Tls
from sidegate.proxies import parse_proxies
from sidegate.rules import Rule, path_matcher

C = TypeVar("C")
T = TypeVar("T")

log = logging.getLogger("sidegate")

MOST_LOWERED = 1_024  # policies for the share of one node: a few a rule, while sidecars come and go


class Options(TypedDict, Generic[C], total=False):
    """The options of both middlewares; a wrong one raises ValueError when they are made.

    - `limits`: for every request, like one rule named "default", with `key` (default:
      `client_ip()`) and `cost` (default: 1); or `rules`, of which the first that matches applies,
      and a request that none matches isn't limited. Exactly one of the two.
    - `exempt`: paths that are never limited, written as in a Rule.
    - `sidecar`, `secret`, `tls`, `budget`, `on_unreachable`: as for a Client.
    - `client`: a client that exists, instead of these; it is shared, and not closed.
    - `trusted_proxies`: how many proxies stand in front, or their networks; see `Proxies`.
    - `shadow`: count and mark what would have been refused, and let it through.
    - `legacy_headers`: send X-RateLimit-Limit, -Remaining and -Reset too.

    A key or cost that raises, gives nonsense, or (awaited) outlasts the budget is logged once a
    rule, and the request goes by `on_unreachable`: refused by "closed", else let through.
    A cost above what the limit holds is refused with 429 and no Retry-After: it can never pass,
    and letting it through would be a way around the limit.
    """

    limits: str | Limits | None
    rules: Iterable[Rule] | None
    key: Identity | None
    cost: int | Cost
    exempt: Iterable[str]
    sidecar: str | None
    secret: str | bytes | None
    tls: Tls | None
    client: C | None
    on_unreachable: str
    budget: float
    trusted_proxies: int | Iterable[str]
    shadow: bool
    legacy_headers: bool


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What becomes of a request: the app gets it (status 0), or the response is this one.

    `fields` belong to the response in either case.
    """

    fields: list[Pair]
    status: int = 0
    body: bytes = b""


class Gate:
    """The rules of one app, and the policy for what can't be decided."""

    def __init__(self, options: Options[C]) -> None:
        _require_known(options)
        self.rules = _rules(options)
        self.budget = _budget(options.get("budget", DEFAULT_BUDGET))
        self.proxies = parse_proxies(options.get("trusted_proxies", 0))
        self.legacy = options.get("legacy_headers", False)
        self._shadow = options.get("shadow", False)
        exempt = options.get("exempt", ())
        self._exempt = [path_matcher("exempt", path) for path in _listed("exempt", exempt)]
        self.on_unreachable = _on_unreachable(options)
        self._logged: set[tuple[str, str]] = set()
        first = self.rules[0] if self.rules and not self._exempt else None
        self._every = first if first and first.matches_all else None

    def rule_for(self, path: str, method: str) -> Rule | None:
        """Return the rule that applies to a request, None if it isn't limited."""
        if self._every is not None:
            return self._every
        if self._exempt and any(matches(path) for matches in self._exempt):
            return None
        for rule in self.rules:
            if rule.matches(path, method):
                return rule
        return None

    def question(self, rule: Rule, identity: object, cost: object) -> tuple[str, int]:
        """Return the key and the cost to check; raises for what can't be asked."""
        if not isinstance(identity, str):
            raise TypeError(f"the key must be a text or None, not {_nonsense(identity)}")
        if not isinstance(cost, int) or isinstance(cost, bool) or cost < 0:
            raise TypeError(f"the cost must be a number from 0 up, not {_nonsense(cost)}")
        if cost > rule.limits.smallest_burst:
            raise CostError(cost, rule.limits.smallest_burst)
        return bucket_key(rule.name, identity), cost

    def fault(self, rule: Rule, error: Exception) -> Decision:
        """Decide a request about which nobody could be asked, and log why, once a rule and kind."""
        kind = (rule.name, type(error).__name__)
        if kind not in self._logged:
            self._logged.add(kind)
            log.warning("rule %r can't be checked (said once): %s: %s", *kind, error)
        if isinstance(error, CostError):  # what the owner would say, if it were asked
            return Decision(False, rule.limits, error.cost, (), Source.OWNER)
        closed = self.on_unreachable is OnUnreachable.CLOSED
        source = Source.CLOSED if closed else Source.OPEN
        return Decision(not closed, rule.limits, 0, (), source)

    def verdict(self, rule: Rule, decision: Decision, epoch: float) -> Verdict:
        """Turn a decision into what becomes of the request; `epoch` is now, for legacy fields."""
        policy = rule.policy
        if decision.limits is not rule.limits:
            policy = _lowered(rule.name, decision.limits)
        elif decision.allowed and decision.source is Source.OWNER and not self.legacy:
            return Verdict([policy.field, (CURRENT, policy.current(decision, 0))])  # nearly all
        retry = retry_after(decision)
        fields = [policy.field]
        if decision.debts:
            fields.append((CURRENT, policy.current(decision, retry)))
            if self.legacy:
                fields += legacy(decision, retry, epoch)
        if decision.source is not Source.OWNER:
            fields.append((SOURCE, decision.source.encode("ascii")))
        if decision.allowed:
            return Verdict(fields)
        if rule.shadow or self._shadow:
            fields.append((SHADOW, b"denied"))
            return Verdict(fields)
        body = policy.problem(decision, retry)
        fields += refusal(retry, body)
        return Verdict(fields, 503 if decision.source is Source.CLOSED else 429, body)


# Limits other than the rule's own come from a node that decides alone, by its share of them.
@lru_cache(maxsize=MOST_LOWERED)
def _lowered(name: str, limits: Limits) -> Policy:
    return Policy(name, limits)


def _require_known(options: Options[C]) -> None:
    for option in options:
        if option not in Options.__annotations__:
            raise TypeError(f"{option} is no option of the middleware")
    if options.get("client") is not None:
        for option in ("sidecar", "secret", "tls"):
            if options.get(option) is not None:
                raise ValueError(f"{option}= given with client=, which has its own")


def _rules(options: Options[C]) -> tuple[Rule, ...]:
    limits, rules = options.get("limits"), options.get("rules")
    if (limits is None) == (rules is None):
        raise ValueError(f"limits={limits!r}, rules={rules!r}: exactly one of them must be given")
    if limits is not None:
        key = options.get("key") or client_ip()
        return (Rule("default", limits, key=key, cost=options.get("cost", 1)),)
    for option in ("key", "cost"):
        if options.get(option) is not None:
            raise ValueError(f"{option}={options.get(option)!r}: belongs to limits=, or to a Rule")
    names: set[str] = set()
    given = _listed("rules", rules or ())
    for rule in given:
        if _name_of(rule) in names:
            raise ValueError(f"rules: two of them are named {rule.name!r}, and would share buckets")
        names.add(rule.name)
    return given


def _name_of(rule: object) -> str:
    if isinstance(rule, Rule):
        return rule.name
    raise ValueError(f"rules: {rule!r} must be a Rule")


def _listed(option: str, values: Iterable[T]) -> tuple[T, ...]:
    if isinstance(values, str):
        raise ValueError(f"{option}={values!r}: must be a list")  # noqa: TRY004 - as all options
    return tuple(values)


def _budget(budget: object) -> float:
    if isinstance(budget, int | float) and 0 < budget <= MOST_BUDGET:
        return budget
    raise ValueError(f"budget={budget!r}: expected seconds, more than 0 and at most {MOST_BUDGET}")


def _on_unreachable(options: Options[C]) -> OnUnreachable:
    policy = options.get("on_unreachable", OnUnreachable.OPEN)
    try:
        return OnUnreachable(policy)
    except ValueError:
        names = ", ".join(OnUnreachable)
        raise ValueError(f"on_unreachable={policy!r}: expected one of {names}") from None


def _nonsense(value: object) -> str:
    if iscoroutine(value):
        value.close()  # else Python warns that nobody awaited it
    return repr(value)[:80]
